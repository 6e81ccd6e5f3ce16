// Trains a multilayer perceptron on MNIST (tutorial "Multilayer Perceptron").
#include "models/mlp.h"

#include <limits>

#include "apps/command_line.h"
#include "apps/fit.h"
#include "apps/session.h"
#include "models/sizes.h"
#include "models/training.h"

namespace damo::apps {
namespace {

void program(int argc, const char* const* argv) {
  constexpr double any = std::numeric_limits<double>::max();
  CommonOptions common = {.seed = 1234};
  int n_epochs = 1000, n_hidden = 500, batch_size = 20;
  double learning_rate = 0.01, L1_reg = 0, L2_reg = 0.0001;
  CommandLine line("mlp", "Trains a multilayer perceptron on MNIST.");
  line.whole("--n-epochs", n_epochs, 1, "at most so many epochs");
  line.real("--learning-rate", learning_rate, 0, any, "of gradient descent");
  line.whole("--n-hidden", n_hidden, 1, "hidden units");
  line.real("--L1-reg", L1_reg, 0, any, "weight of sum |w| in the cost");
  line.real("--L2-reg", L2_reg, 0, any, "weight of sum w^2 in the cost");
  line.whole("--batch-size", batch_size, 1, "examples in a minibatch");
  if (!common.read(line, argc, argv)) return;

  Session session(common);
  const Datasets datasets = session.load_datasets();
  session.check_batch_size(batch_size, {datasets.train.x, datasets.valid.x, datasets.test.x});

  session.say("... building the model");
  const Var x = matrix("x");
  const Var y = ivector("y");
  RandomState rng(common.seed);
  const MLP classifier({.rng = rng, .input = x, .n_in = 28 * 28, .n_hidden = n_hidden, .n_out = 10});
  const Var cost =
      classifier.negative_log_likelihood(y) + L1_reg * classifier.L1 + L2_reg * classifier.L2_sqr;
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
       .on_best = [&] { session.save(classifier.named_params()); }},
      state, session);
  session.say(
      "Optimization complete. Best validation score of {:f} % obtained at iteration {}, with test "
      "performance {:f} %",
      state.early.best_validation * 100, state.early.best_iter + 1, state.early.test_score * 100);
  session.say("The code for file mlp.cpp ran for {:.2f}m", state.seconds / 60);
}

}  // namespace
}  // namespace damo::apps

int main(int argc, char** argv) { return damo::apps::run("mlp", argc, argv, damo::apps::program); }
