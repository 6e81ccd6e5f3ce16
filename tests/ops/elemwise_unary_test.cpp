#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;

namespace {

using Function1 = Var (*)(const Arg&);

struct Row {
  const char* name;
  Function1 f;
  long double (*reference)(long double);
  double low, high;  ///< where values and derivatives are compared
  double ulps = 4;   ///< how far a vectorized function may be from the rounded one
  bool smooth = true;
};

const Row table[] = {
    {"neg", neg, [](long double x) { return -x; }, -3, 3, 0},
    {"exp", exp, [](long double x) { return std::exp(x); }, -10, 10},
    {"expm1", expm1, [](long double x) { return std::expm1(x); }, -3, 3},
    {"log", log, [](long double x) { return std::log(x); }, .1, 10},
    {"log1p", log1p, [](long double x) { return std::log1p(x); }, -.7, 10},
    {"sqrt", sqrt, [](long double x) { return std::sqrt(x); }, .1, 10, 1},
    {"sqr", sqr, [](long double x) { return x * x; }, -3, 3, 0.5},
    {"inv", inv, [](long double x) { return 1 / x; }, .3, 3, 0.5},
    {"abs", abs, [](long double x) { return std::abs(x); }, .1, 3, 0, false},
    {"abs of negatives", abs, [](long double x) { return std::abs(x); }, -3, -.1, 0, false},
    {"sgn", sgn, [](long double x) { return x > 0   ? 1.0L
                                            : x < 0 ? -1.0L
                                                    : x; }, .1, 3, 0, false},
    {"sgn of negatives", sgn, [](long double x) { return x > 0   ? 1.0L
                                                         : x < 0 ? -1.0L
                                                                 : x; }, -3, -.1, 0,
     false},
    {"exp2", exp2, [](long double x) { return std::exp2(x); }, -10, 10},
    {"log2", log2, [](long double x) { return std::log2(x); }, .1, 10},
    {"log10", log10, [](long double x) { return std::log10(x); }, .1, 10},
    {"sin", sin, [](long double x) { return std::sin(x); }, -6, 6},
    {"cos", cos, [](long double x) { return std::cos(x); }, -6, 6},
    {"tan", tan, [](long double x) { return std::tan(x); }, -1.2, 1.2},
    {"arcsin", arcsin, [](long double x) { return std::asin(x); }, -.8, .8},
    {"arccos", arccos, [](long double x) { return std::acos(x); }, -.8, .8},
    {"arctan", arctan, [](long double x) { return std::atan(x); }, -6, 6},
    {"sinh", sinh, [](long double x) { return std::sinh(x); }, -3, 3},
    {"cosh", cosh, [](long double x) { return std::cosh(x); }, -3, 3},
    {"arcsinh", arcsinh, [](long double x) { return std::asinh(x); }, -6, 6},
    {"arccosh", arccosh, [](long double x) { return std::acosh(x); }, 1.3, 10},
    {"arctanh", arctanh, [](long double x) { return std::atanh(x); }, -.8, .8},
    {"deg2rad", deg2rad, [](long double x) { return x * std::numbers::pi_v<long double> / 180; }, -180, 180},
    {"rad2deg", rad2deg, [](long double x) { return x / std::numbers::pi_v<long double> * 180; }, -3, 3},
    {"erf", erf, [](long double x) { return std::erf(x); }, -3, 3},
    {"erfc", erfc, [](long double x) { return std::erfc(x); }, -3, 3},
    {"gamma", gamma, [](long double x) { return std::tgamma(x); }, .5, 4, 8},
    {"gammaln", gammaln, [](long double x) { return std::lgamma(x); }, .5, 10, 8},
    {"ceil", ceil, [](long double x) { return std::ceil(x); }, -3, 3, 0, false},
    {"floor", floor, [](long double x) { return std::floor(x); }, -3, 3, 0, false},
    {"trunc", trunc, [](long double x) { return std::trunc(x); }, -3, 3, 0, false},
    {"round", round_half_to_even, [](long double x) { return std::nearbyint(x); }, -3, 3, 0, false},
    {"round_half_away_from_zero", round_half_away_from_zero, [](long double x) { return std::round(x); }, -3,
     3, 0, false},
    {"tanh", tanh, [](long double x) { return std::tanh(x); }, -4, 4, 8},
    {"sigmoid", sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, -10, 10, 8},
    {"softplus", softplus, [](long double x) { return std::log1p(std::exp(x)); }, -10, 10, 8},
};

/// The correctly rounded values.
Tensor rounded(const Row& row, const Tensor& x) {
  const std::vector<double> in = x.to_vector<double>();
  std::vector<double> out;
  for (const double v : in) out.push_back(static_cast<double>(row.reference(v)));
  return test::tensor(x.dtype(), x.shape(), out);
}

}  // namespace

