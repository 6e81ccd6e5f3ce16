#include <algorithm>

#include "core/graph/op.h"
#include "core/run/threads.h"
#include "ops/dot.h"
#include "ops/elemwise.h"
#include "ops/kernels/blas.h"
#include "ops/linear/products.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// Matrix i of an array of matrices.
View matrix_of(const View& x, std::int64_t i) {
  return {x.dtype,
          {x.shape[1], x.shape[2]},
          {x.strides[1], x.strides[2]},
          advance(x.data, x.dtype, i * x.strides[0])};
}

Var transposed(const Var& x) { return dimshuffle(x, {0, 2, 1}); }

/// y_b = x0_b x1_b, (b, m, k) (b, k, n) -> (b, m, n).
struct BatchedDot : OpOf<BatchedDot> {
  std::string name() const override { return "batched_dot"; }

  Types infer(const Types& x) const override {
    const Type &a = x[0], &b = x[1];
    invariant(a.dtype == b.dtype && a.ndim() == 3 && b.ndim() == 3, "the operands of batched_dot do not fit");
    const auto agree = [](std::int64_t m, std::int64_t n) { return m < 0 || n < 0 || m == n; };
    check(agree(a.shape[0], b.shape[0]), "the numbers of products differ, {} and {}", a.shape[0], b.shape[0]);
    check(agree(a.shape[2], b.shape[1]), "the inner sizes differ, {} and {}", a.shape[2], b.shape[1]);
    Type y(a.dtype, {std::max(a.shape[0], b.shape[0]), a.shape[1], b.shape[2]});
    y.stretch = (a.stretch & b.stretch & 1U) | (a.stretch & 2U) | (b.stretch & 4U);
    return {y};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[axis == 2 ? 1 : 0], axis); }

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    return {batched_dot(gy[0], transposed(x[1])), batched_dot(transposed(x[0]), gy[0])};
  }

  void perform(const Views& x, const Views& y) const override {
    const std::int64_t n = y[0].shape[0];
    const auto products = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        multiply(matrix_of(x[0], i), matrix_of(x[1], i), matrix_of(y[0], i));
    };
    constexpr std::int64_t products_per_thread = 1 << 17;
    const std::int64_t work = y[0].size() * x[0].shape[2];
    // Few large products are shared out one by one.
    const int parts = n < 2 * threads() ? 1 : threads_for(work, products_per_thread);
    parallel(parts, [&](Part part) {
      const auto [begin, end] = part.range(n);
      products(begin, end);
    });
  }

  double flops(const Views& x, const Views& y) const override {
    return 2 * static_cast<double>(y[0].size()) * static_cast<double>(x[0].shape[2]);
  }
};

}  // namespace

Var batched_dot(const Arg& x, const Arg& y) {
  const Scope here(x);
  const Var a = x.var(), b = y.var();
  checking("batched_dot", {a, b}, [&] {
    check(a.ndim() > 0 && b.ndim() > 0, "the operands have a first axis, they are not scalars");
  });
  if (a.ndim() == 1 || b.ndim() == 1) {
    std::vector<int> pattern(static_cast<std::size_t>(std::max(a.ndim(), b.ndim())), 'x');
    pattern[0] = 0;
    return a.ndim() == 1 ? dimshuffle(a, pattern) * b : a * dimshuffle(b, pattern);
  }
  if (a.ndim() > 3 || b.ndim() > 3)
    return batched_tensordot(a, b, {{a.ndim() - 1}, {std::max(1, b.ndim() - 2)}});
  const DType dtype = promote(a.dtype(), b.dtype());
  // A vector is a row on the left, a column on the right.
  const Var rows = a.ndim() == 3 ? a : dimshuffle(a, {0, 'x', 1});
  const Var columns = b.ndim() == 3 ? b : dimshuffle(b, {0, 1, 'x'});
  static const OpPtr op = make_op(BatchedDot());
  const Var product = apply(op, Vars{cast(rows, dtype), cast(columns, dtype)});
  std::vector<int> kept{0};
  if (a.ndim() == 3) kept.push_back(1);
  if (b.ndim() == 3) kept.push_back(2);
  return dimshuffle(product, kept);
}

}  // namespace damo
