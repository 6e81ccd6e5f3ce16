#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ops/reduce.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("variance and standard deviation, divided by n - ddof") {
  const std::vector<std::vector<Sizes>> shapes = {{{3, 4}}, {{4, 2}}};
  for (const int ddof : {0, 1})
    for (const Axes& axis : {Axes(), Axes(0), Axes(-1), Axes{0, 1}})
      for (const bool keepdims : {false, true}) {
        const ReduceArgs args = {.axis = axis, .keepdims = keepdims, .ddof = ddof};
        test::expect_op({.name = "var",
                         .build = [&](const Vars& x) { return var(x[0], args); },
                         .shapes = shapes,
                         .twice = true});
        test::expect_op({.name = "std",
                         .build = [&](const Vars& x) { return std_(x[0], args); },
                         .shapes = shapes,
                         .twice = true});
      }
  const Var x = dmatrix("x"), i = ivector("i");
  const Tensor t = Tensor{{1., 2.}, {3., 6.}};
  const auto of = [&](const Var& v) { return test::evaluate(v, {x}, {t}).item(); };
  CHECK(of(var(x)) == 3.5);
  CHECK(of(var(x, {.ddof = 1})) == doctest::Approx(14. / 3).epsilon(1e-15));
  CHECK(of(std_(x, {.ddof = 1})) == doctest::Approx(std::sqrt(14. / 3)).epsilon(1e-15));
  CHECK(var(i).dtype() == float64);
  CHECK(test::evaluate(std_(i), {i}, {Tensor{1, 3}.astype(int32)}).item() == 1);
  CHECK(std_(fmatrix("f"), {.axis = 0, .ddof = 1}).dtype() == float32);
}

TEST_CASE("norms of every order, with derivatives") {
  for (const double p : {1., 2., 3., 1.5, 0.5, -1., infinity, -infinity})
    for (const Axes& axis : {Axes(), Axes(0), Axes{0, -1}})
      test::expect_op({.name = "norm " + std::to_string(p),
                       .build = [&](const Vars& x) { return norm(x[0], p, {.axis = axis}); },
                       .shapes = {{{3, 4}}, {{1, 2}}},
                       .low = 0.3,
                       .twice = std::isfinite(p),
                       .n_ulps = 32});
  const Var x = dmatrix("x"), i = imatrix("i");
  const Tensor t = Tensor{{3., -4.}, {0., 12.}};
  const auto of = [&](double p, const ReduceArgs& args = {}) {
    return test::evaluate(norm(x, p, args), {x}, {t}).to_vector<double>();
  };
  CHECK(of(2) == std::vector<double>{13});
  CHECK(of(1) == std::vector<double>{19});
  CHECK(of(infinity) == std::vector<double>{12});
  CHECK(of(-infinity) == std::vector<double>{0});
  CHECK(of(2, {.axis = 1}) == std::vector<double>{5, 12});
  CHECK(norm(x, 2, {.axis = 1, .keepdims = true}).type().stretch == 2U);
  CHECK(norm(i).dtype() == float64);
  CHECK(test::evaluate(norm(i), {i}, {Tensor{{3, 4}}.astype(int32)}).item() == 5);
  CHECK(error_of([&] { norm(x, 0); }) ==
        "norm: the order of a norm is a number other than 0, not 0\n  float64 (?, ?)   x\n  at HERE");
}

TEST_CASE("the gradient of a norm at 0 is 0, as that of the gradient") {
  const Var x = dvector("x");
  const Tensor zero = Tensor::zeros({3}, float64);
  for (const double p : {2., 3., 1.}) {
    INFO(p);
    const Var g = grad(norm(x, p), x);
    CHECK(test::evaluate(norm(x, p), {x}, {zero}).item() == 0);
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE})
      CHECK(test::evaluate(g, {x}, {zero}, mode).to_vector<double>() == std::vector<double>(3, 0));
  }
  CHECK(test::evaluate(grad(sum(grad(norm(x), x)), x), {x}, {zero}).to_vector<double>() ==
        std::vector<double>(3, 0));
  const Var m = dmatrix("m");
  test::check_close(test::evaluate(grad(sum(norm(m, 2, {.axis = 1})), m), {m}, {Tensor{{3., 4.}, {0., 0.}}}),
                    test::tensor(float64, {2, 2}, {.6, .8, 0, 0}), 1e-15, 0, "rows, one of them 0");
}