TEST_CASE("values of functions of one operand") {
  for (const Row& row : table)
    for (const DType dtype : {float32, float64}) {
      const std::string what = std::string(row.name) + " " + to_string(dtype);
      const Var x = vector("x", dtype);
      const Tensor t = test::random({1003}, dtype, 1, row.low, row.high);
      // The smallest absolute error of the table's functions near a zero of theirs is that of their argument.
      const double rtol = test::ulps(dtype, row.ulps), atol = test::ulps(dtype, row.ulps / 8);
      check_close(test::evaluate(row.f(x), {x}, {t}), rounded(row, t), rtol, atol, what);
      check_close(test::evaluate(row.f(x), {x}, {t}, Mode::FAST_COMPILE), rounded(row, t), rtol, atol, what);
    }
}

TEST_CASE("functions of one operand on all ranks, layouts and sizes, with their derivatives") {
  for (const Row& row : table)
    test::expect_op(
        {.name = row.name,
         .build = [&row](const Vars& x) { return row.f(x[0]); },
         .shapes = {{{}}, {{5}}, {{0}}, {{1}}, {{3, 4}}, {{1, 1}}, {{0, 4}}, {{3, 0}}, {{2, 3, 2}}},
         // Where second derivatives are of the size of the function, so that differences show them.
         .low = std::max(row.low, -2.),
         .high = std::min(row.high, 2.),
         .twice = row.smooth});
}

TEST_CASE("an element's value depends neither on its place nor on the array's length") {
  for (const Row& row : table)
    for (const DType dtype : {float32, float64}) {
      const Var x = vector("x", dtype);
      const Function f = function({.inputs = {x}, .outputs = row.f(x)});
      const Tensor all = test::random({1100}, dtype, 2, row.low, row.high);
      const Tensor whole = f(all);
      for (const std::int64_t n : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 511, 512, 513, 1025})
        for (const std::int64_t begin : {0, 1, 5}) {
          const Tensor part = f(all.slice(0, begin, begin + n));
          INFO(row.name, " ", to_string(dtype), ", ", n, " elements from ", begin);
          CHECK(identical(part, whole.slice(0, begin, begin + n)));
        }
      // The same in a column, and backwards.
      const Tensor backwards = f(all.reversed(0));
      CHECK(identical(backwards.reversed(0), whole));
    }
}

