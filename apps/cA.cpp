// Trains a contractive autoencoder on MNIST and draws its filters (the tutorials' cA.py).
#include "models/cA.h"

#include <cmath>
#include <filesystem>
#include <limits>

#include "apps/command_line.h"
#include "apps/fit.h"
#include "apps/session.h"
#include "core/tensor/check.h"
#include "models/numpy_mean.h"
#include "models/sizes.h"

namespace damo::apps {
namespace {

struct Options {
  CommonOptions common = {.seed = 123};
  int training_epochs = 20;
  double learning_rate = 0.01;
  int batch_size = 10;
  double contraction_level = 0.1;
  bool script_division = false;
  std::string output_folder = "cA_plots";
};

void train(const Function& train_ca, const Options& options, std::int64_t n_train_batches, Position& position,
           std::vector<double>& norms, Session& session) {
  const auto on_minibatch = [&](std::int64_t minibatch) -> double {
    const auto [reconstruction, jacobian] = train_ca(minibatch).bind<2>();
    norms.push_back(std::sqrt(jacobian.item()));
    return reconstruction.item();
  };
  const auto on_epoch = [&](std::int64_t epoch, double cost) {
    session.say("Training epoch {}, reconstruction cost  {}  jacobian norm  {}", epoch, cost,
                numpy_mean(norms));
    norms.clear();
  };
  train_epochs({.task = "training",
                .log = {{"phase", "train"}},
                .n_epochs = options.training_epochs,
                .n_train_batches = n_train_batches,
                .train = on_minibatch,
                .on_epoch = on_epoch},
               position, session);
}

void program(int argc, const char* const* argv) {
  Options options;
  CommandLine line("cA", "Trains a contractive autoencoder on MNIST.");
  line.whole("--training-epochs", options.training_epochs, 0, "epochs");
  line.real("--learning-rate", options.learning_rate, 0, std::numeric_limits<double>::max(),
            "of gradient descent");
  line.whole("--batch-size", options.batch_size, 1, "examples in a minibatch");
  line.real("--contraction-level", options.contraction_level, 0, std::numeric_limits<double>::max(),
            "weight of the Jacobian's squared norm in the cost");
  line.flag("--script-division", options.script_division,
            "round that norm down as the script does, which takes the contraction out of the gradient");
  line.text("--output-folder", options.output_folder, "DIR", "where the picture of the filters goes");
  if (!options.common.read(line, argc, argv)) return;

  std::error_code failed;
  std::filesystem::create_directories(options.output_folder, failed);
  check(!failed, "--output-folder is {}, which cannot be made: {}", options.output_folder, failed.message());
  const std::string picture = options.output_folder + "/cae_filters.png";

  Session session(options.common, {{"--output-folder", picture}});
  const Shared train_set_x = session.load_datasets().train.x;
  session.check_batch_size(options.batch_size, {train_set_x});
  const std::int64_t n_train_batches = n_minibatches(train_set_x, options.batch_size);
  RandomState rng(options.common.seed);
  const Var index = lscalar("index");
  const Var x = matrix("x");
  const cA ca({.numpy_rng = rng,
               .input = x,
               .n_visible = 28 * 28,
               .n_hidden = 500,
               .n_batchsize = options.batch_size,
               .script_division = options.script_division});
  session.load(ca.named_params());
  session.checkpoint.keep(ca.named_params());
  Position position;
  position.keep(session.checkpoint, 1, n_train_batches);
  std::vector<double> norms;  // of the Jacobians, minibatch by minibatch of this epoch
  session.checkpoint.keep("norms", norms);
  session.checkpoint.check_kept(
      norms.size() == position.costs.size(), "norms",
      fmt::format("{} numbers, as many as part_costs, not {}", position.costs.size(), norms.size()));
  const auto [cost, updates] = ca.get_cost_updates(options.contraction_level, options.learning_rate);
  const Function train_ca = function({.inputs = {index},
                                      .outputs = {mean(ca.L_rec), ca.L_jacob},
                                      .updates = updates,
                                      .givens = {{x, minibatch(train_set_x, index, options.batch_size)}},
                                      .name = "train"});

  if (position.part == 0) train(train_ca, options, n_train_batches, position, norms, session);
  session.checkpoint.write(session.log);
  session.say("The code for file cA.cpp ran for {:.2f}m", position.seconds / 60);
  session.save_filters(ca.W, picture);
  session.save(ca.named_params());
}

}  // namespace
}  // namespace damo::apps

int main(int argc, char** argv) { return damo::apps::run("cA", argc, argv, damo::apps::program); }
