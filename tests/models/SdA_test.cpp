#include "models/SdA.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random/random_state.h"
#include "models/numpy_mean.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"
#include "tests/support.h"

namespace damo::test {
namespace {

SdA small_sda(std::vector<int> hidden_layers_sizes = {8, 6, 5}) {
  RandomState numpy_rng(89677);
  return SdA({.numpy_rng = numpy_rng,
              .n_ins = tiny_n_in,
              .hidden_layers_sizes = std::move(hidden_layers_sizes),
              .n_outs = tiny_n_out});
}

// Everything that training may change: parameters, visible biases and the states of the random variables.
std::vector<Shared> all_variables(const SdA& sda) {
  std::vector<Shared> all;
  for (const auto& [name, param] : sda.named_params()) all.push_back(param);
  for (const Shared& state : sda.theano_rng->states()) all.push_back(state);
  return all;
}

std::vector<double> pretrain(const Function& f, int n_batches) {
  std::vector<double> costs;
  for (int i = 0; i < n_batches; ++i) costs.push_back(f(i));
  return costs;
}

TEST_CASE("a layer and its autoencoder are the same parameters") {
  const SdA sda = small_sda();
  REQUIRE(sda.n_layers == 3);
  REQUIRE(sda.params.size() == 8);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(same(sda.dA_layers[i].W, sda.sigmoid_layers[i].W));
    CHECK(same(sda.dA_layers[i].b, sda.sigmoid_layers[i].b));
    CHECK(same(sda.params[2 * i], sda.sigmoid_layers[i].W));
    CHECK(same(sda.params[2 * i + 1], sda.sigmoid_layers[i].b));
    CHECK(same(sda.dA_layers[i].x, i == 0 ? sda.x : sda.sigmoid_layers[i - 1].output));
    for (const Shared& param : sda.params) CHECK_FALSE(same(param, sda.dA_layers[i].b_prime));
  }
  CHECK(same(sda.params[6], sda.log_layer.W));
  CHECK(same(sda.params[7], sda.log_layer.b));
}

TEST_CASE("the parameters of a stack have names of their own") {
  const SdA sda = small_sda({8, 6});
  std::vector<std::string> names;
  for (const auto& [name, param] : sda.named_params()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"layer0.W", "layer0.b", "layer0.b_prime", "layer1.W", "layer1.b",
                                          "layer1.b_prime", "log_layer.W", "log_layer.b"});
}

TEST_CASE("the generator is seeded before the weights are drawn") {
  RandomState expected(89677);
  expected.randint(1 << 30);
  // uniform over +-sqrt(6 / (n_in + n_out)), cast to floatX, then multiplied by 4 for sigmoid units
  const double bound = std::sqrt(6. / (tiny_n_in + 8));
  const Tensor W = expected.uniform(-bound, bound, {tiny_n_in, 8}, floatX());
  for (float& w : W.span<float>()) w *= 4;
  CHECK(identical(small_sda().sigmoid_layers[0].W.get_value(), W));
}

TEST_CASE("pretraining a layer changes that layer alone, in place") {
  const Datasets data = tiny_datasets();
  const SdA sda = small_sda();
  const auto pretraining_fns = sda.pretraining_functions(data.train.x, 4);
  REQUIRE(pretraining_fns.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto named = sda.named_params();
    std::vector<Tensor> before;
    std::vector<const void*> addresses;
    for (const auto& [name, param] : named) {
      before.push_back(param.get_value());
      addresses.push_back(param.get_value({.borrow = true}).data());
    }
    pretrain(pretraining_fns[i], 15);
    for (std::size_t k = 0; k < named.size(); ++k) {
      const Shared& param = named[k].second;
      CAPTURE(named[k].first);
      CHECK(identical(param.get_value(), before[k]) == (k / 3 != i));
      CHECK(param.get_value({.borrow = true}).data() == addresses[k]);
    }
  }
}

TEST_CASE("fine-tuning sees what pretraining learnt") {
  const Datasets data = tiny_datasets();
  const SdA sda = small_sda();
  RandomState rng(7);
  sda.log_layer.W.set_value(
      rng.uniform(-1, 1, {5, tiny_n_out}, floatX()));  // zeros would hide the layers below
  // With a learning rate of zero `train` returns the cost and leaves the parameters alone.
  const auto finetune = sda.build_finetune_functions(data, 4, 0.0);
  const double before = finetune.train(0);
  pretrain(sda.pretraining_functions(data.train.x, 4)[0], 15);
  const double after = finetune.train(0);
  CHECK(before != after);

  const SdA other = small_sda();
  for (std::size_t i = 0; i < sda.params.size(); ++i) other.params[i].set_value(sda.params[i].get_value());
  CHECK(after == double(other.build_finetune_functions(data, 4, 0.0).train(0)));
}