TEST_CASE("dtypes of sums, products and means that are asked for") {
  const DType all[] = {bool_, int8, int16, int32, int64, uint8, float32, float64};
  for (const DType from : all) {
    const Var x = vector("x", from);
    const Tensor t = Tensor{1, 0, 1}.astype(from);
    for (const DType to : all) {
      INFO(to_string(from), " to ", to_string(to));
      const Var total = sum(x, {.dtype = to});
      CHECK(total.dtype() == to);
      CHECK(test::evaluate(total, {x}, {t}).item() == (to == bool_ ? 1 : 2));
      CHECK(test::evaluate(prod(x, {.dtype = to}), {x}, {t}).item() == 0);
      CHECK(mean(x, {.dtype = to}).dtype() == (to == float32 ? float32 : float64));
      // The accumulator may be wider, or a float where x is none.
      const bool fits = promote(from, to) == to || (is_float(to) && !is_float(from));
      const std::string message = error_of([&] { sum(x, {.acc_dtype = to}); });
      CHECK(message.starts_with(fits ? "no error"
                                     : "sum: " + std::string(to_string(from)) + " cannot be accumulated in " +
                                           to_string(to) + ": precision would be lost\n"));
      if (fits) CHECK(sum(x, {.acc_dtype = to}).dtype() == sum(x).dtype());
    }
  }
  const Var b = bvector("b"), f = fvector("f"), d = dvector("d");
  const Tensor large = Tensor{100, 100}.astype(int8);
  CHECK(test::evaluate(sum(b, {.dtype = int8}), {b}, {large}).item<int>() == -56);
  CHECK(test::evaluate(sum(b, {.acc_dtype = int8}), {b}, {large}).item<int>() == -56);
  CHECK(test::evaluate(prod(b, {.acc_dtype = int16}), {b}, {large}).item<int>() == 10000);
  CHECK(test::evaluate(mean(b, {.dtype = float32}), {b}, {large}).item() == 100);
  CHECK(test::evaluate(mean(b, {.acc_dtype = float32}), {b}, {large}).item() == 100);
  // A float64 sum of float32 is not rounded on the way.
  const Tensor odd = Tensor{16777216., 1.}.astype(float32);
  CHECK(test::evaluate(sum(f, {.dtype = float64}), {f}, {odd}).item() == 16777217);
  CHECK(test::evaluate(mean(f, {.dtype = float64}), {f}, {odd}).item() == 8388608.5);
  CHECK(test::evaluate(sum(f, {.dtype = int64}), {f}, {Tensor{.6, .6}.astype(float32)}).item<int>() == 1);
  CHECK(test::evaluate(grad(sum(sqr(f), {.dtype = float64}), f), {f}, {Tensor{1., 2.}.astype(float32)})
            .to_vector<double>() == std::vector<double>{2, 4});
  test::expect_op(
      {.name = "sum to float64",
       .build = [](const Vars& x) { return sum(sqr(x[0]), {.axis = 1, .keepdims = true, .dtype = float64}); },
       .shapes = {{{3, 4}}, {{2, 0}}}});
  CHECK(error_of([&] { max(d, {.dtype = float32}); }) ==
        "max: dtype, acc_dtype and ddof are options of sums, products, means and variances only\n  float64 "
        "(?,)   d\n  at HERE");
  CHECK(
      error_of([&] { argmax(d, {.acc_dtype = float64}); }).starts_with("argmax: dtype, acc_dtype and ddof"));
  CHECK(error_of([&] { sum(d, {.ddof = 1}); }).starts_with("sum: dtype, acc_dtype and ddof are options"));
}

TEST_CASE("over no axes each element stays") {
  const ReduceArgs none_of_them = {.axis = std::vector<int>{}};
  const Var x = fmatrix("x"), i = bmatrix("i");
  const Tensor t = Tensor{{1., -2.}, {0., 4.}}.astype(float32), k = Tensor{{1, -2}, {0, 4}}.astype(int8);
  for (const auto f : {sum, prod, max, min, mean}) {
    CHECK(test::evaluate(f(x, none_of_them), {x}, {t}).to_vector<int>() == std::vector<int>{1, -2, 0, 4});
    CHECK(test::evaluate(f(i, none_of_them), {i}, {k}).to_vector<int>() == std::vector<int>{1, -2, 0, 4});
    test::expect_op({.name = "over no axes",
                     .build = [&](const Vars& v) { return f(sqr(v[0]), none_of_them); },
                     .shapes = {{{2, 3}}, {{0, 2}}, {{4}}},
                     .twice = true});
  }
  CHECK(test::evaluate(any(i, none_of_them), {i}, {k}).to_vector<int>() == std::vector<int>{1, 1, 0, 1});
  CHECK(test::evaluate(var(x, none_of_them), {x}, {t}).to_vector<int>() == std::vector<int>(4, 0));
  CHECK(sum(i, none_of_them).dtype() == int64);
  CHECK(mean(i, none_of_them).dtype() == float64);
  CHECK(sum(x, none_of_them).ndim() == 2);
  CHECK(error_of([&] { argmax(x, none_of_them); }) ==
        "argmax{axis=()}: there is no axis to search along\n  float32 (?, ?)   x\n  at HERE");
}

TEST_CASE("positions of extremes over several axes, and both at once") {
  const Var x = tensor3("x", float64);
  const Tensor t = test::random({3, 4, 5}, float64, 3);
  for (const ReduceArgs& args : std::vector<ReduceArgs>{{},
                                                        {.axis = 1},
                                                        {.axis = -1, .keepdims = true},
                                                        {.axis = {0, 2}},
                                                        {.axis = {0, 1}, .keepdims = true}}) {
    const MaxAndArgmax both = max_and_argmax(x, args);
    CHECK(both.max.type() == max(x, args).type());
    CHECK(both.argmax.dtype() == int64);
    CHECK(both.argmax.ndim() == both.max.ndim());
    CHECK(identical(test::evaluate(both.max, {x}, {t}), test::evaluate(max(x, args), {x}, {t})));
    CHECK(identical(test::evaluate(both.argmax, {x}, {t}), test::evaluate(argmax(x, args), {x}, {t})));
    CHECK(identical(test::evaluate(argmin(x, args), {x}, {t}), test::evaluate(argmax(-x, args), {x}, {t})));
  }
  // Over axes 0 and 2, position p means x[p / 5, :, p % 5].
  const Tensor p = test::evaluate(argmax(x, {.axis = {0, 2}}), {x}, {t});
  const Tensor largest = test::evaluate(max(x, {.axis = {2, 0}}), {x}, {t});
  for (int j = 0; j < 4; ++j) {
    const std::int64_t at = p.at<std::int64_t>(j);
    CHECK(t.at<double>(at / 5, j, at % 5) == largest.at<double>(j));
  }
}
