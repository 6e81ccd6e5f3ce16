#include "ops/elemwise.h"
#include "ops/reduce.h"
#include "ops/shape.h"

/// What is composed of sums.
namespace damo {

Var mean(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  const Var given = arg.var();
  const Var x = given.type().is_float() ? given : cast(given, DType::float64);
  const Var total = sum(x, args);
  Var n;
  for (const int axis : args.axis.of(x.ndim())) n = n.is_set() ? n * shape(x, axis) : shape(x, axis);
  return n.is_set() ? total / cast(n, x.dtype()) : total;
}

Var var(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  const Var x = arg.var();
  return mean(sqr(x - mean(x, {.axis = args.axis, .keepdims = true})), args);
}

}  // namespace damo
