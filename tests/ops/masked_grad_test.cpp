#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;

// Where a switch and its like do not choose an expression, its slope may be infinite or NaN: the gradient is
// 0 there.

namespace {

struct Row {
  const char* name;
  test::Build build;  ///< elementwise
  std::vector<double> x, gradient, second;
};

const Row table[] = {
    {"sqrt",
     [](const Vars& x) { return switch_(x[0] > 0, sqrt(x[0]), 0); },
     {-1, 0, 4},
     {0, 0, .25},
     {0, 0, -.03125}},
    {"log",
     [](const Vars& x) { return switch_(x[0] > 0, log(x[0]), 0); },
     {-1, 0, 4},
     {0, 0, .25},
     {0, 0, -.0625}},
    {"x log x",
     [](const Vars& x) { return switch_(x[0] > 0, x[0] * log(x[0]), 0); },
     {-1, 0, 1},
     {0, 0, 1},
     {0, 0, 1}},
    {"1 / x", [](const Vars& x) { return switch_(neq(x[0], 0), 1 / x[0], 0); }, {0, 2}, {0, -.25}, {0, .25}},
    {"inv", [](const Vars& x) { return switch_(eq(x[0], 0), 0, inv(x[0])); }, {0, 2}, {0, -.25}, {0, .25}},
    {"pow",
     [](const Vars& x) { return switch_(x[0] > 0, pow(x[0], 0.5), 0); },
     {-1, 0, 4},
     {0, 0, .25},
     {0, 0, -.03125}},
    {"sinc", [](const Vars& x) { return switch_(eq(x[0], 0), 1, sin(x[0]) / x[0]); }, {0}, {0}, {0}},
    {"arcsin",
     [](const Vars& x) { return switch_(abs(x[0]) < 1, arcsin(x[0]), 1); },
     {-2, 1, 0},
     {0, 0, 1},
     {0, 0, 0}},
    {"tanh of log",
     [](const Vars& x) { return switch_(x[0] > 0, tanh(log(x[0])), 0); },
     {-1, 0, 1},
     {0, 0, 1},
     {0, 0, -1}},
    {"sqrt of log",
     [](const Vars& x) { return switch_(x[0] > 2, sqrt(log(x[0] - 1)), 0); },
     {0, 1, 2},
     {0, 0, 0},
     {0, 0, 0}},
    {"arccosh of a quotient",
     [](const Vars& x) { return switch_(x[0] > 0, 0, arccosh(1 / x[0])); },
     {1, .5},
     {0, 0},
     {0, 0}},
    {"psi", [](const Vars& x) { return switch_(x[0] > 0, 0, gammaln(x[0])); }, {1, 0.5}, {0, 0}, {0, 0}},
    {"exp overflows",
     [](const Vars& x) { return switch_(x[0] < 9, exp(x[0]), x[0]); },
     {0, 2000},
     {1, 1},
     {1, 0}},
    {"maximum", [](const Vars& x) { return log(maximum(sqrt(x[0]), 0.5)); }, {0, 1}, {0, .5}, {0, -.5}},
    {"minimum", [](const Vars& x) { return minimum(1 / x[0], 2); }, {0, 1}, {0, -1}, {0, 2}},
    {"clip", [](const Vars& x) { return clip(1 / sqrt(x[0]), 0.25, 2); }, {0, 1}, {0, -.5}, {0, .75}},
    // Zeros of a gradient that no choice has made.
    {"square", [](const Vars& x) { return switch_(x[0] > -1, sqr(x[0]), 0); }, {0, 1}, {0, 2}, {2, 2}},
    {"square of sin", [](const Vars& x) { return switch_(x[0] > -1, sqr(sin(x[0])), 0); }, {0}, {0}, {2}},
    {"product of zeros",
     [](const Vars& x) { return switch_(x[0] > -1, sin(x[0]) * expm1(x[0]), 0); },
     {0},
     {0},
     {2}},
};

}  // namespace

