#include "ops/activations.h"

#include "ops/elemwise.h"
#include "ops/kernels/kernels.h"

namespace damo {

Var relu(const Arg& arg) {
  const Scope here(arg);
  const Var x = as_floats("relu", arg);
  return 0.5 * (x + abs(x));
}

Var relu(const Arg& arg, const Arg& alpha) {
  const Scope here(arg);
  const Var x = as_floats("relu", arg);
  const Var a = alpha.is_literal() ? alpha.var(x.dtype()) : alpha.var();
  return 0.5 * (1 + a) * x + 0.5 * (1 - a) * abs(x);
}

Var elu(const Arg& x) { return elu(x, 1); }

Var elu(const Arg& arg, const Arg& alpha) {
  const Scope here(arg);
  const Var x = as_floats("elu", arg);
  return switch_(x > 0, x, alpha * expm1(x));
}

Var selu(const Arg& arg) {
  const Scope here(arg);
  const Var x = as_floats("selu", arg);
  // With these the map from one layer's mean and variance to the next one's has its fixed point at (0, 1).
  return 1.0507009873554804934 * elu(x, 1.6732632423543772848);
}

Var softsign(const Arg& x) {
  static const OpPtr op = unary(
      "softsign", [](auto v) { return v / (1 + v.abs()); },
      [](const Var& g, const Var& v, const Var&) { return g / sqr(1 + abs(v)); });
  return elementwise(op, {x});
}

Var hard_sigmoid(const Arg& arg) {
  const Scope here(arg);
  const Var x = as_floats("hard_sigmoid", arg);
  return clip(0.2 * x + 0.5, 0, 1);
}

// (1 + t(x / 2)) / 2, where t stands for tanh.
Var ultra_fast_sigmoid(const Arg& arg) {
  const Scope here(arg);
  const Var x = 0.5 * as_floats("ultra_fast_sigmoid", arg), a = abs(x);
  const Var line = 0.935409070603099 + 0.0458812946797165 * (a - 1.7);
  const Var t = switch_(a < 1.7, 1.5 * x / (1 + a), sgn(x) * switch_(a < 3, line, 0.99505475368673));
  return 0.5 * (t + 1);
}

}  // namespace damo
