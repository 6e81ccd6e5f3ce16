#include "ops/reduce.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/run/threads.h"
#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

using Reduction = Var (*)(const Arg&, const ReduceArgs&);

struct Row {
  const char* name;
  Reduction f;
  bool differentiable = true;
  bool twice = true;
};

const Row table[] = {
    {"sum", sum},
    {"prod", prod},
    {"mean", mean},
    {"var", var},
    {"max", max, true, false},
    {"min", min, true, false},
    {"ptp", ptp, true, false},
    {"any", any, false, false},
    {"all", all, false, false},
    {"argmax", argmax, false, false},
    {"argmin", argmin, false, false},
};

}  // namespace

TEST_CASE("reductions over every axis, with and without keeping it") {
  for (const Row& row : table)
    for (const int axis : {0, 1, 2, -1})
      for (const bool keepdims : {false, true})
        test::expect_op(
            {.name = std::string(row.name) + " along " + std::to_string(axis) + (keepdims ? " kept" : ""),
             .build = [&](const Vars& x) { return row.f(x[0], {.axis = axis, .keepdims = keepdims}); },
             .shapes = {{{2, 3, 4}}, {{1, 2, 1}}, {{3, 1, 5}}},
             .low = 0.2,
             .differentiable = row.differentiable,
             .twice = row.twice});
}

TEST_CASE("reductions over all and over several axes") {
  for (const Row& row : table) {
    test::expect_op({.name = std::string(row.name) + " of all",
                     .build = [&](const Vars& x) { return row.f(x[0], {}); },
                     .shapes = {{{}}, {{7}}, {{1}}, {{3, 4}}, {{2, 3, 2}}},
                     .low = 0.2,
                     .differentiable = row.differentiable,
                     .twice = row.twice});
    if (std::string(row.name).starts_with("arg")) continue;
    test::expect_op({.name = std::string(row.name) + " along 0 and 2",
                     .build =
                         [&](const Vars& x) {
                           return row.f(x[0], {.axis = {0, -1}});
                         },
                     .shapes = {{{2, 3, 4}}, {{1, 3, 1}}},
                     .low = 0.2,
                     .differentiable = row.differentiable,
                     .twice = row.twice});
  }
}

TEST_CASE("reductions of long arrays, in blocks and beyond") {
  for (const Row& row : table) {
    if (std::string(row.name) == "prod" || std::string(row.name) == "any" || std::string(row.name) == "all")
      continue;
    for (const DType dtype : {float32, float64}) {
      const Var x = matrix("x", dtype);
      for (const Sizes& shape : {Sizes{3, 2500}, Sizes{2500, 3}, Sizes{40, 1030}}) {
        const Tensor t = test::random(shape, dtype, 3);
        for (const int axis : {0, 1}) {
          const Var y = row.f(x, {.axis = axis});
          const Tensor want = test::oracle({y}, {{x, t}})[0];
          for (const test::Layout& layout : test::layouts(t))
            test::check_close(test::evaluate(y, {x}, {layout.tensor}), want, test::ulps(dtype, 4),
                              // 2500 roundings of partial sums of about 30
                              dtype == float64 ? 1e-12 : 1e-7,
                              std::string(row.name) + " " + to_string(shape) + " along " +
                                  std::to_string(axis) + ", " + layout.name);
        }
      }
    }
  }
}

