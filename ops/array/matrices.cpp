#include "ops/matrices.h"

#include <algorithm>

#include "core/graph/op.h"
#include "ops/create.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// i + k as a column for the n rows, and j as a row for the m columns.
struct Places {
  Var diagonal, column;

  Places(const Arg& n, const Arg& m, const Arg& k)
      : diagonal(dimshuffle(arange(n), {0, 'x'}) + k), column(dimshuffle(arange(m), {'x', 0})) {
    check(diagonal.ndim() == 2 && !diagonal.type().is_float(), "a diagonal is named by an integer, not {}",
          k.var().type());
  }
};

Places places_in(const Var& x, const Arg& k) {
  check(x.ndim() == 2, "x is a matrix, not of {} dimensions", x.ndim());
  return {shape(x, 0), shape(x, 1), k};
}

/// 0, as x's dtype.
Var zero_of(const Var& x) { return constant(Tensor::zeros({}, x.dtype())); }

}  // namespace

Var eye(const Arg& n, const std::optional<Arg>& m, const Arg& k, DType dtype) {
  const Scope here(n);
  return checking("eye", {n.var()}, [&] {
    const Places at(n, m.value_or(n), k);
    return cast(eq(at.diagonal, at.column), dtype);
  });
}

Var identity_like(const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("identity_like", {x}, [&] {
    const Places at = places_in(x, 0);
    return cast(eq(at.diagonal, at.column), x.dtype());
  });
}

Var tri(const Arg& n, const std::optional<Arg>& m, const Arg& k, DType dtype) {
  const Scope here(n);
  return checking("tri", {n.var()}, [&] {
    const Places at(n, m.value_or(n), k);
    return cast(ge(at.diagonal, at.column), dtype);
  });
}

// Chosen, not multiplied: 0 times NaN is NaN.
Var tril(const Arg& arg, const Arg& k) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("tril", {x}, [&] {
    const Places at = places_in(x, k);
    return switch_(ge(at.diagonal, at.column), x, zero_of(x));
  });
}

Var triu(const Arg& arg, const Arg& k) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("triu", {x}, [&] {
    const Places at = places_in(x, k);
    return switch_(le(at.diagonal, at.column), x, zero_of(x));
  });
}

Var diagonal(const Arg& arg, int offset, int axis1, int axis2) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("diagonal", {x}, [&] {
    const int rows = checked_axis(axis1, x.ndim()), columns = checked_axis(axis2, x.ndim());
    check(rows != columns, "a diagonal needs two axes, not axis {} twice", rows);
    std::vector<int> order{rows, columns}, back;
    for (int i = 0; i < x.ndim(); ++i)
      if (i != rows && i != columns) order.push_back(i);
    const std::int64_t k = offset, down = std::max<std::int64_t>(-k, 0), right = std::max<std::int64_t>(k, 0);
    const Var n = maximum(minimum(shape(x, rows) - down, shape(x, columns) - right), 0);
    const Var picked = dimshuffle(x, order)[{arange(n) + down, arange(n) + right}];
    for (int i = 1; i < picked.ndim(); ++i) back.push_back(i);
    back.push_back(0);
    return dimshuffle(picked, back);
  });
}

Var diag(const Arg& arg, int k) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("diag", {x}, [&] {
    check(x.ndim() == 1 || x.ndim() == 2, "x is a vector or a matrix, not of {} dimensions", x.ndim());
    if (x.ndim() == 2) return diagonal(x, k);
    const std::int64_t down = std::max<std::int64_t>(-std::int64_t{k}, 0), right = std::max(k, 0);
    const Var i = arange(shape(x, 0)), n = shape(x, 0) + (down + right);
    return set_subtensor(zeros({n, n}, x.dtype())[{i + down, i + right}], x);
  });
}

Var trace(const Arg& arg, int offset, int axis1, int axis2) {
  const Scope here(arg);
  return sum(diagonal(arg, offset, axis1, axis2), {.axis = -1});
}

}  // namespace damo
