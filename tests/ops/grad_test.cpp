#include "ops/grad.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/graph/walk.h"
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
  CHECK(error_of([&] { grad(sum(y), x, {.consider_constant = {y}}); }) != "no error");
  // What is held constant has a gradient itself.
  CHECK(at(grad(cost, y, {.consider_constant = {y}}), {x}, {doubles({2.})}) == std::vector<double>{2});
  // As an expression: connected, with derivative zero.
  CHECK(at(grad(sum(x * consider_constant(y)), x), {x}, {doubles({2.})}) == std::vector<double>{4});
  CHECK(at(grad(sum(consider_constant(y)), x), {x}, {doubles({2.})}) == std::vector<double>{0});
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
  // Without a cost.
  CHECK(at(grad(Var(), x, {.known_grads = {{y, g}}}), {x, g}, {doubles({1., 2.}), doubles({10., 100.})}) ==
        std::vector<double>{20, 400});
  const Var other = dvector("other");
  CHECK(error_of([&] {
          grad(Var(), other, {.known_grads = {{y, g}}});
        }).starts_with("grad: what has a known gradient does not depend on other, or not through anything"));
}

TEST_CASE("barriers: the value passes, the gradient does not, or changed") {
  const Var x = dvector("x");
  const Tensor t = doubles({1., 2., 3.});
  const std::vector<std::pair<Var, std::vector<double>>> rows = {{zero_grad(x), {0, 0, 0}},
                                                                 {consider_constant(x), {0, 0, 0}},
                                                                 {grad_clip(x, -5, 5), {2, 4, 5}},
                                                                 {grad_scale(x, -2), {-4, -8, -12}},
                                                                 {grad_scale(x, .5), {1, 2, 3}}};
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE})
    for (const auto& [y, g] : rows) {
      CHECK(test::evaluate(y, {x}, {t}, mode).to_vector<double>() == std::vector<double>{1, 2, 3});
      CHECK(test::evaluate(grad(sum(sqr(y)), x), {x}, {t}, mode).to_vector<double>() == g);
    }
  // Each derivative passes the barrier once more.
  CHECK(at(grad(sum(grad(sum(sqr(grad_scale(x, 3))), x)), x), {x}, {t}) == std::vector<double>{18, 18, 18});
  CHECK(grad_scale(fvector("f"), 2).dtype() == float32);
}

TEST_CASE("subgraph_grad: a gradient in parts is the gradient of the whole") {
  const Var x = dvector("x"), t = dvector("t");
  const Shared w1 = shared(test::random({4, 3}, float64, 1), "w1"),
               w2 = shared(test::random({3, 2}, float64, 2), "w2");
  const Var a1 = tanh(dot(x, w1)), a2 = tanh(dot(a1, w2));
  const Var cost = sum(sqr(a2 - t)) + sum(abs(w1)) + sum(sqr(w2));
  const SubgraphGrads last = subgraph_grad({w2}, {a1}, {.cost = sum(sqr(a2 - t)) + sum(sqr(w2))});
  const SubgraphGrads first = subgraph_grad({w1}, {x}, {.cost = sum(abs(w1)), .start = {{a1, last.end[0]}}});
  const Vars whole = grad(cost, {w2, w1, x});
  const Vars parts = {last.wrt[0], first.wrt[0], first.end[0]};
  for (std::size_t i = 0; i < parts.size(); ++i)
    check_close(
        test::evaluate(parts[i], {x, t}, {test::random({4}, float64, 3), test::random({2}, float64, 4)}),
        test::evaluate(whole[i], {x, t}, {test::random({4}, float64, 3), test::random({2}, float64, 4)}),
        1e-13, 1e-15, "part " + std::to_string(i));
}

TEST_CASE("value_and_grad gives the cost that was differentiated") {
  const Var x = dvector("x");
  const ValueAndGrad v = value_and_grad(-sum(log(sigmoid(x))), {x});
  const Function f = function({.inputs = {x}, .outputs = {v.value, v.grads[0]}, .mode = Mode::FAST_COMPILE});
  const Values y = f(Tensor{-800., 0.});
  CHECK(y[0].item() == doctest::Approx(800 + std::log(2.)));
  check_close(y[1], Tensor{-1., -.5}, 1e-15, 0, "gradient");
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
  // Of several expressions at once: each has its own product.
  const Vars both = Rop(Vars{f, sum(y)}, {x, y}, {dx, dy});
  CHECK(at(both[0], {x, y, dx, dy}, {doubles({2.}), doubles({3.}), doubles({1.}), doubles({10.})}) ==
        std::vector<double>{129});
  CHECK(at(both[1], {x, y, dx, dy}, {doubles({2.}), doubles({3.}), doubles({1.}), doubles({10.})}) ==
        std::vector<double>{10});
  const Var u = dvector("u"), s = dscalar("s");
  const Vars L = Lop(Vars{f, sum(y)}, {x, y}, Vars{u, s});
  CHECK(at(L[0], {x, y, u, s}, {doubles({2.}), doubles({3.}), doubles({1.}), Tensor(10.)}) ==
        std::vector<double>{9});
  CHECK(at(L[1], {x, y, u, s}, {doubles({2.}), doubles({3.}), doubles({1.}), Tensor(10.)}) ==
        std::vector<double>{22});
  CHECK(error_of([&] {
          Lop(Vars{f, sum(y)}, {x}, Vars{u});
        }) == "Lop: 2 expressions, but 1 factors\n  at HERE");
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
        "grad: the cost must be a scalar: take its sum or mean\n  float32 (?,)   mul\n  " + test::at(made) +
            ", grad at HERE");
  CHECK(error_of([&] {
          grad(i * 2, i);
        }).starts_with("grad: the cost must be a float\n  int32 ()   mul\n  at HERE"));
  CHECK(error_of([&] { grad(sum(x), k); }) ==
        "grad: there is no gradient with respect to integers\n  int32 (?,)   k\n  " + test::at(made - 2) +
            ", grad at HERE");
  CHECK(error_of([&] { grad(Var(), x); }) == "grad: the cost is an empty Var\n  at HERE");
  CHECK(error_of([&] {
          grad(sum(x), Vars{x, Var()});
        }) == "grad: one of the variables to differentiate with respect to is an empty Var\n  at HERE");
}