TEST_CASE("gradients through choices are finite, and so are theirs") {
  for (const Row& row : table)
    for (const DType dtype : {float32, float64})
      for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
        const std::string what = std::string(row.name) + " " + to_string(dtype) + " " + to_string(mode);
        const Var x = vector("x", dtype);
        const Tensor t = Tensor(row.x).astype(dtype);
        const double tolerance = test::ulps(dtype, 8);
        const Var g = grad(sum(row.build({x})), x);
        check_close(test::evaluate(g, {x}, {t}, mode), Tensor(row.gradient), tolerance, tolerance, what);
        check_close(test::evaluate(grad(sum(g), x), {x}, {t}, mode), Tensor(row.second), tolerance, tolerance,
                    what + ", second");
        const Var along = Rop(row.build({x}), {x}, {ones_like(x)});
        check_close(test::evaluate(along, {x}, {t}, mode), Tensor(row.gradient), tolerance, tolerance,
                    what + ", Rop");
      }
}

TEST_CASE("rows divided by their norms, but for rows of zeros") {
  for (const DType dtype : {float32, float64}) {
    const Var x = matrix("x", dtype);
    const Var n = sqrt(sum(sqr(x), {.axis = 1, .keepdims = true}));
    const Var cost = sum(sqr(switch_(n > 0, x / n, 0) - 0.5));
    const Tensor t = Tensor({{3., 4.}, {0., 0.}}).astype(dtype);
    const Var g = grad(cost, x);
    const double tolerance = test::ulps(dtype, 8);
    // 2 (y - 1/2) (1 - y y^T) / n for y = (0.6, 0.8)
    check_close(test::evaluate(g, {x}, {t}), test::tensor(dtype, {2, 2}, {-.032, .024, 0, 0}), tolerance,
                tolerance, "gradient");
    const Tensor second = test::evaluate(grad(sum(g), x), {x}, {t});
    check_close(second[1], Tensor{0., 0.}, 0, 0, "second, of zeros");
    const auto rest = [](const Vars& v) {
      const Var m = sqrt(sum(sqr(v[0]), {.axis = 1, .keepdims = true}));
      return grad(sum(sqr(switch_(m > 0, v[0] / m, 0) - 0.5)), v[0]);
    };
    CHECK(test::error_of([&] {
            verify_grad(rest, {Tensor({{3., 4.}, {-1., 2.}}).astype(dtype)});
          }) == "no error");
  }
}

TEST_CASE("a mask reaches through products and sums to parameters") {
  const Var x = dmatrix("x");
  const Shared W = shared(Tensor({{1., 0.}, {0., 1.}}), "W");
  const Var a = dot(x, W);
  const Var g = grad(sum(switch_(a > 0, log(a), 0)), W);
  check_close(test::evaluate(g, {x}, {Tensor({{2., -1.}, {0., 4.}})}), Tensor({{1., 0.}, {-.5, 1.}}), 1e-15,
              0, "gradient of W");
}

TEST_CASE("zeros are kept where a slope is infinite though the value is not, or below a choice") {
  const Var x = dvector("x"), m = dmatrix("m");
  const auto keeps = [&](const Var& cost, const Var& v) {
    return pp(grad(cost, v)).find("mul_no_nan") != std::string::npos;
  };
  CHECK(keeps(sum(sqrt(x)), x));
  CHECK(keeps(sum(arcsin(x)), x));
  CHECK(keeps(sum(pow(x, 0.5)), x));
  CHECK_FALSE(keeps(sum(pow(x, 3)), x));
  CHECK_FALSE(keeps(sum(exp(x) / x), x));
  CHECK_FALSE(keeps(sum(switch_(x > 0, x + 1, -x)), x));
  CHECK(keeps(sum(switch_(x > 0, exp(x), 0)), x));
  CHECK_FALSE(keeps(sum(exp(switch_(x > 0, x, 1))), x));
  CHECK(keeps(exp(x)[0], x));
  CHECK(keeps(max(exp(x)), x));
  CHECK(keeps(sum(pool_2d(exp(m), 2)), m));
  CHECK(keeps(sum(set_subtensor(exp(x)[0], 1.)), x));
  CHECK_FALSE(keeps(sum(inc_subtensor(exp(x)[0], 1.)), x));
  // Softmax and its like leave no zeros.
  CHECK_FALSE(keeps(-log_softmax(exp(m))[0][0], m));
}

