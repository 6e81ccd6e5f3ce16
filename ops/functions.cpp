#include <algorithm>
#include <cstdint>
#include <numbers>
#include <type_traits>

#include "ops/elemwise.h"
#include "ops/kernels.h"
#include "ops/shape.h"

/// Functions of one operand: value and derivative side by side.
namespace damo {
namespace {

/// log(1 + e) from u = 1 + e and its logarithm, exact also where u rounds to 1.
template <class T>
T log1p_of(T e, T u, T log_u) {
  return u == T(1) || u == std::numeric_limits<T>::infinity() ? e : log_u * (e / (u - T(1)));
}

template <class T>
void log1p_tile(T* y, const T* e, int n) {
  alignas(64) T u[tile_size];
  alignas(64) T log_u[tile_size];
  WriteTile<T> wu(u, n), wl(log_u, n);
  wu = ReadTile<T>(e, n) + T(1);
  wl = wu.log();
  for (int i = 0; i < n; ++i) y[i] = log1p_of(e[i], u[i], log_u[i]);
}

template <class T>
void log1p_kernel(void* y, const void* const* x, int n) {
  log1p_tile(static_cast<T*>(y), static_cast<const T*>(x[0]), n);
}

// Eigen's vector square root rounds loosely, and gives NaN at infinity.
template <class T>
void sqrt_kernel(void* y, const void* const* x, int n) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x[0]);
  for (int i = 0; i < n; ++i) out[i] = std::sqrt(in[i]);
}

// Eigen's vector exponential stops at the smallest normal number: what lies below is left to the C library.
template <class T>
void exp_kernel(void* y, const void* const* x, int n) {
  constexpr T lowest = std::is_same_v<T, float> ? T(-87) : T(-708);
  alignas(64) T e[tile_size];
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x[0]);
  WriteTile<T>(e, n) = ReadTile<T>(in, n).exp();
  // A count of the element's width, so that the loop is vectorized.
  std::conditional_t<std::is_same_v<T, float>, std::int32_t, std::int64_t> n_low = 0;
  for (int i = 0; i < n; ++i) n_low += in[i] < lowest ? 1 : 0;
  if (n_low > 0)
    for (int i = 0; i < n; ++i)
      if (in[i] < lowest) e[i] = std::exp(in[i]);
  std::copy(e, e + n, out);
}

/// Beyond these the function has reached its limit: Theano's bounds, whose costs a port reproduces.
template <class T>
struct Saturation {
  static constexpr T sigmoid_low = std::is_same_v<T, float> ? T(-88) : T(-709);
  static constexpr T sigmoid_high = std::is_same_v<T, float> ? T(15) : T(19);
  static constexpr T softplus_low = std::is_same_v<T, float> ? T(-103) : T(-745);
  static constexpr T softplus_high = std::is_same_v<T, float> ? T(14) : T(16);
};

template <class T>
void sigmoid_kernel(void* y, const void* const* x, int n) {
  alignas(64) T s[tile_size];
  const T* v = static_cast<const T*>(x[0]);
  T* out = static_cast<T*>(y);
  WriteTile<T>(s, n) = ((-ReadTile<T>(v, n)).exp() + T(1)).inverse();
  using S = Saturation<T>;
  for (int i = 0; i < n; ++i) out[i] = v[i] > S::sigmoid_high ? T(1) : v[i] < S::sigmoid_low ? T(0) : s[i];
}

