#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

/// Exponential functions and logarithms of single floats, without branches, so that compilers vectorize a
/// loop over them on every processor. They hold for all floats: results below the smallest normal number,
/// infinities, NaN and -0 included; how far from the exact value each may be is said in units of its last
/// place. Results differ by rounding between processors with fused multiply-add and those without.
namespace damo {

/// The constants of a floating type.
template <class T>
struct FloatParts {
  static constexpr bool single = std::is_same_v<T, float>;
  using Bits = std::conditional_t<single, std::uint32_t, std::uint64_t>;
  static constexpr int mantissa = single ? 23 : 52, bias = single ? 127 : 1023;
  /// Added to a small number, it leaves the nearest whole number in the lowest bits.
  static constexpr T rounder = single ? T(0x1.8p23) : T(0x1.8p52);
  /// log(2) in two parts; the first has so few digits that its multiples are exact.
  static constexpr T ln2 = single ? T(0x1.63p-1) : T(0x1.62e42feep-1);
  static constexpr T ln2_rest = single ? T(-0x1.bd0106p-13) : T(0x1.a39ef35793c76p-33);
  static constexpr T log2_e = T(0x1.71547652b82fep0);
  /// exp is 0 at the first, and infinite at the second.
  static constexpr T exp_low = single ? T(-104) : T(-746), exp_high = single ? T(89) : T(710);
};

/// a b + c.
template <class T>
[[gnu::always_inline]] inline T multiply_add(T a, T b, T c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// c_0 + c_1 x + c_2 x^2 + ...
template <class T, class... Rest>
[[gnu::always_inline]] inline T polynomial(T x, T c, Rest... rest) {
  if constexpr (sizeof...(rest) == 0)
    return c;
  else
    return multiply_add(x, polynomial(x, rest...), c);
}

template <class T>
[[gnu::always_inline]] inline T nearest(T x) {
  return (x + FloatParts<T>::rounder) - FloatParts<T>::rounder;
}

/// 2^k for a whole number k, where that is a normal number.
template <class T>
[[gnu::always_inline]] inline T power_of_2(T k) {
  using F = FloatParts<T>;
  using Bits = typename F::Bits;
  return std::bit_cast<T>(
      static_cast<Bits>(std::bit_cast<Bits>(k + (F::rounder + T(F::bias))) << F::mantissa));
}

/// x = k log(2) + r, |r| <= log(2) / 2, for the range of exp.
template <class T>
struct Reduced {
  T k, r;
};
template <class T>
[[gnu::always_inline]] inline Reduced<T> reduced(T x) {
  using F = FloatParts<T>;
  const T k = nearest(x * F::log2_e);
  return {k, multiply_add(-k, F::ln2_rest, multiply_add(-k, F::ln2, x))};
}

/// exp(r) - 1 for |r| <= log(2) / 2: Taylor's series.
template <class T>
[[gnu::always_inline]] inline T expm1_near_0(T r) {
  constexpr T c2 = T(1) / 2, c3 = c2 / 3, c4 = c3 / 4, c5 = c4 / 5, c6 = c5 / 6, c7 = c6 / 7;
  if constexpr (FloatParts<T>::single) return multiply_add(r * r, polynomial(r, c2, c3, c4, c5, c6, c7), r);
  constexpr T c8 = c7 / 8, c9 = c8 / 9, c10 = c9 / 10, c11 = c10 / 11, c12 = c11 / 12, c13 = c12 / 13;
  return multiply_add(r * r, polynomial(r, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13), r);
}

/// exp(x), wherever that is neither 0 nor infinite.
template <class T>
[[gnu::always_inline]] inline T exp_within_limits(T x) {
  const auto [k, r] = reduced(x);
  // In two steps, since 2^k may be no normal number.
  const T half = nearest(k * T(0.5));
  return (T(1) + expm1_near_0(r)) * power_of_2(half) * power_of_2(k - half);
}

/// exp(x), to 1.1 units.
template <class T>
[[gnu::always_inline]] inline T exp_of(T x) {
  using F = FloatParts<T>;
  const T y = exp_within_limits(x);
  return x < F::exp_low ? T(0) : x > F::exp_high ? std::numeric_limits<T>::infinity() : y;
}

/// exp(x) - 1 = 2^k ((exp(r) - 1) + (1 - 2^-k)), to 2 units.
template <class T>
[[gnu::always_inline]] inline T expm1_of(T x) {
  using F = FloatParts<T>;
  const auto [k, r] = reduced(x);
  const T half = nearest(k * T(0.5)), one = k > T(64) ? T(1) : T(1) - power_of_2(-k);
  const T y = (expm1_near_0(r) + one) * power_of_2(half) * power_of_2(k - half);
  return x == T(0) ? x : x < T(-64) ? T(-1) : x > F::exp_high ? std::numeric_limits<T>::infinity() : y;
}

/// tanh(x) = (1 - t) / (1 + t), t = exp(-2 |x|), with the sign of x; to 3 units.
template <class T>
[[gnu::always_inline]] inline T tanh_of(T x) {
  const T less = expm1_of(T(-2) * std::abs(x));
  return std::copysign(less / (less + T(2)), x);
}

/// k log(2) + log(1 + f) + rest, for a small rest and 1 + f between the roots of 1/2 and of 2: with s = f /
/// (2 + f), log(1 + f) = 2 artanh(s) = f - f^2 / 2 + s (f^2 / 2 + 2 s^2 / 3 + 2 s^4 / 5 + ...).
template <class T>
[[gnu::always_inline]] inline T log_of_parts(T k, T f, T rest) {
  using F = FloatParts<T>;
  const T s = f / (T(2) + f), z = s * s, half_square = T(0.5) * f * f;
  T series;
  if constexpr (F::single)
    series = z * polynomial(z, T(2) / 3, T(2) / 5, T(2) / 7, T(2) / 9);
  else
    series = z * polynomial(z, T(2) / 3, T(2) / 5, T(2) / 7, T(2) / 9, T(2) / 11, T(2) / 13, T(2) / 15,
                            T(2) / 17, T(2) / 19, T(2) / 21);
  const T small = multiply_add(s, half_square + series, multiply_add(k, F::ln2_rest, rest));
  return multiply_add(k, F::ln2, f - (half_square - small));
}

/// A positive normal number x as 2^k (1 + f), 1 + f between the roots of 1/2 and of 2.
template <class T>
struct Parts {
  T k, f;
};
template <class T>
[[gnu::always_inline]] inline Parts<T> parts(T x) {
  using F = FloatParts<T>;
  using Bits = typename F::Bits;
  constexpr Bits root = std::bit_cast<Bits>(T(0x1.6a09e6p-1)), one = std::bit_cast<Bits>(T(1));
  constexpr T big = FloatParts<T>::single ? T(0x1p23) : T(0x1p52);  // its lowest bits count ones
  const Bits bits = std::bit_cast<Bits>(x) + (one - root);
  const T k = std::bit_cast<T>((bits >> F::mantissa) | std::bit_cast<Bits>(big)) - (big + T(F::bias));
  return {k, std::bit_cast<T>((bits & ((Bits{1} << F::mantissa) - 1)) + root) - T(1)};
}

/// y = log(x), but for x that is not a positive number.
template <class T>
[[gnu::always_inline]] inline T with_limits(T x, T y) {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  y = x > T(0) ? y : x == T(0) ? -inf : nan;
  return x < inf ? y : x + x;
}

/// log(x), to 1 unit.
template <class T>
[[gnu::always_inline]] inline T log_of(T x) {
  using F = FloatParts<T>;
  const bool tiny = x < std::numeric_limits<T>::min();
  const auto [k, f] = parts(tiny ? x * (T(1) / std::numeric_limits<T>::epsilon()) : x);
  return with_limits(x, log_of_parts(tiny ? k - T(F::mantissa) : k, f, T(0)));
}

/// log(1 + x) = log(u) + log(1 + c / u), where u + c = 1 + x exactly; to 2.1 units.
template <class T>
[[gnu::always_inline]] inline T log1p_of(T x) {
  const T u = T(1) + x;
  const bool near_0 = x > T(-0.29) && x < T(0.41);
  const auto [k, f] = parts(u);
  const T c = k > T(0) ? T(1) - (u - x) : x - (u - T(1));
  const T y = log_of_parts(near_0 ? T(0) : k, near_0 ? x : f, near_0 ? T(0) : c / u);
  return x == T(0) ? x : with_limits(u, y);
}

/// log(1 + x) for x in [0, 1].
template <class T>
[[gnu::always_inline]] inline T log1p_of_fraction(T x) {
  const bool small = x < T(0.41);
  return log_of_parts(small ? T(0) : T(1), small ? x : T(0.5) * (x - T(1)), T(0));
}

}  // namespace damo
