#include "ops/verify_grad.h"

#include <doctest/doctest.h>

#include <limits>

#include "core/graph/op.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using test::error_of;

namespace {

/// y = x^3, with a gradient that may be wrong.
struct Cube : OpOf<Cube> {
  double factor;

  explicit Cube(double f) : factor(f) {}
  bool operator==(const Cube&) const = default;
  std::string name() const override { return "cube"; }
  Types infer(const Types& x) const override { return {x[0]}; }
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    return {gy[0] * sqr(x[0]) * factor};
  }
  void perform(const Views& x, const Views& y) const override {
    copy_into(y[0], x[0]);
    for (std::int64_t i = 0; i < y[0].size(); ++i) {
      if (y[0].dtype == float32)
        y[0].ptr<float>()[i] *= y[0].ptr<float>()[i] * y[0].ptr<float>()[i];
      else
        y[0].ptr<double>()[i] *= y[0].ptr<double>()[i] * y[0].ptr<double>()[i];
    }
  }
};

test::Build cube(double factor) {
  return [factor](const Vars& x) { return apply(make_op(Cube(factor)), Vars{x[0]}); };
}

}  // namespace

TEST_CASE("a right gradient passes, a wrong one does not") {
  for (const DType dtype : {float32, float64}) {
    const test::Tensors at = {test::random({2, 3}, dtype, 1, .5, 1)};
    CHECK(error_of([&] { verify_grad(cube(3), at); }) == "no error");
    const std::string message = error_of([&] { verify_grad(cube(3.01), at); });
    CHECK(message.starts_with("verify_grad: the gradient of cube with respect to x0 at (0, 0) is "));
    CHECK(message.find(", but differences give ") != std::string::npos);
    CHECK(message.ends_with(std::string("\n  ") + to_string(dtype) + " (2, 3)   x0"));
    CHECK(error_of([&] { verify_grad(cube(-3), at); }) != "no error");
    CHECK(error_of([&] { verify_grad(cube(0), at); }) != "no error");
    CHECK(error_of([&] { verify_grad(cube(std::numeric_limits<double>::quiet_NaN()), at); }) != "no error");
  }
}

TEST_CASE("a gradient that is transposed does not pass") {
  const test::Tensors at = {test::random({3, 3}, float64, 1)};
  const test::Build wrong = [](const Vars& x) {
    return x[0] * disconnected_grad(x[0].T()) + disconnected_grad(x[0]) * zero_grad(x[0]);
  };
  CHECK(error_of([&] { verify_grad(wrong, at); }) != "no error");
}

TEST_CASE("points that cannot be") {
  const test::Build f = [](const Vars& x) { return sqr(x[0]); };
  CHECK(error_of([&] { verify_grad(f, {}); }) == "verify_grad: there are no points");
  CHECK(error_of([&] {
          verify_grad(f, {Tensor{1, 2}});
        }).starts_with("verify_grad: the points are floats of one dtype, not int64"));
  CHECK(error_of([&] {
          verify_grad(f, {Tensor{1.}.astype(float32), Tensor{1.}.astype(float64)});
        }).starts_with("verify_grad: the points are floats of one dtype, not float32 and float64"));
}
