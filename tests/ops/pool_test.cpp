#include <doctest/doctest.h>

#include <limits>
#include <random>

#include "core/run/threads.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

namespace {

const PoolMode modes[] = {PoolMode::max, PoolMode::sum, PoolMode::average_inc_pad, PoolMode::average_exc_pad};

void expect_pool(const RowsCols& ws, const PoolArgs& args, const std::vector<std::vector<Sizes>>& shapes,
                 bool twice = true) {
  test::expect_op({.name = "pool_2d",
                   .build = [=](const Vars& x) { return pool_2d(x[0], ws, args); },
                   .shapes = shapes,
                   .twice = twice,
                   .n_ulps = 32});
}

Tensor value(const Tensor& x, const RowsCols& ws, const PoolArgs& args) {
  const Var v = variable(test::unknown(x.dtype(), x.ndim()), "x");
  return test::evaluate(pool_2d(v, ws, args), {v}, {x});
}

}  // namespace

TEST_CASE("pool_2d: modes, borders, strides and pads, with first and second derivatives") {
  for (const PoolMode mode : modes) {
    for (const bool ignore : {true, false}) {
      expect_pool(
          2, {.ignore_border = ignore, .mode = mode},
          {{{2, 1, 4, 6}}, {{3, 5, 4}}, {{5, 5}}, {{1, 1}}, {{2, 0, 4, 4}}, {{0, 4, 4}}, {{2, 0, 3}}});
      expect_pool({3, 2}, {.ignore_border = ignore, .stride = 1, .mode = mode}, {{{2, 4, 5}}});
      expect_pool({2, 1}, {.ignore_border = ignore, .stride = RowsCols(3, 2), .mode = mode}, {{{2, 7, 5}}});
      expect_pool({3, 3}, {.ignore_border = ignore, .stride = RowsCols(2, 3), .mode = mode}, {{{2, 6, 7}}});
      expect_pool({3, 1}, {.ignore_border = ignore, .mode = mode}, {{{7, 4}}});
      expect_pool({1, 1}, {.ignore_border = ignore, .mode = mode}, {{{2, 3}}});
    }
    expect_pool(2, {.ignore_border = true, .pad = 1, .mode = mode}, {{{2, 4, 5}}, {{1, 1}}});
    expect_pool({3, 2}, {.ignore_border = true, .stride = RowsCols(2, 1), .pad = {2, 1}, .mode = mode},
                {{{2, 4, 5}}});
  }
}

TEST_CASE("pool_2d: random sizes and arguments") {
  std::mt19937 engine(11);
  const auto draw = [&](int least, int most) {
    return least + static_cast<int>(engine() % static_cast<unsigned>(most - least + 1));
  };
  for (std::uint32_t i = 0; i < test::n_random(30); ++i) {
    const RowsCols ws(draw(1, 4), draw(1, 4));
    PoolArgs args{.ignore_border = draw(0, 1) == 1, .mode = modes[draw(0, 3)]};
    if (draw(0, 1) == 1) args.stride = RowsCols(draw(1, 4), draw(1, 4));
    if (args.ignore_border) args.pad = {draw(0, ws.rows - 1), draw(0, ws.cols - 1)};
    expect_pool(ws, args, {{{draw(1, 3), draw(1, 9), draw(1, 9)}}}, i % 4 == 0);
  }
}

TEST_CASE("pool_2d of images in which all elements are equal: each gets the gradient of the maximum") {
  const Var x = matrix("x", float64);
  const Tensor g = test::evaluate(grad(sum(pool_2d(x, 2)), x), {x}, {Tensor::full({3, 4}, float64, 7)});
  CHECK(identical(g, Tensor::full({3, 4}, float64, 1)));
  const Tensor overlapping =
      test::evaluate(grad(sum(pool_2d(x, 2, {.stride = 1})), x), {x}, {Tensor::full({2, 3}, float64, 7)});
  CHECK(identical(overlapping, Tensor{{1., 2., 1.}, {1., 2., 1.}}.astype(float64)));
}

TEST_CASE("pool_2d: NaN in a window gives NaN, -Inf is less than all") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   inf = std::numeric_limits<double>::infinity();
  const Tensor x = test::tensor(float64, {2, 6}, {nan, 1, 1, -inf, -inf, -inf, 1, 1, nan, 1, -inf, -inf});
  check_close(value(x, 2, {}), test::tensor(float64, {1, 3}, {nan, nan, -inf}), 0, 0, "pairs");
  const Tensor y = test::tensor(float64, {3, 3}, {1, nan, 0, 0, 0, 0, 0, 0, nan});
  check_close(value(y, 3, {}), test::tensor(float64, {1, 1}, {nan}), 0, 0, "three by three");
}

