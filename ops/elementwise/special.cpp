#include "ops/special.h"

#include <math.h>  // lgamma_r, which keeps the sign of gamma out of a global variable

#include <array>
#include <limits>
#include <numbers>

#include "ops/elemwise.h"
#include "ops/kernels/kernels.h"

namespace damo {
namespace {

using std::numbers::inv_sqrtpi;
using std::numbers::pi;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double root_pi = 1 / inv_sqrtpi;

/// x with erf(x) = y, |y| <= 1/2: two terms of the series (DLMF 7.17.2), wrong by 1 % at most, and Halley's
/// steps x - u / (1 + x u), u = (erf(x) - y) / erf'(x), each of which triples the correct digits.
double erfinv_middle(double y) {
  double x = root_pi / 2 * y * (1 + pi / 12 * y * y);
  for (int step = 0; step < 2; ++step) {
    const double u = (std::erf(x) - y) / (2 * inv_sqrtpi * std::exp(-x * x));
    x -= u / (1 + x * u);
  }
  return x;
}

/// x with erfc(x) = q, 0 <= q <= 1/2: Winitzki, "A handy approximation for the error function and its
/// inverse" (2008), wrong by 0.2 %, and Halley's steps. Where q is tiny, the slope is, and a step gains less.
double erfcinv_tail(double q) {
  if (!(q > 0)) return q == 0 ? inf : nan;
  constexpr double a = 0.147;
  const double half_log = std::log(q * (2 - q)) / 2, t = 2 / (pi * a) + half_log;
  double x = std::sqrt(std::sqrt(t * t - 2 * half_log / a) - t);
  for (int step = 0; step < 4; ++step) {
    const double u = (std::erfc(x) - q) / (2 * inv_sqrtpi * std::exp(-x * x));
    x += u / (1 - x * u);
  }
  return x;
}

// The differences 1 - |y|, 1 - q and 2 - q are exact where they are taken.
double inverse_erf(double y) {
  return std::abs(y) <= 0.5 ? erfinv_middle(y) : std::copysign(erfcinv_tail(1 - std::abs(y)), y);
}

double inverse_erfc(double q) {
  if (q < 0.5) return erfcinv_tail(q);
  return q > 1.5 ? -erfcinv_tail(2 - q) : erfinv_middle(1 - q);
}

/// B_2, B_4, ..., B_14: Bernoulli's numbers.
constexpr std::array bernoulli = {1. / 6, -1. / 30, 1. / 42, -1. / 30, 5. / 66, -691. / 2730, 7. / 6};
/// From here on the series with these numbers have all digits.
constexpr double large = 12;

/// Hurwitz' sum over k >= 0 of (x + k)^-s, x > 0, s = 2, 3, ...: its terms up to x + k >= large, the rest by
/// Euler and Maclaurin (DLMF 25.11.43).
double zeta(int s, double x) {
  double sum = 0;
  for (; x < large; ++x) sum += std::pow(x, -s);
  double rest = 0.5, factor = s / (2 * x), k = 1;
  for (const double b : bernoulli) {
    rest += b * factor;
    factor *= (s + 2 * k - 1) * (s + 2 * k) / ((2 * k + 1) * (2 * k + 2) * x * x);
    ++k;
  }
  return sum + std::pow(x, 1 - s) / (s - 1) + std::pow(x, -s) * rest;
}

/// The positive zero of psi is the sum of these.
constexpr double psi_zero = 1.4616321449683622, psi_zero_rest = 9.549995429965697e-17;

/// psi(x) at most 0.6 from its zero x0: Taylor's series, the sum over k >= 1 of -(x0 - x)^k zeta(k + 1, x0)
/// (DLMF 5.15.1), has all digits, unlike differences.
double psi_near_zero(double x) {
  static const std::array coefficients = [] {
    std::array<double, 40> c;
    int s = 2;
    for (double& value : c) value = zeta(s++, psi_zero);
    return c;
  }();
  const double d = psi_zero - x + psi_zero_rest;
  double y = 0;
  for (std::size_t k = coefficients.size(); k-- > 0;) y = (y + coefficients[k]) * d;
  return -y;
}

/// x less the nearest whole number: cot and sin^2 of pi x have period 1.
double fraction(double x) { return x - std::nearbyint(x); }

/// psi(x) = psi(1 - x) - pi cot(pi x), psi(x) = psi(x + 1) - 1 / x, and for large x
/// log x - 1 / (2x) - sum over k of B_2k / (2k x^2k) (DLMF 5.5.4, 5.5.2, 5.11.2).
double digamma(double x) {
  if (x <= 0) return x == std::floor(x) ? nan : digamma(1 - x) - pi / std::tan(pi * fraction(x));
  if (std::abs(x - psi_zero) < 0.6) return psi_near_zero(x);
  double sum = 0;
  for (; x < large; ++x) sum += 1 / x;
  double series = 0, power = 1, k2 = 2;
  for (const double b : bernoulli) {
    power /= x * x;
    series += b / k2 * power;
    k2 += 2;
  }
  return std::log(x) - 0.5 / x - series - sum;
}

/// psi'(x) = zeta(2, x) = (pi / sin(pi x))^2 - psi'(1 - x) (DLMF 5.15.6).
double trigamma(double x) {
  if (x <= 0) {
    const double s = std::sin(pi * fraction(x)) / pi;
    return 1 / (s * s) - zeta(2, 1 - x);
  }
  return zeta(2, x);
}

double log_gamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}
float log_gamma(float x) {
  int sign;
  return ::lgammaf_r(x, &sign);
}

/// A row whose function is computed in double.
template <class F>
OpPtr in_double(std::string name, F, Derivative derivative) {
  return unary_of_each(
      std::move(name), [](auto x) { return static_cast<decltype(x)>(F()(static_cast<double>(x))); },
      derivative);
}

}  // namespace

