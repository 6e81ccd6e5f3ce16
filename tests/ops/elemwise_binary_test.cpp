#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

namespace {

using Function2 = Var (*)(const Arg&, const Arg&);

struct Row {
  const char* name;
  Function2 f;
  double low, high;
  bool differentiable = true;
  bool smooth = true;
};

const Row table[] = {
    {"add", add, -2, 2},
    {"sub", sub, -2, 2},
    {"mul", mul, -2, 2},
    {"true_div", true_div, .5, 2},
    {"pow", pow, .5, 2},
    {"maximum", maximum, -2, 2, true, false},
    {"minimum", minimum, -2, 2, true, false},
    {"arctan2", arctan2, .5, 2},
    {"mul_no_nan", mul_no_nan, -2, 2},
    {"mod", mod, .5, 2, true, false},
    {"int_div", int_div, .5, 2, false, false},
    {"eq", eq, -2, 2, false, false},
    {"neq", neq, -2, 2, false, false},
    {"lt", lt, -2, 2, false, false},
    {"le", le, -2, 2, false, false},
    {"gt", gt, -2, 2, false, false},
    {"ge", ge, -2, 2, false, false},
};

Tensor of(Function2 f, DType dtype, const Tensor& a, const Tensor& b) {
  const Var x = vector("x", dtype), y = vector("y", dtype);
  return test::evaluate(f(x, y), {x, y}, {a, b});
}

}  // namespace

TEST_CASE("functions of two operands on all ranks, layouts and sizes, with their derivatives") {
  for (const Row& row : table)
    test::expect_op({.name = row.name,
                     .build = [&row](const Vars& x) { return row.f(x[0], x[1]); },
                     .shapes = {{{}, {}},
                                {{5}, {5}},
                                {{0}, {0}},
                                {{1}, {1}},
                                {{3, 4}, {3, 4}},
                                {{3, 0}, {3, 0}},
                                {{3, 4}, {4}},
                                {{4}, {3, 4}},
                                {{}, {3, 4}},
                                {{3, 4}, {}},
                                {{2, 3, 4}, {4}},
                                {{0}, {}}},
                     .low = row.low,
                     .high = row.high,
                     .differentiable = row.differentiable,
                     .twice = row.smooth});
}

TEST_CASE("choice: switch and clip") {
  test::expect_op(
      {.name = "switch",
       .build = [](const Vars& x) { return switch_(x[0] > 0.5, x[1], sqr(x[2])); },
       .shapes =
           {{{}, {}, {}}, {{5}, {5}, {5}}, {{3, 4}, {3, 4}, {3, 4}}, {{4}, {3, 4}, {}}, {{0}, {0}, {0}}},
       .differentiable = false});
  test::expect_op(
      {.name = "switch, derivative",
       .build = [](const Vars& x) { return switch_(gt(zero_grad(x[0]), 0.5), sqr(x[1]), sin(x[2])); },
       .shapes = {{{5}, {5}, {5}}, {{3, 4}, {4}, {}}},
       .differentiable = false});
  test::expect_op({.name = "switch on a constant condition",
                   .build =
                       [](const Vars& x) {
                         return switch_(Tensor{true, false, true}.astype(bool_), sqr(x[0]), sin(x[1]));
                       },
                   .shapes = {{{3}, {3}}, {{2, 3}, {3}}, {{}, {3}}},
                   .twice = true});
  test::expect_op({.name = "clip",
                   .build = [](const Vars& x) { return clip(x[0], -0.7, 0.9); },
                   .shapes = {{{}}, {{7}}, {{3, 5}}, {{0}}}});
  test::expect_op({.name = "clip by arrays",
                   .build = [](const Vars& x) { return clip(x[0], x[1] - 3, x[2] + 3); },
                   .shapes = {{{3, 5}, {5}, {}}}});
  const Var c = ivector("c"), x = fvector("x"), y = fvector("y");
  CHECK(
      test::evaluate(switch_(c, x, y), {c, x, y}, {Tensor{2, 0, -1}, Tensor{1., 2., 3.}, Tensor{4., 5., 6.}})
          .to_vector<float>() == std::vector<float>{1, 5, 3});
  // A branch that is not taken may be NaN, and its gradient too.
  const Var safe = switch_(x > 0, log(maximum(x, 1e-3)), 0);
  CHECK(test::evaluate(grad(sum(safe), x), {x}, {Tensor{-1., 2.}}).to_vector<float>() ==
        std::vector<float>{0, .5});
}

TEST_CASE("where both operands are equal, the first receives the gradient of maximum") {
  const Var x = dvector("x"), y = dvector("y");
  const Vars g = grad(sum(maximum(x, y) * 3), {x, y});
  CHECK(test::evaluate(g[0], {x, y}, {Tensor{1., 2., 3.}, Tensor{2., 2., 2.}}).to_vector<double>() ==
        std::vector<double>{0, 3, 3});
  CHECK(test::evaluate(g[1], {x, y}, {Tensor{1., 2., 3.}, Tensor{2., 2., 2.}}).to_vector<double>() ==
        std::vector<double>{3, 0, 0});
}