TEST_CASE("values that nobody uses leave no NaN") {
  constexpr double inf = std::numeric_limits<double>::infinity(),
                   nan = std::numeric_limits<double>::quiet_NaN();
  struct Case {
    const char* name;
    test::Build cost;
    std::vector<double> x, gradient;
  };
  const Case cases[] = {
      {"an element", [](const Vars& x) { return sqrt(x[0])[0]; }, {4, 0, -1}, {.25, 0, 0}},
      {"of a matrix",
       [](const Vars& x) {
         return sqrt(x[0].reshape({2, 2}))[0][0];
       },
       {4, 0, 0, -1},
       {.25, 0, 0, 0}},
      {"a quotient", [](const Vars& x) { return (1 / x[0])[0]; }, {2, 0}, {-.25, 0}},
      {"an exponential", [](const Vars& x) { return exp(x[0])[0]; }, {0, 2000}, {1, 0}},
      {"a product",
       [](const Vars& x) { return sum((x[0] * x[0][slice(none, none, -1)])[slice(0, 0)]) + x[0][0]; },
       {2, inf},
       {1, 0}},
      {"tanh of NaN", [](const Vars& x) { return tanh(x[0])[0]; }, {0, nan}, {1, 0}},
      {"picked",
       [](const Vars& x) {
         return sum(log(x[0])[constant(Tensor(std::vector<std::int64_t>{1, 1}))]);
       },
       {0, 2, -1},
       {0, 1, 0}},
      {"a mask", [](const Vars& x) { return sum(log(x[0])[x[0] > 0]); }, {0, 2, -1}, {0, .5, 0}},
      {"the largest", [](const Vars& x) { return max(sqrt(x[0])); }, {0, 4}, {0, .25}},
      {"the smallest", [](const Vars& x) { return min(1 / x[0]); }, {0, 4}, {0, -.0625}},
      {"overwritten", [](const Vars& x) { return sum(set_subtensor(sqrt(x[0])[1], 7.)); }, {4, 0}, {.25, 0}},
      {"overwritten, picked",
       [](const Vars& x) {
         return sum(set_subtensor(log(x[0])[constant(Tensor(std::vector<std::int64_t>{1}))], 7.));
       },
       {4, 0},
       {.25, 0}},
      {"sorted", [](const Vars& x) { return sort(sqrt(x[0]))[1]; }, {0, 4}, {0, .25}},
      {"below a product",
       [](const Vars& x) {
         return dot(sqrt(x[0].reshape({2, 1})), Tensor{{1.}})[0][0];
       },
       {4, 0},
       {.25, 0}},
      {"standardized",
       [](const Vars& x) { return sum(sqr((x[0] - mean(x[0])) / (std_(x[0]) + 1e-3))); },
       {2, 2, 2},
       {0, 0, 0}},
      {"standardized by hand",
       [](const Vars& x) {
         const Var d = x[0] - mean(x[0]);
         return sum(sqr(d / (sqrt(mean(sqr(d))) + 1e-3)));
       },
       {2, 2},
       {0, 0}},
      {"pow", [](const Vars& x) { return pow(x[0], .25)[0]; }, {1, 0}, {.25, 0}},
      {"arccosh", [](const Vars& x) { return arccosh(x[0])[0]; }, {std::sqrt(2.), 1}, {1, 0}},
      {"rows",
       [](const Vars& x) {
         const Var m = x[0].reshape({2, 2});
         return (m / norm(m, 2, {.axis = 1, .keepdims = true}))[0][0];
       },
       {3, 4, 0, 0},
       {.128, -.096, 0, 0}},
  };
  for (const Case& c : cases)
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
      const Var x = dvector("x");
      const Tensor t(c.x);
      check_close(test::evaluate(grad(c.cost({x}), x), {x}, {t}, mode), Tensor(c.gradient), 1e-14, 1e-16,
                  c.name);
    }
}
