#include <doctest/doctest.h>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

namespace {

Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }
std::vector<double> value(const Shared& s) { return s.get_value().to_vector<double>(); }
const void* memory(const Shared& s) { return s.get_value({.borrow = true}).data(); }

}  // namespace

TEST_CASE("updates see the old values, also of a variable that is updated in the same call") {
  const Shared a = shared(doubles({1., 2.}), "a"), b = shared(doubles({3., 4.}), "b");
  const Function f = function({.outputs = {a, b}, .updates = {{a, a + b}, {b, a * 10}}});
  const Values v = f();
  CHECK(v[0].to_vector<double>() == std::vector<double>{1, 2});
  CHECK(v[1].to_vector<double>() == std::vector<double>{3, 4});
  CHECK(value(a) == std::vector<double>{4, 6});
  CHECK(value(b) == std::vector<double>{10, 20});
}

TEST_CASE("a swap") {
  const Shared a = shared(doubles({1., 2.}), "a"), b = shared(doubles({3., 4.}), "b");
  const void *const at_a = memory(a), *const at_b = memory(b);
  const Function swap = function({.updates = {{a, b}, {b, a}}});
  swap();
  CHECK(value(a) == std::vector<double>{3, 4});
  CHECK(value(b) == std::vector<double>{1, 2});
  swap();
  CHECK(value(a) == std::vector<double>{1, 2});
  CHECK(memory(a) == at_a);
  CHECK(memory(b) == at_b);
}

TEST_CASE("a rotation of three, one of them negated") {
  const Shared a = shared(doubles({1.}), "a"), b = shared(doubles({2.}), "b"), c = shared(doubles({3.}), "c");
  const Function f = function({.updates = {{a, b}, {b, -c}, {c, a}}});
  f();
  CHECK(value(a) == std::vector<double>{2});
  CHECK(value(b) == std::vector<double>{-3});
  CHECK(value(c) == std::vector<double>{1});
}

TEST_CASE("one variable's value for another") {
  const Shared a = shared(doubles({1., 2.}), "a"), b = shared(doubles({3., 4.}), "b");
  const Function f = function({.updates = {{a, b}}});
  f();
  CHECK(value(a) == std::vector<double>{3, 4});
  CHECK(memory(a) != memory(b));
  b.set_value(Tensor{5., 6.});
  CHECK(value(a) == std::vector<double>{3, 4});
}

TEST_CASE("W := W.T and other permutations of its own elements") {
  const Shared W = shared(doubles({{1., 2., 3.}, {4., 5., 6.}, {7., 8., 9.}}), "W");
  const void* const at = memory(W);
  function({.updates = {{W, W.T()}}})();
  CHECK(value(W) == std::vector<double>{1, 4, 7, 2, 5, 8, 3, 6, 9});
  function({.updates = {{W, W[slice(none, none, -1)]}}})();
  CHECK(value(W) == std::vector<double>{3, 6, 9, 2, 5, 8, 1, 4, 7});
  function({.updates = {{W, W + W.T()}}})();
  CHECK(value(W) == std::vector<double>{6, 8, 10, 8, 10, 12, 10, 12, 14});
  function({.updates = {{W, dot(W, W)}}})();
  CHECK(value(W) == std::vector<double>{200, 248, 296, 248, 308, 368, 296, 368, 440});
  function({.updates = {{W, set_subtensor(W[0], W[2] * 2)}}})();
  CHECK(value(W) == std::vector<double>{592, 736, 880, 248, 308, 368, 296, 368, 440});
  CHECK(memory(W) == at);
}

