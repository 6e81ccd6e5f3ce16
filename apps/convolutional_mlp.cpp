// Trains a LeNet on MNIST (tutorial "Convolutional Neural Networks (LeNet)").
#include <limits>

#include "apps/command_line.h"
#include "apps/fit.h"
#include "apps/session.h"
#include "core/tensor/check.h"
#include "models/lenet.h"
#include "models/sizes.h"
#include "models/training.h"

namespace damo::apps {
namespace {

void program(int argc, const char* const* argv) {
  CommonOptions common = {.seed = 23455};
  int n_epochs = 200, batch_size = 500;
  double learning_rate = 0.1;
  std::vector<int> nkerns = {20, 50};
  CommandLine line("convolutional_mlp", "Trains a LeNet on MNIST.");
  line.whole("--n-epochs", n_epochs, 1, "at most so many epochs");
  line.real("--learning-rate", learning_rate, 0, std::numeric_limits<double>::max(), "of gradient descent");
  line.wholes("--nkerns", nkerns, 1, "filters of the two layers, with a comma between");
  line.whole("--batch-size", batch_size, 1, "examples in a minibatch");
  if (!common.read(line, argc, argv)) return;
  check(nkerns.size() == 2, "--nkerns has {} values, and there are two layers", nkerns.size());

  Session session(common);
  const Datasets datasets = session.load_datasets();
  session.check_batch_size(batch_size, {datasets.train.x, datasets.valid.x, datasets.test.x});

  session.say("... building the model");
  const Var x = matrix("x");
  const Var y = ivector("y");
  RandomState rng(common.seed);
  const LeNet classifier(
      {.rng = rng, .input = x, .batch_size = batch_size, .nkerns = {nkerns[0], nkerns[1]}});
  const Var cost = classifier.negative_log_likelihood(y);
  session.load(classifier.named_params());
  session.checkpoint.keep(classifier.named_params());
  const std::int64_t n_train_batches = n_minibatches(datasets.train.x, batch_size);
  FitState state;
  state.keep(session.checkpoint, n_train_batches);
  const auto functions = training_functions({x, y, cost, classifier.errors(y), classifier.params}, datasets,
                                            batch_size, learning_rate);

  session.say("... training");
  fit(functions,
      {.phase = "train",
       .n_epochs = n_epochs,
       .n_train_batches = n_train_batches,
       .patience = 10000,
       .on_iter =
           [&](std::int64_t iter) {
             if (iter % 100 == 0) session.say("training @ iter =  {}", iter);
           },
       .on_best = [&] { session.save(classifier.named_params()); }},
      state, session);
  session.say("Optimization complete.");
  session.say("Best validation score of {:f} % obtained at iteration {}, with test performance {:f} %",
              state.early.best_validation * 100, state.early.best_iter + 1, state.early.test_score * 100);
  session.say("The code for file convolutional_mlp.cpp ran for {:.2f}m", state.seconds / 60);
}

}  // namespace
}  // namespace damo::apps

int main(int argc, char** argv) {
  return damo::apps::run("convolutional_mlp", argc, argv, damo::apps::program);
}