TEST_CASE("inputs that the cost does not depend on") {
  const Var x = fvector("x"), y = fmatrix("y");
  const Var cost = sum(x).named("cost");
  const int made = __LINE__ - 1;
  CHECK(
      error_of([&] { grad(cost, y); }) ==
      "grad: the cost cost does not depend on y, or not through anything with a gradient: if that is meant, "
      "say .disconnected_inputs = Disconnected::zero\n  float32 (?, ?)   y\n  float32 ()       cost\n  " +
          test::at(made) + ", grad at HERE");
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

TEST_CASE("what is computed in integers has no slope") {
  const FloatXScope scope(float32);
  const Var x = fmatrix("x"), y = ivector("y");
  const Shared W = shared(Tensor::full({3, 2}, float32, 1), "W"), b = shared(Tensor{0., 0.}, "b");
  const Var p = softmax(dot(x, W) + b), i = argmax(p, {.axis = 1});
  const int made = __LINE__ + 1;
  const Var error_rate = mean(neq(i, y)).named("error");
  CHECK(error_of([&] { grad(error_rate, W); }) ==
        "grad: the cost error depends on W only through neq, which is computed in bool and has no slope: "
        "take a "
        "smooth cost, or for zeros say .disconnected_inputs = Disconnected::zero\n  float32 (3, 2)   W\n  " +
            to_string(error_rate.type()) + "       error\n  " + test::at(made) + ", grad at HERE");
  // Whatever jumps, and however its values come back to be floats.
  const Var one = cast(gt(p, 0.5), float32);
  const std::pair<Var, std::string> jumps[] = {
      {mean(neq(i, y)), "neq"},
      {mean(one), "gt"},
      {1 - mean(eq(i, y)), "eq"},
      {log(1 + mean(neq(i, y))), "neq"},
      {sum(switch_(gt(p, 0.5), 1.f, 0.f)), "gt"},
      {mean(cast(i, float32)), "argmax{axis=1}"},
      {sum(cast(cast(p * 10, int32), float32)), "cast{int32}"},
      {sum(cast(argsort(p), float32)), "argsort{1}"},
      {mean(any(gt(p, 0.5), {.axis = 1})), "any{axis=1}"},
      {sum(p.astype(int8) * 0.5), "cast{int8}"},
      {sqr(mean(isnan(p))), "isnan"},
      {sum(x[{arange(2), i}]), "argmax{axis=1}"},
      {sum(ifelse(gt(sum(p), 1.f), x, 2 * x)), "gt"},
  };
  for (const auto& entry : jumps) {
    const Var& c = entry.first;
    const std::string through = entry.second;
    INFO(pp(c));
    REQUIRE(c.type().is_float());
    CHECK(error_of([&] {
            grad(c, W);
          }).find(" depends on W only through " + through + ", which is computed in ") != std::string::npos);
    const Vars zero = grad(c, {W, b}, {.disconnected_inputs = Disconnected::zero});
    CHECK(test::evaluate(zero[0], {}, {}).to_vector<double>() == std::vector<double>(6, 0));
    CHECK_FALSE(grad(c, W, {.disconnected_inputs = Disconnected::ignore}).is_set());
  }
  // Beside a smooth way there is nothing to say.
  const Var nll = -mean(log(p)[{arange(y.shape(0)), y}]);
  const Tensor X = test::random({4, 3}, float32, 1), Y = Tensor{0, 1, 0, 1}.astype(int32);
  CHECK(test::difference(test::evaluate(grad(nll + error_rate, W), {x, y}, {X, Y}),
                         test::evaluate(grad(nll, W), {x, y}, {X, Y}), 1e-6, 1e-7) == "");
  // Steps that are floats have the derivative 0, as in Theano.
  for (const Var& step : {floor(p), ceil(p), round(p), trunc(p), sgn(p)})
    CHECK(test::evaluate(grad(sum(step), W), {x}, {X}).to_vector<double>() == std::vector<double>(6, 0));
}

TEST_CASE("the choices that a gradient makes are constant in its own gradient") {
  const Var x = dvector("x"), b = dvector("b");
  const Tensor point = Tensor(std::vector<double>{-2, 1, 3}), B = Tensor(std::vector<double>{.5, .5, .5});
  const Var y = x + b;
  for (const Var& f : {relu(y), switch_(gt(y, 0), y, 0.1 * y), y * cast(gt(y, 0), float64), y * gt(y, 0),
                       maximum(y, 0.), clip(y, -1., 2.), abs(y), max(y)}) {
    INFO(pp(f));
    const Var g = grad(sum(f), x);
    for (const Var& second : grad(sum(sqr(g)), {x, b}))
      CHECK(test::evaluate(second, {x, b}, {point, B}).to_vector<double>() == std::vector<double>(3, 0));
  }
}

TEST_CASE("a known gradient of another rank") {
  const Var x = fvector("x"), g = fmatrix("g");
  CHECK(error_of([&] { Lop(x * 2, {x}, g); }) ==
        "grad: the known gradient has another rank, 2\n  float32 (?,)   mul\n  at HERE");
}