TEST_CASE("the ends of the floats") {
  struct Extreme {
    const char* name;
    Function1 f;
    double x, y;
  };
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const Extreme extremes[] = {
      {"exp", exp, -inf, 0},
      {"exp", exp, inf, inf},
      {"exp", exp, 1000, inf},
      {"exp", exp, -1000, 0},
      {"exp", exp, nan, nan},
      {"exp", exp, 0, 1},
      {"expm1", expm1, 0, 0},
      {"expm1", expm1, -1000, -1},
      {"expm1", expm1, inf, inf},
      {"expm1", expm1, nan, nan},
      {"log", log, 0, -inf},
      {"log", log, -1, nan},
      {"log", log, 1, 0},
      {"log", log, inf, inf},
      {"log", log, nan, nan},
      {"log1p", log1p, -1, -inf},
      {"log1p", log1p, 0, 0},
      {"log1p", log1p, 1e-12, 1e-12 - 5e-25},
      {"log1p", log1p, inf, inf},
      {"log1p", log1p, -2, nan},
      {"log1p", log1p, nan, nan},
      {"sqrt", sqrt, 0, 0},
      {"sqrt", sqrt, -1, nan},
      {"sqrt", sqrt, inf, inf},
      {"inv", inv, 0, inf},
      {"inv", inv, inf, 0},
      {"inv", inv, nan, nan},
      {"abs", abs, -inf, inf},
      {"abs", abs, nan, nan},
      {"sgn", sgn, 0, 0},
      {"sgn", sgn, nan, nan},
      {"sgn", sgn, -inf, -1},
      {"tanh", tanh, inf, 1},
      {"tanh", tanh, -inf, -1},
      {"tanh", tanh, 1000, 1},
      {"tanh", tanh, 1e-12, 1e-12},
      {"tanh", tanh, nan, nan},
      {"sigmoid", sigmoid, -800, 0},
      {"sigmoid", sigmoid, 800, 1},
      {"sigmoid", sigmoid, -inf, 0},
      {"sigmoid", sigmoid, inf, 1},
      {"sigmoid", sigmoid, nan, nan},
      {"sigmoid", sigmoid, 0, .5},
      {"softplus", softplus, -800, 0},
      {"softplus", softplus, 800, 800},
      {"softplus", softplus, -inf, 0},
      {"softplus", softplus, inf, inf},
      {"softplus", softplus, nan, nan},
      {"softplus", softplus, -40, std::exp(-40.)},
      {"sin", sin, nan, nan},
      {"sin", sin, inf, nan},
      {"cos", cos, 0, 1},
      {"cos", cos, -inf, nan},
      {"sin", sin, 1e-12, 1e-12},
      {"sqr", sqr, -inf, inf},
      {"exp2", exp2, -inf, 0},
      {"exp2", exp2, 3, 8},
      {"log2", log2, 8, 3},
      {"log2", log2, 0, -inf},
      {"log2", log2, -1, nan},
      {"log10", log10, 1000, 3},
      {"log10", log10, inf, inf},
      {"tan", tan, inf, nan},
      {"tan", tan, 1e-12, 1e-12},
      {"arcsin", arcsin, 1, std::numbers::pi / 2},
      {"arcsin", arcsin, 1.5, nan},
      {"arccos", arccos, 1, 0},
      {"arccos", arccos, -1, std::numbers::pi},
      {"arccos", arccos, -1.5, nan},
      {"arctan", arctan, -inf, -std::numbers::pi / 2},
      {"arctan", arctan, nan, nan},
      {"sinh", sinh, 1000, inf},
      {"sinh", sinh, 1e-12, 1e-12},
      {"cosh", cosh, -1000, inf},
      {"arcsinh", arcsinh, -inf, -inf},
      {"arcsinh", arcsinh, 1e-12, 1e-12},
      {"arccosh", arccosh, 1, 0},
      {"arccosh", arccosh, .5, nan},
      {"arctanh", arctanh, 1, inf},
      {"arctanh", arctanh, -1, -inf},
      {"arctanh", arctanh, 2, nan},
  };
  for (const Extreme& e : extremes)
    for (const DType dtype : {float32, float64}) {
      const Var x = vector("x", dtype);
      // Twice, in and out of a vector packet.
      check_close(test::evaluate(e.f(x), {x}, {Tensor::full({17}, dtype, e.x)}),
                  Tensor::full({17}, float64, e.y), test::ulps(dtype, 8), 0,
                  std::string(e.name) + " of " + std::to_string(e.x) + " in " + to_string(dtype));
    }
}

