#include "core/graph/walk.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

namespace {
std::size_t position(const std::vector<NodePtr>& order, const Var& v) {
  return static_cast<std::size_t>(std::find(order.begin(), order.end(), v.node_ptr()) - order.begin());
}
}  // namespace

TEST_CASE("toposort puts each node once, after its inputs") {
  const Var x = matrix("x"), y = matrix("y");
  const Var a = x + y, b = tanh(a), c = a * b;
  const std::vector<NodePtr> order = toposort({c, b, x});
  CHECK(order.size() == 5);
  for (const Var& v : {x, y, a, b, c}) CHECK(position(order, v) < order.size());
  CHECK(position(order, x) < position(order, a));
  CHECK(position(order, y) < position(order, a));
  CHECK(position(order, a) < position(order, b));
  CHECK(position(order, b) < position(order, c));
  CHECK(toposort({}).empty());
  CHECK(toposort({Var()}).empty());
}

TEST_CASE("substitute replaces nodes and keeps what does not depend on them") {
  const Var x = matrix("x"), y = matrix("y"), z = matrix("z");
  const Var a = tanh(y), b = (exp(x) + a).named("b");
  const Vars now = substitute({b, a}, {{x, z}});
  CHECK(equal_computations({now[0]}, {exp(z) + tanh(y)}));
  CHECK(same(now[1], a));
  CHECK(same(now[0].node().inputs[1], a));
  CHECK(now[0].name() == "b");
  CHECK(to_string(now[0].node().where) == to_string(b.node().where));
  // The graph itself is immutable.
  CHECK(equal_computations({b}, {exp(x) + tanh(y)}));
}

TEST_CASE("substitute reaches inner nodes, and not into the replacements") {
  const Var x = matrix("x"), y = matrix("y");
  const Var a = exp(x), b = tanh(a);
  CHECK(equal_computations(substitute({b}, {{a, y * 2}}), {tanh(y * 2)}));
  CHECK(equal_computations(substitute({a}, {{a, y}}), {y}));
  // x := y and y := x at once is a swap.
  CHECK(equal_computations(substitute({x - y}, {{x, y}, {y, x}}), {y - x}));
  // x := exp(x): once.
  CHECK(equal_computations(substitute({x}, {{x, exp(x)}}), {exp(x)}));
}

TEST_CASE("substitute keeps which axes an elementwise node stretches") {
  const Var x = matrix("x"), r = row("r"), m = matrix("m");
  const Var y = x + r;
  const Vars now = substitute({y}, {{r, m}});
  CHECK(now[0].type().stretch == y.type().stretch);
  CHECK(now[0].node().inputs[1].type().stretch == 1U);
  const Vars other = substitute({x + m}, {{m, r}});
  CHECK(other[0].node().inputs[1].type().stretch == 0U);
}

TEST_CASE("substitute by another dtype or rank is an error") {
  const Var x = matrix("x", float32), v = vector("v", float32), d = matrix("d", float64);
  CHECK(error_of([&] {
          substitute({exp(x)}, {{x, v}});
        }) == "x cannot be replaced by v: the first is float32 (?, ?), the second float32 (?,)");
  CHECK(error_of([&] {
          substitute({exp(x)}, {{x, d}});
        }) == "x cannot be replaced by d: the first is float32 (?, ?), the second float64 (?, ?)");
}

TEST_CASE("rebuild gives the same op over other inputs") {
  const Var x = matrix("x"), y = matrix("y");
  const Var a = sum(x, {.axis = 0}).named("total");
  const Var b = rebuild(a.node(), {y})[0];
  CHECK(equal_computations({b}, {sum(y, {.axis = 0})}));
  CHECK(b.name() == "total");
  CHECK(to_string(b.node().where) == to_string(a.node().where));
}

TEST_CASE("with_stretch changes the declaration alone") {
  const Var x = matrix("x");
  CHECK(same(with_stretch(x, x.type()), x));
  const Var r = with_stretch(x, row("r").type());
  CHECK(r.type().stretch == 1U);
  CHECK(r.type().shape[0] == 1);
  const Function f = function({.inputs = {In(x)}, .outputs = r + Tensor::zeros({2, 3}, x.dtype())});
  CHECK(Tensor(f(Tensor{{1, 2, 3}})).to_vector<int>() == std::vector<int>{1, 2, 3, 1, 2, 3});
  CHECK(error_of([&] {
          f(Tensor{{1, 2, 3}, {4, 5, 6}});
        }).find("axis 0 is declared to have size 1, but has 2") != std::string::npos);
}

TEST_CASE("equal computations are the same ops in the same order on the same leaves") {
  const Var x = matrix("x"), y = matrix("y");
  const auto equal = [](const Var& a, const Var& b) {
    const bool there = equal_computations({a}, {b}), back = equal_computations({b}, {a});
    CHECK(there == back);
    return there;
  };
  CHECK(equal(x, x));
  CHECK_FALSE(equal(x, y));
  CHECK(equal(exp(x) + y, exp(x) + y));
  CHECK_FALSE(equal(exp(x) + y, y + exp(x)));
  CHECK_FALSE(equal(exp(x), tanh(x)));
  CHECK(equal(x + 2, x + 2));
  CHECK_FALSE(equal(x + 2, x + 3));
  CHECK_FALSE(equal(sum(x, {.axis = 0}), sum(x, {.axis = 1})));
  CHECK_FALSE(equal(sum(x, {.axis = 0}), sum(x, {.axis = 0, .keepdims = true})));
  const Var e = exp(x);
  CHECK(equal(e + e, exp(x) + exp(x)));
  CHECK_FALSE(equal_computations({x}, {x, y}));
}