TEST_CASE("sums of floats accumulate in float64") {
  const Var x = fvector("x");
  // In float32, adding 1 to 2^24 changes nothing.
  std::vector<float> values(1001, 1);
  values[0] = 16777216;
  CHECK(test::evaluate(sum(x), {x}, {Tensor(values)}).item<float>() == 16777216.f + 1000.f);
  std::reverse(values.begin(), values.end());
  CHECK(test::evaluate(mean(x) * 1001, {x}, {Tensor(values)}).item<float>() ==
        doctest::Approx(16778216.).epsilon(2e-7));
  const Var m = fmatrix("m");
  Tensor t = Tensor::full({1001, 2}, float32, 1);
  t.at<float>(0, 0) = t.at<float>(0, 1) = 16777216;
  CHECK(test::evaluate(sum(m, {.axis = 0}), {m}, {t}).to_vector<float>() == std::vector<float>(2, 16778216));
  // Products too: 1e30 * 1e30 overflows in float32, unless it is undone before the end.
  CHECK(test::evaluate(prod(x), {x}, {Tensor(std::vector<float>{1e30f, 1e30f, 1e-30f, 1e-30f})}).item() ==
        doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("sums and products of integers are int64 and wrap around; means are float64") {
  for (const DType dtype : {bool_, int8, int16, int32, int64, uint8}) {
    const Var x = vector("x", dtype);
    const Tensor t = test::tensor(dtype, {3}, {1, 1, 100});
    const double last = dtype == bool_ ? 1 : 100;
    INFO(to_string(dtype));
    CHECK(sum(x).dtype() == int64);
    CHECK(prod(x).dtype() == int64);
    CHECK(mean(x).dtype() == float64);
    CHECK(max(x).dtype() == dtype);
    CHECK(argmax(x).dtype() == int64);
    CHECK(test::evaluate(sum(x), {x}, {t}).item() == 2 + last);
    CHECK(test::evaluate(prod(x), {x}, {t}).item() == last);
    CHECK(test::evaluate(mean(x), {x}, {t}).item() == doctest::Approx((2 + last) / 3));
    CHECK(test::evaluate(max(x), {x}, {t}).item() == last);
    CHECK(test::evaluate(argmax(x), {x}, {t}).item<int>() == (dtype == bool_ ? 0 : 2));
  }
  const Var b = bvector("b");
  CHECK(test::evaluate(sum(b), {b}, {Tensor::full({1000}, int8, 127)}).item<int>() == 127000);
  const Var l = lvector("l");
  CHECK(test::evaluate(sum(l), {l}, {Tensor::full({2}, int64, 9223372036854774784.)}).item<std::int64_t>() ==
        -2048);
}

TEST_CASE("the first of equals wins, and NaN is extreme") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const Var x = dvector("x");
  const auto of = [&](Reduction f, const std::vector<double>& v) {
    return test::evaluate(f(x, {}), {x}, {Tensor(v)}).item();
  };
  CHECK(of(argmax, {1, 3, 3, 2}) == 1);
  CHECK(of(argmin, {1, 0, 0, 2}) == 1);
  CHECK(of(argmax, {-inf, -inf}) == 0);
  CHECK(of(argmax, {1, nan, 3, nan}) == 1);
  CHECK(of(argmin, {nan, -inf}) == 0);
  CHECK(std::isnan(of(max, {1, nan, 3})));
  CHECK(std::isnan(of(min, {1, 3, nan})));
  CHECK(of(max, {-inf, -inf}) == -inf);
  CHECK(of(max, {-5, -3}) == -3);
  std::vector<double> many(100, 1);
  many[70] = nan;
  CHECK(std::isnan(of(max, many)));
  CHECK(std::isnan(of(sum, many)));
  many[70] = 7;
  many[90] = 7;
  CHECK(of(argmax, many) == 70);
}

TEST_CASE("the gradient of max goes to every element that equals it") {
  const Var x = dmatrix("x");
  CHECK(test::evaluate(grad(sum(max(x, {.axis = 1}) * 2), x), {x}, {Tensor{{1., 3., 3.}, {5., 2., 5.}}})
            .to_vector<double>() == std::vector<double>{0, 2, 2, 2, 0, 2});
  CHECK(test::evaluate(grad(min(x), x), {x}, {Tensor{{1., 3.}, {1., 4.}}}).to_vector<double>() ==
        std::vector<double>{1, 0, 1, 0});
}

TEST_CASE("the gradient of a product with zeros") {
  const Var x = dvector("x");
  const Var g = grad(prod(x), x);
  CHECK(test::evaluate(g, {x}, {Tensor{2., 3., 4.}}).to_vector<double>() == std::vector<double>{12, 8, 6});
  CHECK(test::evaluate(g, {x}, {Tensor{0., 3., 4.}}).to_vector<double>() == std::vector<double>{12, 0, 0});
  CHECK(test::evaluate(g, {x}, {Tensor{0., 3., 0.}}).to_vector<double>() == std::vector<double>{0, 0, 0});
}

TEST_CASE("of nothing: sums are 0, products 1, means NaN, extremes an error") {
  const Var x = fmatrix("x");
  for (const DType dtype : {float32, float64}) {
    const Var m = matrix("m", dtype);
    const Tensor empty = Tensor::zeros({3, 0}, dtype), no_rows = Tensor::zeros({0, 3}, dtype);
    CHECK(test::evaluate(sum(m, {.axis = 1}), {m}, {empty}).to_vector<double>() == std::vector<double>(3, 0));
    CHECK(test::evaluate(prod(m, {.axis = 1}), {m}, {empty}).to_vector<double>() ==
          std::vector<double>(3, 1));
    CHECK(test::evaluate(any(m, {.axis = 1}), {m}, {empty}).to_vector<int>() == std::vector<int>(3, 0));
    CHECK(test::evaluate(all(m, {.axis = 1}), {m}, {empty}).to_vector<int>() == std::vector<int>(3, 1));
    CHECK(test::evaluate(mean(m, {.axis = 1}), {m}, {no_rows}).shape() == Sizes{0});
    CHECK(std::isnan(test::evaluate(mean(m), {m}, {empty}).item()));
    CHECK(test::evaluate(sum(m, {.axis = 1}), {m}, {no_rows}).shape() == Sizes{0});
    CHECK(test::evaluate(max(m, {.axis = 1}), {m}, {no_rows}).shape() == Sizes{0});
    CHECK(test::evaluate(argmax(m, {.axis = 1}), {m}, {no_rows}).shape() == Sizes{0});
    CHECK(test::evaluate(sum(m, {.axis = 1, .keepdims = true}), {m}, {no_rows}).shape() == Sizes{0, 1});
  }
  const int line = __LINE__ + 1;
  const Function f = function({.inputs = {x}, .outputs = max(x, {.axis = 1}), .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({3, 0}, float32));
        }) ==
        "max{axis=1}: axis 1 is empty: there is no largest or smallest element\n  float32 (3, 0)   x\n  " +
            test::at(line) + ", in function \"f\"");
  CHECK(error_of([&] {
          test::evaluate(argmin(x), {x}, {Tensor::zeros({0, 2}, float32)});
        }).starts_with("argmin: axis 0 is empty"));
}

