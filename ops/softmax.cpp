#include "ops/softmax.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/op.h"
#include "core/threads.h"
#include "core/walk.h"
#include "ops/create.h"
#include "ops/dependence.h"
#include "ops/elemwise.h"
#include "ops/exponential.h"
#include "ops/indexing.h"
#include "ops/passes.h"
#include "ops/reduce.h"
#include "ops/scalar_op.h"
#include "ops/shape.h"
#include "ops/structure.h"
#include "ops/zeros.h"

namespace damo {
namespace {

/// A row x along the last axis: x - max(x), its exponential, and the sum of that in float64.
template <class T>
struct Row {
  std::int64_t number;
  const T *shifted, *exponential;
  T largest;
  double sum;
};

/// Where that row begins.
std::int64_t offset_of(const View& x, std::int64_t row) {
  std::int64_t offset = 0;
  for (int i = x.ndim() - 2; i >= 0; --i) {
    offset += row % x.shape[i] * x.strides[i];
    row /= x.shape[i];
  }
  return offset;
}

/// Calls f(Row) for each row: rows of a part are gathered in packets, and their exponentials taken together.
template <class T, class F>
void for_rows(const View& x, Part part, F f) {
  thread_local Eigen::Array<T, Eigen::Dynamic, 1> shifted, exponential, largest;
  const int last = x.ndim() - 1;
  const std::int64_t n = x.shape[last], step = x.strides[last];
  if (n == 0) return;
  const std::int64_t at_once = std::max<std::int64_t>(1, tile_size / n);
  const std::int64_t room = (at_once * n + tile_lanes - 1) / tile_lanes * tile_lanes;
  if (shifted.size() < room) {
    shifted.setZero(room);
    exponential.setZero(room);
  }
  if (largest.size() < at_once) largest.resize(at_once);
  const auto [begin, end] = part.range(x.size() / n);
  for (std::int64_t first = begin; first < end; first += at_once) {
    const std::int64_t rows = std::min(at_once, end - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* const in = x.ptr<T>() + offset_of(x, first + r);
      T m = in[0];
      for (std::int64_t i = 1; i < n; ++i) m = std::max(m, in[i * step]);
      for (std::int64_t i = 0; i < n; ++i)
        shifted[r * n + i] = in[i * step] - m;  // the largest is exp(0) = 1
      largest[r] = m;
    }
    const std::int64_t padded = (rows * n + tile_lanes - 1) / tile_lanes * tile_lanes;
    const T* const power = shifted.data();
    T* const y = exponential.data();
    for (std::int64_t i = 0; i < padded; ++i) y[i] = exp_of(power[i]);
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* const e = exponential.data() + r * n;
      double sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(e[i]);
      f(Row<T>{first + r, shifted.data() + r * n, e, largest[r], sum});
    }
  }
}

/// The same for all rows, on threads. f must not throw.
template <class T, class F>
void for_rows(const View& x, F f) {
  constexpr std::int64_t elements_per_thread = 1 << 12;
  parallel(threads_for(x.size(), elements_per_thread), [&](Part part) { for_rows<T>(x, part, f); });
}

/// f(T{}) for the type of x's floats.
template <class F>
void with_float(const View& x, F f) {
  x.dtype == DType::float32 ? f(float{}) : f(double{});
}

/// y from each row of x: f(row, its place in y, a row of as many elements).
template <class F>
void map_rows(const View& x, const View& y, F f) {
  with_float(x, [&]<class T>(T) {
    const std::int64_t n = x.shape[x.ndim() - 1];
    for_rows<T>(x, [&](const Row<T>& row) { f(row, y.ptr<T>() + row.number * n, n); });
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
    map_rows(x[0], y[0], []<class T>(const Row<T>& row, T* out, std::int64_t n) {
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
    map_rows(x[0], y[0], []<class T>(const Row<T>& row, T* out, std::int64_t n) {
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
    with_float(x[0], [&]<class T>(T) { run<T>(x[0], y[0]); });
  }

  template <class T>
  static void run(const View& x, const View& y) {
    T* const out = y.ptr<T>();
    if (x.size() == 0) std::fill_n(out, y.size(), -std::numeric_limits<T>::infinity());
    for_rows<T>(x, [&](const Row<T>& row) {
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

// y_0_i = log sum_j exp(x_ij) - x_i,label_i and y_1 = v_i (1[j = label_i] - softmax(x)_ij), which is minus
// its gradient times v_i; rows of x beyond the labels have zeros (inputs: x, labels, their number, v).
struct CrossEntropy : OpOf<CrossEntropy> {
  std::string name() const override { return "cross_entropy"; }

  Types infer(const Types& x) const override {
    const auto agree = [](std::int64_t a, std::int64_t b) {
      check(a < 0 || b < 0 || a == b, "the sizes of axis 0 differ, {} and {}", a, b);
    };
    const std::int64_t n = x[1].shape[0];
    if (x[2].has_value) agree(x[2].value, n);
    agree(n, x[3].shape[0]);
    check(n < 0 || x[0].shape[0] < 0 || n <= x[0].shape[0], "{} labels for {} rows", n, x[0].shape[0]);
    return {Type(x[0].dtype, {n}), x[0]};
  }

  bool needs_value(int input) const override { return input == 2; }
  bool reads(int input) const override { return input != 2; }
  bool overwrites(int output, int input) const override { return output == 1 && input == 0; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    thread_local std::vector<std::int64_t> labels;
    labels.resize(static_cast<std::size_t>(x[1].size()));
    copy_into(View{DType::int64, x[1].shape, {1}, labels.data()}, x[1]);
    const std::int64_t n = x[0].shape[1];
    for (std::int64_t& label : labels) {
      if (label < -n || label >= n) reject_position(label, 1, n, x[1].shape, &label - labels.data());
      if (label < 0) label += n;
    }
    with_float(x[0], [&]<class T>(T) { run<T>(x, labels, y); });
  }

  template <class T>
  static void run(const Views& x, const std::vector<std::int64_t>& labels, const Views& y) {
    const std::int64_t cols = x[0].shape[1], n_labels = x[1].size();
    for_rows<T>(x[0], [&](const Row<T>& row) {
      T* const out = y[1].ptr<T>() + row.number * cols;
      if (row.number >= n_labels) {
        std::fill_n(out, cols, T(0));
        return;
      }
      const std::int64_t label = labels[static_cast<std::size_t>(row.number)];
      const T v = x[3].ptr<T>()[row.number * x[3].strides[0]];
      y[0].ptr<T>()[row.number] = static_cast<T>(std::log(row.sum) - static_cast<double>(row.shifted[label]));
      for (std::int64_t i = 0; i < cols; ++i)
        out[i] = -v * static_cast<T>(static_cast<double>(row.exponential[i]) / row.sum);
      out[label] += v;
    });
  }
};

bool same_op(const Var& v, const Var& pattern) {
  return v.node().kind == Node::Kind::apply && v.node().op->same_as(*pattern.node().op);
}

/// The picked elements x[arange(n), labels] of an advanced index, or of a sum with one.
struct Picked {
  Var labels, n;
};

/// From the index arrays, two of them: none if the first is not 0, 1, ...
std::optional<Picked> picked_by(const Var& rows, const Var& labels) {
  static const Var counting = arange(1);
  if (!same_op(rows, counting) || labels.ndim() != 1) return std::nullopt;
  const Vars& bounds = rows.node().inputs;
  const auto is_constant = [](const Var& v, std::int64_t n) {
    return v.type().has_value && v.type().value == n;
  };
  if (!is_constant(bounds[0], 0) || !is_constant(bounds[2], 1)) return std::nullopt;
  return Picked{labels, bounds[1]};
}

/// What the gradient of a cost of log_softmax(x)[arange(n), labels] looks like: g - softmax(x) sum(g) for a g
/// that is v at the labels and 0 elsewhere.
struct Gradient {
  Var x, g, v;
  Picked picked;
};

std::optional<Gradient> gradient_of_cross_entropy(const Var& v) {
  static const Var m = wild("m"), some = softmax(m), total = sum(m, {.axis = 1});
  const ScalarOp* f = scalar_op(v);
  if (f == nullptr || f->name != "sub" || v.ndim() != 2) return std::nullopt;
  const Var &g = v.node().inputs[0], &product = v.node().inputs[1];
  const ScalarOp* times = scalar_op(product);
  const auto* put = g.node().kind == Node::Kind::apply
                        ? dynamic_cast<const AdvancedIncSubtensor*>(g.node().op.get())
                        : nullptr;
  if (times == nullptr || times->name != "mul" || put == nullptr || !put->adds) return std::nullopt;
  const Vars& parts = g.node().inputs;  // zeros, v, rows, labels
  if (parts.size() != 4 || !is_zero(parts[0]) || parts[1].ndim() != 1 || parts[1].type().stretch != 0)
    return std::nullopt;
  const auto picked = picked_by(parts[2], parts[3]);
  const bool swapped = same_op(product.node().inputs[1], some);
  const Var &p = product.node().inputs[swapped ? 1 : 0], &column = product.node().inputs[swapped ? 0 : 1];
  if (!picked || !same_op(p, some) || p.ndim() != 2) return std::nullopt;
  const auto pattern = dimshuffle_pattern(column);
  if (!pattern || *pattern != std::vector<int>{0, -1}) return std::nullopt;
  const Var& s = column.node().inputs[0];
  if (!same_op(s, total) || !same(s.node().inputs[0], g)) return std::nullopt;
  return Gradient{p.node().inputs[0], g, parts[1], *picked};
}

Var along_rows(OpPtr op, const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  return apply(std::move(op), Vars{x.type().is_float() ? x : cast(x, floatX())});
}

}  // namespace

/// The cost and its gradient in one pass over x, where a function computes both.
Vars share_cross_entropy(const Vars& outputs, Trace& trace) {
  static const Var m = wild("m"), logarithm = log_softmax(m);
  const std::vector<NodePtr> order = toposort(outputs);
  VarMap<std::vector<NodePtr>> costs;  // by x
  for (const NodePtr& node : order) {
    if (node->kind != Node::Kind::apply || node->inputs.size() != 3) continue;
    if (dynamic_cast<const AdvancedSubtensor*>(node->op.get()) != nullptr &&
        same_op(node->inputs[0], logarithm))
      costs[node->inputs[0].node().inputs[0]].push_back(node);
  }
  if (costs.empty()) return outputs;
  const Dependence dependence(order);
  VarMap<Var> becomes;
  for (const NodePtr& node : order) {
    if (node->kind != Node::Kind::apply || node->types.size() != 1) continue;
    const auto gradient = gradient_of_cross_entropy(Var(node));
    if (!gradient) continue;
    for (const NodePtr& cost : costs[gradient->x]) {
      const auto picked = picked_by(cost->inputs[1], cost->inputs[2]);
      if (!picked || !same(picked->labels, gradient->picked.labels) || !same(picked->n, gradient->picked.n))
        continue;
      if (dependence.depends(gradient->v, cost.get())) continue;
      const Scope here(*cost, {Origin::Kind::rule, "cross_entropy"});
      static const OpPtr op = make_op(CrossEntropy());
      const Vars y = apply_all(op, Vars{gradient->x, picked->labels, picked->n, gradient->v});
      const Var nll = -y[0];
      becomes.emplace(Var(cost), nll);
      becomes.emplace(Var(node), y[1]);
      trace.push_back({"cross_entropy", Var(cost), nll, cost->where});
      trace.push_back({"cross_entropy", Var(node), y[1], node->where});
      break;
    }
  }
  return becomes.empty() ? outputs : substitute(outputs, becomes);
}

Var softmax(const Arg& x) { return along_rows(make_op(Softmax()), x); }
Var log_sum_exp(const Arg& x) { return along_rows(make_op(LogSumExp()), x); }
Var log_softmax(const Arg& x) { return along_rows(make_op(LogSoftmax()), x); }

}  // namespace damo