TEST_CASE("the derivative of a power with an integer exponent, at and below zero") {
  const Var x = dvector("x");
  CHECK(test::evaluate(grad(sum(pow(x, 3)), x), {x}, {Tensor{-2., 0., 2.}}).to_vector<double>() ==
        std::vector<double>{12, 0, 12});
  CHECK(test::evaluate(grad(sum(pow(x, 2)), x), {x}, {Tensor{-2., 0., 2.}}).to_vector<double>() ==
        std::vector<double>{-4, 0, 4});
  CHECK(test::evaluate(grad(sum(pow(x, 1)), x), {x}, {Tensor{-2., 0., 2.}}).to_vector<double>() ==
        std::vector<double>{1, 1, 1});
}

TEST_CASE("division, remainder and powers of floats have Python's signs") {
  for (const DType dtype : {float32, float64}) {
    const Tensor a = Tensor{7., -7., 7., -7., 6., 0.}, b = Tensor{3., 3., -3., -3., 3., 5.};
    CHECK(of(mod, dtype, a, b).to_vector<double>() == std::vector<double>{1, 2, -2, -1, 0, 0});
    CHECK(of(int_div, dtype, a, b).to_vector<double>() == std::vector<double>{2, -3, -3, 2, 2, 0});
    CHECK(of(pow, dtype, Tensor{-2., -2., 0., 0.}, Tensor{3., 2., 0., 2.}).to_vector<double>() ==
          std::vector<double>{-8, 4, 1, 0});
  }
}

TEST_CASE("division and remainder of floats by 0 and by infinity") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {float32, float64}) {
    const Tensor a = test::tensor(dtype, {6}, {1, -1, 0, 7, -7, inf}),
                 b = test::tensor(dtype, {6}, {0, 0, 0, inf, inf, 2});
    check_close(of(int_div, dtype, a, b), Tensor(std::vector<double>{inf, -inf, nan, 0, -1, nan}), 0, 0,
                "//");
    check_close(of(mod, dtype, a, b), Tensor(std::vector<double>{nan, nan, nan, 7, inf, nan}), 0, 0, "%");
  }
}

TEST_CASE("the quotient and the remainder of floats belong together") {
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
    const Var a = dvector("a"), b = dvector("b");
    const Function f = function({.inputs = {a, b}, .outputs = {int_div(a, b), mod(a, b)}, .mode = mode});
    // As NumPy's: 1 / .1 is 10 when it is rounded, but ten times the double .1 is more than 1.
    const Values v = f(Tensor(std::vector<double>{1, -1, 1, .3, 6, 1e17, -.5, 0.7}),
                       Tensor(std::vector<double>{.1, .1, -.1, .1, .1, 3, .1, -.1}));
    CHECK(v[0].to_vector<double>() == std::vector<double>{9, -10, -10, 2, 59, 33333333333333332, -5, -7});
    const std::vector<double> remainder = v[1].to_vector<double>();
    CHECK(remainder[0] == std::fmod(1., .1));
    CHECK(remainder[1] == doctest::Approx(5.55e-17).epsilon(.01));
    for (std::size_t i = 0; i < 8; ++i) CHECK(remainder[i] != .1);

    const Tensor x = test::random({2000}, float64, 1, -5, 5), y = test::random({2000}, float64, 2, -1, 1);
    const Values w = f(x, y);
    for (std::size_t i = 0; i < 2000; ++i) {
      const double q = w[0].to_vector<double>()[i], r = w[1].to_vector<double>()[i],
                   whole = x.to_vector<double>()[i], part = y.to_vector<double>()[i];
      REQUIRE(q * part + r == doctest::Approx(whole).epsilon(1e-12));
      REQUIRE(std::abs(r) <= std::abs(part));
      REQUIRE((r == 0 || (r < 0) == (part < 0)));
    }
  }
}

TEST_CASE("0 times anything is 0 in mul_no_nan") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {float32, float64}) {
    const Tensor a = test::tensor(dtype, {6}, {0, 0, -0., 2, 2, nan}),
                 b = test::tensor(dtype, {6}, {nan, inf, -inf, 3, nan, 0});
    check_close(of(mul_no_nan, dtype, a, b), Tensor(std::vector<double>{0, 0, 0, 6, nan, nan}), 0, 0,
                "product");
  }
}

