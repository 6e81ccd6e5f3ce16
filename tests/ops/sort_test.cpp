#include "ops/sort.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ops/index.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

TEST_CASE("sort and argsort along every axis, with derivatives") {
  for (const std::optional<int> axis :
       {std::optional<int>(), std::optional(0), std::optional(1), std::optional(-1)}) {
    const std::vector<std::vector<Sizes>> shapes = {{{3, 5}}, {{1, 4}}, {{4, 1}},
                                                    {{0, 3}}, {{3, 0}}, {{2, 3, 4}}};
    test::expect_op({.name = "sort",
                     .build = [&](const Vars& x) { return sort(x[0], axis); },
                     .shapes = shapes,
                     .twice = true,
                     .n_ulps = 0});
    test::expect_op({.name = "argsort",
                     .build = [&](const Vars& x) { return argsort(x[0], axis); },
                     .shapes = shapes,
                     .differentiable = false,
                     .n_ulps = 0});
  }
  test::expect_op({.name = "sort a vector",
                   .build = [](const Vars& x) { return sqr(sort(x[0])); },
                   .shapes = {{{7}}, {{1}}, {{0}}},
                   .twice = true});
}

TEST_CASE("equal elements keep their order, NaN is last, in every dtype") {
  for (const DType dtype : {int8, int16, int32, int64, uint8, float32, float64}) {
    const Var x = vector("x", dtype);
    INFO(to_string(dtype));
    CHECK(sort(x).dtype() == dtype);
    CHECK(argsort(x).dtype() == int64);
    const Tensor t = Tensor{3, 1, 3, 0, 1}.astype(dtype);
    CHECK(test::evaluate(argsort(x), {x}, {t}).to_vector<int>() == std::vector<int>{3, 1, 4, 0, 2});
    CHECK(test::evaluate(sort(x), {x}, {t}).to_vector<int>() == std::vector<int>{0, 1, 1, 3, 3});
  }
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const Var x = dvector("x"), b = vector("b", bool_);
  CHECK(test::evaluate(argsort(x), {x}, {Tensor(std::vector<double>{nan, inf, nan, -inf, 2})})
            .to_vector<int>() == std::vector<int>{3, 4, 1, 0, 2});
  CHECK(test::evaluate(argsort(b), {b}, {Tensor{1, 0, 1, 0}.astype(bool_)}).to_vector<int>() ==
        std::vector<int>{1, 3, 0, 2});
  CHECK(error_of([&] { sort(x, 1); }) ==
        "sort: axis 1 does not exist in 1 dimensions\n  float64 (?,)   x\n  at HERE");
  CHECK(error_of([&] { argsort(x, -2); }).starts_with("argsort: axis -2 does not exist in 1 dimensions"));
}

TEST_CASE("searchsorted, before or behind equal elements") {
  for (const Side side : {Side::left, Side::right})
    test::expect_op({.name = "searchsorted",
                     .build = [&](const Vars& x) { return searchsorted(sort(x[0]), x[1], {.side = side}); },
                     .shapes = {{{6}, {4}}, {{6}, {2, 3}}, {{0}, {3}}, {{3}, {0}}, {{5}, {}}},
                     .differentiable = false,
                     .n_ulps = 0});
  const Var x = dvector("x"), i = ivector("i");
  const Tensor t = Tensor{1., 2., 2., 4.};
  const auto of = [&](const Var& v, Side side) {
    return test::evaluate(searchsorted(x, v, {.side = side}), {x}, {t}).to_vector<int>();
  };
  const Var v = constant(Tensor{0, 1, 2, 3, 4, 5});
  CHECK(of(v, Side::left) == std::vector<int>{0, 0, 1, 3, 3, 4});
  CHECK(of(v, Side::right) == std::vector<int>{0, 1, 3, 3, 4, 4});
  CHECK(searchsorted(x, i).dtype() == int64);
  CHECK(test::evaluate(searchsorted(x, 2.5), {x}, {t}).item<int>() == 3);
  const Tensor mixed = Tensor{4., 1., 2., 2.};
  CHECK(test::evaluate(searchsorted(x, v, {.sorter = argsort(x)}), {x}, {mixed}).to_vector<int>() ==
        std::vector<int>{0, 0, 1, 3, 3, 4});
  CHECK(error_of([&] {
          searchsorted(dmatrix("m"), x);
        }).starts_with("searchsorted{left}: x is a vector, not of 2 dimensions\n  float64 (?, ?)   m"));
}