TEST_CASE("corruption and learning rate default to 0.2 and 0.1") {
  const Datasets data = tiny_datasets();
  const SdA a = small_sda(), b = small_sda(), c = small_sda();
  const Function fa = a.pretraining_functions(data.train.x, 4)[1],
                 fb = b.pretraining_functions(data.train.x, 4)[1],
                 fc = c.pretraining_functions(data.train.x, 4)[1];
  for (int i = 0; i < 10; ++i) {
    fa(i);
    fb({{"lr", 0.1}, {"index", i}, {"corruption", 0.2}});
    fc({{"index", i}, {"corruption", 0.3}});
  }
  CHECK(identical(a.dA_layers[1].W.get_value(), b.dA_layers[1].W.get_value()));
  CHECK_FALSE(identical(a.dA_layers[1].W.get_value(), c.dA_layers[1].W.get_value()));
}

TEST_CASE("the whole of it learns three classes, with either generator and in either precision") {
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    const Datasets data = tiny_datasets();
    for (const bool mrg : {false, true}) {
      CAPTURE(to_string(dtype));
      CAPTURE(mrg);
      RandomState numpy_rng(89677);
      const std::int64_t seed = numpy_rng.randint(1 << 30);
      RandomStreams numpy_streams(static_cast<std::uint32_t>(seed));
      MRG_RandomStreams mrg_streams(seed);
      Streams* streams = &numpy_streams;
      if (mrg) streams = &mrg_streams;
      const SdA sda({.numpy_rng = numpy_rng,
                     .theano_rng = streams,
                     .n_ins = tiny_n_in,
                     .hidden_layers_sizes = {8, 6},
                     .n_outs = tiny_n_out});
      for (const Function& f : sda.pretraining_functions(data.train.x, 4)) {
        const double first = numpy_mean(pretrain(f, 15));
        double last = first;
        for (int epoch = 0; epoch < 20; ++epoch) last = numpy_mean(pretrain(f, 15));
        CHECK(last < first);
      }
      const auto finetune = sda.build_finetune_functions(data, 4, 0.5);
      CHECK(finetune.valid_score().size() == 7);
      for (int epoch = 0; epoch < 40; ++epoch)
        for (int i = 0; i < 15; ++i) finetune.train(i);
      CHECK(numpy_mean(finetune.valid_score()) <= 0.1);
      CHECK(numpy_mean(finetune.test_score()) <= 0.1);
    }
  }
}

TEST_CASE("encode gives the representation of a layer") {
  const FloatXScope scope(float64);
  const SdA sda = small_sda();
  const Tensor x = tiny_dataset("x", 7, 5).x.get_value();
  const Var input = matrix("input");
  Tensor h = x;
  for (int layer = 0; layer < 3; ++layer) {
    const Tensor W = sda.sigmoid_layers[static_cast<std::size_t>(layer)].W.get_value();
    const Tensor y = Tensor::zeros({7, W.shape(1)}, float64);
    for (int i = 0; i < 7; ++i)
      for (int j = 0; j < W.shape(1); ++j) {
        double a = 0;
        for (int k = 0; k < W.shape(0); ++k) a += h.at<double>(i, k) * W.at<double>(k, j);
        y.at<double>(i, j) = 1 / (1 + std::exp(-a));
      }
    h = y;
    // A dozen terms of order 1: a few units in the last place.
    check_close(function({.inputs = {input}, .outputs = sda.encode(input, layer)})(x), h, 1e-14, 0,
                "representation");
  }
  CHECK(error_of([&] { sda.encode(input, 3); }) == "there is no layer 3: this model has layers 0 to 2");
  CHECK(error_of([&] { sda.encode(input, -1); }) == "there is no layer -1: this model has layers 0 to 2");
}

