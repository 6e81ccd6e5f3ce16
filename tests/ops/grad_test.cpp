#include "ops/grad.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/walk.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

namespace {

Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }

/// The gradient at one point.
std::vector<double> at(const Var& g, const Vars& x, const test::Tensors& values) {
  return test::evaluate(g, x, values).to_vector<double>();
}

/// J v by differences: (f(x + h v) - f(x - h v)) / 2h.
Tensor directional(const test::Build& f, const Tensor& x, const Tensor& v) {
  const Var p = variable(test::unknown(float64, x.ndim()), "p");
  const Function value = function({.inputs = {p}, .outputs = f({p})});
  const double h = 1e-6;
  const std::vector<double> at_x = x.to_vector<double>(), along = v.to_vector<double>();
  std::vector<double> above = at_x, below = at_x;
  for (std::size_t i = 0; i < at_x.size(); ++i) {
    above[i] += h * along[i];
    below[i] -= h * along[i];
  }
  const Tensor up = value(Tensor(above, x.shape())), down = value(Tensor(below, x.shape()));
  std::vector<double> slope = up.to_vector<double>();
  const std::vector<double> d = down.to_vector<double>();
  for (std::size_t i = 0; i < slope.size(); ++i) slope[i] = (slope[i] - d[i]) / (2 * h);
  return Tensor(slope, up.shape());
}

}  // namespace

TEST_CASE("a variable that is used several times receives the sum of all contributions") {
  const Var x = dvector("x");
  CHECK(at(grad(sum(x + x), x), {x}, {doubles({1., 2.})}) == std::vector<double>{2, 2});
  CHECK(at(grad(sum(x * x * x), x), {x}, {doubles({1., 2.})}) == std::vector<double>{3, 12});
  CHECK(at(grad(sum(x) * sum(x), x), {x}, {doubles({1., 2.})}) == std::vector<double>{6, 6});
  CHECK(at(grad(dot(x, x), x), {x}, {doubles({1., 2.})}) == std::vector<double>{2, 4});
}

TEST_CASE("the gradient of the cost itself is 1, of an inner node what flows through it") {
  const Var x = dscalar("x");
  const Var y = sqr(x), z = y * 3;
  CHECK(at(grad(z, z), {x}, {5}) == std::vector<double>{1});
  CHECK(at(grad(z, y), {x}, {5}) == std::vector<double>{3});
  const Vars both = grad(z, {y, x});
  CHECK(at(both[0], {x}, {5}) == std::vector<double>{3});
  CHECK(at(both[1], {x}, {5}) == std::vector<double>{30});
}

TEST_CASE("a gradient has the type of its variable") {
  for (const DType dtype : {float32, float64}) {
    const Var m = matrix("m", dtype), r = row("r", dtype), c = col("c", dtype), v = vector("v", dtype),
              s = scalar("s", dtype);
    const Var d = matrix("d", float64);
    const Vars all = {m, r, c, v, s};
    const Vars g = grad(sum((m + r) * (c - v) * s * d), all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      INFO(all[i].name(), " ", to_string(dtype));
      CHECK(g[i].dtype() == dtype);
      CHECK(g[i].ndim() == all[i].ndim());
      CHECK(g[i].type().stretch == all[i].type().stretch);
    }
  }
  const Shared W = shared(Tensor::zeros({3, 4}, float32), "W");
  CHECK(grad(sum(sqr(W)), W).type().shape == Sizes{3, 4});
}

TEST_CASE("consider_constant: not differentiated through") {
  const Var x = dvector("x");
  const Var y = sqr(x), cost = sum(x * y);
  CHECK(at(grad(cost, x), {x}, {doubles({2.})}) == std::vector<double>{12});
  CHECK(at(grad(cost, x, {.consider_constant = {y}}), {x}, {doubles({2.})}) == std::vector<double>{4});
  // Contrastive divergence: the end of a chain is held constant, the cost is not.
  const Shared W = shared(test::random({3, 2}, float64, 1), "W");
  const Var v = dmatrix("v");
  const auto energy = [&](const Var& visible) { return sum(softplus(dot(visible, W))); };
  const Var end = sigmoid(dot(sigmoid(dot(v, W)), W.T()));
  const Var g = grad(energy(v) - energy(end), W, {.consider_constant = {end}});
  const Var held = dmatrix("held");
  const Var expected = grad(energy(v) - energy(held), W);
  const Tensor t = test::random({4, 3}, float64, 2);
  const Tensor at_end = test::evaluate(end, {v}, {t});
  check_close(test::evaluate(g, {v}, {t}), test::evaluate(expected, {v, held}, {t, at_end}), 1e-13, 1e-15,
              "held constant");
}

