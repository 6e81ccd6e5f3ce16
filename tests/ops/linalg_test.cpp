#include "ops/linalg.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

namespace {

Tensor identity(std::int64_t n, DType dtype, double factor = 1) {
  const Tensor t = Tensor::zeros({n, n}, float64);
  for (std::int64_t i = 0; i < n; ++i) t.at<double>(i, i) = factor;
  return t.astype(dtype);
}

/// x + 2: for elements between -.6 and .6 far from singular, and its lower triangle positive definite.
Var regular(const Var& x) {
  const Var i = arange(x.shape(0));
  return x + 2 * cast(eq(i.dimshuffle({0, 'x'}), i.dimshuffle({'x', 0})), x.dtype());
}

const std::vector<std::vector<Sizes>> squares = {{{3, 3}}, {{5, 5}}, {{2, 2}}, {{1, 1}}, {{0, 0}}};
const std::vector<std::vector<Sizes>> equations = {{{3, 3}, {3}},    {{3, 3}, {3, 4}}, {{4, 4}, {4, 1}},
                                                   {{1, 1}, {1}},    {{1, 1}, {1, 3}}, {{0, 0}, {0}},
                                                   {{0, 0}, {0, 2}}, {{2, 2}, {2, 0}}};

test::OpRow row(std::string name, test::Build f, const std::vector<std::vector<Sizes>>& shapes) {
  return {.name = std::move(name),
          .build = std::move(f),
          .shapes = shapes,
          .low = -.6,
          .high = .6,
          .twice = true,
          .n_ulps = 64};
}

}  // namespace

TEST_CASE("functions of a square matrix, with their derivatives") {
  test::expect_op(row(
      "matrix_inverse", [](const Vars& x) { return matrix_inverse(regular(x[0])); }, squares));
  test::expect_op(row(
      "det", [](const Vars& x) { return det(regular(x[0])); }, squares));
  test::expect_op(row(
      "log_abs", [](const Vars& x) { return slogdet(regular(x[0])).log_abs; }, squares));
  test::expect_op(row(
      "log_abs of -x", [](const Vars& x) { return slogdet(-regular(x[0])).log_abs; }, squares));
  test::expect_op(row(
      "sign", [](const Vars& x) { return slogdet(-regular(x[0])).sign; }, squares));
  test::expect_op(row(
      "cholesky", [](const Vars& x) { return cholesky(regular(x[0])); }, squares));
  test::expect_op(row(
      "upper", [](const Vars& x) { return cholesky(regular(x[0]), {.lower = false}); }, squares));
}

TEST_CASE("solutions of equations, with their derivatives") {
  test::expect_op(row(
      "solve", [](const Vars& x) { return solve(regular(x[0]), x[1]); }, equations));
  for (const bool lower : {false, true})
    for (const bool trans : {false, true})
      test::expect_op(row(
          "triangular",
          [=](const Vars& x) {
            return solve_triangular(regular(x[0]), x[1], {.lower = lower, .trans = trans});
          },
          equations));
  test::expect_op(row("a column",
                      [](const Vars& x) {
                        return solve(regular(x[0]), x[1].dimshuffle({0, 'x'}));
                      },
                      {{{3, 3}, {3}}}));
}

TEST_CASE("the other triangle is not read") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor lower = Tensor(std::vector<double>{4, nan, 2, 5}, {2, 2}), upper = lower.transposed();
  const Var x = dmatrix("x"), b = dvector("b");
  check_close(test::evaluate(cholesky(x), {x}, {lower}), Tensor{{2., 0.}, {1., 2.}}, 1e-15, 0, "lower");
  check_close(test::evaluate(cholesky(x, {.lower = false}), {x}, {upper}), Tensor{{2., 1.}, {0., 2.}}, 1e-15,
              0, "upper");
  const Tensor tb = Tensor{4., 7.}.astype(float64);
  check_close(test::evaluate(solve_lower_triangular(x, b), {x, b}, {lower, tb}), Tensor{1., 1.}, 1e-15, 0,
              "lower");
  check_close(test::evaluate(solve_upper_triangular(x, b), {x, b}, {upper, tb}),
              Tensor(std::vector<double>{.3, 1.4}), 1e-15, 0, "upper");
  check_close(test::evaluate(solve_triangular(x, b, {.lower = true, .trans = true}), {x, b}, {lower, tb}),
              Tensor(std::vector<double>{.3, 1.4}), 1e-15, 0, "transposed");
}