TEST_CASE("layers trained on stored representations cost the same") {
  const FloatXScope scope(float64);
  const Datasets data = tiny_datasets();
  for (const int batch_size : {1, 4, 7}) {
    const int n_batches = 60 / batch_size;
    const SdA chained = small_sda(), stored = small_sda();
    const auto chained_fns = chained.pretraining_functions(data.train.x, batch_size);
    Shared layer_input = data.train.x;
    for (int i = 0; i < 3; ++i) {
      const Function f = stored.pretraining_function(i, layer_input, batch_size);
      for (int epoch = 0; epoch < 2; ++epoch) {
        const auto want = pretrain(chained_fns[static_cast<std::size_t>(i)], n_batches);
        const auto got = pretrain(f, n_batches);
        // The same sums in another compiled function: rounding, at most.
        for (std::size_t k = 0; k < want.size(); ++k) CHECK(std::abs(got[k] - want[k]) <= 1e-12 * want[k]);
      }
      const Tensor output = stored.layer_output(i, layer_input, batch_size);
      CHECK(output.shape() ==
            Sizes{n_batches * batch_size, stored.dA_layers[static_cast<std::size_t>(i)].n_hidden});
      layer_input = shared(output, "layer_input", {.borrow = true});
    }
  }
}

TEST_CASE("a call that fails changes nothing") {
  const Datasets data = tiny_datasets();
  const SdA sda = small_sda();
  const Function f = sda.pretraining_functions(data.train.x, 4)[2];
  const auto finetune = sda.build_finetune_functions(data, 4, 0.1);
  f(0);
  finetune.train(0);
  const auto variables = all_variables(sda);
  CHECK(variables.size() == 11 + 3);
  const auto before = values_of(variables);

  const auto check_fails = [&](const std::function<void()>& call, const std::string& beginning) {
    const std::string message = error_of(call);
    CHECK_MESSAGE(message.starts_with(beginning), message);
    CHECK(all_identical(values_of(variables), before));
  };
  check_fails([&] { f(15); }, "checked_index: index 15 is past the data: there are 15 minibatches of 4");
  check_fails([&] { finetune.train(-1); }, "checked_index: index -1 is past the data");
  check_fails(
      [&] {
        f({{"index", 0}, {"corruption", 1.5}});
      },
      "random_binomial: p must lie in [0, 1], not -0.5");
  check_fails(
      [&] {
        f({{"index", 0}, {"corruption", -.25}});
      },
      "random_binomial: p must lie in [0, 1], not 1.25");
  check_fails(
      [&] {
        f({{"index", 0}, {"corruption", std::nan("")}});
      },
      "random_binomial: p must lie in [0, 1], not nan");
  check_fails(
      [&] {
        sda.params[0].set_value(Tensor::zeros({3, 3}, floatX()));
      },
      "set_value of W: it holds float32 (12, 8), the new value is float32 (3, 3)");

  f(0);  // and the functions still work
  CHECK_FALSE(all_identical(values_of(variables), before));
}

TEST_CASE("a label outside the classes is an error of the call") {
  const Tensor x = Tensor::full({8, tiny_n_in}, floatX(), 0.5);
  const Tensor y = Tensor::zeros({8}, floatX());
  y.at<float>(5) = 3;
  const SharedDataset bad = shared_dataset("bad", x, y);
  const SdA sda = small_sda();
  const auto finetune = sda.build_finetune_functions({bad, bad, bad}, 4, 0.1);
  finetune.train(0);
  const auto variables = all_variables(sda);
  const auto before = values_of(variables);
  const std::string message = error_of([&] { finetune.train(1); });
  CAPTURE(message);
  CHECK(message.find("index 3 at position 1 is out of range for axis 1 of size 3") != std::string::npos);
  CHECK(message.find("at models/logistic_regression.cpp") != std::string::npos);
  CHECK(all_identical(values_of(variables), before));
}

TEST_CASE("SdA's own errors") {
  const Datasets data = tiny_datasets();
  const SdA sda = small_sda();
  CHECK(error_of([] { small_sda({}); }) ==
        "SdA: hidden_layers_sizes is empty, and must name at least one layer");
  CHECK(error_of([] {
          small_sda({5, 0});
        }) == "HiddenLayer: a layer needs at least one unit on either side, not 5 inputs and 0 outputs");
  CHECK(error_of([&] { sda.pretraining_functions(data.train.x, 0); }) ==
        "the batch size is 0, and must be at least 1");
  CHECK(error_of([&] { sda.pretraining_functions(data.train.x, 61); }) ==
        "the batch size is 61, and train_set_x has only 60 examples");
  CHECK(error_of([&] { sda.build_finetune_functions(data, 31, 0.1); }) ==
        "the batch size is 31, and valid_set_x has only 30 examples");
  CHECK(error_of([&] { sda.pretraining_function(3, data.train.x, 4); }) ==
        "there is no layer 3: this model has layers 0 to 2");
}

}  // namespace
}  // namespace damo::test
