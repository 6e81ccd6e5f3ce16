#include <doctest/doctest.h>

#include <limits>

#include "core/graph/walk.h"
#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

const double inf = std::numeric_limits<double>::infinity(), NaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("bits of integers and booleans, in all dtypes and layouts") {
  for (const DType dtype : {bool_, int8, int16, int32, int64, uint8}) {
    INFO(to_string(dtype));
    const Var a = matrix("a", dtype), b = matrix("b", dtype);
    const Tensor x = test::random({3, 5}, float64, 1, -100, 100).astype(int64).astype(dtype),
                 y = test::random({3, 5}, float64, 2, -100, 100).astype(int64).astype(dtype);
    for (const Var& f : {a & b, a | b, a ^ b, ~a, logical_and(a, b), logical_or(a, b), logical_not(a)}) {
      INFO(pp(f));
      VarMap<Tensor> by;
      by.emplace(a, x);
      by.emplace(b, y);
      const Tensor want = test::oracle({f}, by)[0];
      for (const test::Layout& layout : test::layouts(x)) {
        INFO(layout.name);
        CHECK(identical(test::evaluate(f, {a, b}, {layout.tensor, y}), want));
        CHECK(identical(test::evaluate(f, {a, b}, {layout.tensor, y}, Mode::FAST_COMPILE), want));
      }
    }
    CHECK((a & b).dtype() == dtype);
    CHECK((~a).dtype() == dtype);
  }
}

TEST_CASE("bits by hand") {
  const Var i = bvector("i"), u = vector("u", uint8), t = vector("t", bool_);
  const auto of = [](const Var& y, const Var& x, const Tensor& v) {
    return test::evaluate(y, {x}, {v}).to_vector<int>();
  };
  const Tensor v = Tensor{12, -1, 0};
  CHECK(of(i & 10, i, v) == std::vector<int>{8, 10, 0});
  CHECK(of(i | 3, i, v) == std::vector<int>{15, -1, 3});
  CHECK(of(6 ^ i, i, v) == std::vector<int>{10, -7, 6});
  CHECK(of(~i, i, v) == std::vector<int>{-13, 0, -1});
  CHECK(of(~u, u, Tensor{0, 200, 255}) == std::vector<int>{255, 55, 0});
  CHECK(of(~t, t, Tensor{1, 0}) == std::vector<int>{0, 1});
  CHECK(of(t & true, t, Tensor{1, 0}) == std::vector<int>{1, 0});
  CHECK(of(t ^ true, t, Tensor{1, 0}) == std::vector<int>{0, 1});
  CHECK((t & i).dtype() == int8);
  CHECK((u | i).dtype() == int16);
  // Theano's names.
  CHECK(equal_computations({and_(i, u)}, {bitwise_and(i, u)}));
  CHECK(equal_computations({or_(i, u)}, {bitwise_or(i, u)}));
  CHECK(equal_computations({xor_(i, u)}, {bitwise_xor(i, u)}));
  CHECK(equal_computations({invert(i)}, {bitwise_not(i)}));
  CHECK(pp((i & 3) | ~i) == "((i & 3) | (~i))");
}

TEST_CASE("bits of scalars decide lengths") {
  const Var n = iscalar("n");
  CHECK(test::evaluate(arange((n & 6) + 1), {n}, {Tensor(13)}).shape() == Sizes{5});
  CHECK(test::evaluate(arange(switch_(~(n > 3), 2, 3)), {n}, {Tensor(13)}).shape() == Sizes{3});
}

TEST_CASE("floats have no bits") {
  const Var x = fvector("x"), i = ivector("i");
  CHECK(error_of([&] { x& i; }) ==
        "bitwise_and: not defined for float64\n  float64 (?,)   cast{float64}\n  "
        "float64 (?,)   cast{float64}\n  at HERE");
  CHECK(error_of([&] { ~x; }) == "bitwise_not: not defined for float32\n  float32 (?,)   x\n  at HERE");
}

TEST_CASE("truth of numbers: what is not 0 is true") {
  const Var x = dvector("x"), i = ivector("i");
  const Tensor v(std::vector<double>{0, 0.5, NaN, -0.0}), k = Tensor{1, 2, 0, 0};
  const auto of = [&](const Var& y) { return test::evaluate(y, {x, i}, {v, k}).to_vector<int>(); };
  CHECK(of(logical_and(x, i)) == std::vector<int>{0, 1, 0, 0});
  CHECK(of(logical_or(x, i)) == std::vector<int>{1, 1, 1, 0});
  CHECK(of(logical_not(x)) == std::vector<int>{1, 0, 0, 1});
  CHECK(logical_and(x, i).dtype() == bool_);
}

TEST_CASE("logic is constant between its steps") {
  const Var x = dvector("x");
  CHECK(test::evaluate(grad(sum(x * ((x > 0) & (x < 2) & ~(x > 1))), x), {x}, {Tensor{-1., .5, 1.5, 3.}})
            .to_vector<double>() == std::vector<double>{0, 1, 0, 0});
}

TEST_CASE("isclose and allclose") {
  for (const DType dtype : {float32, float64}) {
    const Var a = vector("a", dtype), b = vector("b", dtype);
    const Tensor x = Tensor(std::vector<double>{1, 1, 1e-9, inf, inf, inf, 1, NaN, NaN, -inf}).astype(dtype),
                 y = Tensor(std::vector<double>{1.000009, 1.00002, 0, inf, -inf, 1, inf, NaN, 1, -inf})
                         .astype(dtype);
    const auto of = [&](const Var& v) { return test::evaluate(v, {a, b}, {x, y}).to_vector<int>(); };
    CHECK(of(isclose(a, b)) == std::vector<int>{1, 0, 1, 1, 0, 0, 0, 0, 0, 1});
    CHECK(of(isclose(a, b, {.equal_nan = true})) == std::vector<int>{1, 0, 1, 1, 0, 0, 0, 1, 0, 1});
    CHECK(of(isclose(a, b, {.rtol = 1e-4, .atol = 0})) == std::vector<int>{1, 1, 0, 1, 0, 0, 0, 0, 0, 1});
    CHECK(of(allclose(a, b)) == std::vector<int>{0});
    CHECK(of(allclose(a, a)) == std::vector<int>{0});
    CHECK(of(allclose(a, a, {.equal_nan = true})) == std::vector<int>{1});
    CHECK(allclose(a, b).dtype() == bool_);
    CHECK(allclose(a, b).ndim() == 0);
  }
  // Of integers and booleans, whose own differences wrap around or do not exist.
  const Var u = vector("u", uint8), t = vector("t", bool_);
  const auto of = [](const Var& y, const Var& x, const Tensor& v) {
    return test::evaluate(y, {x}, {v}).to_vector<int>();
  };
  CHECK(of(isclose(u, 1, {.atol = 1.5}), u, Tensor{0, 2, 3}) == std::vector<int>{1, 1, 0});
  CHECK(of(isclose(t, t), t, Tensor{0, 1}) == std::vector<int>{1, 1});
  CHECK(of(allclose(u, 2), u, Tensor::zeros({0}, uint8)) == std::vector<int>{1});
}