TEST_CASE("pool_2d of large arrays, on one thread and on several") {
  for (const DType dtype : {float32, float64})
    for (const Sizes& shape : {Sizes{50, 3, 24, 24}, Sizes{40, 25, 27}, Sizes{130, 3001}}) {
      const Var x = variable(test::unknown(dtype, shape.size()), "x");
      const Var y = pool_2d(x, {2, 2}, {.ignore_border = true});
      const Var gx = grad(sum(sqr(y)), x);
      const test::Tensors values{test::random(shape, dtype, 1)};
      std::vector<Tensor> alone;
      for (const int threads : {1, 2, 3}) {
        set_threads(threads);
        const Tensor got_y = test::evaluate(y, {x}, values), got_gx = test::evaluate(gx, {x}, values);
        if (threads == 1) alone = {got_y, got_gx};
        CHECK(identical(got_y, alone[0]));
        CHECK(identical(got_gx, alone[1]));
      }
      double total = 0, largest = 0;
      for (const double v : alone[1].to_vector<double>()) total += v;
      for (const double v : alone[0].to_vector<double>()) largest += 2 * v;
      CHECK(total == doctest::Approx(largest).epsilon(1e-6));
    }
  set_threads(0);
}

TEST_CASE("the number of windows") {
  const auto shape_of = [](const Sizes& x, const RowsCols& ws, const PoolArgs& args) {
    return pool_2d(variable(Type(float32, x)), ws, args).type().shape;
  };
  CHECK(shape_of({3, 5, 6}, 2, {.ignore_border = true}) == Sizes{3, 2, 3});
  CHECK(shape_of({3, 5, 6}, 2, {}) == Sizes{3, 3, 3});
  CHECK(shape_of({3, 5, 6}, 3, {.ignore_border = true, .stride = 1}) == Sizes{3, 3, 4});
  CHECK(shape_of({3, 5, 6}, 3, {.stride = 1}) == Sizes{3, 3, 4});
  CHECK(shape_of({3, 5, 6}, 4, {.stride = 3}) == Sizes{3, 2, 2});
  CHECK(shape_of({3, 5, 6}, 2, {.stride = 4}) == Sizes{3, 2, 2});
  CHECK(shape_of({3, 5, 6}, 7, {.ignore_border = true}) == Sizes{3, 0, 0});
  CHECK(shape_of({3, 5, 6}, 7, {}) == Sizes{3, 1, 1});
  CHECK(shape_of({3, 5, 6}, 2, {.ignore_border = true, .pad = {1, 0}}) == Sizes{3, 3, 3});
  CHECK(shape_of({-1, 5, -1}, 2, {}) == Sizes{-1, 3, -1});
}

TEST_CASE("pool_2d: errors") {
  const Var x = variable(Type(float32, {2, 5, 6}), "x");
  const auto message = [&](const RowsCols& ws, const PoolArgs& args) {
    const std::string text = error_of([&] { pool_2d(x, ws, args); });
    return text.substr(0, text.find('\n'));
  };
  CHECK(error_of([] { pool_2d(fvector("v"), 2); }) ==
        "pool_2d{max, ws (2, 2)}: x must have at least two axes, not 1\n  float32 (?,)   v\n  at HERE");
  CHECK(error_of([] {
          pool_2d(imatrix("i"), 2);
        }).starts_with("pool_2d{max, ws (2, 2)}: x must hold floats, not int32\n"));
  CHECK(message({0, 2}, {}) == "pool_2d{max, ws (0, 2)}: ws is (0, 2), and must be at least 1");
  CHECK(message({2, -1}, {}) == "pool_2d{max, ws (2, -1)}: ws is (2, -1), and must be at least 1");
  CHECK(message(2, {.stride = RowsCols(1, 0)}) ==
        "pool_2d{max, ws (2, 2), stride (1, 0)}: stride is (1, 0), and must be at least 1");
  CHECK(message(2, {.ignore_border = true, .pad = {-1, 0}}) ==
        "pool_2d{max, ws (2, 2), pad (-1, 0), ignore_border}: pad is (-1, 0), and must not be negative");
  CHECK(message(2, {.pad = 1}) ==
        "pool_2d{max, ws (2, 2), pad (1, 1)}: pad is (1, 1), which needs ignore_border");
  CHECK(message(2, {.ignore_border = true, .pad = {1, 2}, .mode = PoolMode::sum}) ==
        "pool_2d{sum, ws (2, 2), pad (1, 2), ignore_border}: pad is (1, 2), and must be smaller than ws, (2, "
        "2)");
}