TEST_CASE("integers: floor division, remainder, powers, wrapping around, division by zero") {
  const Tensor a = Tensor{7, -7, 7, -7, 6, 5}, b = Tensor{3, 3, -3, -3, 3, 0};
  for (const DType dtype : {int8, int16, int32, int64}) {
    INFO(to_string(dtype));
    CHECK(of(mod, dtype, a, b).to_vector<int>() == std::vector<int>{1, 2, -2, -1, 0, 0});
    CHECK(of(int_div, dtype, a, b).to_vector<int>() == std::vector<int>{2, -3, -3, 2, 2, 0});
    CHECK(of(pow, dtype, Tensor{2, -3, 5, 1, -1, 2}, Tensor{3, 3, 0, -2, -3, -1}).to_vector<int>() ==
          std::vector<int>{8, -27, 1, 1, -1, 0});
  }
  CHECK(of(add, int8, Tensor{127, -128}, Tensor{1, -1}).to_vector<int>() == std::vector<int>{-128, 127});
  CHECK(of(mul, uint8, Tensor{200, 16}, Tensor{2, 16}).to_vector<int>() == std::vector<int>{144, 0});
  CHECK(of(sub, uint8, Tensor{1, 5}, Tensor{2, 5}).to_vector<int>() == std::vector<int>{255, 0});
  const std::int64_t low = std::numeric_limits<std::int64_t>::min();
  const Tensor lowest(std::vector<std::int64_t>{low}), minus_one(std::vector<std::int64_t>{-1});
  CHECK(of(int_div, int64, lowest, minus_one).item<std::int64_t>() == low);
  CHECK(of(mod, int64, lowest, minus_one).item<std::int64_t>() == 0);
  CHECK(of(true_div, int64, Tensor{7, 1}, Tensor{2, 4}).to_vector<double>() == std::vector<double>{3.5, .25});
}

TEST_CASE("comparisons and minima of NaN and infinities") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor a(std::vector<double>{nan, 1, nan, inf, -inf}), b(std::vector<double>{1, nan, nan, inf, inf});
  const auto values = [&](Function2 f) { return of(f, float64, a, b).to_vector<int>(); };
  CHECK(values(eq) == std::vector<int>{0, 0, 0, 1, 0});
  CHECK(values(neq) == std::vector<int>{1, 1, 1, 0, 1});
  CHECK(values(lt) == std::vector<int>{0, 0, 0, 0, 1});
  CHECK(values(ge) == std::vector<int>{0, 0, 0, 1, 0});
  check_close(of(maximum, float64, a, b), Tensor(std::vector<double>{nan, nan, nan, inf, inf}), 0, 0,
              "maximum");
  check_close(of(minimum, float64, a, b), Tensor(std::vector<double>{nan, nan, nan, inf, -inf}), 0, 0,
              "minimum");
}

TEST_CASE("comparisons give bool, which has no gradient unless zeros are asked for") {
  const Var x = dvector("x");
  CHECK((x > 0).dtype() == bool_);
  CHECK(eq(x, 1).dtype() == bool_);
  CHECK(test::evaluate(grad(sum(x * (x > 0)), x), {x}, {Tensor{-1., 2.}}).to_vector<double>() ==
        std::vector<double>{0, 1});
  const Var positive = sum(cast(x > 0, float64));
  CHECK(test::evaluate(grad(positive, x, {.disconnected_inputs = Disconnected::zero}), {x}, {Tensor{-1., 2.}})
            .to_vector<double>() == std::vector<double>{0, 0});
  CHECK(error_of([&] { grad(positive, x); })
            .starts_with(
                "grad: the cost sum depends on x only through gt, which is computed in bool and has no "
                "slope"));
}

TEST_CASE("what grad sees of zero_grad, disconnected_grad and grad_clip") {
  const Var x = dvector("x");
  const Tensor t = Tensor{-3., .25};
  CHECK(test::evaluate(zero_grad(x) + 0, {x}, {t}).to_vector<double>() == std::vector<double>{-3, .25});
  CHECK(test::evaluate(grad(sum(x * zero_grad(x)), x), {x}, {t}).to_vector<double>() ==
        std::vector<double>{-3, .25});
  CHECK(test::evaluate(grad(sum(zero_grad(x)), x), {x}, {t}).to_vector<double>() ==
        std::vector<double>{0, 0});
  CHECK(test::evaluate(grad(sum(x * disconnected_grad(x)), x), {x}, {t}).to_vector<double>() ==
        std::vector<double>{-3, .25});
  CHECK(error_of([&] { grad(sum(disconnected_grad(x)), x); }) != "no error");
  CHECK(test::evaluate(grad(sum(sqr(grad_clip(x, -1, 1))), x), {x}, {t}).to_vector<double>() ==
        std::vector<double>{-1, .5});
  CHECK(error_of([&] { grad_clip(x, 1, -1); }) ==
        "grad_clip: the lower bound 1 is above the upper bound -1\n  float64 (?,)   x\n  at HERE");
}

TEST_CASE("wrong dtypes and shapes of elementwise operations") {
  const Var a = fmatrix("a"), v = fvector("v");
  CHECK(error_of([&] {
          Tensor::zeros({2, 3}, float32) + Arg(shared(Tensor::zeros({2, 4}, float32), "w"));
        }) ==
        "add: the sizes of axis 1 differ, 3 and 4\n  float32 (2, 3)   <constant>\n  float32 (2, 4)   w\n  at "
        "HERE");
  const Function f = function({.inputs = {a, v}, .outputs = a * v, .name = "f"});
  const int made = __LINE__ - 1;
  CHECK(error_of([&] {
          f(Tensor::zeros({2, 3}, float32), Tensor::zeros({4}, float32));
        }) == "mul: the sizes of axis 1 differ, 3 and 4\n  float32 (2, 3)   a\n  float32 (4,)     v\n  " +
                  test::at(made) + ", in function \"f\"");
}
