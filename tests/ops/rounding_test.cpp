#include <doctest/doctest.h>

#include <limits>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;

TEST_CASE("rounding: halves, large numbers, infinities") {
  using Function1 = Var (*)(const Arg&);
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  struct Row {
    const char* name;
    Function1 f;
    std::vector<double> y;
  };
  const std::vector<double> x = {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.25, -0.75, 8388609, 1e30, inf, -inf, nan};
  const Row rows[] = {
      {"ceil", ceil, {-2, -1, 0, 1, 2, 3, 1, 0, 8388609, 1e30, inf, -inf, nan}},
      {"floor", floor, {-3, -2, -1, 0, 1, 2, 0, -1, 8388609, 1e30, inf, -inf, nan}},
      {"trunc", trunc, {-2, -1, 0, 0, 1, 2, 0, 0, 8388609, 1e30, inf, -inf, nan}},
      {"round_half_to_even", round_half_to_even, {-2, -2, 0, 0, 2, 2, 0, -1, 8388609, 1e30, inf, -inf, nan}},
      {"round_half_away_from_zero",
       round_half_away_from_zero,
       {-3, -2, -1, 1, 2, 3, 0, -1, 8388609, 1e30, inf, -inf, nan}},
  };
  for (const Row& row : rows)
    for (const DType dtype : {float32, float64}) {
      const Var v = vector("v", dtype);
      const Tensor t = Tensor(x).astype(dtype);
      check_close(test::evaluate(row.f(v), {v}, {t}), Tensor(row.y).astype(dtype), 0, 0, row.name);
      CHECK(row.f(v).dtype() == dtype);
      CHECK(test::evaluate(grad(sum(row.f(v)), v), {v}, {t}).to_vector<double>() ==
            std::vector<double>(x.size(), 0));
    }
}

TEST_CASE("round takes a mode, half to even unless given") {
  const Var x = dvector("x");
  const Tensor t = Tensor{0.5, 2.5, -0.5};
  const auto values = [&](const Var& y) { return test::evaluate(y, {x}, {t}).to_vector<double>(); };
  CHECK(values(round(x)) == std::vector<double>{0, 2, 0});
  CHECK(values(round(x, RoundMode::half_to_even)) == std::vector<double>{0, 2, 0});
  CHECK(values(round(x, RoundMode::half_away_from_zero)) == std::vector<double>{1, 3, -1});
}

TEST_CASE("integers and booleans stay as they are") {
  for (const DType dtype : {bool_, int8, int16, int32, int64, uint8}) {
    const Var x = vector("x", dtype);
    const Tensor t = Tensor{1, 0, 100}.astype(dtype);
    for (const auto f : {ceil, floor, trunc, round_half_to_even, round_half_away_from_zero})
      CHECK(identical(test::evaluate(f(x), {x}, {t}), t));
  }
}
