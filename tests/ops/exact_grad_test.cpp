#include <doctest/doctest.h>

#include <cmath>
#include <iostream>
#include <limits>
#include <sstream>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

// Gradients where a formula that is right elsewhere fails: at zeros and ties, where a position is written
// twice, where the value has lost its digits.

namespace {

constexpr Mode both_modes[] = {Mode::FAST_RUN, Mode::FAST_COMPILE};

struct Point {
  const char* name;
  test::Build f;  ///< of a vector
  std::vector<double> x, wanted;
};

/// The gradient of the sum of each, in both modes and dtypes.
void check_gradients(const std::vector<Point>& points) {
  for (const Point& p : points)
    for (const Mode mode : both_modes)
      for (const DType dtype : {float32, float64}) {
        const Var x = vector("x", dtype);
        const double tolerance = test::ulps(dtype, 8);
        check_close(test::evaluate(grad(sum(p.f({x})), x), {x}, {Tensor(p.x).astype(dtype)}, mode),
                    Tensor(p.wanted), tolerance, tolerance * 1e-3,
                    std::string(p.name) + " " + to_string(mode) + " " + to_string(dtype));
      }
}

void check_hessian(const char* name, const test::Build& f, const std::vector<double>& x,
                   const Tensor& wanted) {
  for (const Mode mode : both_modes) {
    const Var v = dvector("v");
    check_close(test::evaluate(hessian(f({v}), v), {v}, {Tensor(x)}, mode), wanted, 1e-13, 1e-14,
                std::string(name) + " " + to_string(mode));
  }
}

Tensor doubles(const std::vector<double>& list) { return Tensor(list); }

Var positions(std::vector<std::int64_t> list) { return constant(Tensor(std::move(list))); }

}  // namespace

TEST_CASE("a tie belongs to the first operand alone") {
  check_gradients({
      {"maximum of one", [](const Vars& x) { return maximum(x[0], x[0]); }, {1, -2, 0}, {1, 1, 1}},
      {"minimum of one", [](const Vars& x) { return minimum(x[0], x[0]); }, {1, -2, 0}, {1, 1, 1}},
      {"of three",
       [](const Vars& x) { return maximum(maximum(x[0], 1. * x[0]), x[0] + 0.); },
       {1, -2},
       {1, 1}},
      {"with a number",
       [](const Vars& x) { return maximum(x[0], 1) + 10 * minimum(1, x[0]); },
       {1, 0, 2},
       {1, 10, 1}},
      {"clip at its bounds", [](const Vars& x) { return clip(x[0], 1, 2); }, {1, 2, 0, 3}, {1, 1, 0, 0}},
      {"clip to itself", [](const Vars& x) { return clip(x[0], x[0], x[0]); }, {1, 2}, {1, 1}},
  });
  // PPO's cost: r a where the ratio is clipped to no other number.
  const Var r = dvector("r"), a = dvector("a");
  const Var cost = sum(minimum(r * a, clip(r, .8, 1.2) * a));
  for (const Mode mode : both_modes)
    check_close(test::evaluate(grad(cost, r), {r, a}, {Tensor{1., 1.}, Tensor{2., -3.}}, mode),
                Tensor{2., -3.}, 0, 0, "PPO");
  // Broadcast, and each operand by itself.
  const Var m = dmatrix("m"), v = dvector("v");
  const Vars g = grad(sum(maximum(m, v)), {m, v});
  const Tensor tm{{1., 2.}, {3., 2.}}, tv{1., 3.};
  check_close(test::evaluate(g[0], {m, v}, {tm, tv}), Tensor{{1., 0.}, {1., 0.}}, 0, 0, "left");
  check_close(test::evaluate(g[1], {m, v}, {tm, tv}), Tensor{0., 2.}, 0, 0, "right");
}

