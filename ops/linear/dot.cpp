#include "ops/dot.h"

#include "core/graph/walk.h"
#include "core/graph/warn_float64.h"
#include "ops/elemwise.h"
#include "ops/kernels/blas.h"
#include "ops/linear/products.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// A vector as a matrix of one row (left operand) or one column (right operand).
View as_matrix(const View& v, bool left) {
  if (v.ndim() == 2) return v;
  View m = v;
  m.shape.insert(left ? 0 : 1, 1);
  m.strides.insert(left ? 0 : 1, left ? v.shape[0] * v.strides[0] : 1);
  return m;
}

View row_major_matrix(const View& y, std::int64_t rows, std::int64_t cols) {
  return {y.dtype, {rows, cols}, {cols, 1}, y.data};
}

template <class T>
void integer_product(const View& a, const View& b, const View& y) {
  T* out = y.ptr<T>();
  const T *pa = a.ptr<T>(), *pb = b.ptr<T>();
  for (std::int64_t i = 0; i < a.shape[0]; ++i)
    for (std::int64_t j = 0; j < b.shape[1]; ++j) {
      std::uint64_t s = 0;
      for (std::int64_t k = 0; k < a.shape[1]; ++k)
        s += static_cast<std::uint64_t>(pa[i * a.strides[0] + k * a.strides[1]]) *
             static_cast<std::uint64_t>(pb[k * b.strides[0] + j * b.strides[1]]);
      *out++ = static_cast<T>(s);
    }
}

}  // namespace

Types Dot::infer(const Types& x) const {
  invariant(x[0].dtype == x[1].dtype, "the operands of dot were not promoted");
  return {product_type(x[0], x[1])};
}

Var Dot::size(const Vars& x, int, int axis) const {
  return axis == 0 && x[0].ndim() == 2 ? shape(x[0], 0) : shape(x[1], 1);
}

Vars Dot::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  const Var &a = x[0], &b = x[1], &g = gy[0];
  if (a.ndim() == 2 && b.ndim() == 2) return {dot(g, transpose(b)), dot(transpose(a), g)};  // (m k) (k n)
  if (a.ndim() == 2) return {outer(g, b), dot(transpose(a), g)};                            // (m k) (k)
  if (b.ndim() == 2) return {dot(b, g), outer(a, g)};                                       // (k) (k n)
  return {g * b, g * a};                                                                    // (k) (k)
}

void Dot::perform(const Views& x, const Views& y) const {
  const View a = as_matrix(x[0], true), b = as_matrix(x[1], false);
  multiply(a, b, row_major_matrix(y[0], a.shape[0], b.shape[1]));
}

double Dot::flops(const Views& x, const Views&) const {
  return product_flops(as_matrix(x[0], true), as_matrix(x[1], false));
}

void multiply(const View& a, const View& b, const View& y) {
  switch (y.dtype) {
    case DType::float32:
    case DType::float64: gemm(1, a, b, 0, y); return;
    case DType::bool_: return integer_product<bool>(a, b, y);
    case DType::int8: return integer_product<std::int8_t>(a, b, y);
    case DType::int16: return integer_product<std::int16_t>(a, b, y);
    case DType::int32: return integer_product<std::int32_t>(a, b, y);
    case DType::int64: return integer_product<std::int64_t>(a, b, y);
    case DType::uint8: return integer_product<std::uint8_t>(a, b, y);
  }
}

Type product_type(const Type& a, const Type& b) {
  check(a.ndim() >= 1 && a.ndim() <= 2 && b.ndim() >= 1 && b.ndim() <= 2,
        "the operands are vectors or matrices, not of {} and {} dimensions", a.ndim(), b.ndim());
  const std::int64_t inner_a = a.shape[a.ndim() - 1], inner_b = b.shape[0];
  check(inner_a < 0 || inner_b < 0 || inner_a == inner_b, "the inner sizes differ, {} and {}", inner_a,
        inner_b);
  Type y(a.dtype, {});
  if (a.ndim() == 2) {
    y.stretch |= a.stretches(0) ? 1U : 0U;
    y.shape.push_back(a.shape[0]);
  }
  if (b.ndim() == 2) {
    if (b.stretches(1)) y.stretch |= 1U << y.ndim();
    y.shape.push_back(b.shape[1]);
  }
  return y;
}

Var dot(const Arg& x, const Arg& y) {
  const Scope here(x);
  if (x.var().ndim() == 0 || y.var().ndim() == 0) return mul(x, y);
  const DType dtype = promote(x.dtype(), y.dtype());
  note_float64("dot", {x, y}, dtype);
  static const OpPtr op = make_op(Dot());
  return apply(op, Vars{cast(x.var(), dtype), cast(y.var(), dtype)});
}

Var outer(const Arg& x, const Arg& y) {
  const Scope here(x);
  return dot(dimshuffle(x, {0, 'x'}), dimshuffle(y, {'x', 0}));
}

}  // namespace damo
