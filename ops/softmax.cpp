#include "ops/softmax.h"

#include <Eigen/Core>
#include <cmath>
#include <vector>

#include "core/op.h"
#include "ops/elemwise.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// One row after the other, gathered to consecutive, padded memory: x - max(x) and its exponential.
template <class T>
class Rows {
 public:
  explicit Rows(std::int64_t n) : n_(n) {
    constexpr std::int64_t packet = 64;
    padded_ = (n + packet - 1) / packet * packet;
    if (shifted_.size() < padded_) {
      shifted_.resize(padded_);
      exp_.resize(padded_);
    }
    shifted_.head(padded_).setZero();
  }

  /// Returns sum_j exp(x_j - max), in float64.
  double read(const T* x, std::int64_t step) {
    T largest = n_ > 0 ? x[0] : T(0);
    for (std::int64_t i = 1; i < n_; ++i) largest = std::max(largest, x[i * step]);
    for (std::int64_t i = 0; i < n_; ++i)
      shifted_[i] = x[i * step] - largest;  // the largest term is exp(0) = 1
    exp_.head(padded_) = shifted_.head(padded_).exp();
    double sum = 0;
    for (std::int64_t i = 0; i < n_; ++i) sum += static_cast<double>(exp_[i]);
    return sum;
  }

  const Eigen::Array<T, Eigen::Dynamic, 1>& shifted() const { return shifted_; }
  const Eigen::Array<T, Eigen::Dynamic, 1>& exponential() const { return exp_; }

 private:
  std::int64_t n_, padded_ = 0;
  static thread_local Eigen::Array<T, Eigen::Dynamic, 1> shifted_, exp_;
};
template <class T>
thread_local Eigen::Array<T, Eigen::Dynamic, 1> Rows<T>::shifted_;
template <class T>
thread_local Eigen::Array<T, Eigen::Dynamic, 1> Rows<T>::exp_;

/// Calls f(row of x, its step, row of y) for each row along the last axis.
template <class T, class F>
void for_rows(const View& x, const View& y, F f) {
  const int last = x.ndim() - 1;
  const std::int64_t n = x.shape[last];
  if (n == 0) return;
  T* out = y.ptr<T>();
  const std::int64_t rows = x.size() / n;
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t rest = r, offset = 0;
    for (int i = last - 1; i >= 0; --i) {
      offset += rest % x.shape[i] * x.strides[i];
      rest /= x.shape[i];
    }
    f(x.ptr<T>() + offset, x.strides[last], out + r * n);
  }
}

Types checked(const Types& x) {
  check(x[0].is_float(), "x must hold floats, not {}", x[0].dtype);
  check(x[0].ndim() > 0, "x must have at least one axis");
  return {x[0]};
}

// y_i = exp(x_i) / sum_j exp(x_j), along the last axis.
struct Softmax : OpOf<Softmax> {
  std::string name() const override { return "softmax"; }
  Types infer(const Types& x) const override { return checked(x); }
  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // dy_i/dx_j = y_i (1[i = j] - y_j)
  Vars L_op(const Vars&, const Vars& y, const Vars& gy) const override {
    const Var gyy = gy[0] * y[0];
    return {gyy - y[0] * sum(gyy, {.axis = -1, .keepdims = true})};
  }

  bool overwrites(int, int) const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    if (x[0].dtype == DType::float32)
      run<float>(x[0], y[0]);
    else
      run<double>(x[0], y[0]);
  }

  template <class T>
  static void run(const View& x, const View& y) {
    const std::int64_t n = x.shape[x.ndim() - 1];
    Rows<T> rows(n);
    for_rows<T>(x, y, [&](const T* in, std::int64_t step, T* out) {
      const double total = rows.read(in, step);
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = static_cast<T>(static_cast<double>(rows.exponential()[i]) / total);
    });
  }
};

// y_i = x_i - log sum_j exp(x_j), along the last axis.
struct LogSoftmax : OpOf<LogSoftmax> {
  std::string name() const override { return "log_softmax"; }
  Types infer(const Types& x) const override { return checked(x); }
  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // dy_i/dx_j = 1[i = j] - softmax(x)_j
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    return {gy[0] - softmax(x[0]) * sum(gy[0], {.axis = -1, .keepdims = true})};
  }

  bool overwrites(int, int) const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    if (x[0].dtype == DType::float32)
      run<float>(x[0], y[0]);
    else
      run<double>(x[0], y[0]);
  }

  template <class T>
  static void run(const View& x, const View& y) {
    const std::int64_t n = x.shape[x.ndim() - 1];
    Rows<T> rows(n);
    for_rows<T>(x, y, [&](const T* in, std::int64_t step, T* out) {
      const double log_total = std::log(rows.read(in, step));
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = static_cast<T>(static_cast<double>(rows.shifted()[i]) - log_total);
    });
  }
};

Var along_rows(OpPtr op, const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  return apply(std::move(op), Vars{x.type().is_float() ? x : cast(x, floatX())});
}

}  // namespace

Var softmax(const Arg& x) { return along_rows(make_op(Softmax()), x); }
Var log_softmax(const Arg& x) { return along_rows(make_op(LogSoftmax()), x); }

}  // namespace damo
