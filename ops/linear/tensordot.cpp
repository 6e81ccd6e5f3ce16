#include <algorithm>
#include <numeric>

#include "core/graph/op.h"
#include "ops/array/checked_integer.h"
#include "ops/dot.h"
#include "ops/elemwise.h"
#include "ops/shape.h"

/// Sums over pairs of axes, as one product of matrices.
namespace damo {
namespace {

/// y = the size of an axis of a, which must be that of its partner in b (inputs: both sizes).
struct SameSize : CheckedInteger<SameSize> {
  int axis_a, axis_b;

  SameSize(int a, int b) : axis_a(a), axis_b(b) {}
  bool operator==(const SameSize&) const = default;

  std::string name() const override { return fmt::format("same_size{{{}, {}}}", axis_a, axis_b); }

  std::int64_t integer(std::span<const std::int64_t> x) const override {
    check(x[0] == x[1], "axis {} of the first has size {}, axis {} of the second {}", axis_a, x[0], axis_b,
          x[1]);
    return x[0];
  }
};

/// Axes to sum over, counted from the front.
std::vector<int> summed_axes(const std::vector<int>& axes, const Var& x, int n_batch) {
  std::vector<int> summed;
  for (const int a : axes) {
    const int at = checked_axis(a, x.ndim());
    check(at >= n_batch, "axis {} stays: there is one product for each of its indices", at);
    check(std::find(summed.begin(), summed.end(), at) == summed.end(), "axis {} stands twice", at);
    summed.push_back(at);
  }
  return summed;
}

std::vector<int> kept_axes(const std::vector<int>& summed, const Var& x, int n_batch) {
  std::vector<int> kept;
  for (int i = n_batch; i < x.ndim(); ++i)
    if (std::find(summed.begin(), summed.end(), i) == summed.end()) kept.push_back(i);
  return kept;
}

/// The size of several axes taken as one.
Arg joint_size(const Var& x, const std::vector<int>& axes) {
  if (axes.empty()) return 1;
  Var n;
  for (const int a : axes) n = n.is_set() ? n * shape(x, a) : shape(x, a);
  return n;
}

/// x with the batch axis, if there is one, in front, and then two axes that stand for `rows` and `columns`.
Var as_matrices(const Var& x, int n_batch, const std::vector<int>& rows, const std::vector<int>& columns,
                const Args& sizes) {
  std::vector<int> order;
  if (n_batch > 0) order.push_back(0);
  order.insert(order.end(), rows.begin(), rows.end());
  order.insert(order.end(), columns.begin(), columns.end());
  const Var moved = dimshuffle(x, order);
  return rows.size() == 1 && columns.size() == 1 ? moved : reshape(moved, sizes);
}

Var contracted(const Var& a, const Var& b, const AxisPairs& axes, int n_batch) {
  check(a.ndim() >= n_batch && b.ndim() >= n_batch, "the operands have a first axis, they are not scalars");
  check(axes.x.size() == axes.y.size(), "{} axes of the first are paired with {} of the second",
        axes.x.size(), axes.y.size());
  const std::vector<int> summed_a = summed_axes(axes.x, a, n_batch), kept_a = kept_axes(summed_a, a, n_batch);
  const std::vector<int> summed_b = summed_axes(axes.y, b, n_batch), kept_b = kept_axes(summed_b, b, n_batch);
  Arg inner_a = joint_size(a, summed_a), inner_b = joint_size(b, summed_b);
  if (summed_a.size() > 1) {
    // The product alone sees only that there are as many terms.
    Var n;
    for (std::size_t i = 0; i < summed_a.size(); ++i) {
      const int i_a = summed_a[i], i_b = summed_b[i];
      const Var size = apply(make_op(SameSize(i_a, i_b)), Vars{shape(a, i_a), shape(b, i_b)});
      n = n.is_set() ? n * size : size;
    }
    inner_a = inner_b = n;
  }
  Args batch, sizes;
  if (n_batch > 0) batch.emplace_back(shape(a, 0));
  const auto sizes_of = [&](const Arg& rows, const Arg& columns) {
    Args all = batch;
    all.push_back(rows);
    all.push_back(columns);
    return all;
  };
  const Var left = as_matrices(a, n_batch, kept_a, summed_a, sizes_of(joint_size(a, kept_a), inner_a));
  if (n_batch > 0) batch[0] = shape(b, 0);
  const Var right = as_matrices(b, n_batch, summed_b, kept_b, sizes_of(inner_b, joint_size(b, kept_b)));
  const Var y = n_batch > 0 ? batched_dot(left, right) : dot(left, right);
  if (kept_a.size() == 1 && kept_b.size() == 1) return y;
  if (n_batch > 0) sizes.emplace_back(shape(a, 0));
  for (const int i : kept_a) sizes.emplace_back(shape(a, i));
  for (const int i : kept_b) sizes.emplace_back(shape(b, i));
  return reshape(y, sizes);
}

/// The last n axes of x, the first of y.
AxisPairs pairs(const Var& x, const Var& y, int n, int n_batch) {
  check(n >= 0 && n <= std::min(x.ndim(), y.ndim()) - n_batch,
        "there are no {} axes to sum over in {} and {} dimensions", n, x.ndim(), y.ndim());
  AxisPairs axes{std::vector<int>(static_cast<std::size_t>(n)),
                 std::vector<int>(static_cast<std::size_t>(n))};
  std::iota(axes.x.begin(), axes.x.end(), x.ndim() - n);
  std::iota(axes.y.begin(), axes.y.end(), n_batch);
  return axes;
}

}  // namespace

Var tensordot(const Arg& x, const Arg& y, int n_axes) {
  const Scope here(x);
  return checking("tensordot", {x.var(), y.var()},
                  [&] { return contracted(x.var(), y.var(), pairs(x.var(), y.var(), n_axes, 0), 0); });
}

Var tensordot(const Arg& x, const Arg& y, const AxisPairs& axes) {
  const Scope here(x);
  return checking("tensordot", {x.var(), y.var()}, [&] { return contracted(x.var(), y.var(), axes, 0); });
}

Var batched_tensordot(const Arg& x, const Arg& y, int n_axes) {
  const Scope here(x);
  return checking("batched_tensordot", {x.var(), y.var()},
                  [&] { return contracted(x.var(), y.var(), pairs(x.var(), y.var(), n_axes, 1), 1); });
}

Var batched_tensordot(const Arg& x, const Arg& y, const AxisPairs& axes) {
  const Scope here(x);
  return checking("batched_tensordot", {x.var(), y.var()},
                  [&] { return contracted(x.var(), y.var(), axes, 1); });
}

}  // namespace damo
