#include "ops/optimizers.h"

#include <doctest/doctest.h>

#include <cmath>

#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;

namespace {

/// cost = sum (w - target)^2 / 2 + w_0 b: its gradients are w - target + (b, 0), and w_0.
struct Problem {
  std::vector<double> w = {1, -2}, target = {3, 5};
  double b = .5;

  std::vector<double> gw() const { return {w[0] - target[0] + b, w[1] - target[1]}; }
  double gb() const { return w[0]; }
};

struct Graph {
  Shared w, b;
  Var cost;
  explicit Graph(DType dtype)
      : w(shared(Tensor{1., -2.}.astype(dtype), "w")),
        b(shared(Tensor(.5).astype(dtype), "b")),
        cost(sum(sqr(w - constant(Tensor{3., 5.}.astype(dtype)))) / 2 + w[0] * b) {}
};

void check(const Graph& g, const Problem& p, double epsilon) {
  const std::vector<double> w = g.w.get_value().to_vector<double>();
  CHECK(w[0] == doctest::Approx(p.w[0]).epsilon(epsilon));
  CHECK(w[1] == doctest::Approx(p.w[1]).epsilon(epsilon));
  CHECK(g.b.get_value().item() == doctest::Approx(p.b).epsilon(epsilon));
}

}  // namespace

TEST_CASE("sgd") {
  for (const DType dtype : {float32, float64}) {
    const Graph g(dtype);
    const Var lr = scalar("lr", dtype);
    const Function f = function({.inputs = {lr}, .outputs = g.cost, .updates = sgd(g.cost, {g.w, g.b}, lr)});
    Problem p;
    for (int i = 0; i < 5; ++i) {
      f(.1);
      const std::vector<double> gw = p.gw();
      const double gb = p.gb();
      for (std::size_t k = 0; k < 2; ++k) p.w[k] -= .1 * gw[k];
      p.b -= .1 * gb;
      check(g, p, dtype == float32 ? 1e-6 : 1e-14);
    }
    CHECK(g.w.get_value().dtype() == dtype);
  }
}

TEST_CASE("momentum") {
  const Graph g(float64);
  const Function f = function({.updates = momentum(g.cost, {g.w, g.b}, 0.1, 0.8)});
  Problem p;
  std::vector<double> vw = {0, 0};
  double vb = 0;
  for (int i = 0; i < 5; ++i) {
    f();
    const std::vector<double> gw = p.gw();
    const double gb = p.gb();
    for (std::size_t k = 0; k < 2; ++k) {
      vw[k] = .8 * vw[k] - .1 * gw[k];
      p.w[k] += vw[k];
    }
    vb = .8 * vb - .1 * gb;
    p.b += vb;
    check(g, p, 1e-13);
  }
}

TEST_CASE("adam") {
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    const Graph g(dtype);
    const Function f = function({.updates = adam(g.cost, {g.w, g.b}, 0.05)});
    Problem p;
    std::vector<double> m(3, 0), v(3, 0);
    for (int t = 1; t <= 20; ++t) {
      f();
      const std::vector<double> gw = p.gw();
      const double gradients[] = {gw[0], gw[1], p.gb()};
      double* const parameters[] = {&p.w[0], &p.w[1], &p.b};
      for (std::size_t k = 0; k < 3; ++k) {
        m[k] = .9 * m[k] + .1 * gradients[k];
        v[k] = .999 * v[k] + .001 * gradients[k] * gradients[k];
        const double m_hat = m[k] / (1 - std::pow(.9, t)), v_hat = v[k] / (1 - std::pow(.999, t));
        *parameters[k] -= .05 * m_hat / (std::sqrt(v_hat) + 1e-8);
      }
      // In float32, 1 - 0.999^t keeps three digits less.
      check(g, p, dtype == float32 ? 1e-3 : 1e-11);
    }
    CHECK(g.w.get_value().dtype() == dtype);
  }
}

TEST_CASE("the optimizers find a minimum") {
  const Shared w = shared(Tensor{5., -3.}.astype(float64), "w");
  const Var cost = sum(sqr(w - constant(Tensor{1., 2.}.astype(float64))));
  for (const Updates& updates : {sgd(cost, {w}, 0.1), momentum(cost, {w}, 0.02), adam(cost, {w}, 0.05)}) {
    w.set_value(Tensor{5., -3.});
    const Function f = function({.outputs = cost, .updates = updates});
    for (int i = 0; i < 600; ++i) f();
    CHECK(double(f()) < 1e-4);
  }
}
