#include <algorithm>

#include "core/data/mnist.h"
#include "core/random/random_state.h"
#include "core/run/threads.h"
#include "models/SdA.h"
#include "ops/random.h"
#include "tests/golden.h"
#include "tests/models/long_test.h"
#include "tests/models/reference.h"

/// The stacked autoencoder of 784-1000-1000-1000 units with minibatches of one example, against the
/// tutorial's own script: 100 minibatches of pretraining for each layer, then 100 of fine-tuning.
namespace damo::test {
namespace {

std::vector<std::pair<std::string, Shared>> by_trace_name(const SdA& sda) {
  std::vector<std::pair<std::string, Shared>> params;
  for (int i = 0; i < sda.n_layers; ++i) {
    const dA& layer = sda.dA_layers[static_cast<std::size_t>(i)];
    params.emplace_back("W" + std::to_string(i), layer.W);
    params.emplace_back("b" + std::to_string(i), layer.b);
    params.emplace_back("bvis" + std::to_string(i), layer.b_prime);
  }
  params.emplace_back("logW", sda.log_layer.W);
  params.emplace_back("logb", sda.log_layer.b);
  return params;
}

/// Sets mode and threads, and the defaults again at the end.
struct Settings {
  Settings(Mode mode, int n_threads) {
    set_default_mode(mode);
    set_threads(n_threads);
  }
  ~Settings() {
    set_default_mode(Mode::FAST_RUN);
    set_threads(0);
  }
};

/// All of it, or the first layer's first minibatches.
void check_trace_of_SdA(const std::string& name, int most = 1000) {
  const auto data_dir = mnist_dir();
  if (!data_dir) return;
  const nlohmann::json trace = golden(name);
  const nlohmann::json& settings = trace["settings"];
  const Tolerance tolerance = tolerance_of(trace);
  const FloatXScope scope(dtype_from_string(settings["floatX"].get<std::string>()));
  const int batch_size = settings["batch_size"];
  const int n_minibatches = std::min(most, settings["n_minibatches"].get<int>());

  const Datasets datasets =
      load_data(*data_dir, {.train = n_minibatches * batch_size, .valid = 10, .test = 10});
  RandomState numpy_rng(settings["seed"].get<std::int64_t>());
  const std::int64_t seed = numpy_rng.randint(1 << 30);
  RandomStreams numpy_streams(static_cast<std::uint32_t>(seed));
  MRG_RandomStreams mrg_streams(seed);
  Streams* streams = &numpy_streams;
  if (settings["rng"] == "mrg") streams = &mrg_streams;

  const SdA sda({.numpy_rng = numpy_rng,
                 .theano_rng = streams,
                 .n_ins = 784,
                 .hidden_layers_sizes = settings["hidden"].get<std::vector<int>>(),
                 .n_outs = 10});
  check_checksums(by_trace_name(sda), trace["params_init"], tolerance.checksum, "at the start");

  const auto pretraining_fns = sda.pretraining_functions(datasets.train.x, batch_size);
  for (std::size_t i = 0; i < pretraining_fns.size(); ++i) {
    const std::string layer = "layer " + std::to_string(i);
    std::vector<double> costs;
    for (int index = 0; index < n_minibatches; ++index)
      costs.push_back(pretraining_fns[i]({{"index", index},
                                          {"corruption", settings["corruption"][i].get<double>()},
                                          {"lr", settings["pretrain_lr"].get<double>()}}));
    CHECK(costs.size() == std::min(trace["pretrain"][i].size(), static_cast<std::size_t>(most)));
    check_trace(costs, trace["pretrain"][i], tolerance.cost, layer + ", minibatch");
    if (trace["pretrain"][i].size() > costs.size()) return;
    check_checksums(by_trace_name(sda), trace["params_after_pretrain_layer" + std::to_string(i)],
                    tolerance.checksum, "after " + layer);
  }

  const auto finetune = sda.build_finetune_functions(datasets, batch_size, settings["finetune_lr"]);
  std::vector<double> costs;
  for (int index = 0; index < n_minibatches; ++index) costs.push_back(finetune.train(index));
  CHECK(costs.size() == trace["finetune"].size());
  check_trace(costs, trace["finetune"], tolerance.cost, "fine-tuning, minibatch");
  check_checksums(by_trace_name(sda), trace["params_end"], tolerance.checksum, "at the end");
}

TEST_CASE("SdA agrees with the script, float64 and NumPy's random numbers") {
  check_trace_of_SdA("sda_1000x3_batch1_float64_numpy");
}

TEST_CASE("SdA agrees with the script, float64 and MRG31k3p") {
  check_trace_of_SdA("sda_1000x3_batch1_float64_mrg");
}

TEST_CASE("SdA agrees with the script, float32 and MRG31k3p") {
  check_trace_of_SdA("sda_1000x3_batch1_float32_mrg");
}

TEST_CASE("SdA agrees with the script on one thread, in every mode") {
  for (const char* name : {"sda_1000x3_batch1_float64_numpy", "sda_1000x3_batch1_float64_mrg",
                           "sda_1000x3_batch1_float32_mrg"}) {
    const Settings scope(Mode::FAST_RUN, 1);
    check_trace_of_SdA(name);
  }
  if (skip_long_test("SdA in the modes that find mistakes")) return;
  // The first two without shortcuts take some milliseconds a step, the last one some seconds.
  for (const Mode mode : {Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode}) {
    INFO(to_string(mode));
    const Settings scope(mode, 2);
    check_trace_of_SdA("sda_1000x3_batch1_float64_numpy", mode == Mode::DebugMode ? 3 : 1000);
  }
}

}  // namespace
}  // namespace damo::test
