// Pretrains a stack of denoising autoencoders on MNIST, layer by layer, then fine-tunes it as a classifier
// (tutorial "Stacked Denoising Autoencoders (SdA)").
#include "models/SdA.h"

#include <limits>

#include "apps/command_line.h"
#include "apps/fit.h"
#include "apps/session.h"
#include "core/tensor/check.h"
#include "models/sizes.h"

namespace damo::apps {
namespace {

struct Options {
  CommonOptions common = {.seed = 89677};
  std::string preset = "tutorial";
  std::vector<int> hidden_layers_sizes = {1000, 1000, 1000};
  std::vector<double> corruption_levels = {.1, .2, .3};
  int batch_size = 1;
  int pretraining_epochs = 15;
  double pretrain_lr = 0.001;
  int training_epochs = 1000;
  double finetune_lr = 0.1;
  bool cache_layers = false;
  std::string filters = {};
};

// Two minutes, and 2.2 % of errors on MNIST's test set. The cost is a mean over the minibatch, so that
// minibatches of 20 take a larger learning rate than the tutorial's single examples.
Options quick() {
  return {.hidden_layers_sizes = {500, 500, 500},
          .batch_size = 20,
          .pretraining_epochs = 3,
          .pretrain_lr = 0.1,
          .training_epochs = 12};
}

// Whether to go on: not after --help.
bool parse(Options& options, int argc, const char* const* argv) {
  constexpr double any = std::numeric_limits<double>::max();
  CommandLine line("SdA", "Trains a stacked denoising autoencoder on MNIST.");
  line.choice("--preset", options.preset, {"tutorial", "quick"},
              "the other options' defaults: the tutorial's, or a few minutes' worth");
  line.wholes("--hidden-layers-sizes", options.hidden_layers_sizes, 1, "units of each hidden layer");
  line.reals("--corruption-levels", options.corruption_levels, 0, 1, "of each hidden layer's autoencoder");
  line.whole("--batch-size", options.batch_size, 1, "examples in a minibatch");
  line.whole("--pretraining-epochs", options.pretraining_epochs, 0, "epochs of each layer");
  line.real("--pretrain-lr", options.pretrain_lr, 0, any, "learning rate of pretraining");
  line.whole("--training-epochs", options.training_epochs, 0, "at most so many epochs of fine-tuning");
  line.real("--finetune-lr", options.finetune_lr, 0, any, "learning rate of fine-tuning");
  line.flag("--cache-layers", options.cache_layers,
            "store each layer's output for pretraining the next: faster");
  line.text("--filters", options.filters, "FILE.png", "draw the first layer's filters after pretraining");
  return options.common.read(line, argc, argv);
}

void pretrain_layer(int i, const Function& f, std::int64_t n_train_batches, const Options& options,
                    Position& position, Session& session) {
  const double corruption = options.corruption_levels[static_cast<std::size_t>(i)];
  const auto train = [&](std::int64_t index) -> double {
    return f({{"index", index}, {"corruption", corruption}, {"lr", options.pretrain_lr}});
  };
  const auto on_epoch = [&](std::int64_t epoch, double cost) {
    session.say("Pre-training layer {}, epoch {}, cost {:f}", i, epoch, cost);
  };
  train_epochs({.task = fmt::format("layer {}", i),
                .log = {{"phase", "pretrain"}, {"layer", i}},
                .n_epochs = options.pretraining_epochs,
                .n_train_batches = n_train_batches,
                .train = train,
                .on_epoch = on_epoch},
               position, session);
}

void pretrain(const SdA& sda, const Shared& train_set_x, const Options& options, Position& position,
              Session& session) {
  const std::int64_t n_train_batches = n_minibatches(train_set_x, options.batch_size);
  session.say("... getting the pretraining functions");
  std::vector<Function> pretraining_fns;
  if (!options.cache_layers) pretraining_fns = sda.pretraining_functions(train_set_x, options.batch_size);
  session.say("... pre-training the model");
  Shared layer_input = train_set_x;
  for (int i = 0; i < sda.n_layers; ++i) {
    const Function f = options.cache_layers ? sda.pretraining_function(i, layer_input, options.batch_size)
                                            : pretraining_fns[static_cast<std::size_t>(i)];
    session.checkpoint.keep("rng", sda.theano_rng->states());
    if (position.part == i) pretrain_layer(i, f, n_train_batches, options, position, session);
    if (options.cache_layers && i + 1 < sda.n_layers)
      layer_input =
          shared(sda.layer_output(i, layer_input, options.batch_size), "layer_input", {.borrow = true});
  }
  session.say("The pretraining code for file SdA.cpp ran for {:.2f}m", position.seconds / 60);
}

void program(int argc, const char* const* argv) {
  Options options;
  if (!parse(options, argc, argv)) return;
  if (options.preset == "quick") {
    options = quick();
    parse(options, argc, argv);
  }
  check(options.corruption_levels.size() == options.hidden_layers_sizes.size(),
        "--corruption-levels has {} values and --hidden-layers-sizes {}: there must be one for each layer",
        options.corruption_levels.size(), options.hidden_layers_sizes.size());
  std::vector<RunFile> pictures;
  if (!options.filters.empty()) pictures.push_back({"--filters", options.filters});
  Session session(options.common, pictures);
  const Datasets datasets = session.load_datasets();
  session.check_batch_size(options.batch_size, {datasets.train.x, datasets.valid.x, datasets.test.x});

  RandomState numpy_rng(options.common.seed);
  const auto theano_rng = make_streams(options.common.rng, numpy_rng);
  session.say("... building the model");
  const SdA sda({.numpy_rng = numpy_rng,
                 .theano_rng = theano_rng.get(),
                 .n_ins = 28 * 28,
                 .hidden_layers_sizes = options.hidden_layers_sizes,
                 .n_outs = 10,
                 .corruption_levels = options.corruption_levels});
  session.load(sda.named_params());
  session.checkpoint.keep(sda.named_params());
  const std::int64_t n_train_batches = n_minibatches(datasets.train.x, options.batch_size);
  Position position;
  position.keep(session.checkpoint, sda.n_layers, n_train_batches);
  FitState state;
  state.keep(session.checkpoint, n_train_batches);

  if (position.part < sda.n_layers) {
    pretrain(sda, datasets.train.x, options, position, session);
    if (!options.filters.empty()) session.save_filters(sda.sigmoid_layers.front().W, options.filters);
    session.save(sda.named_params());
    session.checkpoint.write(session.log);
  }

  if (options.training_epochs == 0) return;
  session.say("... getting the finetuning functions");
  const auto functions = sda.build_finetune_functions(datasets, options.batch_size, options.finetune_lr);
  session.say("... finetunning the model");
  fit(functions,
      {.phase = "finetune",
       .n_epochs = options.training_epochs,
       .n_train_batches = n_train_batches,
       .patience = 10 * n_train_batches,
       .on_best = [&] { session.save(sda.named_params()); }},
      state, session);
  session.say(
      "Optimization complete with best validation score of {:f} %, on iteration {}, with test performance "
      "{:f} %",
      state.early.best_validation * 100, state.early.best_iter + 1, state.early.test_score * 100);
  session.say("The training code for file SdA.cpp ran for {:.2f}m", state.seconds / 60);
}

}  // namespace
}  // namespace damo::apps

int main(int argc, char** argv) { return damo::apps::run("SdA", argc, argv, damo::apps::program); }
