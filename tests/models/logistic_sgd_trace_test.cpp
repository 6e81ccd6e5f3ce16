#include <map>

#include "models/datasets.h"
#include "models/early_stopping.h"
#include "models/logistic_regression.h"
#include "models/numpy_mean.h"
#include "models/training.h"
#include "tests/golden.h"
#include "tests/models/long_test.h"
#include "tests/models/reference.h"

/// Logistic regression by the tutorial's own script, to its published end: 74 epochs, 7.50 % on the
/// validation set and 7.489583 % on the test set.
namespace damo::test {
namespace {

TEST_CASE("logistic_sgd agrees with the script, epoch by epoch") {
  if (skip_long_test("logistic_sgd_float64")) return;
  const auto data_dir = mnist_dir();
  if (!data_dir) return;
  const nlohmann::json trace = golden("logistic_sgd_float64");
  const nlohmann::json& settings = trace["settings"];
  const Tolerance tolerance = tolerance_of(trace);
  const FloatXScope scope(float64);
  const int batch_size = settings["batch_size"];
  const Datasets datasets = load_data(*data_dir);

  const Var x = matrix("x");
  const Var y = ivector("y");
  const LogisticRegression classifier({.input = x, .n_in = 28 * 28, .n_out = 10});
  const auto functions = training_functions(
      {x, y, classifier.negative_log_likelihood(y), classifier.errors(y), classifier.params}, datasets,
      batch_size, settings["lr"].get<double>());

  std::vector<double> first_costs;
  std::map<std::int64_t, double> valid, test;  // by epoch
  const EarlyStoppingState end = early_stopping(
      {.n_train_batches = settings["n_train_batches"],
       .patience = settings["patience"],
       .patience_increase = settings["patience_increase"],
       .improvement_threshold = settings["improvement_threshold"],
       .train =
           [&](std::int64_t i) {
             const double cost = functions.train(i).item();
             if (first_costs.size() < trace["first50_costs"].size()) first_costs.push_back(cost);
             return cost;
           },
       .validate = [&] { return numpy_mean(functions.valid_score()); },
       .test = [&] { return numpy_mean(functions.test_score()); },
       .on_validation = [&](const EarlyStoppingState& state, double error) { valid[state.epoch] = error; },
       .on_best = [&](const EarlyStoppingState& state) { test[state.epoch] = state.test_score; }});

  check_trace(first_costs, trace["first50_costs"], tolerance.cost, "minibatch");
  CHECK(valid.size() == trace["epochs"].size());
  for (const nlohmann::json& epoch : trace["epochs"]) {
    const auto number = epoch["epoch"].get<std::int64_t>();
    CHECK(valid[number] == epoch["valid"].get<double>());
    REQUIRE(test.contains(number) == epoch.contains("test"));
    if (epoch.contains("test")) CHECK(test[number] == epoch["test"].get<double>());
  }
  CHECK(end.epoch == trace["n_epochs"].get<std::int64_t>());
  CHECK(end.iter - 1 == trace["last_iter"].get<std::int64_t>());
  CHECK(end.best_validation == trace["best_valid"].get<double>());
  CHECK(end.test_score == trace["test_at_best"].get<double>());
  check_checksums(classifier.named_params(), trace["params_end"], tolerance.checksum, "at the end");
}

}  // namespace
}  // namespace damo::test