Var erf(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "erf", [](auto x) { return std::erf(x); },
      [](const Var& g, const Var& x, const Var&) { return g * exp(-sqr(x)) * (2 * inv_sqrtpi); });
  return elementwise(op, {a});
}

Var erfc(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "erfc", [](auto x) { return std::erfc(x); },
      [](const Var& g, const Var& x, const Var&) { return g * exp(-sqr(x)) * (-2 * inv_sqrtpi); });
  return elementwise(op, {a});
}

Var erfinv(const Arg& a) {
  static const OpPtr op = in_double(
      "erfinv", [](double y) { return inverse_erf(y); },
      [](const Var& g, const Var&, const Var& x) { return mul_no_nan(g, exp(sqr(x)) * (root_pi / 2)); });
  return elementwise(op, {a});
}

Var erfcinv(const Arg& a) {
  static const OpPtr op = in_double(
      "erfcinv", [](double y) { return inverse_erfc(y); },
      [](const Var& g, const Var&, const Var& x) { return mul_no_nan(g, exp(sqr(x)) * (-root_pi / 2)); });
  return elementwise(op, {a});
}

Var gamma(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "gamma", [](auto x) { return std::tgamma(x); },
      [](const Var& g, const Var& x, const Var& y) { return g * y * psi(x); });
  return elementwise(op, {a});
}

Var gammaln(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "gammaln", [](auto x) { return log_gamma(x); },
      [](const Var& g, const Var& x, const Var&) { return g * psi(x); });
  return elementwise(op, {a});
}

Var psi(const Arg& a) {
  static const OpPtr op = in_double(
      "psi", [](double x) { return digamma(x); },
      [](const Var& g, const Var& x, const Var&) { return g * tri_gamma(x); });
  return elementwise(op, {a});
}

Var tri_gamma(const Arg& a) {
  static const OpPtr op = in_double(
      "tri_gamma", [](double x) { return trigamma(x); },
      [](const Var&, const Var&, const Var&) -> Var { fail("tri_gamma has no gradient"); });
  return elementwise(op, {a});
}

}  // namespace damo
