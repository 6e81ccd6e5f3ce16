#include <doctest/doctest.h>

#include <limits>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

namespace {

using Function1 = Var (*)(const Arg&);

struct Value {
  const char* name;
  Function1 f;
  double x, y;
};

const double inf = std::numeric_limits<double>::infinity(), NaN = std::numeric_limits<double>::quiet_NaN();

// With 60 digits by mpmath; every x is a float32.
const Value values[] = {
    {"erf", erf, 9.094947017729282e-13, 1.0262548740643184e-12},
    {"erf", erf, 0.25, 0.27632639016823696},
    {"erf", erf, -0.75, -0.7111556336535151},
    {"erf", erf, 1.5, 0.9661051464753108},
    {"erf", erf, 4, 0.9999999845827421},
    {"erfc", erfc, -3, 1.9999779095030015},
    {"erfc", erfc, 0.25, 0.7236736098317631},
    {"erfc", erfc, 1.5, 0.033894853524689274},
    {"erfc", erfc, 5, 1.537459794428035e-12},
    {"erfc", erfc, 9, 4.13703174651381e-37},
    {"erfinv", erfinv, 9.094947017729282e-13, 8.060186932677953e-13},
    {"erfinv", erfinv, -0.125, -0.11123545184094996},
    {"erfinv", erfinv, 0.5, 0.4769362762044699},
    {"erfinv", erfinv, 0.515625, 0.4944679650856978},
    {"erfinv", erfinv, -0.75, -0.8134198475976185},
    {"erfinv", erfinv, 0.9375, 1.3171503349861307},
    {"erfinv", erfinv, 0.9999990463256836, 3.465505025803331},
    {"erfcinv", erfcinv, 7.888609052210118e-31, 8.163048919217452},
    {"erfcinv", erfcinv, 9.5367431640625e-07, 3.465505025803331},
    {"erfcinv", erfcinv, 0.25, 0.8134198475976185},
    {"erfcinv", erfcinv, 0.484375, 0.4944679650856978},
    {"erfcinv", erfcinv, 0.515625, 0.4596929968321758},
    {"erfcinv", erfcinv, 1.25, -0.2253120550121781},
    {"erfcinv", erfcinv, 1.5, -0.4769362762044699},
    {"erfcinv", erfcinv, 1.984375, -1.7094723742995115},
    {"gamma", gamma, 9.5367431640625e-07, 1048575.4227852783},
    {"gamma", gamma, 0.5, 1.772453850905516},
    {"gamma", gamma, 1.5, 0.886226925452758},
    {"gamma", gamma, 4.25, 8.28508514183522},
    {"gamma", gamma, 12.5, 136843365.46556586},
    {"gamma", gamma, -0.5, -3.544907701811032},
    {"gamma", gamma, -2.25, -1.7428148657282527},
    {"gamma", gamma, -7.75, 0.0001874782417004247},
    {"gammaln", gammaln, 9.5367431640625e-07, 13.8629430607239},
    {"gammaln", gammaln, 0.5, 0.5723649429247001},
    {"gammaln", gammaln, 1.25, -0.09827183642181316},
    {"gammaln", gammaln, 2.5, 0.2846828704729192},
    {"gammaln", gammaln, 30, 71.25703896716801},
    {"gammaln", gammaln, 10000, 82099.71749644238},
    {"gammaln", gammaln, -0.5, 1.2655121234846454},
    {"gammaln", gammaln, -2.25, 0.5555015450206475},
    {"gammaln", gammaln, -7.75, -8.581847763551867},
    {"psi", psi, 9.5367431640625e-07, -1048576.5772140962},
    {"psi", psi, 0.25, -4.2274535333762655},
    {"psi", psi, 0.8125, -0.9366063140631838},
    {"psi", psi, 0.9375, -0.6850006744956978},
    {"psi", psi, 1, -0.5772156649015329},
    {"psi", psi, 1.453125, -0.008264331530773935},
    {"psi", psi, 1.46875, 0.006865411470735777},
    {"psi", psi, 2, 0.42278433509846713},
    {"psi", psi, 2.0625, 0.4623229805281309},
    {"psi", psi, 2.125, 0.500396225593034},
    {"psi", psi, 3.75, 1.1825373886117962},
    {"psi", psi, 11.875, 2.4317395533640034},
    {"psi", psi, 12, 2.442661679975812},
    {"psi", psi, 40, 3.676327374034843},
    {"psi", psi, 1e6, 13.815510057964191},
    {"psi", psi, -0.25, 2.9141391202135276},
    {"psi", psi, -1.5, 0.7031566406452432},
    {"psi", psi, -7.75, -1.0307688328309315},
    {"tri_gamma", tri_gamma, 9.5367431640625e-07, 1099511627777.645},
    {"tri_gamma", tri_gamma, 0.25, 17.19732915450711},
    {"tri_gamma", tri_gamma, 1, 1.6449340668482264},
    {"tri_gamma", tri_gamma, 2.5, 0.49035775610023485},
    {"tri_gamma", tri_gamma, 11.875, 0.0878556208352259},
    {"tri_gamma", tri_gamma, 12, 0.08690187287176838},
    {"tri_gamma", tri_gamma, 40, 0.02531510384129103},
    {"tri_gamma", tri_gamma, 1e6, 1.0000005000001667e-06},
    {"tri_gamma", tri_gamma, -0.25, 18.541879647671607},
    {"tri_gamma", tri_gamma, -1.5, 9.379246644989124},
    {"tri_gamma", tri_gamma, -7.75, 19.61814433435229},
};

const Value ends[] = {
    {"erf", erf, inf, 1},
    {"erf", erf, NaN, NaN},
    {"erfc", erfc, -inf, 2},
    {"erfc", erfc, inf, 0},
    {"erfinv", erfinv, 0, 0},
    {"erfinv", erfinv, 1, inf},
    {"erfinv", erfinv, -1, -inf},
    {"erfinv", erfinv, 1.25, NaN},
    {"erfinv", erfinv, -inf, NaN},
    {"erfinv", erfinv, NaN, NaN},
    {"erfcinv", erfcinv, 1, 0},
    {"erfcinv", erfcinv, 0, inf},
    {"erfcinv", erfcinv, 2, -inf},
    {"erfcinv", erfcinv, -0.5, NaN},
    {"erfcinv", erfcinv, 2.5, NaN},
    {"erfcinv", erfcinv, NaN, NaN},
    {"gamma", gamma, 0, inf},
    {"gamma", gamma, -2, NaN},
    {"gamma", gamma, inf, inf},
    {"gamma", gamma, 1000, inf},
    {"gammaln", gammaln, 0, inf},
    {"gammaln", gammaln, -3, inf},
    {"gammaln", gammaln, inf, inf},
    {"gammaln", gammaln, 1, 0},
    {"gammaln", gammaln, NaN, NaN},
    {"psi", psi, 0, NaN},
    {"psi", psi, -4, NaN},
    {"psi", psi, inf, inf},
    {"psi", psi, -inf, NaN},
    {"psi", psi, NaN, NaN},
    {"tri_gamma", tri_gamma, 0, inf},
    {"tri_gamma", tri_gamma, -3, inf},
    {"tri_gamma", tri_gamma, inf, 0},
    {"tri_gamma", tri_gamma, -inf, NaN},
    {"tri_gamma", tri_gamma, NaN, NaN},
};

Tensor value_of(const Value& v, DType dtype) {
  const Var x = vector("x", dtype);
  return test::evaluate(v.f(x), {x}, {Tensor::full({1}, dtype, v.x)});
}

}  // namespace

