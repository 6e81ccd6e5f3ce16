#include "ops/cost.h"

#include "core/check.h"
#include "ops/create.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {

Var binary_crossentropy(const Arg& output, const Arg& target) {
  const Scope here(output);
  return -(target * log(output) + (1 - target) * log(1 - output));
}

Var categorical_crossentropy(const Arg& p_arg, const Arg& y_arg) {
  const Scope here(p_arg);
  const Var p = p_arg.var(), y = y_arg.var();
  check(p.ndim() == 2 && (y.ndim() == 2 || (y.ndim() == 1 && y.type().is_int())),
        "categorical_crossentropy: p is a matrix, y a vector of integers or a matrix, not {} and {}",
        p.type(), y.type());
  if (y.ndim() == 2) return -sum(y * log(p), {.axis = 1});
  return -log(p)[{arange(shape(y, 0)), y}];
}

}  // namespace damo
