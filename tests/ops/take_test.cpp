#include "ops/take.h"

#include <doctest/doctest.h>

#include "ops/index.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

TEST_CASE("take along an axis or of all, with its derivatives") {
  const Tensor positions[] = {Tensor{2, 0, 2}, Tensor{{1, -1}, {0, 1}}, Tensor::zeros({0}, int64)};
  for (const Tensor& p : positions)
    for (const std::optional<int> axis : {std::optional<int>(), std::optional(0), std::optional(-1)})
      test::expect_op({.name = "take",
                       .build = [&](const Vars& x) { return take(x[0], constant(p), {.axis = axis}); },
                       .shapes = {{{3, 4}}, {{3, 3}}},
                       .twice = true,
                       .n_ulps = 1});
  test::expect_op({.name = "one position",
                   .build = [](const Vars& x) { return take(x[0], 1, {.axis = 1}); },
                   .shapes = {{{3, 4}}, {{3, 2, 2}}},
                   .n_ulps = 0});
}

TEST_CASE("positions out of range are an error, wrapped or clipped") {
  const Var x = dvector("x"), i = ivector("i");
  const Tensor t = Tensor{10., 11., 12., 13.}, p = Tensor{-5, -1, 3, 4, 9}.astype(int32);
  const auto of = [&](OutOfRange mode) {
    return test::evaluate(take(x, i, {.mode = mode}), {x, i}, {t, p}).to_vector<int>();
  };
  CHECK(of(OutOfRange::wrap) == std::vector<int>{13, 13, 13, 10, 11});
  CHECK(of(OutOfRange::clip) == std::vector<int>{10, 10, 13, 13, 13});
  CHECK(error_of([&] {
          of(OutOfRange::raise);
        }).starts_with("advanced_subtensor: index -5 at position 0 is out of range for axis 0 of size 4"));
  CHECK(error_of([&] { take(x, x); }).starts_with("take: positions are integers, not float64 (?,)"));
  CHECK(
      error_of([&] {
        take(x, i, {.axis = 1});
      }).starts_with("take: axis 1 does not exist in 1 dimensions\n  float64 (?,)   x\n  int32 (?,)     i"));
  CHECK(test::evaluate(set_subtensor(take(x, i), 0), {x, i}, {t, Tensor{2, 0}.astype(int32)})
            .to_vector<int>() == std::vector<int>{0, 11, 0, 13});
}

TEST_CASE("choose between arrays") {
  const Var a = ivector("a"), x = dvector("x"), y = dvector("y");
  const Tensor which = Tensor{1, 0, 2}.astype(int32), u = Tensor{1., 2., 3.}, v = Tensor{4., 5., 6.};
  const auto of = [&](const Tensor& w, OutOfRange mode) {
    return test::evaluate(choose(a, {x, y, 7.5}, mode), {a, x, y}, {w, u, v}).to_vector<double>();
  };
  CHECK(of(which, OutOfRange::raise) == std::vector<double>{4, 2, 7.5});
  CHECK(of(Tensor{-1, 3, 5}.astype(int32), OutOfRange::wrap) == std::vector<double>{7.5, 2, 7.5});
  CHECK(of(Tensor{-1, 1, 5}.astype(int32), OutOfRange::clip) == std::vector<double>{1, 5, 7.5});
  CHECK(error_of([&] {
          of(Tensor{0, 3, 0}.astype(int32), OutOfRange::raise);
        }).starts_with("positions of choose: element 1 is 3, and must be below 3\n  int32 (3,)   a\n"));
  const Vars g = grad(sum(choose(a, {x, y}) * 2), {x, y});
  CHECK(test::evaluate(g[0], {a, x, y}, {Tensor{1, 0, 1}.astype(int32), u, v}).to_vector<double>() ==
        std::vector<double>{0, 2, 0});
  CHECK(test::evaluate(g[1], {a, x, y}, {Tensor{1, 0, 1}.astype(int32), u, v}).to_vector<double>() ==
        std::vector<double>{2, 0, 2});
  CHECK(error_of([&] { choose(x, {x, y}); }).starts_with("choose: positions are integers"));
  CHECK(error_of([&] { choose(a, {}); }).starts_with("choose: there is nothing to choose from"));
}

TEST_CASE("bincount, also weighted") {
  const Var w = dvector("w");
  for (const DType dtype : {int8, int32, int64, uint8}) {
    const Var x = vector("x", dtype);
    const Tensor t = Tensor{3, 0, 1, 3, 3}.astype(dtype);
    CHECK(bincount(x).dtype() == int64);
    for (const test::Layout& layout : test::layouts(t))
      CHECK(test::evaluate(bincount(x), {x}, {layout.tensor}).to_vector<int>() ==
            std::vector<int>{1, 1, 0, 3});
    CHECK(test::evaluate(bincount(x, {.minlength = 6}), {x}, {t}).to_vector<int>() ==
          std::vector<int>{1, 1, 0, 3, 0, 0});
    CHECK(test::evaluate(bincount(x, {.minlength = 2}), {x}, {t}).shape() == Sizes{4});
    CHECK(test::evaluate(bincount(x), {x}, {Tensor::zeros({0}, dtype)}).shape() == Sizes{0});
    const Tensor weights = Tensor{.5, 1., 2., 3., 4.}.astype(float64);
    CHECK(test::evaluate(bincount(x, {.weights = w}), {x, w}, {t, weights}).to_vector<double>() ==
          std::vector<double>{1, 2, 0, 7.5});
    CHECK(test::evaluate(grad(sum(sqr(bincount(x, {.weights = w}))), w), {x, w}, {t, weights})
              .to_vector<double>() == std::vector<double>{15, 2, 4, 15, 15});
  }
  const Var x = ivector("x");
  CHECK(error_of([&] {
          test::evaluate(bincount(x), {x}, {Tensor{2, -1}.astype(int32)});
        }).starts_with("positions of bincount: element 1 is -1, a negative number\n  int32 (2,)   x\n"));
  CHECK(error_of([&] { bincount(w); }).starts_with("bincount: positions are integers, not float64 (?,)"));
  CHECK(
      error_of([&] { bincount(imatrix("m")); }).starts_with("bincount: x is a vector, not of 2 dimensions"));
}
