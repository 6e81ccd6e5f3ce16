#include <cmath>
#include <cstdint>
#include <numbers>
#include <type_traits>

#include "ops/elemwise.h"
#include "ops/kernels/exponential.h"
#include "ops/kernels/kernels.h"
#include "ops/shape.h"

/// Functions of one operand: value and derivative side by side.
namespace damo {
namespace {

/// Beyond these the function has reached its limit: Theano's bounds, whose costs a port reproduces.
template <class T>
struct Saturation {
  static constexpr T sigmoid_low = std::is_same_v<T, float> ? T(-88) : T(-709);
  static constexpr T sigmoid_high = std::is_same_v<T, float> ? T(15) : T(19);
  static constexpr T softplus_low = std::is_same_v<T, float> ? T(-103) : T(-745);
  static constexpr T softplus_high = std::is_same_v<T, float> ? T(14) : T(16);
};

template <class T>
[[gnu::always_inline]] inline T sigmoid_of(T x) {
  using S = Saturation<T>;
  const T y = T(1) / (T(1) + exp_within_limits(-x));
  return x > S::sigmoid_high ? T(1) : x < S::sigmoid_low ? T(0) : y;
}

/// max(x, 0) + log(1 + exp(-|x|)): nothing overflows.
template <class T>
[[gnu::always_inline]] inline T softplus_of(T x) {
  using S = Saturation<T>;
  const T y = (x <= T(0) ? T(0) : x) + log1p_of_fraction(exp_within_limits(-std::abs(x)));
  return x > S::softplus_high ? x : x < S::softplus_low ? T(0) : y;
}

template <class F>
OpPtr predicate(std::string name, F f) {
  auto row = std::make_shared<ScalarOp>(ScalarOp{.name = std::move(name)});
  set_predicate_kernels<F, 1>(*row, f);
  const auto never = [](const std::int64_t*) -> std::int64_t { return 0; };
  set_integer_kernels<decltype(never), 1>(*row, never);
  return make_op(Elemwise(row));
}

std::int64_t negated(std::int64_t v) { return static_cast<std::int64_t>(0U - static_cast<std::uint64_t>(v)); }

}  // namespace

Var neg(const Arg& a) {
  // With AVX-512 Eigen's -x is 0 - x, which loses the sign of 0.
  const auto negative = [](auto x) { return x * static_cast<typename decltype(x)::Scalar>(-1); };
  static const OpPtr op = unary(
      "neg", negative, [](const std::int64_t* x) { return negated(x[0]); },
      [](const Var& g, const Var&, const Var&) { return -g; }, "-", Promote::numbers, Slope::constant);
  return elementwise(op, {a});
}

Var exp(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "exp", [](auto x) { return exp_of(x); }, [](const Var& g, const Var&, const Var& y) { return g * y; });
  return elementwise(op, {a});
}

Var exp2(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "exp2", [](auto x) { return std::exp2(x); },
      [](const Var& g, const Var&, const Var& y) { return g * y * std::numbers::ln2; });
  return elementwise(op, {a});
}

Var expm1(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "expm1", [](auto x) { return expm1_of(x); },
      [](const Var& g, const Var& x, const Var&) { return g * exp(x); });
  return elementwise(op, {a});
}

Var log(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "log", [](auto x) { return log_of(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, inv(x)); });
  return elementwise(op, {a});
}

// Of single elements: exact at the powers of the base.
Var log2(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "log2", [](auto x) { return std::log2(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, inv(x * std::numbers::ln2)); });
  return elementwise(op, {a});
}

Var log10(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "log10", [](auto x) { return std::log10(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, inv(x * std::numbers::ln10)); });
  return elementwise(op, {a});
}

Var log1p(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "log1p", [](auto x) { return log1p_of(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, inv(1 + x)); });
  return elementwise(op, {a});
}

Var sqrt(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "sqrt", [](auto x) { return std::sqrt(x); },
      [](const Var& g, const Var&, const Var& y) { return mul_no_nan(g, 0.5 / y); });
  return elementwise(op, {a});
}

Var sqr(const Arg& a) {
  static const OpPtr op = unary(
      "sqr", [](auto x) { return x.square(); },
      [](const std::int64_t* x) {
        const auto v = static_cast<std::uint64_t>(x[0]);
        return static_cast<std::int64_t>(v * v);
      },
      [](const Var& g, const Var& x, const Var&) { return g * x * 2; });
  return elementwise(op, {a});
}

Var inv(const Arg& a) {
  static const OpPtr op = unary(
      "inv", [](auto x) { return 1 / x; },
      [](const Var& g, const Var&, const Var& y) { return -g * sqr(y); });
  return elementwise(op, {a});
}

// Not differentiable at 0: sgn(0) = 0 stands for the slope there.
Var abs(const Arg& a) {
  static const OpPtr op = unary(
      "abs", [](auto x) { return x.abs(); },
      [](const std::int64_t* x) { return x[0] < 0 ? negated(x[0]) : x[0]; },
      [](const Var& g, const Var& x, const Var&) { return g * sgn(x); });
  return elementwise(op, {a});
}

Var sgn(const Arg& a) {
  static const OpPtr op = unary(
      "sgn",
      [](auto x) {
        using T = typename decltype(x)::Scalar;
        return x.unaryExpr([](T v) { return v > 0 ? T(1) : v < 0 ? T(-1) : v; });
      },
      [](const std::int64_t* x) -> std::int64_t { return (x[0] > 0) - (x[0] < 0); },
      [](const Var&, const Var& x, const Var&) { return zeros_like(x); }, {}, Promote::numbers,
      Slope::constant);
  return elementwise(op, {a});
}

// Eigen has a quick one for float32.
Var tanh(const Arg& a) {
  const auto single = [](auto x) { return x.tanh(); };
  const auto of_each = [](auto x) { return tanh_of(x); };
  static const OpPtr op = unary("tanh", array_kernel<float, float, decltype(single), 1>,
                                element_kernel<double, decltype(of_each)>,
                                [](const Var& g, const Var&, const Var& y) { return g * (1 - sqr(y)); });
  return elementwise(op, {a});
}

Var sigmoid(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "sigmoid", [](auto x) { return sigmoid_of(x); },
      [](const Var& g, const Var&, const Var& y) { return g * y * (1 - y); });
  return elementwise(op, {a});
}

Var softplus(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "softplus", [](auto x) { return softplus_of(x); },
      [](const Var& g, const Var& x, const Var&) { return g * sigmoid(x); });
  return elementwise(op, {a});
}

Var isnan(const Arg& a) {
  static const OpPtr op = predicate("isnan", [](auto x) { return x != x; });
  return elementwise(op, {a});
}

Var isinf(const Arg& a) {
  static const OpPtr op = predicate("isinf", [](auto x) { return x - x != 0 && x == x; });
  return elementwise(op, {a});
}

}  // namespace damo