TEST_CASE("matrices of several blocks") {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {40, 150}) {
      const Var x = matrix("x", dtype), b = matrix("b", dtype);
      const Tensor tx = test::random({n, n}, dtype, 1), tb = test::random({n, 7}, dtype, 2);
      const std::string what = to_string(dtype) + std::string(", n = ") + std::to_string(n);
      // Residuals: n products of numbers whose size the inverse decides (a condition of some hundreds).
      const double atol = test::ulps(dtype, 100. * static_cast<double>(n));
      check_close(test::evaluate(dot(x, matrix_inverse(x)), {x}, {tx}), identity(n, dtype), 0, atol,
                  "inverse, " + what);
      check_close(test::evaluate(dot(x, solve(x, b)), {x, b}, {tx, tb}), tb, 0, atol, "solve, " + what);
      const Var s = dot(x, x.T()) + constant(identity(n, dtype, 3));
      const Var L = cholesky(s);
      check_close(test::evaluate(dot(L, L.T()), {x}, {tx}), test::evaluate(s, {x}, {tx}),
                  test::ulps(dtype, 64), atol, "cholesky, " + what);
      check_close(test::evaluate(dot(L, solve_lower_triangular(L, b)), {x, b}, {tx, tb}), tb, 0, atol,
                  "triangular, " + what);
      check_close(test::evaluate(slogdet(s).log_abs, {x}, {tx}),
                  test::evaluate(2 * slogdet(L).log_abs, {x}, {tx}), test::ulps(dtype, 64), 0,
                  "log_abs, " + what);
    }
}

TEST_CASE("pinv: the four conditions, any rank, and its derivatives") {
  test::expect_op(row("pinv", [](const Vars& x) { return pinv(x[0]); },
                      {{{5, 3}}, {{2, 4}}, {{1, 1}}, {{1, 3}}, {{3, 1}}, {{0, 3}}, {{3, 0}}, {{0, 0}}}));
  test::expect_op(row(
      "pinv of a square", [](const Vars& x) { return pinv(regular(x[0])); }, squares));
  const Var x = dmatrix("x"), y = pinv(x);
  const Tensor u = test::random({5, 2}, float64, 1), v = test::random({2, 4}, float64, 2);
  const Tensor t = test::evaluate(dot(x, constant(v)), {x}, {u});  // of rank 2
  const auto equal = [&](const Var& a, const Var& b, const char* what) {
    check_close(test::evaluate(a, {x}, {t}), test::evaluate(b, {x}, {t}), 1e-12, 1e-14, what);
  };
  equal(matrix_dot({x, y, x}), x, "x y x");
  equal(matrix_dot({y, x, y}), y, "y x y");
  equal(dot(x, y), dot(x, y).T(), "x y");
  equal(dot(y, x), dot(y, x).T(), "y x");
  CHECK(test::evaluate(y, {x}, {Tensor::zeros({2, 3}, float64)}).to_vector<double>() ==
        std::vector<double>(6, 0.));
}