TEST_CASE("W as an output while W is updated is the old value, in memory of its own") {
  const Shared W = shared(doubles({{1., 2.}, {3., 4.}}), "W");
  const Function f = function({.outputs = {W, W.T(), W[0], W * 1, W.flatten()}, .updates = {{W, W * 10}}});
  const Values v = f();
  CHECK(value(W) == std::vector<double>{10, 20, 30, 40});
  CHECK(v[0].to_vector<double>() == std::vector<double>{1, 2, 3, 4});
  CHECK(v[1].to_vector<double>() == std::vector<double>{1, 3, 2, 4});
  CHECK(v[2].to_vector<double>() == std::vector<double>{1, 2});
  CHECK(v[3].to_vector<double>() == std::vector<double>{1, 2, 3, 4});
  CHECK(v[4].to_vector<double>() == std::vector<double>{1, 2, 3, 4});
}

TEST_CASE("a new value that is also an output") {
  const Shared W = shared(doubles({1., 2.}), "W");
  const Var next = W * 2;
  const Function f = function({.outputs = {next, W}, .updates = {{W, next}}});
  const Values v = f();
  CHECK(v[0].to_vector<double>() == std::vector<double>{2, 4});
  CHECK(v[1].to_vector<double>() == std::vector<double>{1, 2});
  CHECK(value(W) == std::vector<double>{2, 4});
  CHECK(v[0].data() != memory(W));
  f();
  CHECK(v[0].to_vector<double>() == std::vector<double>{2, 4});
}

TEST_CASE("two variables with the same new value") {
  const Shared a = shared(doubles({1.}), "a"), b = shared(doubles({2.}), "b");
  const Var next = a + b;
  const Function f = function({.updates = {{a, next}, {b, next}}});
  f();
  CHECK(value(a) == std::vector<double>{3});
  CHECK(value(b) == std::vector<double>{3});
  CHECK(memory(a) != memory(b));
  f();
  CHECK(value(a) == std::vector<double>{6});
}

TEST_CASE("a variable's new value: an input, a constant, a number, a part of another variable") {
  const Var x = dvector("x");
  const Shared a = shared(doubles({1., 2.}), "a"), b = shared(doubles({0., 0.}), "b"),
               n = shared(doubles({5.})[0], "n"), m = shared(doubles({{1., 2.}, {3., 4.}}), "m");
  const Function f = function({.inputs = {x}, .updates = {{a, x}, {b, m[1]}, {n, 7}}});
  const Tensor given = doubles({8., 9.});
  f(given);
  CHECK(value(a) == std::vector<double>{8, 9});
  CHECK(memory(a) != given.data());
  CHECK(value(b) == std::vector<double>{3, 4});
  CHECK(n.get_value().item() == 7);
  given.at<double>(0) = -1;
  CHECK(value(a) == std::vector<double>{8, 9});
}

TEST_CASE("the live value of a variable, passed as an input of a function that updates it") {
  const Var x = dmatrix("x");
  const Shared W = shared(doubles({{1., 2.}, {3., 4.}}), "W");
  const Function f = function({.inputs = {x}, .outputs = x + 0, .updates = {{W, W * 10 + x.T()}}});
  const Tensor live = W.get_value({.borrow = true});
  const Tensor y = f(live);
  CHECK(value(W) == std::vector<double>{11, 23, 32, 44});
  CHECK(y.to_vector<double>() == std::vector<double>{1, 2, 3, 4});
  f(live.transposed());
  CHECK(value(W) == std::vector<double>{121, 253, 352, 484});
}

TEST_CASE("updates write into the variable's memory") {
  const Shared W = shared(test::random({30, 20}, float64, 1), "W"),
               b = shared(test::random({20}, float64, 2), "b");
  const void *const at_W = memory(W), *const at_b = memory(b);
  const Var x = dmatrix("x");
  const Var cost = sum(sqr(tanh(dot(x, W) + b)));
  const Vars g = grad(cost, {W, b});
  const Function train =
      function({.inputs = {x}, .outputs = cost, .updates = {{W, W - 0.01 * g[0]}, {b, b - 0.01 * g[1]}}});
  double before = train(test::random({5, 30}, float64, 3));
  for (int i = 0; i < 5; ++i) {
    const double now = train(test::random({5, 30}, float64, 3));
    CHECK(now < before);
    before = now;
  }
  CHECK(memory(W) == at_W);
  CHECK(memory(b) == at_b);
}

