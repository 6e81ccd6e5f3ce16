#include "core/random/random_state.h"
#include "models/dA.h"
#include "models/datasets.h"
#include "models/numpy_mean.h"
#include "tests/golden.h"
#include "tests/models/long_test.h"
#include "tests/models/reference.h"

/// The denoising autoencoder of 784-500 units against the tutorial's own script: two epochs over MNIST.
namespace damo::test {
namespace {

void check_trace_of_dA(const std::string& name) {
  if (skip_long_test(name)) return;
  const auto data_dir = mnist_dir();
  if (!data_dir) return;
  const nlohmann::json trace = golden(name);
  const nlohmann::json& settings = trace["settings"];
  const Tolerance tolerance = tolerance_of(trace);
  const FloatXScope scope(dtype_from_string(settings["floatX"].get<std::string>()));
  const int batch_size = settings["batch_size"];
  const Shared train_set_x = load_data(*data_dir, {.valid = 1, .test = 1}).train.x;

  RandomState rng(settings["seed"].get<std::int64_t>());
  const std::int64_t seed = rng.randint(1 << 30);
  RandomStreams numpy_streams(static_cast<std::uint32_t>(seed));
  MRG_RandomStreams mrg_streams(seed);
  Streams* streams = &numpy_streams;
  if (settings["rng"] == "mrg") streams = &mrg_streams;

  const Var index = lscalar();
  const Var x = matrix("x");
  const dA da({.numpy_rng = rng,
               .theano_rng = streams,
               .input = x,
               .n_visible = 28 * 28,
               .n_hidden = settings["n_hidden"].get<int>()});
  check_checksums(da.named_params(), trace["params_init"], tolerance.checksum, "at the start");
  const auto [cost, updates] =
      da.get_cost_updates(settings["corruption"].get<double>(), settings["lr"].get<double>());
  const Function train_da = function({.inputs = {index},
                                      .outputs = cost,
                                      .updates = updates,
                                      .givens = {{x, minibatch(train_set_x, index, batch_size)}}});

  for (const nlohmann::json& epoch : trace["epochs"]) {
    std::vector<double> c;
    for (int batch_index = 0; batch_index < 50000 / batch_size; ++batch_index)
      c.push_back(train_da(batch_index));
    const std::string when = "epoch " + std::to_string(epoch["epoch"].get<int>());
    if (epoch["epoch"] == 0) {
      const auto& first = trace["first50_costs"];
      check_trace({c.begin(), c.begin() + static_cast<std::ptrdiff_t>(first.size())}, first, tolerance.cost,
                  "minibatch");
      check_checksums(da.named_params(), trace["params_after_epoch0"], tolerance.checksum, "after epoch 0");
    }
    check_relative(numpy_mean(c), epoch["mean_cost"], tolerance.cost, when + ", mean cost");
    check_relative(c.back(), epoch["last_cost"], tolerance.cost, when + ", last cost");
  }
  check_checksums(da.named_params(), trace["params_end"], tolerance.checksum, "at the end");
}

TEST_CASE("dA without corruption agrees with the script") {
  check_trace_of_dA("dA_corruption0_float64_numpy");
}

TEST_CASE("dA with a corruption of 30 % agrees with the script") {
  check_trace_of_dA("dA_corruption30_float64_mrg");
}

}  // namespace
}  // namespace damo::test
