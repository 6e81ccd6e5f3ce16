#include "ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/graph/op.h"
#include "ops/array/zeros.h"
#include "ops/elemwise.h"
#include "ops/kernels/row_exponentials.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// y from each row of x: f(row, its place in y, a row of as many elements).
template <class F>
void map_rows(const View& x, const View& y, F f) {
  for_float(x, [&]<class T>(T) {
    const std::int64_t n = x.shape[x.ndim() - 1];
    for_exponential_rows<T>(x, [&](const ExponentialRow<T>& row) { f(row, y.ptr<T>() + row.number * n, n); });
  });
}

Types checked(const Types& x) {
  check(x[0].is_float(), "x must hold floats, not {}", x[0].dtype);
  check(x[0].ndim() > 0, "x must have at least one axis");
  return {x[0]};
}

// y_i = exp(x_i) / sum_j exp(x_j), along the last axis.
struct Softmax : OpOf<Softmax>, Mixes {
  bool operator==(const Softmax&) const = default;
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
    map_rows(x[0], y[0], []<class T>(const ExponentialRow<T>& row, T* out, std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = static_cast<T>(static_cast<double>(row.exponential[i]) / row.sum);
    });
  }
};

// y_i = x_i - log sum_j exp(x_j), along the last axis.
struct LogSoftmax : OpOf<LogSoftmax>, Mixes {
  bool operator==(const LogSoftmax&) const = default;
  std::string name() const override { return "log_softmax"; }
  Types infer(const Types& x) const override { return checked(x); }
  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // dy_i/dx_j = 1[i = j] - softmax(x)_j
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    return {gy[0] - softmax(x[0]) * sum(gy[0], {.axis = -1, .keepdims = true})};
  }

  bool overwrites(int, int) const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    map_rows(x[0], y[0], []<class T>(const ExponentialRow<T>& row, T* out, std::int64_t n) {
      const double log_sum = std::log(row.sum);
      for (std::int64_t i = 0; i < n; ++i)
        out[i] = static_cast<T>(static_cast<double>(row.shifted[i]) - log_sum);
    });
  }
};

// y = log sum_j exp(x_j), along the last axis.
struct LogSumExp : OpOf<LogSumExp> {
  std::string name() const override { return "log_sum_exp"; }

  Types infer(const Types& x) const override {
    Type y = checked(x)[0];
    y.shape.erase(y.ndim() - 1);
    y.stretch &= (1U << y.ndim()) - 1U;
    return {y};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // dy/dx_j = softmax(x)_j
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    std::vector<int> pattern(static_cast<std::size_t>(x[0].ndim()), 'x');
    for (int i = 0; i + 1 < x[0].ndim(); ++i) pattern[static_cast<std::size_t>(i)] = i;
    return {dimshuffle(gy[0], pattern) * softmax(x[0])};
  }

  void perform(const Views& x, const Views& y) const override {
    for_float(x[0], [&]<class T>(T) { run<T>(x[0], y[0]); });
  }

  template <class T>
  static void run(const View& x, const View& y) {
    T* const out = y.ptr<T>();
    if (x.size() == 0) std::fill_n(out, y.size(), -std::numeric_limits<T>::infinity());
    for_exponential_rows<T>(x, [&](const ExponentialRow<T>& row) {
      const bool by_itself = std::isinf(row.largest) && !holds_nan<T>(x, row.number);
      out[row.number] =
          by_itself ? row.largest : static_cast<T>(static_cast<double>(row.largest) + std::log(row.sum));
    });
  }

  template <class T>
  static bool holds_nan(const View& x, std::int64_t row) {
    const int last = x.ndim() - 1;
    const T* const in = x.ptr<T>() + offset_of(x, row);
    for (std::int64_t i = 0; i < x.shape[last]; ++i)
      if (std::isnan(in[i * x.strides[last]])) return true;
    return false;
  }
};

Var along_rows(OpPtr op, const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  return apply(std::move(op), Vars{x.type().is_float() ? x : cast(x, floatX())});
}

}  // namespace

Var softmax(const Arg& x) { return along_rows(make_op(Softmax()), x); }
Var log_sum_exp(const Arg& x) { return along_rows(make_op(LogSumExp()), x); }
Var log_softmax(const Arg& x) { return along_rows(make_op(LogSoftmax()), x); }

}  // namespace damo