TEST_CASE("set_subtensor at repeated positions: the last value stays, and alone has a gradient") {
  const Var x = dvector("x"), y = dvector("y"), s = dscalar("s"), m = dmatrix("m"), c = dmatrix("c");
  const Var weights = constant(Tensor{1., 10., 100., 1000.});
  const Var twice = positions({1, 1, 3}), pairs_i = positions({0, 1, 0, 0}),
            pairs_j = positions({1, 0, 1, 0});
  const Tensor tx = Tensor::zeros({4}, float64), ty{5., 6., 7.};
  for (const Mode mode : both_modes) {
    INFO(to_string(mode));
    const Var z = set_subtensor(x[twice], y);
    check_close(test::evaluate(z, {x, y}, {tx, ty}, mode), Tensor{0., 6., 0., 7.}, 0, 0, "value");
    const Vars g = grad(sum(z * weights), {x, y});
    check_close(test::evaluate(g[0], {x, y}, {tx, ty}, mode), Tensor{1., 0., 100., 0.}, 0, 0, "of x");
    check_close(test::evaluate(g[1], {x, y}, {tx, ty}, mode), Tensor{0., 10., 1000.}, 0, 0, "of the values");
    const Var of_scalar = grad(sum(set_subtensor(x[twice], s) * weights), s);
    CHECK(test::evaluate(of_scalar, {x, s}, {tx, Tensor(2.)}, mode).item() == 1010);
    // Rows, of a vector and of a column; three times; from the end.
    const Var rows = positions({1, 0, 1, -1});
    const Tensor tm = Tensor::zeros({2, 2}, float64);
    const Var w = constant(Tensor{{1., 10.}, {100., 1000.}});
    const Var by_row = grad(sum(set_subtensor(m[rows], y[slice(0, 2)]) * w), y);
    check_close(test::evaluate(by_row, {m, y}, {tm, ty}, mode), Tensor{101., 1010., 0.}, 0, 0, "a row");
    const Var by_col = grad(sum(set_subtensor(m[rows], addbroadcast(c, {1})) * w), c);
    check_close(test::evaluate(by_col, {m, c}, {tm, Tensor{{1.}, {2.}, {3.}, {4.}}}, mode),
                Tensor{{0.}, {11.}, {0.}, {1100.}}, 0, 0, "a column");
    // Pairs of positions; second derivatives.
    const Var four = dvector("four");
    const Var set = set_subtensor(m[{pairs_i, pairs_j}], four);
    check_close(test::evaluate(grad(sum(set * w), four), {m, four}, {tm, Tensor{1., 2., 3., 4.}}, mode),
                Tensor{0., 100., 10., 1.}, 0, 0, "pairs");
    const Var second = grad(sum(grad(sum(set * set * w), four)), four);
    check_close(test::evaluate(second, {m, four}, {tm, Tensor{1., 2., 3., 4.}}, mode),
                Tensor{0., 200., 20., 2.}, 0, 0, "second derivative");
    // With slices beside the positions; and added, each one counts.
    const Var column = set_subtensor(m[{slice(none, none), positions({1, 1})}], c);
    check_close(test::evaluate(grad(sum(column * w), c), {m, c}, {tm, Tensor{{1., 2.}, {3., 4.}}}, mode),
                Tensor{{0., 10.}, {0., 1000.}}, 0, 0, "a slice and positions");
    check_close(test::evaluate(grad(sum(inc_subtensor(x[twice], y) * weights), y), {x, y}, {tx, ty}, mode),
                Tensor{10., 10., 1000.}, 0, 0, "added");
  }
}

TEST_CASE("powers at 0") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> exponents = {0, 1, 2, 3};
  const Var e = dvector("e"), x = dvector("x"), s = dscalar("s");
  const Tensor zeros = Tensor::zeros({4}, float64), te(exponents);
  for (const Mode mode : both_modes) {
    INFO(to_string(mode));
    for (const Var& exponent : {constant(te), e}) {
      const Var g = grad(sum(pow(x, exponent)), x), second = grad(sum(g), x);
      const auto at = [&](const Var& v) {
        const Function f = function(
            {.inputs = {x, e}, .outputs = v, .on_unused_input = OnUnusedInput::ignore, .mode = mode});
        return Tensor(f(zeros, te));
      };
      check_close(at(g), Tensor{0., 1., 0., 0.}, 0, 0, "first");
      check_close(at(second), Tensor{0., 0., 2., 0.}, 0, 0, "second");
      check_close(at(grad(sum(second), x)), Tensor{0., 0., 0., 6.}, 0, 0, "third");
    }
    for (std::size_t k = 0; k < exponents.size(); ++k) {
      const Var y = pow(s, exponents[k]), z = pow(s, e[static_cast<std::int64_t>(k)]);
      const double first[] = {0, 1, 0, 0}, second[] = {0, 0, 2, 0};
      CHECK(test::evaluate(grad(y, s), {s}, {Tensor(0.)}, mode).item() == first[k]);
      CHECK(test::evaluate(grad(grad(y, s), s), {s}, {Tensor(0.)}, mode).item() == second[k]);
      CHECK(test::evaluate(grad(z, s), {s, e}, {Tensor(0.), te}, mode).item() == first[k]);
    }
    CHECK(test::evaluate(grad(pow(s, .5), s), {s}, {Tensor(0.)}, mode).item() == inf);
    CHECK(test::evaluate(grad(pow(s, -1), s), {s}, {Tensor(0.)}, mode).item() == -inf);
    check_close(test::evaluate(grad(sum(pow(x, e)), e), {x, e}, {Tensor{0., 0., 1., 2.}, te}, mode),
                doubles({0, 0, 0, 8 * std::log(2.)}), 1e-14, 0, "by the exponent");
  }
}

