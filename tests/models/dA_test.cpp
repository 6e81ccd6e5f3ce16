#include "models/dA.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random/random_state.h"
#include "models/hidden_layer.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"
#include "tests/support.h"

namespace damo::test {
namespace {

bool all_finite(const Tensor& t) {
  for (const double v : t.to_vector<double>())
    if (!std::isfinite(v)) return false;
  return true;
}

TEST_CASE("dA draws what the tutorial draws, in its order") {
  const FloatXScope scope(float64);
  RandomState rng(123), expected(123);
  const dA own_streams({.numpy_rng = rng, .n_visible = 6, .n_hidden = 4});
  expected.randint(1 << 30);
  const double bound = 4 * std::sqrt(6. / (4 + 6));
  CHECK(identical(own_streams.W.get_value(), expected.uniform(-bound, bound, {6, 4})));
  CHECK(identical(own_streams.b.get_value(), Tensor::zeros({4}, float64)));
  CHECK(identical(own_streams.b_prime.get_value(), Tensor::zeros({6}, float64)));

  MRG_RandomStreams streams(1);
  const dA given_streams({.numpy_rng = rng, .theano_rng = &streams, .n_visible = 6, .n_hidden = 4});
  CHECK(identical(given_streams.W.get_value(), expected.uniform(-bound, bound, {6, 4})));

  // With W given nothing is drawn.
  const dA given_W(
      {.numpy_rng = rng, .theano_rng = &streams, .n_visible = 6, .n_hidden = 4, .W = own_streams.W});
  CHECK(same(given_W.W, own_streams.W));
  CHECK(rng.uniform() == expected.uniform());
}

TEST_CASE("dA's input is a free matrix of floatX unless one is given") {
  RandomState rng(123);
  const dA da({.numpy_rng = rng, .n_visible = 6, .n_hidden = 4});
  CHECK(da.x.name() == "input");
  CHECK(da.x.ndim() == 2);
  CHECK(da.x.dtype() == floatX());
  REQUIRE(da.params.size() == 3);
  CHECK(same(da.params[0], da.W));
  CHECK(same(da.params[1], da.b));
  CHECK(same(da.params[2], da.b_prime));
}

TEST_CASE("dA's functions are its equations") {
  const FloatXScope scope(float64);
  RandomState rng(123);
  const dA da({.numpy_rng = rng, .n_visible = 3, .n_hidden = 2});
  da.W.set_value(Tensor{{0.5, -1.}, {2., 0.25}, {-0.5, 1.5}});
  da.b.set_value(Tensor{0.1, -0.2});
  da.b_prime.set_value(Tensor{0.3, 0., -0.7});
  const Tensor x{{1., 0.5, 0.25}};
  const Var input = matrix("input");
  const auto s = [](double a) { return 1 / (1 + std::exp(-a)); };
  const double y0 = s(0.5 + 1. - 0.125 + 0.1), y1 = s(-1. + 0.125 + 0.375 - 0.2);
  const double z0 = s(0.5 * y0 - y1 + 0.3), z1 = s(2 * y0 + 0.25 * y1), z2 = s(-0.5 * y0 + 1.5 * y1 - 0.7);

  const Var hidden = da.get_hidden_values(input);
  const Function f = function({.inputs = {input}, .outputs = {hidden, da.get_reconstructed_input(hidden)}});
  const Values values = f(x);
  check_close(values[0], Tensor{{y0, y1}}, 1e-14, 0, "hidden values");
  check_close(values[1], Tensor{{z0, z1, z2}}, 1e-14, 0, "reconstruction");

  const double L =
      -std::log(z0) - 0.5 * (std::log(z1) + std::log(1 - z1)) - 0.25 * std::log(z2) - 0.75 * std::log(1 - z2);
  const auto [cost, updates] = da.get_cost_updates(0., 0.);
  const double got = function({.inputs = {da.x}, .outputs = cost, .updates = updates})(x);
  CHECK(std::abs(got - L) <= 1e-14 * L);
}

TEST_CASE("corruption sets a fraction of the inputs to zero and keeps the others") {
  for (const bool mrg : {false, true}) {
    RandomState rng(123);
    RandomStreams numpy_streams(1);
    MRG_RandomStreams mrg_streams(1);
    Streams* streams = &numpy_streams;
    if (mrg) streams = &mrg_streams;
    const dA da({.numpy_rng = rng, .theano_rng = streams, .n_visible = 100, .n_hidden = 4});
    const Var level = scalar("level");
    const Function f = function({.inputs = {da.x, level}, .outputs = da.get_corrupted_input(da.x, level)});
    const Tensor x = random({200, 100}, floatX(), 5, 0.5, 1);
    CHECK(identical(f(x, 0.)[0], x));
    const Tensor first = f(x, 0.3);
    int zeros = 0, others = 0;
    for (int i = 0; i < 200; ++i)
      for (int j = 0; j < 100; ++j) {
        if (first.at<float>(i, j) == 0)
          ++zeros;
        else if (first.at<float>(i, j) != x.at<float>(i, j))
          ++others;
      }
    CHECK(others == 0);
    // 20000 draws of probability 0.3: five standard deviations are 325.
    CHECK(std::abs(zeros - 6000) < 325);
    CHECK_FALSE(identical(f(x, 0.3)[0], first));  // each call draws anew
    CHECK(identical(f(x, 1.)[0], Tensor::zeros({200, 100}, floatX())));
  }
}

TEST_CASE("dA's gradient is that of its cost") {
  const FloatXScope scope(float64);
  RandomState rng(123);
  const dA da({.numpy_rng = rng, .n_visible = 5, .n_hidden = 4});
  const Tensor x = random({3, 5}, float64, 6, 0.1, 0.9);
  verify_grad(
      [&](const Vars& p) {
        // The same graph over free parameters.
        const Var hidden = sigmoid(dot(constant(x), p[0]) + p[1]);
        const Var z = sigmoid(dot(hidden, p[0].T()) + p[2]);
        return mean(-sum(constant(x) * log(z) + (1 - constant(x)) * log(1 - z), {.axis = 1}));
      },
      {da.W.get_value(), da.b.get_value(), da.b_prime.get_value()});

  // One step of gradient descent, against finite differences of the cost itself.
  const auto [cost, updates] = da.get_cost_updates(0., 1.);
  const Function cost_of = function({.inputs = {da.x}, .outputs = cost});
  const Function step = function({.inputs = {da.x}, .outputs = cost, .updates = updates});
  for (const Shared& param : da.params) {
    const Tensor before = param.get_value();
    const Tensor live = param.get_value({.borrow = true});
    const auto all = values_of(da.params);
    double* p = static_cast<double*>(live.data());
    const double eps = 1e-6;
    p[1] += eps;
    const double up = cost_of(x);
    p[1] -= 2 * eps;
    const double down = cost_of(x);
    p[1] = before.to_vector<double>()[1];
    step(x);
    const double moved = param.get_value().to_vector<double>()[1] - before.to_vector<double>()[1];
    // The error of a central difference is of order eps^2, its rounding noise of order 1e-16 / eps.
    CHECK(std::abs(moved + (up - down) / (2 * eps)) <= 1e-8);
    for (std::size_t i = 0; i < all.size(); ++i) da.params[i].set_value(all[i]);
  }
}

TEST_CASE("saturated units have finite costs and gradients") {
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    RandomState rng(123);
    const dA da({.numpy_rng = rng, .n_visible = tiny_n_in, .n_hidden = 8});
    const Tensor W = rng.uniform(-3000, 3000, {tiny_n_in, 8}, dtype);
    da.W.set_value(W);
    const Tensor x = random({20, tiny_n_in}, dtype, 9, 0, 1);
    const auto [cost, updates] = da.get_cost_updates(0.3, 0.1);
    const Function step = function({.inputs = {da.x}, .outputs = cost, .updates = updates});
    for (int i = 0; i < 5; ++i) {
      const double value = step(x);
      CHECK(std::isfinite(value));
      CHECK(value > 100);  // saturated on the wrong side: each such unit costs its whole preactivation
    }
    for (const Shared& param : da.params) CHECK(all_finite(param.get_value()));
    CHECK_FALSE(identical(da.W.get_value(), W));
  }
}

TEST_CASE("dA's own errors") {
  RandomState rng(123);
  CHECK(error_of([&] { dA({.numpy_rng = rng, .n_visible = 0}); }) ==
        "dA: a layer needs at least one unit on either side, not 0 inputs and 500 outputs");
  const Shared W = shared(Tensor::zeros({3, 2}, floatX()), "W");
  CHECK(error_of([&] { dA({.numpy_rng = rng, .n_visible = 3, .n_hidden = 4, .W = W}); }) ==
        "dA: W has shape (3, 2), and this layer needs (3, 4)");
  const Shared b = shared(Tensor::zeros({2}, floatX()), "b");
  CHECK(error_of([&] { dA({.numpy_rng = rng, .n_visible = 3, .n_hidden = 4, .bhid = b}); }) ==
        "dA: bhid has shape (2,), and this layer needs (4,)");
  CHECK(error_of([&] { dA({.numpy_rng = rng, .n_visible = 3, .n_hidden = 4, .bvis = b}); }) ==
        "dA: bvis has shape (2,), and this layer needs (3,)");
}

}  // namespace
}  // namespace damo::test