TEST_CASE("eigh: x v = v diag(w), and its derivatives") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {0, 1, 2, 5, 40}) {
      const Var x = matrix("x", dtype);
      const Tensor t = test::random({n, n}, dtype, 1);
      const Eigh e = eigh(x), upper = eigh(x.T(), {.lower = false});
      const Var full = dot(e.v * e.w.dimshuffle({'x', 0}), e.v.T());
      const double tolerance = test::ulps(dtype, 64);
      const Function f = function({.inputs = {x}, .outputs = {e.w, upper.w, full, dot(e.v.T(), e.v)}});
      const Values y = f(t);
      CHECK(identical(y[0], y[1]));
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j <= i; ++j)
          CHECK(y[2].astype(float64).at<double>(i, j) ==
                doctest::Approx(t.astype(float64).at<double>(i, j)).epsilon(tolerance));
      check_close(y[3], identity(n, dtype), tolerance, tolerance, "v^T v");
      for (std::int64_t i = 1; i < n; ++i)
        CHECK(y[0].astype(float64).at<double>(i - 1) <= y[0].astype(float64).at<double>(i));
      if (n > 5) continue;
      // The sign of an eigenvector is free.
      const test::Build both = [](const Vars& v) {
        const Eigh s = eigh(v[0]);
        return join(0, {s.w, sqr(s.v).flatten()});
      };
      CHECK(error_of([&] { verify_grad(both, {t}, {.tolerance = dtype == float32 ? 1e-3 : 1e-6}); }) ==
            "no error");
      if (dtype == float64)
        CHECK(error_of([&] {
                verify_grad([&](const Vars& v) { return grad(sum(sin(both(v))), v[0]); }, {t});
              }) == "no error");
    }
  const Var x = dmatrix("x");
  CHECK(error_of([&] {
          test::evaluate(eigh(x).w, {x}, {Tensor(std::vector<double>{nan, 1, 1, 2}, {2, 2})});
        }).starts_with("eigh: the eigenvalues were not found: are all elements finite?\n"));
  CHECK(eigh(imatrix("i")).v.dtype() == float64);
}

TEST_CASE("determinants beyond the range of floats, and of singular matrices") {
  const Var x = fmatrix("x");
  const SlogDet d = slogdet(x);
  const Function f = function({.inputs = {x}, .outputs = {d.sign, d.log_abs, det(x)}});
  Values y = f(identity(10, float32, 1e30));
  CHECK(y[0].item() == 1);
  CHECK(y[1].item() == doctest::Approx(300 * std::log(10.)));
  CHECK(std::isinf(y[2].item()));
  y = f(Tensor{{0., 2.}, {3., 1.}}.astype(float32));
  CHECK(y[0].item() == -1);
  CHECK(y[1].item() == doctest::Approx(std::log(6.)));
  CHECK(y[2].item() == -6);
  y = f(Tensor{{1., 2.}, {2., 4.}}.astype(float32));
  CHECK(y[0].item() == 0);
  CHECK(y[1].item() == -std::numeric_limits<double>::infinity());
  CHECK(y[2].item() == 0);
  y = f(Tensor::zeros({0, 0}, float32));
  CHECK(y[0].item() == 1);
  CHECK(y[1].item() == 0);
  CHECK(y[2].item() == 1);
}

TEST_CASE("in the modes that find mistakes") {
  const Var x = dmatrix("x"), b = dvector("b");
  const Var L = cholesky(dot(x, x.T()) + constant(identity(3, float64)));
  const Var cost = slogdet(x).log_abs + sum(solve(x, b)) + sum(matrix_inverse(x)) + sum(pinv(x)) +
                   sum(eigh(x).w) + sum(solve_lower_triangular(L, b));
  const Vars g = grad(cost, {x, b});
  const test::Tensors at = {test::random({3, 3}, float64, 1), test::random({3}, float64, 2)};
  for (const Var& v : g)
    for (const Mode mode : {Mode::NanGuardMode, Mode::DebugMode})
      check_close(test::evaluate(v, {x, b}, at, mode), test::evaluate(v, {x, b}, at), 1e-12, 1e-14,
                  to_string(mode));
}

TEST_CASE("NaN passes through") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor t = Tensor(std::vector<double>{nan, 1, 1, 2}, {2, 2});
  const Var x = dmatrix("x");
  for (const Var& y : {matrix_inverse(x), cholesky(x), solve(x, x), det(x).dimshuffle({'x', 'x'}),
                       slogdet(x).sign.dimshuffle({'x', 'x'})})
    CHECK(std::isnan(test::evaluate(y, {x}, {t}).at<double>(0, 0)));
}

