#include <doctest/doctest.h>

#include <cmath>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;

// Walks are memoized: a graph in which every node is used twice costs what its nodes cost, not what its 2^60
// paths would. And they are iterative: a long chain neither overflows the stack nor takes quadratic time.

namespace {

constexpr int doublings = 60;
#ifdef DAMO_SANITIZED
constexpr int long_chain = 20000;  // the sanitizers keep records of every node
#else
constexpr int long_chain = 100000;
#endif

Var doubled(const Var& x) {
  Var y = x;
  for (int i = 0; i < doublings; ++i) y = y + y;
  return y;
}

std::size_t nodes(const Vars& v) { return toposort(v).size(); }

}  // namespace

TEST_CASE("doubling sixty times: build, compare, substitute, merge") {
  const Var x = dscalar("x"), z = dscalar("z");
  const Var y = doubled(x);
  CHECK(nodes({y}) == doublings + 1);
  CHECK(equal_computations({y}, {doubled(x)}));
  CHECK_FALSE(equal_computations({y}, {doubled(z)}));
  const Vars now = substitute({y}, {{x, z}});
  CHECK(nodes(now) == doublings + 1);
  CHECK(equal_computations(now, {doubled(z)}));
  const Vars merged = merge({y, doubled(x)});
  CHECK(same(merged[0], merged[1]));
  CHECK(nodes(merged) == doublings + 1);
}

TEST_CASE("doubling sixty times: differentiate, once and twice") {
  const Var x = dscalar("x");
  const Var y = doubled(x);
  const Var g = grad(y, x);
  CHECK(nodes({g}) < 10 * doublings);
  const Function f = function({.inputs = {x}, .outputs = {y, g}});
  const Values v = f(3);
  CHECK(v[0].item() == std::ldexp(3., doublings));
  CHECK(v[1].item() == std::ldexp(1., doublings));

  Var s = x;
  for (int i = 0; i < doublings; ++i) s = sin(s + s);
  const Var first = grad(s, x), second = grad(first, x);
  CHECK(nodes({first}) < 20 * doublings);
  CHECK(nodes({second}) < 200 * doublings);
  double value = .1, slope = 1, curve = 0;
  for (int i = 0; i < doublings; ++i) {
    const double in = 2 * value;
    curve = -std::sin(in) * 4 * slope * slope + std::cos(in) * 2 * curve;
    slope = std::cos(in) * 2 * slope;
    value = std::sin(in);
  }
  const Values w = function({.inputs = {x}, .outputs = {s, first, second}})(.1);
  // sixty steps, each of which doubles what rounding left
  CHECK(w[0].item() == doctest::Approx(value).epsilon(1e-9));
  CHECK(w[1].item() == doctest::Approx(slope).epsilon(1e-6));
  CHECK(w[2].item() == doctest::Approx(curve).epsilon(1e-6));
}

TEST_CASE("doubling sixty times: print and compile in both modes") {
  const Var x = dvector("x");
  const Var y = doubled(x);
  CHECK(pp(y).size() < 100000);
  CHECK(debugprint(y).size() < 100000);
  CHECK(to_dot(y).size() < 100000);
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
    const Function f = function({.inputs = {x}, .outputs = y, .mode = mode});
    CHECK(nodes(f.outputs()) < 3 * doublings);
    CHECK(Tensor(f(Tensor{1., 2.})).to_vector<double>() ==
          std::vector<double>{std::ldexp(1., doublings), std::ldexp(2., doublings)});
    CHECK(debugprint(f).size() < 100000);
  }
}

