#include <doctest/doctest.h>

#include <cmath>
#include <memory>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;

TEST_CASE("a random variable is drawn once per call, and its state advances") {
  RandomStreams streams(1);
  const Var u = streams.uniform({.size = {4}, .dtype = float64});
  const Function f = function({.outputs = {u, u, u - u}});
  const Values first = f(), second = f();
  CHECK(identical(first[0], first[1]));
  CHECK(first[2].to_vector<double>() == std::vector<double>(4, 0));
  CHECK_FALSE(identical(first[0], second[0]));
  CHECK(streams.states().size() == 1);
}

TEST_CASE("two random variables are two streams, and a seed gives the same numbers again") {
  const auto draw = [](std::uint32_t seed) {
    RandomStreams streams(seed);
    const Var u = streams.uniform({.size = {4}, .dtype = float64}),
              v = streams.uniform({.size = {4}, .dtype = float64});
    const Function f = function({.outputs = {u, v}});
    f();
    return f();
  };
  const Values a = draw(1), b = draw(1), c = draw(2);
  CHECK_FALSE(identical(a[0], a[1]));
  CHECK(identical(a[0], b[0]));
  CHECK(identical(a[1], b[1]));
  CHECK_FALSE(identical(a[0], c[0]));
}

TEST_CASE("only the function that uses a variable advances its state") {
  RandomStreams streams(1);
  const Var u = streams.uniform({.size = {3}, .dtype = float64}),
            v = streams.uniform({.size = {3}, .dtype = float64});
  const std::vector<Shared>& states = streams.states();
  REQUIRE(states.size() == 2);
  const Tensor u0 = states[0].get_value(), v0 = states[1].get_value();
  function({.outputs = v * 2})();
  CHECK(identical(states[0].get_value(), u0));
  CHECK_FALSE(identical(states[1].get_value(), v0));
  // A given that takes the variable's place leaves nothing to draw.
  const Var x = dvector("x");
  const Function f = function({.inputs = {x}, .outputs = u * 2, .givens = {{u, x}}});
  CHECK(f.updated().empty());
  f(Tensor{1., 2., 3.});
  CHECK(identical(states[0].get_value(), u0));
  // Two functions share the stream: their draws follow each other.
  const Function a = function({.outputs = u}), b = function({.outputs = u + 0});
  const Tensor first = a(), second = b();
  CHECK_FALSE(identical(first, second));
  states[0].set_value(u0);
  CHECK(identical(Tensor(a()), first));
  CHECK(identical(Tensor(a()), second));
}

TEST_CASE("an explicit update of a state wins over the default") {
  RandomStreams streams(1);
  const Var u = streams.uniform({.size = {3}, .dtype = float64});
  const Shared state = streams.states()[0];
  const Function frozen = function({.outputs = u, .updates = {{state, state}}});
  const Tensor first = frozen(), again = frozen();
  CHECK(identical(first, again));
  const Function moving = function({.outputs = u});
  CHECK(identical(Tensor(moving()), first));
  CHECK_FALSE(identical(Tensor(moving()), first));
}

TEST_CASE("the size of a draw follows another array") {
  for (const bool mrg : {false, true}) {
    std::unique_ptr<Streams> streams;
    if (mrg)
      streams = std::make_unique<MRG_RandomStreams>(1);
    else
      streams = std::make_unique<RandomStreams>(1);
    const Var x = fmatrix("x");
    const Var mask =
        streams->binomial({.size = {x.shape(0), x.shape(1)}, .n = 1, .p = 0.7, .dtype = float32});
    const Function f = function({.inputs = {x}, .outputs = mask * x});
    for (const std::int64_t n : {20, 1, 0, 20}) {
      const Tensor y = f(Tensor::full({n, 50}, float32, 2));
      CHECK(y.shape() == Sizes{n, 50});
      double kept = 0;
      for (const float v : y.to_vector<float>()) {
        CHECK((v == 0 || v == 2));
        kept += v / 2;
      }
      // 1000 draws of probability 0.7: 14.5 is one standard deviation.
      if (n == 20) CHECK(std::abs(kept - 700) < 75);
    }
  }
}

TEST_CASE("a mask enters the cost and its gradient as one draw") {
  const Var x = dmatrix("x");
  const Shared W = shared(test::random({5, 5}, float64, 1), "W");
  RandomStreams streams(3);
  // The size depends on an expression that the stabilizing rules rewrite.
  const Var h = log(sigmoid(x));
  const Var mask = streams.binomial({.size = {h.shape(0), h.shape(1)}, .n = 1, .p = 0.5, .dtype = float64});
  const Var cost = sum(mask * dot(h, W));
  const Var g = grad(cost, W);
  const Function f = function({.inputs = {x}, .outputs = {cost, mask, g}});
  for (int call = 0; call < 3; ++call) {
    const Tensor t = test::random({4, 5}, float64, 7);
    const Values v = f(t);
    // dcost/dW = h^T mask
    const Tensor want = function({.outputs = dot(log(sigmoid(constant(t))).T(), constant(v[1]))})();
    for (int i = 0; i < 5; ++i)
      for (int j = 0; j < 5; ++j)
        CHECK(v[2].at<double>(i, j) == doctest::Approx(want.at<double>(i, j)).epsilon(1e-12));
  }
  CHECK(f.updated().size() == 1);
}

TEST_CASE("a copied function shares the states") {
  RandomStreams streams(1);
  const Var u = streams.uniform({.size = {3}, .dtype = float64});
  const Function f = function({.outputs = u}), g = f.copy();
  const Tensor a = f(), b = g(), c = f();
  CHECK_FALSE(identical(a, b));
  CHECK_FALSE(identical(b, c));
}
