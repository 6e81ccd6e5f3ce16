#include "ops/cumulative.h"

#include <doctest/doctest.h>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

TEST_CASE("cumsum and cumprod along every axis, with derivatives") {
  const std::vector<std::vector<Sizes>> shapes = {{{3, 4}}, {{1, 3}}, {{3, 1}},
                                                  {{0, 2}}, {{2, 0}}, {{2, 3, 2}}};
  for (const std::optional<int> axis :
       {std::optional<int>(), std::optional(0), std::optional(1), std::optional(-1)}) {
    test::expect_op({.name = "cumsum",
                     .build = [&](const Vars& x) { return cumsum(x[0], axis); },
                     .shapes = shapes,
                     .twice = true});
    test::expect_op({.name = "cumprod",
                     .build = [&](const Vars& x) { return cumprod(x[0], axis); },
                     .shapes = shapes,
                     .twice = true});
  }
  test::expect_op({.name = "of vectors",
                   .build = [](const Vars& x) { return cumsum(x[0]) * cumprod(x[0]); },
                   .shapes = {{{5}}, {{1}}, {{0}}},
                   .twice = true});
  test::expect_op(
      {.name = "of a scalar", .build = [](const Vars& x) { return cumsum(x[0]); }, .shapes = {{{}}}});
}

TEST_CASE("rows longer than a block") {
  const Var x = dmatrix("x");
  const Tensor t = test::random({3, 1300}, float64, 1, 0.999, 1.001);
  for (const int axis : {0, 1})
    for (const test::Layout& layout : test::layouts(t)) {
      const Tensor sums = test::evaluate(cumsum(x, axis), {x}, {layout.tensor});
      const Tensor products = test::evaluate(cumprod(x, axis), {x}, {layout.tensor});
      double sum = 0, product = 1;
      for (int k = 0; k < (axis == 0 ? 3 : 1300); ++k) {
        const double v = axis == 0 ? t.at<double>(k, 1299) : t.at<double>(2, k);
        sum += v;
        product *= v;
      }
      INFO(layout.name, " along ", axis);
      CHECK(sums.at<double>(2, 1299) == doctest::Approx(sum).epsilon(1e-13));
      CHECK(products.at<double>(2, 1299) == doctest::Approx(product).epsilon(1e-12));
    }
}

TEST_CASE("the gradient of a cumulative product with zeros in it") {
  const Var x = dvector("x");
  const Var g = grad(sum(cumprod(x)), x);
  // y = x0, x0 x1, x0 x1 x2, x0 x1 x2 x3
  CHECK(test::evaluate(g, {x}, {Tensor{2., 3., 0., 5.}}).to_vector<double>() ==
        std::vector<double>{1 + 3, 2, 2 * 3 + 2 * 3 * 5, 0});
  CHECK(test::evaluate(g, {x}, {Tensor{0., 3., 0., 5.}}).to_vector<double>() ==
        std::vector<double>{1 + 3, 0, 0, 0});
  // Differences agree, and so do they for the gradient of the gradient.
  const std::vector<Tensor> points{Tensor(std::vector<double>{1.5, 0, -2, 0.5, 0})};
  CHECK(error_of([&] { verify_grad([](const Vars& v) { return cumprod(v[0]); }, points); }) == "no error");
  CHECK(error_of([&] {
          verify_grad([](const Vars& v) { return grad(sum(sqr(cumprod(v[0]))), v[0]); }, points);
        }) == "no error");
}

TEST_CASE("dtypes of cumulative sums and products") {
  for (const DType dtype : {bool_, int8, int16, int32, int64, uint8, float32, float64}) {
    const Var x = vector("x", dtype);
    INFO(to_string(dtype));
    CHECK(cumsum(x).dtype() == (dtype == bool_ ? int64 : dtype));
    const Tensor t = Tensor{1, 1, 0, 1}.astype(dtype);
    CHECK(test::evaluate(cumsum(x), {x}, {t}).to_vector<int>() == std::vector<int>{1, 2, 2, 3});
    CHECK(test::evaluate(cumprod(x), {x}, {t}).to_vector<int>() == std::vector<int>{1, 1, 0, 0});
  }
  const Var b = bvector("b");
  CHECK(test::evaluate(cumsum(b), {b}, {Tensor{100, 100}.astype(int8)}).to_vector<int>() ==
        std::vector<int>{100, -56});
  // float32 accumulates in float64: adding 1 to 2^24 is not lost.
  const Var f = fvector("f");
  CHECK(test::evaluate(cumsum(f), {f}, {Tensor{16777216., 1., 1.}.astype(float32)}).to_vector<double>()[2] ==
        16777218);
}

TEST_CASE("axes of cumulative sums that do not exist") {
  const Var x = fmatrix("x");
  CHECK(error_of([&] { cumsum(x, 2); }) ==
        "cumsum: axis 2 does not exist in 2 dimensions\n  float32 (?, ?)   x\n  at HERE");
  CHECK(error_of([&] { cumprod(x, -3); }).starts_with("cumprod: axis -3 does not exist in 2 dimensions"));
}
