#include <doctest/doctest.h>

#include <cmath>

#include "core/random/random_state.h"
#include "ops/ops.h"
#include "tests/support.h"

/// Theano's first page, "A Real Example: Logistic Regression": from w drawn by a normal distribution, scores
/// are tens, so p_1 is 0 or 1 to all digits from the first step on.
using namespace damo;

namespace {

constexpr int N = 400, feats = 784;

struct Data {
  Tensor x, y, w;
};

Data data() {
  RandomState rng(1);
  Data d;
  d.x = rng.normal(0, 1, {N, feats});
  d.y = rng.randint(0, 2, {N});
  d.w = rng.normal(0, 1, {feats});
  return d;
}

/// The example's steps, in plain loops.
class Plain {
 public:
  explicit Plain(const Data& d)
      : x_(d.x.to_vector<double>()), y_(d.y.to_vector<double>()), w_(d.w.to_vector<double>()) {}

  /// The cost before the step.
  double step() {
    std::vector<double> gw(feats, 0.);
    double gb = 0, cost = 0;
    for (std::size_t i = 0; i < N; ++i) {
      double z = b_;
      for (std::size_t j = 0; j < feats; ++j) z += x_[i * feats + j] * w_[j];
      const double dz = (1 - y_[i]) * sigmoid(z) - y_[i] * sigmoid(-z);
      // -y log p - (1 - y) log(1 - p)
      cost += (y_[i] * softplus(-z) + (1 - y_[i]) * softplus(z)) / N;
      for (std::size_t j = 0; j < feats; ++j) gw[j] += dz * x_[i * feats + j] / N;
      gb += dz / N;
    }
    for (std::size_t j = 0; j < feats; ++j) {
      cost += 0.01 * w_[j] * w_[j];
      w_[j] -= 0.1 * (gw[j] + 0.02 * w_[j]);
    }
    b_ -= 0.1 * gb;
    return cost;
  }

  const std::vector<double>& w() const { return w_; }

 private:
  // With Theano's bounds.
  static double sigmoid(double z) { return z > 19 ? 1 : 1 / (1 + std::exp(-z)); }
  static double softplus(double z) { return z > 16 ? z : std::log1p(std::exp(z)); }

  std::vector<double> x_, y_, w_;
  double b_ = 0;
};

}  // namespace

TEST_CASE("Theano's first example learns its random data") {
  for (const DType dtype : {float64, float32}) {
    INFO(to_string(dtype));
    const FloatXScope scope(dtype);
    const Data d = data();
    const Tensor d_x = d.x.astype(dtype), d_y = d.y.astype(dtype);
    const Var x = matrix("x"), y = vector("y");
    const Shared w = shared(d.w.astype(dtype), "w"), b = shared(Tensor(0.).astype(dtype), "b");
    const Var p_1 = 1 / (1 + exp(-dot(x, w) - b));
    const Var prediction = p_1 > 0.5;
    const Var xent = -y * log(p_1) - (1 - y) * log(1 - p_1);
    const Var cost = mean(xent) + 0.01 * sum(pow(w, 2));
    const Vars g = grad(cost, {w, b});
    const Updates updates = {{w, w - 0.1 * g[0]}, {b, b - 0.1 * g[1]}};
    const Function train =
        function({.inputs = {x, y}, .outputs = {prediction, xent, cost}, .updates = updates});
    const Function predict = function({.inputs = {x}, .outputs = prediction});

    Plain plain(d);
    const double tolerance = dtype == float32 ? 1e-4 : 1e-11;
    for (int i = 0; i < 50; ++i)
      REQUIRE(train(d_x, d_y)[2].item() == doctest::Approx(plain.step()).epsilon(tolerance));
    test::check_close(w.get_value(), Tensor(plain.w()), tolerance, tolerance, "w");
    for (int i = 50; i < 10000; ++i) train(d_x, d_y);
    CHECK(identical(Tensor(predict(d_x)).astype(int64), d.y));
    const Values last = train(d_x, d_y);
    CHECK(last[2].item() < 0.2);
    CHECK(last[2].item() > 0);
  }
}

TEST_CASE("Theano's first example is compiled to a sigmoid and softplus") {
  const Var x = dmatrix("x"), y = dvector("y");
  const Shared w = shared(Tensor::zeros({3}, float64), "w"), b = shared(0., "b");
  const Var p_1 = 1 / (1 + exp(-dot(x, w) - b));
  const Function predict = function({.inputs = {x}, .outputs = p_1});
  CHECK(pp(predict.outputs()[0]).find("sigmoid((#0 + #1))") != std::string::npos);
  const Function cost = function({.inputs = {x, y}, .outputs = -y * log(p_1) - (1 - y) * log(1 - p_1)});
  const std::string text = pp(cost.outputs()[0]);
  INFO(text);
  CHECK(text.find("softplus") != std::string::npos);
  CHECK(text.find("log(") == std::string::npos);
  CHECK(text.find("exp(") == std::string::npos);
}