TEST_CASE("integers become float64") {
  const Var i = imatrix("i"), f = fvector("f"), d = dmatrix("d"), b = bmatrix("b");
  CHECK(matrix_inverse(i).dtype() == float64);
  CHECK(det(b).dtype() == float64);
  CHECK(cholesky(i).dtype() == float64);
  CHECK(pinv(b).dtype() == float64);
  CHECK(solve(i, f).dtype() == float64);
  CHECK(solve(fmatrix("m"), f).dtype() == float32);
  CHECK(solve(d, f).dtype() == float64);
  CHECK(kron(i, b).dtype() == int32);
  CHECK(test::evaluate(matrix_inverse(i), {i}, {Tensor{{2, 0}, {0, 4}}}).to_vector<double>() ==
        std::vector<double>{.5, 0, 0, .25});
  CHECK(test::evaluate(det(i), {i}, {Tensor{{2, 1}, {1, 4}}}).item() == doctest::Approx(7));
}

TEST_CASE("matrix_dot and kron") {
  const Var a = dmatrix("a"), b = dmatrix("b"), c = dmatrix("c");
  const Tensor two = Tensor{{1., 2.}, {3., 4.}}.astype(float64),
               swap = Tensor{{0., 1.}, {1., 0.}}.astype(float64);
  CHECK(test::evaluate(matrix_dot({a, b, c}), {a, b, c}, {two, swap, two}).to_vector<double>() ==
        std::vector<double>{5, 8, 13, 20});
  CHECK(same(matrix_dot({a}), a));
  CHECK(error_of([&] { matrix_dot({}); }) == "matrix_dot: there are no factors");
  const Tensor k = test::evaluate(kron(a, b), {a, b}, {two, swap});
  CHECK(k.shape() == Sizes{4, 4});
  CHECK(k.to_vector<double>() == std::vector<double>{0, 1, 0, 2, 1, 0, 2, 0, 0, 3, 0, 4, 3, 0, 4, 0});
  test::expect_op(row("kron", [](const Vars& x) { return kron(x[0], x[1]); },
                      {{{2, 3}, {3, 2}}, {{1, 3}, {2, 1}}, {{2}, {3}}, {{0, 2}, {2, 2}}}));
  CHECK(error_of([&] { kron(a, dvector("v")); }) ==
        "kron: two vectors or two matrices are expected, not 2 and 1 dimensions\n  float64 (?, ?)   a\n  "
        "float64 "
        "(?,)     v\n  at HERE");
}

TEST_CASE("sizes that do not fit, known when the graph is built or in the call") {
  const Var x = variable(Type(float32, {2, 3}), "x"), v = fvector("v"), m = fmatrix("m"), b = fmatrix("b");
  const std::string oblong = "the matrix is not square: 2 rows, 3 columns\n  float32 (2, 3)   x\n  at HERE";
  CHECK(error_of([&] { matrix_inverse(x); }) == "matrix_inverse: " + oblong);
  CHECK(error_of([&] { det(x); }) == "det: " + oblong);
  CHECK(error_of([&] { cholesky(x); }) == "cholesky: " + oblong);
  CHECK(error_of([&] { det(v); }) ==
        "det: a square matrix is expected, not an array of 1 dimensions\n  float32 (?,)   v\n  at HERE");
  CHECK(error_of([&] { pinv(v); }).starts_with("pinv: a matrix is expected, not an array of 1 dimensions"));
  CHECK(error_of([&] {
          solve(m, tensor3("t", float32));
        }).starts_with("solve: the right side is a vector or a matrix, not of 3 dimensions"));
  CHECK(error_of([&] {
          solve(variable(Type(float32, {3, 3}), "A"), x);
        }).starts_with("solve: the matrix has 3 rows, the right side 2\n  float32 (3, 3)   A"));
  const int line = __LINE__ + 1;
  const Var y = solve_triangular(m, b);
  const Function f = function({.inputs = {m, b}, .outputs = y, .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({3, 3}, float32), Tensor::zeros({2, 1}, float32));
        }) ==
        "solve_upper_triangular: the matrix has 3 rows, the right side 2\n  float32 (3, 3)   m\n  float32 "
        "(2, 1)  "
        " b\n  " +
            test::at(line) + ", in function \"f\"");
  CHECK(error_of([&] {
          f(Tensor::zeros({3, 2}, float32), Tensor::zeros({2, 1}, float32));
        }).starts_with("solve_upper_triangular: the matrix is not square: 3 rows, 2 columns"));
}