TEST_CASE("other ways to share: products, minima, two alternating branches") {
  const Var x = dvector("x");
  Var a = x, b = x + 1;
  for (int i = 0; i < doublings; ++i) {
    const Var c = maximum(a, b) * 0.5, d = minimum(a, b) + tanh(a);
    a = c;
    b = d;
  }
  const Var cost = sum(a * b);
  const Var g = grad(cost, x);
  CHECK(nodes({cost, g}) < 60 * doublings);
  const Tensor t = test::random({5}, float64, 1);
  const Values fast = function({.inputs = {x}, .outputs = {cost, g}})(t),
               plain = function({.inputs = {x}, .outputs = {cost, g}, .mode = Mode::FAST_COMPILE})(t);
  CHECK(fast[0].item() == doctest::Approx(plain[0].item()).epsilon(1e-12));
  for (int i = 0; i < 5; ++i)
    CHECK(fast[1].at<double>(i) == doctest::Approx(plain[1].at<double>(i)).epsilon(1e-12));
}

TEST_CASE("a long chain: build, walk, print, destroy") {
  const Var x = dvector("x");
  Var y = x;
  for (int i = 0; i < long_chain; ++i) y = tanh(y);
  CHECK(nodes({y}) == long_chain + 1);
  CHECK(equal_computations({y}, {y}));
  const Var z = dvector("z");
  CHECK(nodes(substitute({y}, {{x, z}})) == long_chain + 1);
  CHECK(nodes(merge({y})) == long_chain + 1);
  CHECK_FALSE(pp(y).empty());
  CHECK_FALSE(debugprint(y).empty());
  CHECK_FALSE(to_dot(y).empty());
  y = Var();
}

TEST_CASE("a long chain: differentiate, compile, run") {
  const Var x = dvector("x");
  Var y = x;
  for (int i = 0; i < long_chain; ++i) y = sin(y);
  const Var g = grad(sum(y), x);
  CHECK(nodes({g}) < 10 * long_chain);
  const double start = .5;
  double value = start, slope = 1;
  for (int i = 0; i < long_chain; ++i) {
    slope *= std::cos(value);
    value = std::sin(value);
  }
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
    const Function f = function({.inputs = {x}, .outputs = {y, g}, .mode = mode});
    const Values v = f(Tensor{start});
    // 100 000 roundings of half a unit each, not all in one direction
    CHECK(v[0].item() == doctest::Approx(value).epsilon(1e-10));
    CHECK(v[1].item() == doctest::Approx(slope).epsilon(1e-8));
  }
}

TEST_CASE("a long sum of many uses of one variable") {
  const Var x = dvector("x");
  Var y = x;
  for (int i = 1; i < long_chain; ++i) y = y + x;
  const Function f = function({.inputs = {x}, .outputs = {y, grad(sum(y), x)}});
  const Values v = f(Tensor{2.});
  CHECK(v[0].item() == 2. * long_chain);
  CHECK(v[1].item() == long_chain);
}

TEST_CASE("a chain of products with its gradient: no product is made twice") {
  const Shared W = shared(test::random({3, 3}, float64, 1, -.6, .6), "W");
  const Var x = dmatrix("x");
  constexpr int n = 70;
  Var h = x;
  for (int i = 0; i < n; ++i) h = dot(h, W);
  const Vars outputs = {sum(h), grad(sum(h), W)};
  const auto products = [](const Function& f) {
    int count = 0;
    for (const NodePtr& node : toposort(f.outputs()))
      if (node->kind == Node::Kind::apply && node->op->name().ends_with("dot")) ++count;
    return count;
  };
  const Function fast = function({.inputs = {x}, .outputs = outputs}),
                 plain = function({.inputs = {x}, .outputs = outputs, .mode = Mode::FAST_COMPILE});
  CHECK(products(fast) <= products(plain));
  CHECK(products(plain) < 4 * n);
  const Tensor t = test::random({2, 3}, float64, 2);
  const Values a = fast(t), b = plain(t);
  CHECK(a[0].item() == doctest::Approx(b[0].item()).epsilon(1e-10));
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      CHECK(a[1].at<double>(i, j) == doctest::Approx(b[1].at<double>(i, j)).epsilon(1e-10));
}
