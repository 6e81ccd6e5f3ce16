#include "models/lenet.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/random/random_state.h"
#include "models/training.h"
#include "tests/expect.h"
#include "tests/support.h"

namespace damo::test {
namespace {

Shared zeros(const Sizes& shape) { return shared(Tensor::zeros(shape, floatX()), "zeros"); }

TEST_CASE("a convolution and pool layer by hand") {
  const FloatXScope scope(float64);
  RandomState rng(1);
  const Var x = tensor4("x");
  const Shared W = shared(Tensor(std::vector<double>{1, 0, 0, -2}, {1, 1, 2, 2}), "W");
  const Shared b = shared(Tensor{0.5}, "b");
  const LeNetConvPoolLayer layer(
      {.rng = rng, .input = x, .filter_shape = {1, 1, 2, 2}, .image_shape = {1, 1, 3, 3}, .W = W, .b = b});
  CHECK(same(layer.W, W));
  CHECK(same(layer.b, b));
  CHECK(same(layer.params[0], W));
  CHECK(same(layer.params[1], b));
  CHECK(same(layer.input, x));
  // The filter is flipped: y_ij = x_(i+1)(j+1) - 2 x_ij, the largest of which is 2.5 - 2 / 4.
  const Tensor image = Tensor(std::vector<double>{.25, .5, 1, 1, 2.5, 0, 1, 0, 0}, {1, 1, 3, 3});
  const Tensor y = function({.inputs = {x}, .outputs = layer.output})(image);
  CHECK(y.shape() == Sizes{1, 1, 1, 1});
  CHECK(y.item() == doctest::Approx(std::tanh(2 + 0.5)).epsilon(1e-15));
}

TEST_CASE("initial filters are uniform, by the connections of a unit to either side") {
  const FloatXScope scope(float64);
  RandomState rng(23455);
  const LeNetConvPoolLayer layer(
      {.rng = rng, .input = tensor4("x"), .filter_shape = {50, 20, 5, 5}, .image_shape = {10, 20, 12, 12}});
  double largest = 0;
  for (const double w : layer.W.get_value().to_vector<double>()) largest = std::max(largest, std::abs(w));
  const double bound = std::sqrt(6. / (20 * 25 + 50 * 25 / 4));  // whole numbers, as in the tutorial
  CHECK(largest <= bound);
  CHECK(largest >= 0.999 * bound);
  CHECK(identical(layer.b.get_value(), Tensor::zeros({50}, float64)));
  CHECK(layer.output.type().shape == Sizes{10, 50, 4, 4});
}

TEST_CASE("LeNet: its layers and parameters") {
  RandomState rng(1);
  const Var x = matrix("x");
  const LeNet net({.rng = rng, .input = x, .batch_size = 4, .nkerns = {3, 5}});
  CHECK(net.layer0.output.type().shape == Sizes{4, 3, 12, 12});
  CHECK(net.layer1.output.type().shape == Sizes{4, 5, 4, 4});
  CHECK(net.layer2.input.type().shape == Sizes{4, 80});
  CHECK(same(net.layer1.input, net.layer0.output));
  CHECK(same(net.layer3.input, net.layer2.output));
  CHECK(same(net.input, x));
  REQUIRE(net.params.size() == 8);
  CHECK(same(net.params[0], net.layer3.W));
  CHECK(same(net.params[3], net.layer2.b));
  CHECK(same(net.params[4], net.layer1.W));
  CHECK(same(net.params[7], net.layer0.b));
  std::vector<std::string> names;
  for (const auto& [name, param] : net.named_params()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"layer0.W", "layer0.b", "layer1.W", "layer1.b", "layer2.W",
                                          "layer2.b", "layer3.W", "layer3.b"});
}

TEST_CASE("LeNet learns which quarter of an image is bright") {
  RandomState rng(3);
  const auto images = [&](const std::string& name, int n) {
    const Tensor x = rng.uniform(0, 0.5, {n, 28 * 28}), y = rng.randint(0, 4, {n});
    for (int i = 0; i < n; ++i)
      for (int p = 0; p < 28 * 28; ++p)
        if (p / 28 / 14 * 2 + p % 28 / 14 == y.at<std::int64_t>(i)) x.at<double>(i, p) += 0.4;
    return shared_dataset(name, x, y);
  };
  const Datasets data{images("train_set", 40), images("valid_set", 20), images("test_set", 20)};
  const Var x = matrix("x");
  const Var y = ivector("y");
  const LeNet net({.rng = rng, .input = x, .batch_size = 10, .nkerns = {4, 6}});
  const auto functions =
      training_functions({x, y, net.negative_log_likelihood(y), net.errors(y), net.params}, data, 10, 0.1);
  const double first = functions.train(0);
  for (int epoch = 0; epoch < 15; ++epoch)
    for (int i = 0; i < 4; ++i) functions.train(i);
  CHECK(double(functions.train(0)) < first / 2);
  CHECK(functions.test_score().size() == 2);
}

TEST_CASE("a step of LeNet has the same cost in the modes that find mistakes") {
  const FloatXScope scope(float64);
  const Tensor images = random({4, 28 * 28}, float64, 1, 0, 1);
  const Tensor labels = Tensor{3, 1, 0, 9}.astype(int32);
  const auto costs = [&](Mode mode) {
    RandomState rng(1);
    const Var x = matrix("x"), y = ivector("y");
    const LeNet net({.rng = rng, .input = x, .batch_size = 4, .nkerns = {2, 3}});
    const Var cost = net.negative_log_likelihood(y);
    const Function train =
        function({.inputs = {x, y}, .outputs = cost, .updates = sgd(cost, net.params, 0.1), .mode = mode});
    std::vector<double> c;
    for (int i = 0; i < 3; ++i) c.push_back(train(images, labels));
    return c;
  };
  const std::vector<double> expected = costs(Mode::FAST_RUN);
  for (const Mode mode : {Mode::FAST_COMPILE, Mode::DebugMode, Mode::NanGuardMode}) {
    const std::vector<double> got = costs(mode);
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-12));
  }
}