TEST_CASE("known_grads: the gradient where it is known already") {
  const Var x = dvector("x"), g = dvector("g");
  const Var y = sqr(x);
  const Vars with = Lop(y, {x}, g);
  CHECK(at(with[0], {x, g}, {doubles({1., 2.}), doubles({10., 100.})}) == std::vector<double>{20, 400});
  const Var cost = sum(exp(x));
  CHECK(at(grad(cost, x, {.known_grads = {{y, g}}}), {x, g}, {doubles({0., 0.}), doubles({10., 100.})}) ==
        std::vector<double>{1, 1});
  const std::vector<double> both =
      at(grad(cost, x, {.known_grads = {{y, g}}}), {x, g}, {doubles({1., 2.}), doubles({10., 100.})});
  CHECK(both[0] == doctest::Approx(std::exp(1.) + 20));
  CHECK(both[1] == doctest::Approx(std::exp(2.) + 400));
}

TEST_CASE("value_and_grad gives the cost that was differentiated") {
  const Var x = dvector("x");
  const ValueAndGrad v = value_and_grad(-sum(log(sigmoid(x))), {x});
  const Function f = function({.inputs = {x}, .outputs = {v.value, v.grads[0]}, .mode = Mode::FAST_COMPILE});
  const Values y = f(Tensor{-800., 0.});
  CHECK(y[0].item() == doctest::Approx(800 + std::log(2.)));
  check_close(y[1], Tensor{-1., -.5}, 1e-15, 0, "gradient");
}

TEST_CASE("Rop against differences along a direction") {
  const Tensor x = test::random({3, 4}, float64, 1, .2, 1.5), v = test::random({3, 4}, float64, 2);
  const Tensor W = test::random({4, 2}, float64, 3);
  const std::vector<std::pair<std::string, test::Build>> functions = {
      {"dot", [&](const Vars& p) { return dot(p[0], constant(W)); }},
      {"a layer", [&](const Vars& p) { return tanh(dot(p[0], constant(W)) + 1); }},
      {"softmax", [&](const Vars& p) { return softmax(p[0]); }},
      {"log_softmax", [&](const Vars& p) { return log_softmax(p[0]); }},
      {"sum", [&](const Vars& p) { return sum(sqr(p[0]), {.axis = 1}); }},
      {"prod", [&](const Vars& p) { return prod(p[0], {.axis = 0}); }},
      {"index",
       [&](const Vars& p) {
         return exp(p[0][{slice(none, none, -1), slice(1, none)}]);
       }},
      {"picked",
       [&](const Vars& p) {
         return sqr(p[0][constant(Tensor{2, 0, 2})]);
       }},
      {"reshape",
       [&](const Vars& p) {
         return sin(p[0].T().reshape({2, -1}));
       }},
      {"join",
       [&](const Vars& p) {
         return join(0, {sqr(p[0]), exp(p[0])});
       }},
      {"broadcast", [&](const Vars& p) { return p[0] / sum(p[0], {.axis = 1, .keepdims = true}) * p[0][0]; }},
      {"set_subtensor", [&](const Vars& p) { return set_subtensor(p[0][0], sqr(p[0][1])); }},
      {"cross-entropy", [&](const Vars& p) { return binary_crossentropy(sigmoid(p[0]), p[0] / 2); }},
      {"twice", [&](const Vars& p) { return dot(p[0].T(), p[0]); }}};
  for (const auto& [name, f] : functions) {
    const Var p = dmatrix("p"), d = dmatrix("d");
    const Tensor got = test::evaluate(Rop(f({p}), {p}, {d}), {p, d}, {x, v});
    // Differences with h = 1e-6: h^2 of truncation, 1e-16 / h of rounding
    check_close(got, directional(f, x, v), 1e-7, 1e-8, "Rop of " + name);
  }
}

TEST_CASE("Lop and Rop are transposes of each other") {
  const Var x = dmatrix("x"), v = dmatrix("v"), u = dmatrix("u");
  const Var f = tanh(dot(x, x.T()) * 0.3);
  const Tensor tx = test::random({3, 4}, float64, 1), tv = test::random({3, 4}, float64, 2),
               tu = test::random({3, 3}, float64, 3);
  const double left = test::evaluate(sum(u * Rop(f, {x}, {v})), {x, v, u}, {tx, tv, tu}).item();
  const double right = test::evaluate(sum(Lop(f, {x}, u)[0] * v), {x, v, u}, {tx, tv, tu}).item();
  CHECK(left == doctest::Approx(right).epsilon(1e-13));
}