TEST_CASE("products with zeros, and their derivatives") {
  const auto product = [](const Vars& v) { return prod(v[0]); };
  check_hessian("one zero", product, {0, 2, 3}, Tensor{{0., 3., 2.}, {3., 0., 0.}, {2., 0., 0.}});
  check_hessian("two zeros", product, {0, 2, 0}, Tensor{{0., 0., 2.}, {0., 0., 0.}, {2., 0., 0.}});
  check_hessian("three zeros", product, {0, 0, 0}, Tensor::zeros({3, 3}, float64));
  check_hessian("none", product, {1, 2, 3}, Tensor{{0., 3., 2.}, {3., 0., 1.}, {2., 1., 0.}});
  const Var x = dvector("x");
  Var third = prod(x);
  for (int i = 0; i < 3; ++i) third = grad(third, x)[i];
  CHECK(test::evaluate(third, {x}, {Tensor{0., 0., 0., 5.}}).item() == 5);
  const Var m = fmatrix("m"), t = tensor3("t", float32);
  check_close(test::evaluate(grad(sum(prod(m, {.axis = 0})), m), {m},
                             {Tensor({{0., 2.}, {3., 0.}, {0., 5.}}).astype(float32)}),
              Tensor{{0., 0.}, {0., 10.}, {0., 0.}}, 0, 0, "along columns");
  const Tensor cube = test::random({2, 3, 2}, float32, 1, .5, 2);
  const Var p = prod(t, {.axis = {0, 2}});
  const Var g = grad(sum(p), t);
  check_close(test::evaluate(g * t, {t}, {cube}),
              test::evaluate(alloc(p.dimshuffle({'x', 0, 'x'}), {2, 3, 2}), {t}, {cube}), 1e-6, 0,
              "over two axes");
  // No product of the others is lost on the way if float32 can hold it.
  const Var v = fvector("v");
  const Tensor tiny = Tensor{1e-30, 1e-30, 5.}.astype(float32);
  check_close(test::evaluate(grad(prod(v), v), {v}, {tiny}), Tensor{5e-30, 5e-30, 0.}, 1e-6, 0, "tiny");
  const Tensor wide = Tensor{1e30, 1e30, 1e-30, 1e-30, 3.}.astype(float32);
  check_close(test::evaluate(grad(prod(v), v), {v}, {wide}), Tensor{3e-30, 3e-30, 3e30, 3e30, 1.}, 1e-6, 0,
              "wide");
}

TEST_CASE("smooth functions that are made of others") {
  const Tensor two{{2., 0.}, {0., 2.}};
  check_hessian(
      "square of a norm", [](const Vars& x) { return sqr(norm(x[0])); }, {0, 0}, two);
  check_hessian(
      "norm times norm",
      [](const Vars& x) {
        const Var n = norm(x[0]);
        return n * n;
      },
      {0, 0}, two);
  check_hessian(
      "norm to the 2", [](const Vars& x) { return pow(norm(x[0]), 2); }, {0, 0}, two);
  check_hessian(
      "by hand", [](const Vars& x) { return sqr(sqrt(sum(sqr(x[0])))); }, {0, 0}, two);
  check_hessian(
      "elsewhere", [](const Vars& x) { return sqr(norm(x[0])); }, {3, 4}, two);
  check_hessian(
      "square of abs", [](const Vars& x) { return sum(sqr(abs(x[0]))); }, {0, 0}, two);
  check_hessian(
      "abs to the 2", [](const Vars& x) { return sum(pow(abs(x[0]), 2)); }, {0, 1}, two);
  check_hessian(
      "variance from std_", [](const Vars& x) { return 2 * sqr(std_(x[0])); }, {1, 1},
      Tensor{{1., -1.}, {-1., 1.}});
  // The sum of equal eigenvalues is a trace.
  const Var m = dmatrix("m");
  check_close(test::evaluate(grad(sum(eigh(m).w), m), {m}, {Tensor{{2., 0.}, {0., 2.}}}),
              Tensor{{1., 0.}, {0., 1.}}, 1e-14, 1e-14, "eigenvalues");
  check_gradients({
      {"norm", [](const Vars& x) { return norm(x[0]); }, {0, 0}, {0, 0}},
      {"std_", [](const Vars& x) { return std_(x[0]); }, {3, 3}, {0, 0}},
      {"root of a square", [](const Vars& x) { return sqr(sqrt(x[0])); }, {0, 4}, {1, 1}},
  });
}

