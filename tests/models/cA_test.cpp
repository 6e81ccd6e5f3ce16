#include "models/cA.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random/random_state.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"
#include "tests/support.h"

namespace damo::test {
namespace {

TEST_CASE("cA draws its weights, and nothing else") {
  const FloatXScope scope(float64);
  RandomState rng(123), expected(123);
  const cA ca({.numpy_rng = rng, .n_visible = 6, .n_hidden = 4});
  const double bound = 4 * std::sqrt(6. / (4 + 6));
  CHECK(identical(ca.W.get_value(), expected.uniform(-bound, bound, {6, 4})));
  CHECK(identical(ca.b.get_value(), Tensor::zeros({4}, float64)));
  CHECK(identical(ca.b_prime.get_value(), Tensor::zeros({6}, float64)));
  const cA given({.numpy_rng = rng, .n_visible = 6, .n_hidden = 4, .W = ca.W});
  CHECK(same(given.W, ca.W));
  CHECK(rng.uniform() == expected.uniform());
  REQUIRE(ca.params.size() == 3);
  CHECK(same(ca.params[2], ca.b_prime));
  CHECK(ca.x.name() == "input");
}

TEST_CASE("cA's Jacobian is that of its hidden units, and L_jacob its squared norm") {
  const FloatXScope scope(float64);
  RandomState rng(123);
  const int n = 3, n_visible = 5, n_hidden = 4;
  const cA ca({.numpy_rng = rng, .n_visible = n_visible, .n_hidden = n_hidden, .n_batchsize = n});
  const Tensor x = random({n, n_visible}, float64, 6, 0.1, 0.9);
  const Var hidden = ca.get_hidden_values(ca.x), J = ca.get_jacobian(hidden, ca.W);
  const Function f = function({.inputs = {ca.x}, .outputs = {J, sum(sqr(J)) / n, ca.L_jacob}});
  const Values values = f(x);
  CHECK(values[0].shape() == Sizes{n, n_visible, n_hidden});
  check_close(values[2], values[1], 1e-14, 0, "L_jacob");
  for (int j = 0; j < n_hidden; ++j) {
    const Function g =
        function({.inputs = {ca.x},
                  .outputs = grad(sum(hidden[{slice(none, none), j}]), ca.x)});  // examples do not meet in it
    const Tensor expected = g(x);
    for (int e = 0; e < n; ++e)
      for (int i = 0; i < n_visible; ++i)
        CHECK(std::abs(values[0].at<double>(e, i, j) - expected.at<double>(e, i)) < 1e-14);
  }
}

TEST_CASE("cA's step is down the gradient of its cost") {
  const FloatXScope scope(float64);
  RandomState rng(123);
  const Tensor x = random({3, 5}, float64, 6, 0.1, 0.9);
  const cA ca({.numpy_rng = rng, .n_visible = 5, .n_hidden = 4, .n_batchsize = 3});
  const auto cost_of = [&](const Vars& p) {
    const Var v = constant(x), y = sigmoid(dot(v, p[0]) + p[1]);
    const Var z = sigmoid(dot(y, p[0].T()) + p[2]);
    const Var J = ca.get_jacobian(y, p[0]);
    return mean(-sum(v * log(z) + (1 - v) * log(1 - z), {.axis = 1})) + 0.7 * sum(sqr(J)) / 3;
  };
  Tensors point;
  Vars free;
  for (const Shared& p : ca.params) {
    point.push_back(p.get_value());
    free.push_back(variable(unknown(float64, point.back().ndim())));
  }
  verify_grad(cost_of, point);

  const auto [cost, updates] = ca.get_cost_updates(0.7, 0.1);
  const double got = function({.inputs = {ca.x}, .outputs = cost, .updates = updates})(x);
  CHECK(got == doctest::Approx(evaluate(cost_of(free), free, point).item()).epsilon(1e-13));
  const Vars g = grad(cost_of(free), free);
  for (std::size_t i = 0; i < 3; ++i) {
    const Var stepped = free[i] - 0.1 * g[i];
    check_close(ca.params[i].get_value(), evaluate(stepped, free, point), 1e-13, 1e-15,
                "parameter " + std::to_string(i));
  }
}

TEST_CASE("the contraction makes the Jacobian smaller; by the script's division it does nothing") {
  const FloatXScope scope(float64);
  const Tensor x = random({10, tiny_n_in}, float64, 6, 0.1, 0.9);
  const auto norm_after = [&](double level, bool script) {
    RandomState rng(123);
    const cA ca({.numpy_rng = rng,
                 .n_visible = tiny_n_in,
                 .n_hidden = 8,
                 .n_batchsize = 10,
                 .script_division = script});
    const auto [cost, updates] = ca.get_cost_updates(level, 0.1);
    const Function step = function({.inputs = {ca.x}, .outputs = cost, .updates = updates});
    for (int i = 0; i < 100; ++i) step(x);
    const Var J = ca.get_jacobian(ca.get_hidden_values(ca.x), ca.W);
    return function({.inputs = {ca.x}, .outputs = sum(sqr(J)) / 10})(x).item();
  };
  CHECK(norm_after(1, false) < 0.8 * norm_after(0, false));
  CHECK(norm_after(1, true) == norm_after(0, true));
  RandomState rng(123);
  const cA ca({.numpy_rng = rng, .n_visible = 5, .n_hidden = 4, .n_batchsize = 3, .script_division = true});
  const double floor = function({.inputs = {ca.x}, .outputs = ca.L_jacob})(random({3, 5}, float64, 6));
  CHECK(floor == std::floor(floor));
}

TEST_CASE("saturated units have finite costs and gradients") {
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    RandomState rng(123);
    const cA ca({.numpy_rng = rng, .n_visible = tiny_n_in, .n_hidden = 8, .n_batchsize = 20});
    ca.W.set_value(rng.uniform(-3000, 3000, {tiny_n_in, 8}, dtype));
    const auto [cost, updates] = ca.get_cost_updates(0.1, 0.1);
    const Function step = function({.inputs = {ca.x}, .outputs = cost, .updates = updates});
    for (int i = 0; i < 5; ++i) CHECK(std::isfinite(step(random({20, tiny_n_in}, dtype, 9, 0, 1)).item()));
    for (const Shared& p : ca.params)
      for (const double v : p.get_value().to_vector<double>()) CHECK(std::isfinite(v));
  }
}

TEST_CASE("cA's own errors") {
  RandomState rng(123);
  CHECK(error_of([&] { cA({.numpy_rng = rng, .n_visible = 0}); }) ==
        "cA: a layer needs at least one unit on either side, not 0 inputs and 100 outputs");
  CHECK(error_of([&] { cA({.numpy_rng = rng, .n_batchsize = 0}); }) ==
        "cA: the batch size is 0, and must be at least 1");
  const Shared b = shared(Tensor::zeros({2}, floatX()), "b");
  CHECK(error_of([&] { cA({.numpy_rng = rng, .n_visible = 3, .n_hidden = 4, .bhid = b}); }) ==
        "cA: bhid has shape (2,), and this layer needs (4,)");
  CHECK(error_of([&] { cA({.numpy_rng = rng, .n_visible = 3, .n_hidden = 4, .bvis = b}); }) ==
        "cA: bvis has shape (2,), and this layer needs (3,)");
  CHECK(error_of([&] { cA({.numpy_rng = rng, .n_visible = 3, .n_hidden = 4, .W = b}); }) ==
        "cA: W has shape (2,), and this layer needs (3, 4)");
}

}  // namespace
}  // namespace damo::test