TEST_CASE("the layer's own errors") {
  RandomState rng(1);
  const auto message = [&](LeNetConvPoolLayer::Args args) {
    return error_of([&] { LeNetConvPoolLayer layer(args); });
  };
  CHECK(message({.rng = rng, .filter_shape = {1, 1, 2, 2}, .image_shape = {1, 1, 3, 3}}) ==
        "LeNetConvPoolLayer: the input is not set");
  const Var x = tensor4("x");
  CHECK(
      message({.rng = rng, .input = x, .filter_shape = {1, 1, 0, 2}, .image_shape = {1, 1, 3, 3}}) ==
      "LeNetConvPoolLayer: filters (1, 1, 0, 2) on images (1, 1, 3, 3), pooled by (2, 2), and each size must "
      "be at least 1");
  CHECK(message({.rng = rng, .input = x, .filter_shape = {1, 2, 2, 2}, .image_shape = {1, 1, 3, 3}}) ==
        "LeNetConvPoolLayer: the images have 1 channels, and the filters 2");
  CHECK(message({.rng = rng,
                 .input = x,
                 .filter_shape = {1, 1, 2, 2},
                 .image_shape = {1, 1, 3, 3},
                 .W = zeros({1, 1, 3, 3})}) ==
        "LeNetConvPoolLayer: W has shape (1, 1, 3, 3), and this layer needs (1, 1, 2, 2)");
  CHECK(message({.rng = rng,
                 .input = x,
                 .filter_shape = {3, 1, 2, 2},
                 .image_shape = {1, 1, 3, 3},
                 .b = zeros({1})}) == "LeNetConvPoolLayer: b has shape (1,), and this layer needs (3,)");
  CHECK(error_of([&] { LeNet({.rng = rng, .batch_size = 3}); }) ==
        "LeNetConvPoolLayer: the input is not set");
}

}  // namespace
}  // namespace damo::test
