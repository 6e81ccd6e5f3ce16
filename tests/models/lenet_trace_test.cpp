#include "core/random/random_state.h"
#include "core/run/threads.h"
#include "models/datasets.h"
#include "models/lenet.h"
#include "models/numpy_mean.h"
#include "models/training.h"
#include "tests/golden.h"
#include "tests/models/long_test.h"
#include "tests/models/reference.h"

/// The LeNet of the tutorial's own script: ten minibatches of MNIST.
namespace damo::test {
namespace {

TEST_CASE("LeNet agrees with the script, on one thread and on two") {
  if (skip_long_test("lenet_float64")) return;
  const auto data_dir = mnist_dir();
  if (!data_dir) return;
  const nlohmann::json trace = golden("lenet_float64");
  const nlohmann::json& settings = trace["settings"];
  const Tolerance tolerance = tolerance_of(trace);
  const FloatXScope scope(float64);
  const int batch_size = settings["batch_size"];
  const Datasets datasets = load_data(*data_dir);
  const auto& costs = trace["costs"];

  for (const int threads : {1, 2}) {
    set_threads(threads);
    RandomState rng(settings["seed"].get<std::int64_t>());
    const Var x = matrix("x");
    const Var y = ivector("y");
    const auto nkerns = settings["nkerns"].get<std::array<int, 2>>();
    const LeNet classifier({.rng = rng, .input = x, .batch_size = batch_size, .nkerns = nkerns});
    const std::vector<std::pair<std::string, Shared>> params = {
        {"l3W", classifier.params[0]}, {"l3b", classifier.params[1]}, {"l2W", classifier.params[2]},
        {"l2b", classifier.params[3]}, {"l1W", classifier.params[4]}, {"l1b", classifier.params[5]},
        {"l0W", classifier.params[6]}, {"l0b", classifier.params[7]}};
    check_checksums(params, trace["params_init"], tolerance.checksum, "at the start");
    const auto functions = training_functions(
        {x, y, classifier.negative_log_likelihood(y), classifier.errors(y), classifier.params}, datasets,
        batch_size, settings["lr"].get<double>());
    std::vector<double> c;
    for (std::size_t i = 0; i < costs.size(); ++i) c.push_back(functions.train(static_cast<std::int64_t>(i)));
    check_trace(c, costs, tolerance.cost, "minibatch");
    check_checksums(params, trace["params_end"], tolerance.checksum, "at the end");
    check_relative(numpy_mean(functions.valid_score()), trace["valid_after_10"], tolerance.cost,
                   "validation error");
  }
  set_threads(0);
}

}  // namespace
}  // namespace damo::test