TEST_CASE("special functions have all their digits") {
  for (const Value& v : values)
    for (const DType dtype : {float32, float64}) {
      const double tolerance = test::ulps(dtype, 12);
      check_close(value_of(v, dtype), Tensor::full({1}, float64, v.y).astype(dtype), tolerance, 0,
                  std::string(v.name) + " of " + std::to_string(v.x) + " in " + to_string(dtype));
    }
}

TEST_CASE("special functions at the ends of their domains and at poles") {
  for (const Value& v : ends)
    for (const DType dtype : {float32, float64})
      check_close(value_of(v, dtype), Tensor::full({1}, dtype, v.y), 0, 0,
                  std::string(v.name) + " of " + std::to_string(v.x) + " in " + to_string(dtype));
}

TEST_CASE("erfinv and erfcinv undo erf and erfc over all magnitudes") {
  std::vector<double> small;
  for (double q = 0.9; q > 1e-300; q *= 0.37) small.push_back(q);
  const Tensor q(small);
  const Var x = dvector("x");
  check_close(test::evaluate(erf(erfinv(x)), {x}, {q}), q, 1e-15, 0, "erf(erfinv)");
  // The slope of log(erfc) makes a rounded inverse that much worse.
  check_close(test::evaluate(log(erfc(erfcinv(x))), {x}, {q}), test::evaluate(log(x), {x}, {q}), 1e-15, 1e-15,
              "log(erfc(erfcinv))");
}

TEST_CASE("special functions on all ranks and layouts, with their derivatives") {
  struct Row {
    const char* name;
    Function1 f;
    double low, high;
    bool differentiable = true, twice = true;
  };
  const Row rows[] = {
      {"erf", erf, -2, 2},
      {"erfc", erfc, -2, 2},
      {"erfinv", erfinv, -.7, .7},
      {"erfcinv", erfcinv, .4, 1.6},
      {"gamma", gamma, .8, 3},
      {"gammaln", gammaln, .8, 3},
      {"psi", psi, .8, 3, true, false},
      {"tri_gamma", tri_gamma, .8, 3, false, false},
  };
  for (const Row& row : rows)
    test::expect_op({.name = row.name,
                     .build = [&row](const Vars& x) { return row.f(x[0]); },
                     .shapes = {{{}}, {{5}}, {{0}}, {{1}}, {{3, 4}}, {{3, 0}}, {{2, 3, 2}}},
                     .low = row.low,
                     .high = row.high,
                     .differentiable = row.differentiable,
                     .twice = row.twice,
                     .n_ulps = 16});
}

TEST_CASE("tri_gamma has no gradient") {
  const Var x = dvector("x");
  CHECK(error_of([&] { grad(sum(tri_gamma(x)), x); }) == "tri_gamma has no gradient");
  CHECK(error_of([&] { grad(sum(psi(x)), x); }) == "no error");
}