TEST_CASE("a tied weight is updated once, from both of its uses") {
  const Shared W = shared(test::random({4, 3}, float64, 1), "W");
  const Var x = dmatrix("x");
  const Var cost = sum(sqr(dot(dot(x, W), W.T()) - x));
  const Function train = function({.inputs = {x}, .updates = {{W, W - 0.1 * grad(cost, W)}}});
  const Function gradient = function({.inputs = {x}, .outputs = grad(cost, W), .mode = Mode::FAST_COMPILE});
  const Tensor t = test::random({5, 4}, float64, 2);
  const std::vector<double> old = value(W), g = Tensor(gradient(t)).to_vector<double>();
  train(t);
  const std::vector<double> now = value(W);
  // W enters through two products: the sums may be taken in another order.
  for (std::size_t i = 0; i < now.size(); ++i)
    CHECK(now[i] == doctest::Approx(old[i] - 0.1 * g[i]).epsilon(1e-13));
}

TEST_CASE("a float literal or a scalar takes part in a float32 update without changing its dtype") {
  const FloatXScope scope(float32);
  const Shared W = shared(Tensor::full({2}, float32, 1), "W");
  const Var lr = scalar("lr");
  function({.inputs = {lr}, .updates = {{W, W - lr * 0.5 * W}}})(.5);
  CHECK(W.get_value().dtype() == float32);
  CHECK(value(W) == std::vector<double>{.75, .75});
}

TEST_CASE("a resizable variable changes its size by an update") {
  const Var x = dmatrix("x");
  const Shared s = shared(Tensor::zeros({0, 2}, float64), "s", {.resizable = true});
  const Function append = function({.inputs = {x}, .outputs = s.shape(0), .updates = {{s, join(0, {s, x})}}});
  CHECK(append(Tensor{{1., 2.}}).item<int>() == 0);
  CHECK(append(Tensor{{3., 4.}, {5., 6.}}).item<int>() == 1);
  CHECK(append(Tensor::zeros({0, 2}, float64)).item<int>() == 3);
  CHECK(value(s) == std::vector<double>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("accumulation in the tutorials' ways of writing it") {
  const Var x = dvector("x"), y = dvector("y");
  const auto run = [&](const std::function<Var(const Shared&, const Var&)>& next) {
    const Shared W = shared(doubles({{1., 2.}, {3., 4.}}), "W");
    const void* const at = memory(W);
    const Function f = function({.inputs = {x, y}, .updates = {{W, next(W, outer(x, y))}}});
    f(Tensor{1., 2.}, Tensor{10., 20.});
    CHECK(memory(W) == at);
    return value(W);
  };
  CHECK(run([](const Shared& W, const Var& g) { return W - 0.5 * g; }) ==
        std::vector<double>{-4, -8, -7, -16});
  CHECK(run([](const Shared& W, const Var& g) { return W - g * 0.5; }) ==
        std::vector<double>{-4, -8, -7, -16});
  CHECK(run([](const Shared& W, const Var& g) { return W + g; }) == std::vector<double>{11, 22, 23, 44});
  CHECK(run([](const Shared& W, const Var& g) { return g + W; }) == std::vector<double>{11, 22, 23, 44});
  CHECK(run([](const Shared& W, const Var& g) { return g - W; }) == std::vector<double>{9, 18, 17, 36});
  CHECK(run([](const Shared& W, const Var& g) { return W - 0.25 * (g + g); }) ==
        std::vector<double>{-4, -8, -7, -16});
  CHECK(run([](const Shared& W, const Var& g) { return 0.5 * W + g; }) ==
        std::vector<double>{10.5, 21, 21.5, 42});
  CHECK(run([](const Shared& W, const Var& g) { return W + g * W; }) == std::vector<double>{11, 42, 63, 164});
}