TEST_CASE("isnan and isinf") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {float32, float64}) {
    const Var x = vector("x", dtype);
    const Tensor t = test::tensor(dtype, {6}, {0, nan, inf, -inf, 1e30, -1});
    const Tensor n = test::evaluate(isnan(x), {x}, {t}), i = test::evaluate(isinf(x), {x}, {t});
    CHECK(n.dtype() == bool_);
    CHECK(n.to_vector<int>() == std::vector<int>{0, 1, 0, 0, 0, 0});
    CHECK(i.to_vector<int>() == std::vector<int>{0, 0, 1, 1, 0, 0});
  }
  const Var k = ivector("k");
  CHECK(test::evaluate(isnan(k), {k}, {Tensor{1, 2}}).to_vector<int>() == std::vector<int>{0, 0});
}

TEST_CASE("functions of integers") {
  const Var x = ivector("x");
  const Tensor t = Tensor{-3, 0, 2};
  CHECK(test::evaluate(-x, {x}, {t}).to_vector<int>() == std::vector<int>{3, 0, -2});
  CHECK(test::evaluate(abs(x), {x}, {t}).to_vector<int>() == std::vector<int>{3, 0, 2});
  CHECK(test::evaluate(sgn(x), {x}, {t}).to_vector<int>() == std::vector<int>{-1, 0, 1});
  CHECK(test::evaluate(sqr(x), {x}, {t}).to_vector<int>() == std::vector<int>{9, 0, 4});
  CHECK(sqr(x).dtype() == int32);
  const Var b = bvector("b");
  CHECK(exp(b).dtype() == float32);
  CHECK(exp(x).dtype() == float64);
  CHECK(test::evaluate(exp(x), {x}, {t}).to_vector<double>()[1] == 1);
  // Results wrap around, and nothing traps.
  CHECK(test::evaluate(sqr(b), {b}, {Tensor{16, -128, 12}}).to_vector<int>() == std::vector<int>{0, 0, -112});
  CHECK(test::evaluate(-b, {b}, {Tensor{-128, 127, 1}}).to_vector<int>() == std::vector<int>{-128, -127, -1});
  const Var l = lvector("l");
  const Tensor lowest(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min()});
  CHECK(identical(test::evaluate(-l, {l}, {lowest}), lowest));
  CHECK(identical(test::evaluate(abs(l), {l}, {lowest}), lowest));
}

TEST_CASE("the derivative of abs at 0 is 0, and sgn is flat") {
  const Var x = dvector("x");
  CHECK(test::evaluate(grad(sum(abs(x)), x), {x}, {Tensor{-2., 0., 3.}}).to_vector<double>() ==
        std::vector<double>{-1, 0, 1});
  CHECK(test::evaluate(grad(sum(sgn(x)), x), {x}, {Tensor{-2., 0., 3.}}).to_vector<double>() ==
        std::vector<double>{0, 0, 0});
}

TEST_CASE("cast converts, its gradient is cast back, through integers it is 0") {
  const Var x = fvector("x");
  const Tensor t = Tensor{-1.7, 0., 2.9, 300.};
  CHECK(test::evaluate(cast(x, int32), {x}, {t}).to_vector<int>() == std::vector<int>{-1, 0, 2, 300});
  CHECK(test::evaluate(cast(x, bool_), {x}, {t}).to_vector<int>() == std::vector<int>{1, 0, 1, 1});
  CHECK(test::evaluate(cast(x, uint8), {x}, {t}).to_vector<int>() == std::vector<int>{255, 0, 2, 44});
  CHECK(same(cast(x, float32), x));
  CHECK(x.astype(float64).dtype() == float64);
  const Var g = grad(sum(sqr(cast(x, float64))), x);
  CHECK(g.dtype() == float32);
  CHECK(test::evaluate(g, {x}, {Tensor{1.5, -2.}}).to_vector<float>() == std::vector<float>{3, -4});
  CHECK(test::evaluate(grad(sum(cast(cast(x, int32), float32) * x), x), {x}, {Tensor{1.5, -2.5}})
            .to_vector<float>() == std::vector<float>{1, -2});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Var d = dvector("d");
  CHECK(test::evaluate(cast(d, int64), {d}, {Tensor(std::vector<double>{nan, 1e300})})
            .to_vector<std::int64_t>() ==
        std::vector<std::int64_t>(2, std::numeric_limits<std::int64_t>::min()));
}