TEST_CASE("a mean of what is known to be nothing says so") {
  CHECK(error_of([] {
          mean(zeros({0, 3}));
        }) == "mean: there are no elements, of which there is no mean\n  float32 (0, 3)   alloc\n  at HERE");
  CHECK(error_of([] { mean(zeros({0, 3}), {.axis = 0}); }).starts_with("mean: there are no elements"));
  CHECK(error_of([] { var(zeros({2, 0}), {.axis = 1}); }).starts_with("mean: there are no elements"));
  CHECK(mean(zeros({0, 3}), {.axis = 1}).ndim() == 1);
}

TEST_CASE("kept axes stretch against the array they came from") {
  const Var x = dmatrix("x");
  const Var centered = x - mean(x, {.axis = 1, .keepdims = true});
  test::check_close(test::evaluate(sum(centered, {.axis = 1}), {x}, {test::random({4, 5}, float64, 1)}),
                    Tensor::zeros({4}, float64), 0, 1e-15, "centered rows");
}

TEST_CASE("axes that do not exist") {
  const Var x = fmatrix("x");
  CHECK(error_of([&] { sum(x, {.axis = 2}); }) ==
        "sum: axis 2 does not exist in 2 dimensions\n  float32 (?, ?)   x\n  at HERE");
  CHECK(error_of([&] { mean(x, {.axis = -3}); }) ==
        "sum: axis -3 does not exist in 2 dimensions\n  float32 (?, ?)   x\n  at HERE");
  CHECK(error_of([&] {
          max(x, {.axis = {0, -2}});
        }) == "max: axis 0 stands twice\n  float32 (?, ?)   x\n  at HERE");
  CHECK(
      error_of([&] { argmax(x, {.axis = 5}); }).starts_with("argmax: axis 5 does not exist in 2 dimensions"));
}

TEST_CASE("sums along columns, which the threads share, have the same bits for any number of them") {
  const Var x = dmatrix("x");
  const Tensor values = test::random({130, 301}, float64, 5);
  const std::vector<double> v = values.to_vector<double>();
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    const Tensor sums = test::evaluate(sum(x, {.axis = 0}), {x}, {values});
    const Tensor largest = test::evaluate(max(x, {.axis = 0}), {x}, {values});
    for (std::int64_t j = 0; j < 301; ++j) {
      double total = 0, most = v[static_cast<std::size_t>(j)];
      for (std::size_t i = 0; i < 130; ++i) {
        total += v[i * 301 + static_cast<std::size_t>(j)];
        most = std::max(most, v[i * 301 + static_cast<std::size_t>(j)]);
      }
      CHECK(sums.at<double>(j) == total);
      CHECK(largest.at<double>(j) == most);
    }
  }
  set_threads(0);
}
