#pragma once
#include "../core/graph/graph.h"

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
/// a b of floats, and 0 where a is 0, also if b is infinite or NaN.
Var mul_no_nan(const Arg& a, const Arg& b);
Var true_div(const Arg& a, const Arg& b);
Var int_div(const Arg& a, const Arg& b);  ///< floor(a / b); of integers by 0: 0
Var mod(const Arg& a, const Arg& b);      ///< a - b floor(a / b), with the sign of b; of integers by 0: 0
Var pow(const Arg& a, const Arg& b);
Var maximum(const Arg& a, const Arg& b);
Var minimum(const Arg& a, const Arg& b);
Var neg(const Arg& x);

Var exp(const Arg& x);
Var exp2(const Arg& x);   ///< 2 to the power x
Var expm1(const Arg& x);  ///< exp(x) - 1
Var log(const Arg& x);
Var log2(const Arg& x);
Var log10(const Arg& x);
Var log1p(const Arg& x);  ///< log(1 + x)
Var sqrt(const Arg& x);
Var sqr(const Arg& x);
Var inv(const Arg& x);  ///< 1 / x
Var abs(const Arg& x);
Var sgn(const Arg& x);
Var sigmoid(const Arg& x);   ///< 1 / (1 + exp(-x))
Var softplus(const Arg& x);  ///< log(1 + exp(x))

// Angles are in radians.
Var sin(const Arg& x);
Var cos(const Arg& x);
Var tan(const Arg& x);
Var arcsin(const Arg& x);                 ///< in [-pi/2, pi/2]; NaN outside [-1, 1]
Var arccos(const Arg& x);                 ///< in [0, pi]; NaN outside [-1, 1]
Var arctan(const Arg& x);                 ///< in [-pi/2, pi/2]
Var arctan2(const Arg& y, const Arg& x);  ///< the angle of the point (x, y), in [-pi, pi]
Var sinh(const Arg& x);
Var cosh(const Arg& x);
Var tanh(const Arg& x);
Var arcsinh(const Arg& x);
Var arccosh(const Arg& x);  ///< >= 0; NaN below 1
Var arctanh(const Arg& x);  ///< NaN outside [-1, 1]
Var deg2rad(const Arg& x);  ///< degrees as radians
Var rad2deg(const Arg& x);  ///< radians as degrees

// To whole numbers of the same dtype; their derivative is 0.
Var ceil(const Arg& x);
Var floor(const Arg& x);
Var trunc(const Arg& x);  ///< towards 0
enum class RoundMode { half_to_even, half_away_from_zero };
Var round(const Arg& x, RoundMode mode = RoundMode::half_to_even);
Var round_half_to_even(const Arg& x);
Var round_half_away_from_zero(const Arg& x);

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
