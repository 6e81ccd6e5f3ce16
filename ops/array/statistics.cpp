#include <cmath>

#include "core/graph/op.h"
#include "core/graph/warn_float64.h"
#include "ops/array/reduction.h"
#include "ops/elemwise.h"
#include "ops/shape.h"

/// What is composed of sums and extremes.
namespace damo {
namespace {

/// How many elements are reduced to one; empty for no axes.
Var count(const Var& x, const Axes& axes) {
  Var n;
  for (const int axis : axes.of(x.ndim())) n = n.is_set() ? n * shape(x, axis) : shape(x, axis);
  return n;
}

}  // namespace

Var mean(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  const Var given = arg.var();
  const bool as_given = given.type().is_float() || args.dtype || args.acc_dtype;
  if (!as_given) note_float64("mean", {arg}, DType::float64);
  const Var x = as_given ? given : cast(given, DType::float64);
  const Var total = sum(x, args);
  const Var n = count(x, args.axis);
  if (n.is_set())
    checking("mean", {x}, [&] {
      check(!n.type().has_value || n.type().value != 0, "there are no elements, of which there is no mean");
    });
  const DType dtype = total.dtype() == DType::float32 ? DType::float32 : DType::float64;
  return n.is_set() ? total / cast(n, dtype) : cast(total, dtype);
}

Var var(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  const Var x = arg.var();
  const Var squares = sqr(x - mean(x, {.axis = args.axis, .keepdims = true}));
  ReduceArgs sums = args;
  sums.ddof = 0;
  if (args.ddof == 0) return mean(squares, sums);
  const Var total = sum(squares, sums);
  const Var n = count(x, args.axis);
  return total /
         cast((n.is_set() ? n : constant(Tensor::full({}, DType::int64, 1))) - args.ddof, total.dtype());
}

Var std_(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  return root_or_zero(var(arg, args));
}

Var ptp(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  return max(arg, args) - min(arg, args);
}

Var norm(const Arg& arg, double p, const ReduceArgs& args) {
  const Scope here(arg);
  const Var given = arg.var();
  checking("norm", {given}, [&] {
    check(p != 0 && !std::isnan(p), "the order of a norm is a number other than 0, not {}", p);
  });
  const Var x = given.type().is_float() ? given : cast(given, DType::float64);
  if (std::isinf(p)) return p > 0 ? max(abs(x), args) : min(abs(x), args);
  if (p == 1) return sum(abs(x), args);
  const Var total = p == 2 ? sum(sqr(x), args) : sum(pow(abs(x), p), args);
  if (p == 2) return root_or_zero(total);
  const Var is_zero = eq(total, 0);
  return switch_(is_zero, 0, pow(switch_(is_zero, 1, total), 1 / p));
}

Var root_or_zero(const Var& x) {
  const Var is_zero = eq(x, 0);
  return switch_(is_zero, 0, sqrt(switch_(is_zero, 1, x)));
}

}  // namespace damo
