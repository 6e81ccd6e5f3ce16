// Trains two denoising autoencoders on MNIST, one on clean inputs and one with a corruption of 30 %, and
// draws their filters (tutorial "Denoising Autoencoders (dA)").
#include "models/dA.h"

#include <filesystem>
#include <limits>

#include "apps/command_line.h"
#include "apps/fit.h"
#include "apps/session.h"
#include "core/tensor/check.h"
#include "models/sizes.h"

namespace damo::apps {
namespace {

struct Options {
  CommonOptions common = {.seed = 123};
  int training_epochs = 15;
  double learning_rate = 0.1;
  int batch_size = 20;
  std::string output_folder = "dA_plots";
};

// One autoencoder, in training.
struct Run {
  std::unique_ptr<Streams> theano_rng;
  dA da;
  Function train;
  double corruption;
};

Run make_run(const Options& options, const Shared& train_set_x, double corruption) {
  RandomState rng(options.common.seed);
  auto theano_rng = make_streams(options.common.rng, rng);
  const Var index = lscalar("index");
  const Var x = matrix("x");
  const dA da(
      {.numpy_rng = rng, .theano_rng = theano_rng.get(), .input = x, .n_visible = 28 * 28, .n_hidden = 500});
  const auto [cost, updates] = da.get_cost_updates(corruption, options.learning_rate);
  const Function train = function({.inputs = {index},
                                   .outputs = cost,
                                   .updates = updates,
                                   .givens = {{x, minibatch(train_set_x, index, options.batch_size)}},
                                   .name = "train"});
  return {std::move(theano_rng), da, train, corruption};
}

void train(const Run& run, const Options& options, std::int64_t n_train_batches, Position& position,
           Session& session) {
  const auto on_epoch = [&](std::int64_t epoch, double cost) {
    session.say("Training epoch {}, cost  {}", epoch, cost);
  };
  train_epochs({.task = fmt::format("corruption {}", run.corruption),
                .log = {{"phase", "train"}, {"corruption", run.corruption}},
                .n_epochs = options.training_epochs,
                .n_train_batches = n_train_batches,
                .train = [&](std::int64_t minibatch) -> double { return run.train(minibatch); },
                .on_epoch = on_epoch},
               position, session);
}

void program(int argc, const char* const* argv) {
  Options options;
  CommandLine line("dA", "Trains denoising autoencoders on MNIST, without corruption and with 30 %.");
  line.whole("--training-epochs", options.training_epochs, 0, "epochs of each autoencoder");
  line.real("--learning-rate", options.learning_rate, 0, std::numeric_limits<double>::max(),
            "of gradient descent");
  line.whole("--batch-size", options.batch_size, 1, "examples in a minibatch");
  line.text("--output-folder", options.output_folder, "DIR", "where the pictures of the filters go");
  if (!options.common.read(line, argc, argv)) return;

  std::error_code failed;
  std::filesystem::create_directories(options.output_folder, failed);
  check(!failed, "--output-folder is {}, which cannot be made: {}", options.output_folder, failed.message());
  const std::string clean_picture = options.output_folder + "/filters_corruption_0.png";
  const std::string corrupted_picture = options.output_folder + "/filters_corruption_30.png";

  Session session(options.common,
                  {{"--output-folder", clean_picture}, {"--output-folder", corrupted_picture}});
  const Shared train_set_x = session.load_datasets().train.x;
  session.check_batch_size(options.batch_size, {train_set_x});
  const std::int64_t n_train_batches = n_minibatches(train_set_x, options.batch_size);
  const Run clean = make_run(options, train_set_x, 0.0);
  const Run corrupted = make_run(options, train_set_x, 0.3);
  NamedParams params = prefixed("corruption_0.", clean.da.named_params());
  for (const auto& param : prefixed("corruption_30.", corrupted.da.named_params())) params.push_back(param);
  session.load(params);
  session.checkpoint.keep(params);
  session.checkpoint.keep("rng_clean", clean.theano_rng->states());
  session.checkpoint.keep("rng_corrupted", corrupted.theano_rng->states());
  Position position;
  position.keep(session.checkpoint, 2, n_train_batches);

  if (position.part == 0) {
    train(clean, options, n_train_batches, position, session);
    session.say("The no corruption code for file dA.cpp ran for {:.2f}m", position.seconds / 60);
    session.save_filters(clean.da.W, clean_picture);
    position.seconds = 0;
  }
  if (position.part == 1) train(corrupted, options, n_train_batches, position, session);
  session.checkpoint.write(session.log);
  session.say("The 30% corruption code for file dA.cpp ran for {:.2f}m", position.seconds / 60);
  session.save_filters(corrupted.da.W, corrupted_picture);
  session.save(params);
}

}  // namespace
}  // namespace damo::apps

int main(int argc, char** argv) { return damo::apps::run("dA", argc, argv, damo::apps::program); }
