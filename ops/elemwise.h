#pragma once
#include "core/graph.h"

/// Elementwise operations. Operands of different dtypes are promoted as Theano promotes them; missing leading
/// axes and axes declared to have size 1 are stretched. Sizes that differ otherwise are an Error.
namespace damo {

Var operator+(const Arg& a, const Arg& b);
Var operator-(const Arg& a, const Arg& b);
Var operator*(const Arg& a, const Arg& b);
Var operator/(const Arg& a, const Arg& b);  ///< true division: integers give floatX
Var operator-(const Arg& x);
Var operator%(const Arg& a, const Arg& b);  ///< with the sign of b, as in Python

Var add(const Arg& a, const Arg& b);
Var sub(const Arg& a, const Arg& b);
Var mul(const Arg& a, const Arg& b);
Var true_div(const Arg& a, const Arg& b);
Var int_div(const Arg& a, const Arg& b);  ///< floor(a / b)
Var mod(const Arg& a, const Arg& b);
Var pow(const Arg& a, const Arg& b);
Var maximum(const Arg& a, const Arg& b);
Var minimum(const Arg& a, const Arg& b);
Var neg(const Arg& x);

Var exp(const Arg& x);
Var expm1(const Arg& x);
Var log(const Arg& x);
Var log1p(const Arg& x);
Var sqrt(const Arg& x);
Var sqr(const Arg& x);
Var inv(const Arg& x);  ///< 1 / x
Var abs(const Arg& x);
Var sgn(const Arg& x);
Var sin(const Arg& x);
Var cos(const Arg& x);
Var tanh(const Arg& x);
Var sigmoid(const Arg& x);   ///< 1 / (1 + exp(-x))
Var softplus(const Arg& x);  ///< log(1 + exp(x))

// Comparisons give bool.
Var eq(const Arg& a, const Arg& b);
Var neq(const Arg& a, const Arg& b);
Var lt(const Arg& a, const Arg& b);
Var le(const Arg& a, const Arg& b);
Var gt(const Arg& a, const Arg& b);
Var ge(const Arg& a, const Arg& b);
Var operator<(const Arg& a, const Arg& b);
Var operator<=(const Arg& a, const Arg& b);
Var operator>(const Arg& a, const Arg& b);
Var operator>=(const Arg& a, const Arg& b);
Var isnan(const Arg& x);
Var isinf(const Arg& x);

/// a where condition is not zero, else b.
Var switch_(const Arg& condition, const Arg& a, const Arg& b);
Var clip(const Arg& x, const Arg& low, const Arg& high);

/// x with another dtype; its gradient is cast back. A cast to an integer has no gradient.
Var cast(const Arg& x, DType dtype);

/// x with derivative zero: the cost is connected to x, but does not change with it.
Var zero_grad(const Arg& x);
inline Var consider_constant(const Arg& x) { return zero_grad(x); }  ///< Theano's older name
/// x as a constant: the cost is not connected to x.
Var disconnected_grad(const Arg& x);
/// x; its gradient is clipped to [low, high].
Var grad_clip(const Arg& x, double low, double high);
/// x; its gradient is multiplied by a number.
Var grad_scale(const Arg& x, double factor);

}  // namespace damo
