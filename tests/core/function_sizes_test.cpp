#include <doctest/doctest.h>

#include <cmath>

#include "core/run/frame.h"
#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;

namespace {

/// What the tutorials' training functions compute, by one function for all sizes and by one for each.
struct Net {
  Var x = fmatrix("x"), y = ivector("y");
  Shared W = shared(test::random({6, 4}, float32, 1), "W"), b = shared(test::random({4}, float32, 2), "b");
  Var p = softmax(dot(tanh(x), W) + b);
  Var nll = -mean(log(p)[{arange(y.shape(0)), y}]);
  Function f = compiled();

  Function compiled() const {
    const Vars g = grad(nll, {W, b});
    return function({.inputs = {x, y}, .outputs = {nll, p, g[0], g[1], argmax(p, {.axis = 1})}});
  }
};

}  // namespace

TEST_CASE("batches of 20, 1, 0, 20 and more in one function") {
  const Net net;
  std::uint32_t seed = 10;
  for (const std::int64_t n : {20, 1, 0, 20, 20, 3, 50, 1, 1, 0, 0, 7}) {
    INFO("a batch of ", n);
    const Tensor x = test::random({n, 6}, float32, seed++),
                 y = test::random({n}, float32, seed++, 0, 4).astype(int32);
    const Values got = net.f(x, y), want = net.compiled()(x, y);
    for (std::size_t i = 0; i < want.size(); ++i) {
      INFO("output ", i);
      CHECK(identical(got[i], want[i]));
    }
    CHECK(got[1].shape() == Sizes{n, 4});
    if (n == 0) {
      CHECK(std::isnan(got[0].item()));  // a mean of nothing
      CHECK(got[2].to_vector<float>() == std::vector<float>(24, 0));
    }
  }
}

TEST_CASE("a row does not depend on the batch that it stands in") {
  // Elementwise values, and sums over a row, depend neither on the row's place nor on the number of rows.
  const Var x = fmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = {softmax(tanh(x) * 3), sum(exp(x), {.axis = 1})}});
  const Tensor all = test::random({37, 19}, float32, 5, -4, 4);
  const Values whole = f(all);
  for (const auto& range : std::vector<std::pair<int, int>>{{0, 1}, {1, 2}, {3, 20}, {36, 37}, {0, 36}}) {
    const int begin = range.first, end = range.second;
    INFO("rows ", begin, " to ", end);
    const Values part = f(all.slice(0, begin, end));
    CHECK(identical(part[0], whole[0].slice(0, begin, end)));
    CHECK(identical(part[1], whole[1].slice(0, begin, end)));
  }
}

TEST_CASE("symbolic bounds: negative, past the end, crossing") {
  const Var x = dvector("x"), a = lscalar("a"), b = lscalar("b");
  const Function f =
      function({.inputs = {x, a, b}, .outputs = {x[slice(a, b)], x[slice(a, b)] * 2, sum(x[slice(a, b)])}});
  std::vector<double> elements(10);
  for (std::size_t i = 0; i < 10; ++i) elements[i] = static_cast<double>(i);
  const Tensor t(elements);
  for (int i = -12; i <= 12; ++i)
    for (int j = -12; j <= 12; ++j) {
      // Python: a negative bound counts from the end; then both are clipped.
      const int begin = std::min(std::max(i < 0 ? i + 10 : i, 0), 10),
                end = std::min(std::max(j < 0 ? j + 10 : j, 0), 10);
      std::vector<double> want;
      for (int k = begin; k < end; ++k) want.push_back(k);
      INFO(i, ":", j);
      const Values v = f(t, i, j);
      CHECK(v[0].to_vector<double>() == want);
      CHECK(v[1].size() == static_cast<std::int64_t>(want.size()));
    }
}

TEST_CASE("sizes that depend on computed values") {
  const Var x = dvector("x"), n = lscalar("n");
  // The length is the position of the largest element: known only when a kernel has run.
  const Var k = argmax(x);
  const Var head = x[slice(none, k)];
  const Function f = function({.inputs = {x}, .outputs = {head, sum(tanh(head)), arange(k)}});
  for (int pass = 0; pass < 2; ++pass) {
    Values v = f(Tensor{1., 2., 9., 3.});
    CHECK(v[0].to_vector<double>() == std::vector<double>{1, 2});
    CHECK(v[2].to_vector<int>() == std::vector<int>{0, 1});
    v = f(Tensor{1., 2., 3., 9.});
    CHECK(v[0].to_vector<double>() == std::vector<double>{1, 2, 3});
    CHECK(v[1].item() == doctest::Approx(std::tanh(1.) + std::tanh(2.) + std::tanh(3.)).epsilon(1e-14));
    v = f(Tensor{9., 2.});
    CHECK(v[0].size() == 0);
    CHECK(v[1].item() == 0);
  }
  const Function g = function({.inputs = {n}, .outputs = {zeros({n, n * 2}) + 1, arange(n * 3)}});
  CHECK(g(2)[0].shape() == Sizes{2, 4});
  CHECK(g(0)[0].shape() == Sizes{0, 0});
  CHECK(g(3)[1].shape() == Sizes{9});
}

TEST_CASE("an update after sizes that depend on computed values") {
  const Shared s = shared(Tensor{3., 1., 2.}.astype(float64), "s");
  const Var k = argmax(s);
  const Function f = function(
      {.outputs = s[slice(k, none)], .updates = {{s, s[slice(none, none, -1)] + sum(s[slice(k, none)])}}});
  CHECK(Tensor(f()).to_vector<double>() == std::vector<double>{3, 1, 2});
  CHECK(s.get_value().to_vector<double>() == std::vector<double>{8, 7, 9});
  CHECK(Tensor(f()).to_vector<double>() == std::vector<double>{9});
  CHECK(s.get_value().to_vector<double>() == std::vector<double>{18, 16, 17});
}

TEST_CASE("the arena is reused: a long chain needs the memory of few arrays") {
  const Var x = dvector("x");
  Var y = x;
  for (int i = 0; i < 50; ++i) y = sum(outer(y, y), {.axis = 0}) * 0.01;
  const Function f = function({.inputs = {x}, .outputs = y, .mode = Mode::FAST_COMPILE});
  f(test::random({100}, float64, 1));
  // Each step's outer product is 80 000 bytes.
  CHECK(f.frame().arena_bytes() < 3 * 80000);
  CHECK(f.frame().arena_bytes() >= 80000);
}
