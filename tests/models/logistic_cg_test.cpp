#include "models/logistic_cg.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/fmin_cg.h"
#include "models/logistic_regression.h"
#include "models/numpy_mean.h"
#include "models/training.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"
#include "tests/support.h"

namespace damo::test {
namespace {

TEST_CASE("the parameters are slices of theta, and the model is that of logistic_sgd") {
  const FloatXScope scope(float64);
  const Var x = matrix("x"), y = ivector("y");
  const logistic_cg::LogisticRegression model({.input = x, .n_in = 4, .n_out = 3});
  const LogisticRegression other({.input = x, .n_in = 4, .n_out = 3});
  CHECK(identical(model.theta.get_value(), Tensor::zeros({15}, float64)));
  const Tensor theta = random({15}, float64, 1);
  model.theta.set_value(theta);
  other.W.set_value(theta.slice(0, 0, 12).reshaped({4, 3}));
  other.b.set_value(theta.slice(0, 12, 15));
  const Function f =
      function({.inputs = {x, y},
                .outputs = {model.W, model.b, model.negative_log_likelihood(y), model.errors(y),
                            grad(model.negative_log_likelihood(y), model.theta)}});
  const Function g = function({.inputs = {x, y},
                               .outputs = {other.W, other.b, other.negative_log_likelihood(y),
                                           other.errors(y), grad(other.negative_log_likelihood(y), other.W),
                                           grad(other.negative_log_likelihood(y), other.b)}});
  const Tensor data = random({6, 4}, float64, 2), labels = Tensor{0, 1, 2, 2, 1, 0}.astype(int32);
  const Values a = f(data, labels), b = g(data, labels);
  for (std::size_t i = 0; i < 4; ++i) check_close(a[i], b[i], 1e-14, 0, "output " + std::to_string(i));
  check_close(a[4].slice(0, 0, 12).reshaped({4, 3}), b[4], 1e-13, 1e-15, "gradient of W");
  check_close(a[4].slice(0, 12, 15), b[5], 1e-13, 1e-15, "gradient of b");
}

TEST_CASE("the functions for fmin_cg are means over the minibatches") {
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    const Datasets data = tiny_datasets();
    const Var x = matrix("x");
    const logistic_cg::LogisticRegression model({.input = x, .n_in = tiny_n_in, .n_out = tiny_n_out});
    std::vector<double> costs;
    const auto functions = logistic_cg::functions(model, data, 7, [&](std::int64_t i, double cost) {
      CHECK(i == static_cast<std::int64_t>(costs.size() % 8));
      costs.push_back(cost);
    });
    std::vector<double> theta = random({39}, float64, 3).to_vector<double>();
    const double f = functions.train_fn(theta);
    CHECK(costs.size() == 8);  // of the 60 examples the last 4 are left out
    CHECK(f == numpy_mean(costs));
    check_close(model.theta.get_value(), Tensor(theta), 1e-7, 0, "theta");
    if (dtype == float32) continue;
    const std::vector<double> g = functions.train_fn_grad(theta);
    REQUIRE(g.size() == 39);
    for (const std::size_t i : {0, 17, 38}) {
      const double eps = 1e-6, at = theta[i];
      theta[i] = at + eps;
      const double up = functions.train_fn(theta);
      theta[i] = at - eps;
      const double down = functions.train_fn(theta);
      theta[i] = at;
      CHECK(std::abs((up - down) / (2 * eps) - g[i]) < 1e-8);
    }
  }
}

TEST_CASE("conjugate gradients reach in few iterations what gradient descent does not in many") {
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    const Datasets data = tiny_datasets();
    const Var x = matrix("x"), y = ivector("y");
    const logistic_cg::LogisticRegression model({.input = x, .n_in = tiny_n_in, .n_out = tiny_n_out});
    const auto functions = logistic_cg::functions(model, data, 20);
    const CgResult r = fmin_cg({.f = functions.train_fn, .fprime = functions.train_fn_grad, .maxiter = 20},
                               {.x = std::vector<double>(39, 0)});
    CHECK(r.end == CgEnd::iteration_limit);

    const LogisticRegression other({.input = x, .n_in = tiny_n_in, .n_out = tiny_n_out});
    const auto training = training_functions(
        {x, y, other.negative_log_likelihood(y), other.errors(y), other.params}, data, 20, 0.13);
    double cost = 0;
    for (int epoch = 0; epoch < 100; ++epoch)
      for (int i = 0; i < 3; ++i) cost = training.train(i);
    INFO(to_string(dtype), ": ", r.state.f, " against ", cost);
    CHECK(r.state.f < cost / 2);
    CHECK(numpy_mean(functions.valid_score()) <= numpy_mean(training.valid_score()));
  }
}

TEST_CASE("logistic_cg's own errors") {
  const Var x = matrix("x");
  CHECK(error_of([&] { logistic_cg::LogisticRegression({.input = x, .n_in = 0, .n_out = 3}); }) ==
        "LogisticRegression: a layer needs at least one unit on either side, not 0 inputs and 3 outputs");
  CHECK(error_of([&] { logistic_cg::LogisticRegression({.n_in = 4, .n_out = 3}); }) ==
        "LogisticRegression: the input is not set");
  const logistic_cg::LogisticRegression model({.input = x, .n_in = tiny_n_in, .n_out = tiny_n_out});
  CHECK(error_of([&] { logistic_cg::functions(model, tiny_datasets(), 31); }) ==
        "the batch size is 31, and valid_set_x has only 30 examples");
}

}  // namespace
}  // namespace damo::test