TEST_CASE("Rop along several variables") {
  const Var x = dvector("x"), y = dvector("y"), dx = dvector("dx"), dy = dvector("dy");
  const Var f = x * sqr(y);
  CHECK(at(Rop(f, {x, y}, {dx, dy}), {x, y, dx, dy},
           {doubles({2.}), doubles({3.}), doubles({1.}), doubles({10.})}) ==
        std::vector<double>{9 + 2 * 2 * 3 * 10});
  CHECK(error_of([&] { Rop(f, {x, y}, {dx}); }) == "Rop: 2 variables, but 1 directions\n  at HERE");
  const Var m = dmatrix("m");
  CHECK(error_of([&] { Rop(f, {x}, {m}); }) == "Rop: x has 1 dimensions, its direction 2\n  at HERE");
}

TEST_CASE("third derivatives") {
  const Var x = dscalar("x");
  Var y = sin(x) * exp(x);
  for (int i = 0; i < 3; ++i) y = grad(y, x);
  // (sin x e^x)''' = 2 (cos x - sin x) e^x
  CHECK(double(function({.inputs = {x}, .outputs = y})(.7)) ==
        doctest::Approx(2 * (std::cos(.7) - std::sin(.7)) * std::exp(.7)).epsilon(1e-13));
}

TEST_CASE("only what lies between the cost and the variables is differentiated") {
  const Var x = dvector("x"), y = dvector("y");
  const Var costly = exp(tanh(y));
  const Vars order = {grad(sum(x * costly), x)};
  // No node of the gradient belongs to tanh or exp of y.
  for (const NodePtr& node : toposort(order))
    CHECK_FALSE((node->origin.kind == Origin::Kind::gradient && node->origin.of == "tanh"));
}

TEST_CASE("a gradient of what is not a float scalar") {
  const Var x = fvector("x"), i = iscalar("i"), k = ivector("k");
  const int made = __LINE__ + 1;
  const Var y = x * 2;
  CHECK(error_of([&] { grad(y, x); }) ==
        "grad: the cost must be a scalar: take its sum or mean\n  float32 (?,)   mul\n  " + test::at(made));
  CHECK(error_of([&] {
          grad(i * 2, i);
        }).starts_with("grad: the cost must be a float\n  int32 ()   mul\n  at HERE"));
  CHECK(error_of([&] {
          grad(sum(x), k);
        }).starts_with("grad: there is no gradient with respect to integers\n  int32 (?,)   k\n"));
  CHECK(error_of([&] { grad(Var(), x); }).starts_with("grad: the cost is an empty Var"));
  CHECK(error_of([&] {
          grad(sum(x), Vars{x, Var()});
        }).starts_with("grad: one of the variables to differentiate with respect to is an empty Var"));
}

TEST_CASE("inputs that the cost does not depend on") {
  const Var x = fvector("x"), y = fmatrix("y");
  const Var cost = sum(x).named("cost");
  const std::string message = error_of([&] { grad(cost, y); });
  CHECK(
      message.starts_with("grad: the cost cost does not depend on y, or not through anything with a "
                          "gradient: if that is meant, say "
                          ".disconnected_inputs = Disconnected::zero\n  float32 (?, ?)   y\n  at "));
  const Vars zero = grad(cost, {x, y}, {.disconnected_inputs = Disconnected::zero});
  CHECK(test::evaluate(zero[1], {x, y}, {Tensor{1.}, Tensor{{1., 2.}}}).to_vector<double>() ==
        std::vector<double>{0, 0});
  CHECK(zero[1].dtype() == float32);
  const Vars ignored = grad(cost, {x, y}, {.disconnected_inputs = Disconnected::ignore});
  CHECK(ignored[0].is_set());
  CHECK_FALSE(ignored[1].is_set());
  // Sizes alone are no connection; an explicit zero is one.
  CHECK(error_of([&] { grad(sum(x * cast(y.shape(0), float32)), y); }) != "no error");
  CHECK(error_of([&] { grad(sum(x) + sum(zero_grad(y)), y); }) == "no error");
}

TEST_CASE("a known gradient of another rank") {
  const Var x = fvector("x"), g = fmatrix("g");
  CHECK(error_of([&] {
          Lop(x * 2, {x}, g);
        }).starts_with("grad: the known gradient has another rank, 2\n  float32 (?,)   mul\n"));
}
