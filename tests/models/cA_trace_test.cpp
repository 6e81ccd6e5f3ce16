#include "core/random/random_state.h"
#include "models/cA.h"
#include "models/datasets.h"
#include "tests/golden.h"
#include "tests/models/reference.h"

/// The contractive autoencoder of 784-500 units against the script: the first minibatches of MNIST.
namespace damo::test {
namespace {

TEST_CASE("the contractive autoencoder agrees with the script") {
  const auto data_dir = mnist_dir();
  if (!data_dir) return;
  const nlohmann::json trace = golden("cA_float64");
  const nlohmann::json& settings = trace["settings"];
  const Tolerance tolerance = tolerance_of(trace);
  const FloatXScope scope(float64);
  const int batch_size = settings["batch_size"];
  const auto& costs = trace["L_rec_L_jacob"];
  const int n = static_cast<int>(costs.size());
  const Shared train_set_x = load_data(*data_dir, {.train = n * batch_size, .valid = 1, .test = 1}).train.x;

  RandomState rng(settings["seed"].get<std::int64_t>());
  const Var index = lscalar();
  const Var x = matrix("x");
  const cA ca({.numpy_rng = rng,
               .input = x,
               .n_visible = 28 * 28,
               .n_hidden = settings["n_hidden"].get<int>(),
               .n_batchsize = batch_size,
               .script_division = true});
  check_checksums(ca.named_params(), trace["params_init"], tolerance.checksum, "at the start");
  const auto [cost, updates] =
      ca.get_cost_updates(settings["contraction_level"].get<double>(), settings["lr"].get<double>());
  const Function train_ca = function({.inputs = {index},
                                      .outputs = {mean(ca.L_rec), ca.L_jacob},
                                      .updates = updates,
                                      .givens = {{x, minibatch(train_set_x, index, batch_size)}}});
  for (int i = 0; i < n; ++i) {
    const auto values = train_ca(i).bind<2>();
    const std::string what = "minibatch " + std::to_string(i);
    check_relative(values[0].item(), costs[static_cast<std::size_t>(i)][0], tolerance.cost, what + ", L_rec");
    check_relative(values[1].item(), costs[static_cast<std::size_t>(i)][1], tolerance.cost,
                   what + ", L_jacob");
  }
  check_checksums(ca.named_params(), trace["params_end"], tolerance.checksum, "at the end");
}

}  // namespace
}  // namespace damo::test
