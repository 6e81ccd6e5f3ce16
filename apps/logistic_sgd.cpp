// Trains a logistic regression on MNIST and keeps the best model (tutorial "Classifying MNIST digits using
// Logistic Regression").
#include <limits>

#include "apps/command_line.h"
#include "apps/fit.h"
#include "apps/session.h"
#include "models/logistic_regression.h"
#include "models/sizes.h"
#include "models/training.h"

namespace damo::apps {
namespace {

struct Options {
  // No random number is drawn: the parameters start at zero.
  CommonOptions common = {};
  int n_epochs = 1000;
  double learning_rate = 0.13;
  int batch_size = 600;
  bool predict = false;
};

void train(const Options& options, Session& session) {
  const Datasets datasets = session.load_datasets();
  session.check_batch_size(options.batch_size, {datasets.train.x, datasets.valid.x, datasets.test.x});

  session.say("... building the model");
  const Var x = matrix("x");
  const Var y = ivector("y");
  const LogisticRegression classifier({.input = x, .n_in = 28 * 28, .n_out = 10});
  const Var cost = classifier.negative_log_likelihood(y);
  session.load(classifier.named_params());
  session.checkpoint.keep(classifier.named_params());
  const std::int64_t n_train_batches = n_minibatches(datasets.train.x, options.batch_size);
  FitState state;
  state.keep(session.checkpoint, n_train_batches);
  const auto functions = training_functions({x, y, cost, classifier.errors(y), classifier.params}, datasets,
                                            options.batch_size, options.learning_rate);

  session.say("... training the model");
  fit(functions,
      {.phase = "train",
       .n_epochs = options.n_epochs,
       .n_train_batches = n_train_batches,
       .patience = 5000,
       .on_best = [&] { session.save(classifier.named_params()); }},
      state, session);
  session.say("Optimization complete with best validation score of {:f} %,with test performance {:f} %",
              state.early.best_validation * 100, state.early.test_score * 100);
  session.say("The code run for {} epochs, with {:f} epochs/sec", state.early.epoch,
              static_cast<double>(state.early.epoch) / state.seconds);
  session.say("The code for file logistic_sgd.cpp ran for {:.1f}s", state.seconds);
}

// The classes that the saved model sees in the first ten test examples.
void predict(Session& session) {
  const Var x = matrix("x");
  const LogisticRegression classifier({.input = x, .n_in = 28 * 28, .n_out = 10});
  session.load(classifier.named_params());
  const Tensor test_set_x = session.load_datasets().test.x.get_value({.borrow = true});
  const Function predict_model = function({.inputs = {x}, .outputs = classifier.y_pred});
  const std::int64_t n = std::min<std::int64_t>(10, test_set_x.shape(0));
  session.say("Predicted values for the first {} examples in test set:", n);
  session.say("{}", to_string(Tensor(predict_model(test_set_x.slice(0, 0, n)))));
}

void program(int argc, const char* const* argv) {
  Options options;
  CommandLine line("logistic_sgd", "Trains a logistic regression on MNIST and saves the best model.");
  line.whole("--n-epochs", options.n_epochs, 1, "at most so many epochs");
  line.real("--learning-rate", options.learning_rate, 0, std::numeric_limits<double>::max(),
            "of gradient descent");
  line.whole("--batch-size", options.batch_size, 1, "examples in a minibatch");
  line.flag(
      "--predict", options.predict,
      "do not train, but print what the model of --load, or best_model.npz, predicts of ten test examples");
  if (!options.common.read(line, argc, argv)) return;
  const std::string best_model = "best_model.npz";
  if (options.predict && options.common.load.empty()) options.common.load = best_model;
  if (!options.predict && options.common.save.empty()) options.common.save = best_model;

  Session session(options.common);
  if (options.predict)
    predict(session);
  else
    train(options, session);
}

}  // namespace
}  // namespace damo::apps

int main(int argc, char** argv) { return damo::apps::run("logistic_sgd", argc, argv, damo::apps::program); }