/// max(x, 0) + log(1 + exp(-|x|)): nothing overflows.
template <class T>
void softplus_kernel(void* y, const void* const* x, int n) {
  alignas(64) T e[tile_size];
  alignas(64) T u[tile_size];
  alignas(64) T log_u[tile_size];
  const T* v = static_cast<const T*>(x[0]);
  T* out = static_cast<T*>(y);
  WriteTile<T>(e, n) = (-ReadTile<T>(v, n).abs()).exp();
  WriteTile<T>(u, n) = ReadTile<T>(e, n) + T(1);
  WriteTile<T>(log_u, n) = ReadTile<T>(u, n).log();
  using S = Saturation<T>;
  for (int i = 0; i < n; ++i) {
    const T a = v[i] <= 0 ? T(0) : v[i], value = a + log1p_of(e[i], u[i], log_u[i]);
    e[i] = a > S::softplus_high ? a : v[i] < S::softplus_low ? T(0) : value;
  }
  std::copy(e, e + n, out);
}

OpPtr raw(std::string name, TileKernel f32, TileKernel f64, Derivative derivative) {
  auto row = std::make_shared<ScalarOp>(ScalarOp{.name = std::move(name), .promote = Promote::floating});
  row->kernels[static_cast<int>(DType::float32)] = f32;
  row->kernels[static_cast<int>(DType::float64)] = f64;
  row->grad = [derivative](const Var& g, const Vars& x, const Var& y) {
    return Vars{derivative(g, x[0], y)};
  };
  return make_op(Elemwise(row));
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
  static const OpPtr op = unary(
      "neg", [](auto x) { return -x; }, [](const std::int64_t* x) { return negated(x[0]); },
      [](const Var& g, const Var&, const Var&) { return -g; }, "-", Promote::numbers, Slope::constant);
  return elementwise(op, {a});
}

Var exp(const Arg& a) {
  static const OpPtr op = raw("exp", exp_kernel<float>, exp_kernel<double>,
                              [](const Var& g, const Var&, const Var& y) { return g * y; });
  return elementwise(op, {a});
}

Var exp2(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "exp2", [](auto x) { return std::exp2(x); },
      [](const Var& g, const Var&, const Var& y) { return g * y * std::numbers::ln2; });
  return elementwise(op, {a});
}

Var expm1(const Arg& a) {
  static const OpPtr op = unary(
      "expm1", [](auto x) { return x.expm1(); },
      [](const Var& g, const Var&, const Var& y) { return g * (y + 1); });
  return elementwise(op, {a});
}

Var log(const Arg& a) {
  static const OpPtr op = unary(
      "log", [](auto x) { return x.log(); }, [](const Var& g, const Var& x, const Var&) { return g / x; });
  return elementwise(op, {a});
}

// Of single elements: exact at the powers of the base.
Var log2(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "log2", [](auto x) { return std::log2(x); },
      [](const Var& g, const Var& x, const Var&) { return g / (x * std::numbers::ln2); });
  return elementwise(op, {a});
}

Var log10(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "log10", [](auto x) { return std::log10(x); },
      [](const Var& g, const Var& x, const Var&) { return g / (x * std::numbers::ln10); });
  return elementwise(op, {a});
}

Var log1p(const Arg& a) {
  static const OpPtr op = raw("log1p", log1p_kernel<float>, log1p_kernel<double>,
                              [](const Var& g, const Var& x, const Var&) { return g / (1 + x); });
  return elementwise(op, {a});
}

Var sqrt(const Arg& a) {
  static const OpPtr op = raw("sqrt", sqrt_kernel<float>, sqrt_kernel<double>,
                              [](const Var& g, const Var&, const Var& y) { return g * 0.5 / y; });
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

Var tanh(const Arg& a) {
  static const OpPtr op = unary(
      "tanh", [](auto x) { return x.tanh(); },
      [](const Var& g, const Var&, const Var& y) { return g * (1 - sqr(y)); });
  return elementwise(op, {a});
}

Var sigmoid(const Arg& a) {
  static const OpPtr op = raw("sigmoid", sigmoid_kernel<float>, sigmoid_kernel<double>,
                              [](const Var& g, const Var&, const Var& y) { return g * y * (1 - y); });
  return elementwise(op, {a});
}

Var softplus(const Arg& a) {
  static const OpPtr op = raw("softplus", softplus_kernel<float>, softplus_kernel<double>,
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
