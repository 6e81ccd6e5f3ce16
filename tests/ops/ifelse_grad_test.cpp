#include <doctest/doctest.h>

#include <cmath>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/ops/lazy.h"
#include "tests/support.h"

using namespace damo;
using namespace damo::test;

TEST_CASE("gradients through both sides agree with differences") {
  for (const DType dtype : {float32, float64})
    for (const double sign : {1., -1.}) {
      INFO(to_string(dtype), " ", sign);
      const std::vector<Tensor> points = {test::random({3, 2}, dtype, 1, .5, 1.5),
                                          test::random({2}, dtype, 2, .5, 1.5)};
      const test::Build build = [&](const Vars& x) {
        const Var h = tanh(x[0]) * 2, c = sum(x[0]) * sign > 0;
        const Var y = ifelse(c, sqr(h) + x[1], exp(h) * 0.3);
        const Var z = ifelse(c, sin(h), ifelse(sum(x[1]) > 0, h * y, y));
        return y * z + h;
      };
      CHECK(error_of([&] { verify_grad(build, points); }) == "no error");
      const test::Build twice = [&](const Vars& x) { return grad(sum(sqr(build(x))), x[0]); };
      CHECK(error_of([&] { verify_grad(twice, points); }) == "no error");
    }
}

TEST_CASE("the gradient is as lazy, and zero for what is not taken") {
  Printed printed;
  const Var c = iscalar("c"), x = dvector("x"), w = dvector("w");
  const Var a = traced(log(x), "a"), b = traced(tanh(w), "b");
  const Vars g = grad(sum(sqr(ifelse(c, a, b))), {x, w});
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {c, x, w}, .outputs = g, .mode = mode});
    // log(0) and its gradient would be NaN, and NanGuardMode would not have them.
    const Values v = f(0, doubles({0.}), doubles({1.}));
    CHECK(printed.take() == "b ndim = 1\n");
    CHECK(v[0].item() == 0);
    const double t = std::tanh(1.);
    CHECK(v[1].item() == doctest::Approx(2 * t * (1 - t * t)).epsilon(1e-12));
    const Values u = f(1, doubles({2.}), doubles({1.}));
    CHECK(printed.take() == "a ndim = 1\n");
    CHECK(u[0].item() == doctest::Approx(std::log(2.)).epsilon(1e-12));
    CHECK(u[1].item() == 0);
  }
}

TEST_CASE("gradients where sizes differ, through bounds, and with respect to what lies inside a branch") {
  const Var n = lscalar("n"), x = dmatrix("x");
  const Var inside = x[n - 1];
  const Var cost = ifelse(n > 0, sum(sqr(inside)), sum(x));
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {n, x}, .outputs = grad(cost, x), .mode = mode});
    CHECK(numbers(f(0, doubles({{1., 2.}}))) == std::vector<double>{1, 1});
    CHECK(numbers(f(2, doubles({{1., 2.}, {3., 4.}}))) == std::vector<double>{0, 0, 6, 8});
    CHECK(Tensor(f(0, Tensor::zeros({0, 2}, float64))).shape() == Sizes{0, 2});
    const Function h = function({.inputs = {n, x}, .outputs = grad(cost, inside), .mode = mode});
    CHECK(numbers(h(1, doubles({{1., 2.}}))) == std::vector<double>{2, 4});
    const Var y = ifelse(n, x[slice(0, 1)], concatenate({x, x}));
    const Function k = function({.inputs = {n, x}, .outputs = grad(sum(sqr(y)), x), .mode = mode});
    CHECK(numbers(k(1, doubles({{1.}, {2.}}))) == std::vector<double>{2, 0});
    CHECK(numbers(k(0, doubles({{1.}, {2.}}))) == std::vector<double>{4, 8});
  }
}

TEST_CASE(
    "the condition has no derivative, or zero if asked for; the value's gradient is connected through either "
    "branch") {
  const Var x = dscalar("x"), w = dscalar("w");
  const Var y = ifelse(x > 1, w * 2, w);
  CHECK(test::error_of([&] {
          grad(y, x);
        }).starts_with("grad: the cost ifelse depends on x only through gt, which is computed in bool"));
  const Var gx = grad(y, x, {.disconnected_inputs = Disconnected::zero});
  const Function f = function({.inputs = {x, w}, .outputs = {gx, grad(y, w), y}});
  CHECK(f(2, 1)[0].item() == 0);
  CHECK(f(2, 1)[1].item() == 2);
  CHECK(f(0, 1)[1].item() == 1);
}

TEST_CASE("a thousand nested choices, with their gradient") {
#ifdef DAMO_SANITIZED
  constexpr int depth = 200;
#else
  constexpr int depth = 1000;
#endif
  const Var c = lscalar("c"), x = dscalar("x");
  // By a number that is known early.
  Var y = x;
  for (int k = depth; k > 0; --k) y = ifelse(c < k, x * k, y + 1);
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {c, x}, .outputs = {y, grad(y, x)}, .mode = mode});
    for (const int level : {0, 1, depth / 2, depth - 1, depth}) {
      const Values v = f(level, 2.);
      const double slope = level == depth ? 1 : level + 1;
      CHECK(v[0].item() == 2 * slope + level);
      CHECK(v[1].item() == slope);
    }
  }
  // By numbers that kernels compute, nested and in a row; sizes that are known, and such that are not.
  for (const bool sizes_known : {true, false}) {
    const Var v = sizes_known ? variable(Type(float64, {2}), "v") : dvector("v");
    Var z = v, r = v;
    for (int k = depth; k > 0; --k) z = ifelse(sum(v) * 5 < k, v * k, z + 1);
    for (int k = 0; k < depth / 4; ++k) r = ifelse(sum(r) > 20, r - 7, r + 3);
    const Function f = function({.inputs = {v}, .outputs = {z, grad(sum(z), v), r, grad(sum(r), v)}});
    double want = 2.5;
    for (int k = 0; k < depth / 4; ++k) want = want > 10 ? want - 7 : want + 3;
    for (int call = 0; call < 2; ++call) {
      const Values got = f(doubles({2.5, 2.5}));
      CHECK(numbers(got[0])[1] == 26 * 2.5 + 25);
      CHECK(numbers(got[1])[1] == 26);
      CHECK(numbers(got[2])[1] == want);
      CHECK(numbers(got[3])[1] == 1);
    }
  }
}