TEST_CASE("digits that the value has lost") {
  const Var x = dvector("x"), y = dvector("y");
  CHECK(test::evaluate(grad(sum(expm1(x)), x), {x}, {Tensor{-40.}}).item() ==
        doctest::Approx(4.248354255291589e-18).epsilon(1e-14));
  // mod(x, y) = x - q y, whatever q is.
  for (const auto& [a, b] :
       std::vector<std::pair<double, double>>{{1, .1}, {-1, .1}, {7, -2}, {5.5, 2}, {.3, .1}, {1e6, .7}}) {
    const Function f = function({.inputs = {x, y}, .outputs = {mod(x, y), grad(sum(mod(x, y)), y)}});
    const Values v = f(doubles({a}), doubles({b}));
    const double q = -v[1].to_vector<double>()[0];
    CHECK(q == std::round(q));
    CHECK(a - q * b == doctest::Approx(v[0].to_vector<double>()[0]).epsilon(1e-9));
  }
}

TEST_CASE("the gradient to an expression needs none through it") {
  const Var x = dvector("x"), i = lvector("i");
  const Var h = tri_gamma(x);
  const Function f = function({.inputs = {x}, .outputs = {h, grad(sum(sqr(h)), h)}});
  const Values v = f(Tensor{1., 2.});
  check_close(v[1], doubles({2 * v[0].to_vector<double>()[0], 2 * v[0].to_vector<double>()[1]}), 1e-15, 0,
              "to h");
  CHECK(error_of([&] { grad(sum(sqr(h)), x); }).find("tri_gamma has no gradient") != std::string::npos);
  CHECK(error_of([&] { grad(sum(sqr(h)), {h, x}); }).find("tri_gamma has no gradient") != std::string::npos);
  // Another way to x is no reason to go through h.
  const Var z = exp(h);
  const Vars g = grad(sum(z * h), {z, h});
  const Function both = function({.inputs = {x}, .outputs = {h, g[0], g[1]}});
  const Values w = both(Tensor{1., 2.});
  check_close(w[1], w[0], 1e-15, 0, "to z");
  CHECK(w[2].to_vector<double>()[0] ==
        doctest::Approx((1 + w[0].to_vector<double>()[0]) * std::exp(w[0].to_vector<double>()[0])));
}

TEST_CASE("without a scalar cost it is stabilized too") {
  const Var x = dvector("x"), one = constant(Tensor{1.});
  const Tensor t{-1000.};
  const auto f = [](const Var& v) { return log(sigmoid(v)); };
  const auto at = [&](const Var& g) { return test::evaluate(g, {x}, {t}, Mode::FAST_COMPILE).item(); };
  CHECK(at(Lop(f(x), {x}, 1.)[0]) == 1);
  CHECK(at(Rop(f(x), {x}, {one})) == 1);
  CHECK(at(grad(Var(), x, {.known_grads = {{f(x), one}}})) == 1);
  CHECK(at(grad(sum(sqr(x)), x, {.known_grads = {{f(x), one}}})) == -1999);
  CHECK(at(jacobian(f(x), x)[0]) == 1);
  const Var v = dvector("v");
  CHECK(at(grad(sum(OpFromGraph({v}, {f(v)})(x)), x)) == 1);
  CHECK(at(Lop(OpFromGraph({v}, {f(v)})(x), {x}, one)[0]) == 1);
  // Half of it inside.
  CHECK(at(grad(sum(log(OpFromGraph({v}, {sigmoid(v)})(x))), x)) == 1);
  CHECK(at(subgraph_grad({x}, Vars{}, {.start = {{f(x), one}}}).wrt[0]) == 1);
  // Below what was asked for itself, printed, or known.
  const Var h = f(x);
  const Vars both = grad(sum(exp(h * 1e-3)), {h, x});
  for (const Var& g : both)
    CHECK(test::evaluate(g, {x}, {t}).item() == doctest::Approx(1e-3 * std::exp(-1.)));
  const Var checked = Assert("negative")(f(x), all(x < 0));
  CHECK(at(grad(sum(checked), x)) == 1);
  std::ostringstream printed;
  set_print_stream(printed);
  CHECK(at(grad(sum(print_value(f(x), "h")), x)) == 1);
  set_print_stream(std::cerr);
  RandomStreams streams(1);
  const OpFromGraph noisy({v}, {f(v) + 0 * streams.uniform({.size = {1}, .dtype = float64})});
  CHECK(at(grad(sum(noisy(x)), x)) == 1);
  const OpFromGraph outer({v}, {v + 0 * streams.uniform({.size = {1}, .dtype = float64})});
  CHECK(at(grad(sum(outer(f(x))), x)) == 1);
  // The gradient of the gradient.
  CHECK(at(grad(sum(grad(sum(exp(f(x) + 1000)), x)), x)) == doctest::Approx(1));
}