TEST_CASE("matrices that have no inverse or no triangular factor") {
  const Var x = fmatrix("x"), b = fvector("b");
  const Tensor singular = Tensor{{1., 2.}, {2., 4.}}.astype(float32), tb = Tensor{1., 2.}.astype(float32);
  const int line = __LINE__ + 1;
  const Function inverse = function({.inputs = {x}, .outputs = matrix_inverse(x), .name = "f"});
  CHECK(
      error_of([&] { inverse(singular); }) ==
      "matrix_inverse: the matrix is singular to working precision: pivot 1 is 0\n  float32 (2, 2)   x\n  " +
          test::at(line) + ", in function \"f\"");
  CHECK(error_of([&] {
          test::evaluate(solve(x, b), {x, b}, {singular, tb});
        }).starts_with("solve: the matrix is singular to working precision: pivot 1 is 0\n"));
  CHECK(error_of([&] {
          test::evaluate(solve(x, b), {x, b}, {Tensor::zeros({2, 2}, float32), tb});
        }).starts_with("solve: the matrix is singular to working precision: pivot 0 is 0\n"));
  CHECK(error_of([&] {
          test::evaluate(grad(det(x), x), {x}, {singular});
        }).starts_with("matrix_inverse: the matrix is singular"));
  CHECK(error_of([&] {
          test::evaluate(solve_lower_triangular(x, b), {x, b},
                         {Tensor{{1., 0.}, {2., 0.}}.astype(float32), tb});
        })
            .starts_with(
                "solve_lower_triangular: the matrix is singular: element (1, 1) of its diagonal is 0\n"));
  CHECK(error_of([&] {
          test::evaluate(cholesky(x), {x}, {Tensor{{1., 0.}, {2., 1.}}.astype(float32)});
        })
            .starts_with("cholesky: the matrix is not positive definite: its leading minor of order 2 is not "
                         "positive\n  float32 (2, 2)   x\n"));
  // In the second block of a large one.
  const Tensor large = identity(150, float32);
  large.at<float>(140, 140) = 0;
  CHECK(error_of([&] { inverse(large); }).find("pivot 140 is 0") != std::string::npos);
  large.at<float>(140, 140) = -1;
  CHECK(error_of([&] { test::evaluate(cholesky(x), {x}, {large}); }).find("minor of order 141 is") !=
        std::string::npos);
}

TEST_CASE("a call that fails leaves what it would have updated") {
  const Var x = dmatrix("x"), b = dvector("b");
  const Shared inverse = shared(identity(2, float64), "inverse"),
               factor = shared(identity(2, float64), "factor"),
               solution = shared(Tensor::zeros({2}, float64), "solution");
  const std::vector<Function> all = {
      function({.inputs = {x}, .updates = {{inverse, matrix_inverse(x)}}}),
      function({.inputs = {x}, .updates = {{factor, cholesky(x)}}}),
      function({.inputs = {x}, .updates = {{solution, solve(x, solution + 1)}}}),
      function({.inputs = {x}, .updates = {{solution, solve_lower_triangular(x, solution + 1)}}})};
  for (const Function& f : all) CHECK(error_of([&] { f(Tensor{{0., 0.}, {0., 0.}}); }) != "no error");
  CHECK(identical(inverse.get_value(), identity(2, float64)));
  CHECK(identical(factor.get_value(), identity(2, float64)));
  CHECK(identical(solution.get_value(), Tensor::zeros({2}, float64)));
  for (const Function& f : all) f(Tensor{{2., 0.}, {0., 4.}});
  CHECK(inverse.get_value().at<double>(1, 1) == .25);
  CHECK(factor.get_value().at<double>(1, 1) == 2);
  CHECK(solution.get_value().at<double>(0) == .75);
}
