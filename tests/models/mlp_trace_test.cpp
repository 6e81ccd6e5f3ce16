#include "core/random/random_state.h"
#include "models/datasets.h"
#include "models/mlp.h"
#include "models/numpy_mean.h"
#include "models/training.h"
#include "tests/golden.h"
#include "tests/models/long_test.h"
#include "tests/models/reference.h"

/// The perceptron of 784-500-10 units against the tutorial's own script: three epochs over MNIST.
namespace damo::test {
namespace {

TEST_CASE("the multilayer perceptron agrees with the script") {
  if (skip_long_test("mlp_float64")) return;
  const auto data_dir = mnist_dir();
  if (!data_dir) return;
  const nlohmann::json trace = golden("mlp_float64");
  const nlohmann::json& settings = trace["settings"];
  const Tolerance tolerance = tolerance_of(trace);
  const FloatXScope scope(float64);
  const int batch_size = settings["batch_size"];
  const Datasets datasets = load_data(*data_dir);

  RandomState rng(settings["seed"].get<std::int64_t>());
  const Var x = matrix("x");
  const Var y = ivector("y");
  const MLP classifier(
      {.rng = rng, .input = x, .n_in = 28 * 28, .n_hidden = settings["n_hidden"].get<int>(), .n_out = 10});
  const std::vector<std::pair<std::string, Shared>> params = {{"W0", classifier.params[0]},
                                                              {"b0", classifier.params[1]},
                                                              {"logW", classifier.params[2]},
                                                              {"logb", classifier.params[3]}};
  check_checksums(params, trace["params_init"], tolerance.checksum, "at the start");
  const Var cost = classifier.negative_log_likelihood(y) + settings["L1"].get<double>() * classifier.L1 +
                   settings["L2"].get<double>() * classifier.L2_sqr;
  const auto functions = training_functions({x, y, cost, classifier.errors(y), classifier.params}, datasets,
                                            batch_size, settings["lr"].get<double>());

  for (const nlohmann::json& epoch : trace["epochs"]) {
    std::vector<double> c;
    for (int i = 0; i < 50000 / batch_size; ++i) c.push_back(functions.train(i));
    const std::string when = "epoch " + std::to_string(epoch["epoch"].get<int>());
    if (epoch["epoch"] == 1) {
      const auto& first = trace["first50_costs"];
      check_trace({c.begin(), c.begin() + static_cast<std::ptrdiff_t>(first.size())}, first, tolerance.cost,
                  "minibatch");
    }
    check_relative(numpy_mean(c), epoch["mean_cost"], tolerance.cost, when + ", mean cost");
    check_relative(c.back(), epoch["last_cost"], tolerance.cost, when + ", last cost");
    check_relative(numpy_mean(functions.valid_score()), epoch["valid"], tolerance.cost,
                   when + ", validation error");
    check_relative(numpy_mean(functions.test_score()), epoch["test"], tolerance.cost, when + ", test error");
  }
  check_checksums(params, trace["params_end"], tolerance.checksum, "at the end");
}

}  // namespace
}  // namespace damo::test
