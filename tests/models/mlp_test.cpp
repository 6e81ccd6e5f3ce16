#include "models/mlp.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random/random_state.h"
#include "models/numpy_mean.h"
#include "models/training.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"
#include "tests/support.h"

namespace damo::test {
namespace {

TEST_CASE("a hidden layer applies its activation to x W + b") {
  const FloatXScope scope(float64);
  RandomState rng(1);
  const Var x = matrix("x");
  const Shared W = shared(Tensor{{0.5, -1.}, {2., 0.25}}, "W");
  const Shared b = shared(Tensor{0.1, -0.2}, "b");
  const Tensor value{{1., -0.5}};
  const double a0 = 0.5 - 1. + 0.1, a1 = -1. - 0.125 - 0.2;
  const auto output = [&](Activation activation) {
    const HiddenLayer layer(
        {.rng = rng, .input = x, .n_in = 2, .n_out = 2, .W = W, .b = b, .activation = activation});
    CHECK(same(layer.W, W));
    CHECK(same(layer.b, b));
    return Tensor(function({.inputs = {x}, .outputs = layer.output})(value));
  };
  check_close(output(damo::tanh), Tensor{{std::tanh(a0), std::tanh(a1)}}, 1e-15, 0, "tanh");
  check_close(output(sigmoid), Tensor{{1 / (1 + std::exp(-a0)), 1 / (1 + std::exp(-a1))}}, 1e-15, 0,
              "sigmoid");
  check_close(output(nullptr), Tensor{{a0, a1}}, 1e-15, 0, "linear");
  check_close(output([](const Arg& a) { return maximum(a, 0); }), Tensor{{0., 0.}}, 0, 0,
              "a function of one's own");
}

TEST_CASE("initial weights are uniform over +-sqrt(6 / (n_in + n_out)), four times that for sigmoid") {
  const FloatXScope scope(float64);
  RandomState a(5), b(5);
  const Tensor for_tanh = initial_weights(a, 30, 24, damo::tanh);
  const Tensor for_sigmoid = initial_weights(b, 30, 24, sigmoid);
  double largest = 0;
  for (int i = 0; i < 30; ++i)
    for (int j = 0; j < 24; ++j) {
      CHECK(for_sigmoid.at<double>(i, j) == 4 * for_tanh.at<double>(i, j));
      largest = std::max(largest, std::abs(for_tanh.at<double>(i, j)));
    }
  CHECK(largest <= std::sqrt(6. / 54));
  CHECK(largest >= 0.99 * std::sqrt(6. / 54));  // among 720 draws, but for one chance in a thousand
}

TEST_CASE("logistic regression: probabilities, loss and errors by hand") {
  const FloatXScope scope(float64);
  const Var x = matrix("x");
  const Var y = ivector("y");
  const LogisticRegression model({.input = x, .n_in = 2, .n_out = 2});
  CHECK(identical(model.W.get_value(), Tensor::zeros({2, 2}, float64)));
  CHECK(identical(model.b.get_value(), Tensor::zeros({2}, float64)));
  model.W.set_value(Tensor{{1., -1.}, {0., 2.}});
  model.b.set_value(Tensor{0.5, 0.});
  const Tensor value{{1., 0.}, {0., 1.}};
  const Tensor labels = Tensor{0, 0}.astype(int32);
  const double p0 = 1 / (1 + std::exp(-2.5)), p1 = 1 / (1 + std::exp(1.5));  // of class 0
  const Function f = function(
      {.inputs = {x, y},
       .outputs = {model.p_y_given_x, model.y_pred, model.negative_log_likelihood(y), model.errors(y)}});
  const Values values = f(value, labels);
  check_close(values[0], Tensor{{p0, 1 - p0}, {p1, 1 - p1}}, 1e-14, 0, "p_y_given_x");
  CHECK(identical(values[1], Tensor{0, 1}));
  CHECK(values[2].item() == doctest::Approx(-(std::log(p0) + std::log(p1)) / 2).epsilon(1e-14));
  CHECK(identical(values[3], Tensor::full({}, float64, 0.5)));
}

TEST_CASE("errors are a float64 fraction in float32 mode too") {
  const FloatXScope scope(float32);
  const LogisticRegression model({.input = matrix("x"), .n_in = 2, .n_out = 2});
  CHECK(model.errors(ivector("y")).dtype() == float64);
  CHECK(model.negative_log_likelihood(ivector("y")).dtype() == float32);
}

TEST_CASE("labels must be a vector of integers") {
  const LogisticRegression model({.input = matrix("x"), .n_in = 2, .n_out = 2});
  CHECK(error_of([&] { model.errors(imatrix("y")); }) ==
        "errors: y must be a vector of integers, one label per example\n  int32 (?, ?)   y\n  at HERE");
  CHECK(error_of([&] { model.errors(vector("y", float32)); }) ==
        "errors: y must be a vector of integers, one label per example\n  float32 (?,)   y\n  at HERE");
}

TEST_CASE("MLP: its parts, norms and parameters") {
  const FloatXScope scope(float64);
  RandomState rng(1234);
  const Var x = matrix("x");
  const MLP mlp({.rng = rng, .input = x, .n_in = 3, .n_hidden = 2, .n_out = 2});
  REQUIRE(mlp.params.size() == 4);
  CHECK(same(mlp.params[0], mlp.hiddenLayer.W));
  CHECK(same(mlp.params[1], mlp.hiddenLayer.b));
  CHECK(same(mlp.params[2], mlp.logRegressionLayer.W));
  CHECK(same(mlp.params[3], mlp.logRegressionLayer.b));
  CHECK(same(mlp.logRegressionLayer.input, mlp.hiddenLayer.output));
  CHECK(same(mlp.input, x));
  mlp.hiddenLayer.W.set_value(Tensor{{1., -2.}, {0., 3.}, {-1., 0.5}});
  mlp.logRegressionLayer.W.set_value(Tensor{{-1., 0.}, {2., 0.}});
  const Values norms = function({.outputs = {mlp.L1, mlp.L2_sqr}})();
  CHECK(norms[0].item() == 7.5 + 3);
  CHECK(norms[1].item() == 15.25 + 5);
  std::vector<std::string> names;
  for (const auto& [name, param] : mlp.named_params()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"hiddenLayer.W", "hiddenLayer.b", "logRegressionLayer.W",
                                          "logRegressionLayer.b"});
}

TEST_CASE("a perceptron with weight decay learns three classes") {
  const Datasets data = tiny_datasets();
  RandomState rng(1234);
  const Var x = matrix("x");
  const Var y = ivector("y");
  const MLP mlp({.rng = rng, .input = x, .n_in = tiny_n_in, .n_hidden = 8, .n_out = tiny_n_out});
  const Var cost = mlp.negative_log_likelihood(y) + 0.001 * mlp.L1 + 0.0001 * mlp.L2_sqr;
  CHECK(cost.dtype() == floatX());
  const auto functions = training_functions({x, y, cost, mlp.errors(y), mlp.params}, data, 10, 0.1);
  const double first = functions.train(0);
  for (int epoch = 0; epoch < 60; ++epoch)
    for (int i = 0; i < 6; ++i) functions.train(i);
  CHECK(double(functions.train(0)) < first / 2);
  CHECK(functions.valid_score().size() == 3);
  CHECK(numpy_mean(functions.test_score()) <= 0.1);
}

TEST_CASE("the models' own errors") {
  RandomState rng(1);
  CHECK(error_of([&] { HiddenLayer({.rng = rng, .n_in = 2, .n_out = 2}); }) ==
        "HiddenLayer: the input is not set");
  CHECK(error_of([&] { LogisticRegression({.input = matrix("x"), .n_in = 2}); }) ==
        "LogisticRegression: a layer needs at least one unit on either side, not 2 inputs and 0 outputs");
  const Shared W = shared(Tensor::zeros({3, 2}, floatX()), "W");
  CHECK(error_of([&] { HiddenLayer({.rng = rng, .input = matrix("x"), .n_in = 2, .n_out = 2, .W = W}); }) ==
        "HiddenLayer: W has shape (3, 2), and this layer needs (2, 2)");
  const Shared b = shared(Tensor::zeros({3}, floatX()), "b");
  CHECK(error_of([&] { HiddenLayer({.rng = rng, .input = matrix("x"), .n_in = 2, .n_out = 2, .b = b}); }) ==
        "HiddenLayer: b has shape (3,), and this layer needs (2,)");
}

}  // namespace
}  // namespace damo::test
