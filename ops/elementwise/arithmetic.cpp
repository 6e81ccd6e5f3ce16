#include <cmath>
#include <limits>
#include <type_traits>

#include "core/tensor/visit.h"
#include "ops/array/shape_ops.h"
#include "ops/elemwise.h"
#include "ops/kernels/kernels.h"
#include "ops/shape.h"

/// Arithmetic, comparisons and choice: the rows of the elementwise table that take two or three operands.
namespace damo {
namespace {

/// 64-bit arithmetic that wraps around.
std::int64_t wrap(std::uint64_t v) { return static_cast<std::int64_t>(v); }
std::uint64_t bits(std::int64_t v) { return static_cast<std::uint64_t>(v); }

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;  // as NumPy
  if (b == -1) return wrap(0U - bits(a));
  const std::int64_t q = a / b;
  return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint64_t y = 1, b = bits(base);
  for (; exponent > 0; exponent >>= 1, b *= b)
    if ((exponent & 1) != 0) y *= b;
  return wrap(y);
}

// As Python's and NumPy's: a = b floor_div(a, b) + floor_mod(a, b), the second with the sign of b.
template <class T>
struct FloorMod {
  T operator()(T a, T b) const {
    const T r = std::fmod(a, b);
    if (r == 0) return std::copysign(r, b);
    return (r < 0) != (b < 0) ? r + b : r;
  }
};

// a / b may be rounded up to the next whole number; what is left when the remainder is taken away is whole
// but for rounding.
template <class T>
struct FloorDiv {
  T operator()(T a, T b) const {
    if (b == 0) return a / b;
    const T r = std::fmod(a, b), q = (a - r) / b - ((r < 0) != (b < 0) && r != 0 ? T(1) : T(0));
    return q == 0 ? std::copysign(q, a / b) : std::round(q);
  }
};

/// u^v; roots, where that is one, are faster.
template <class T>
T power_of(T u, T v) {
  if constexpr (std::is_floating_point_v<T>) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    // u + 0: -0 has the powers of 0, and infinity of either sign those of infinity.
    if (v == T(0.5)) return u == -infinity ? infinity : std::sqrt(u + T(0));
    if (v == T(-0.5)) return u == -infinity ? T(0) : 1 / std::sqrt(u + T(0));
  }
  return static_cast<T>(std::pow(u, v));
}

template <class T>
void switch_kernel(void* y, const void* const* x, int n) {
  const auto* c = static_cast<const bool*>(x[0]);
  const T *a = static_cast<const T*>(x[1]), *b = static_cast<const T*>(x[2]);
  T* out = static_cast<T*>(y);
  for (int i = 0; i < n; ++i) out[i] = c[i] ? a[i] : b[i];
}

template <class T>
void clip_kernel(void* y, const void* const* x, int n) {
  const T *v = static_cast<const T*>(x[0]), *low = static_cast<const T*>(x[1]),
          *high = static_cast<const T*>(x[2]);
  T* out = static_cast<T*>(y);
  for (int i = 0; i < n; ++i) out[i] = v[i] < low[i] ? low[i] : v[i] > high[i] ? high[i] : v[i];
}

template <template <class> class Kernel>
void fill_all(ScalarOp& row) {
  const auto fill = [&]<class T>(T) { row.kernels[static_cast<int>(dtype_of<T>())] = Kernel<T>::run; };
  if (row.promote != Promote::numbers) fill(bool{});
  for_numbers(fill);
}

template <class T>
struct SwitchKernel {
  static constexpr TileKernel run = switch_kernel<T>;
};
template <class T>
struct ClipKernel {
  static constexpr TileKernel run = clip_kernel<T>;
};

}  // namespace

Var add(const Arg& a, const Arg& b) {
  static const OpPtr op = binary(
      {.name = "add",
       .symbol = "+",
       .commutes = true,
       .slope = Slope::constant,
       .grad =
           [](const Var& g, const Vars&, const Var&) {
             return Vars{g, g};
           }},
      [](auto x, auto y) { return x + y; },
      [](const std::int64_t* x) { return wrap(bits(x[0]) + bits(x[1])); });
  return elementwise(op, {a, b});
}

Var sub(const Arg& a, const Arg& b) {
  static const OpPtr op = binary(
      {.name = "sub",
       .symbol = "-",
       .promote = Promote::numbers,
       .slope = Slope::constant,
       .grad =
           [](const Var& g, const Vars&, const Var&) {
             return Vars{g, -g};
           }},
      [](auto x, auto y) { return x - y; },
      [](const std::int64_t* x) { return wrap(bits(x[0]) - bits(x[1])); });
  return elementwise(op, {a, b});
}

Var mul(const Arg& a, const Arg& b) {
  static const OpPtr op = binary(
      {.name = "mul",
       .symbol = "*",
       .commutes = true,
       .grad =
           [](const Var& g, const Vars& x, const Var&) {
             return Vars{g * x[1], g * x[0]};
           }},
      [](auto x, auto y) { return x * y; },
      [](const std::int64_t* x) { return wrap(bits(x[0]) * bits(x[1])); });
  return elementwise(op, {a, b});
}

Var true_div(const Arg& a, const Arg& b) {
  static const OpPtr op = binary({.name = "true_div",
                                  .symbol = "/",
                                  .promote = Promote::division,
                                  .grad =
                                      [](const Var& g, const Vars& x, const Var& y) {
                                        const Var gx = g / x[1];
                                        return Vars{gx, -gx * y};
                                      }},
                                 [](auto x, auto y) { return x / y; });
  return elementwise(op, {a, b});
}

Var mul_no_nan(const Arg& a, const Arg& b) {
  static const OpPtr op = binary({.name = "mul_no_nan",
                                  .promote = Promote::floating,
                                  .slope = Slope::choice,
                                  .grad =
                                      [](const Var& g, const Vars& x, const Var&) {
                                        return Vars{mul_no_nan(g, x[1]), mul_no_nan(x[0], g)};
                                      }},
                                 [](auto x, auto y) {
                                   using T = typename decltype(x)::Scalar;
                                   return x.binaryExpr(y, [](T u, T v) {
                                     const T product = u * v;
                                     return u == 0 ? T(0) : product;
                                   });
                                 });
  return elementwise(op, {a, b});
}

Var int_div(const Arg& a, const Arg& b) {
  // Constant between its steps.
  static const OpPtr op = binary(
      {.name = "int_div",
       .symbol = "//",
       .slope = Slope::constant,
       .grad =
           [](const Var&, const Vars& x, const Var&) {
             return Vars{zeros_like(x[0]), zeros_like(x[1])};
           }},
      [](auto x, auto y) { return x.binaryExpr(y, FloorDiv<typename decltype(x)::Scalar>()); },
      [](const std::int64_t* x) { return floor_div(x[0], x[1]); });
  return elementwise(op, {a, b});
}

Var mod(const Arg& a, const Arg& b) {
  static const OpPtr op = binary(
      {.name = "mod",
       .symbol = "%",
       .grad =
           [](const Var& g, const Vars& x, const Var&) {
             return Vars{g, -int_div(x[0], x[1]) * g};
           }},
      [](auto x, auto y) { return x.binaryExpr(y, FloorMod<typename decltype(x)::Scalar>()); },
      [](const std::int64_t* x) {
        return x[1] == 0 ? 0 : wrap(bits(x[0]) - bits(floor_div(x[0], x[1])) * bits(x[1]));
      });
  return elementwise(op, {a, b});
}

namespace {

/// The number that all elements of a constant are, or NaN.
double number_of(const Var& v) {
  Var x = v;
  while (op_as<DimShuffle>(x) != nullptr) x = Var(x.node().inputs[0]);
  const Tensor& t = x.node().value;
  return t.is_set() && t.size() == 1 ? t.item<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// d/da a^b = b a^(b-1), which is 0 for b = 0 whatever a; it is infinite at a = 0 only if b < 1.
Var slope_of_power(const Var& g, const Var& a, const Var& b) {
  if (const double exponent = number_of(b); exponent >= 1)
    return g * b * pow(a, Tensor::full({}, b.dtype(), exponent - 1));
  return mul_no_nan(g, mul_no_nan(b, pow(a, b - 1)));
}

}  // namespace

Var pow(const Arg& a, const Arg& b) {
  // d/db a^b = log(a) a^b, and 0 at a = 0
  static const OpPtr op = binary(
      {.name = "pow",
       .symbol = "**",
       .promote = Promote::power,
       .grad =
           [](const Var& g, const Vars& x, const Var& y) {
             const Var log_a = switch_(eq(x[0], 0), 0, log(x[0]));
             return Vars{slope_of_power(g, x[0], x[1]), mul_no_nan(g, log_a * y)};
           }},
      [](auto x, auto y) {
        using T = typename decltype(x)::Scalar;
        return x.binaryExpr(y, [](T u, T v) { return power_of(u, v); });
      },
      [](const std::int64_t* x) { return power(x[0], x[1]); });
  return elementwise(op, {a, b});
}

// Where both operands are equal, the first is the one that was chosen. NaN wins.
Var maximum(const Arg& a, const Arg& b) {
  static const OpPtr op = binary(
      {.name = "maximum",
       .commutes = true,
       .slope = Slope::choice,
       .grad =
           [](const Var& g, const Vars& x, const Var&) {
             const Var second = lt(x[0], x[1]);
             return Vars{switch_(second, 0, g), switch_(second, g, 0)};
           }},
      [](auto x, auto y) {
        using T = typename decltype(x)::Scalar;
        return x.binaryExpr(y, [](T u, T v) { return u > v || u != u ? u : v; });
      },
      [](const std::int64_t* x) { return std::max(x[0], x[1]); });
  return elementwise(op, {a, b});
}

Var minimum(const Arg& a, const Arg& b) {
  static const OpPtr op = binary(
      {.name = "minimum",
       .commutes = true,
       .slope = Slope::choice,
       .grad =
           [](const Var& g, const Vars& x, const Var&) {
             const Var second = gt(x[0], x[1]);
             return Vars{switch_(second, 0, g), switch_(second, g, 0)};
           }},
      [](auto x, auto y) {
        using T = typename decltype(x)::Scalar;
        return x.binaryExpr(y, [](T u, T v) { return u < v || u != u ? u : v; });
      },
      [](const std::int64_t* x) { return std::min(x[0], x[1]); });
  return elementwise(op, {a, b});
}

Var eq(const Arg& a, const Arg& b) {
  static const OpPtr op = comparison(
      "eq", "==", [](auto x, auto y) { return x == y; },
      [](const std::int64_t* x) -> std::int64_t { return x[0] == x[1]; });
  return elementwise(op, {a, b});
}
Var neq(const Arg& a, const Arg& b) {
  static const OpPtr op = comparison(
      "neq", "!=", [](auto x, auto y) { return x != y; },
      [](const std::int64_t* x) -> std::int64_t { return x[0] != x[1]; });
  return elementwise(op, {a, b});
}
Var lt(const Arg& a, const Arg& b) {
  static const OpPtr op = comparison(
      "lt", "<", [](auto x, auto y) { return x < y; },
      [](const std::int64_t* x) -> std::int64_t { return x[0] < x[1]; });
  return elementwise(op, {a, b});
}
Var le(const Arg& a, const Arg& b) {
  static const OpPtr op = comparison(
      "le", "<=", [](auto x, auto y) { return x <= y; },
      [](const std::int64_t* x) -> std::int64_t { return x[0] <= x[1]; });
  return elementwise(op, {a, b});
}
Var gt(const Arg& a, const Arg& b) {
  static const OpPtr op = comparison(
      "gt", ">", [](auto x, auto y) { return x > y; },
      [](const std::int64_t* x) -> std::int64_t { return x[0] > x[1]; });
  return elementwise(op, {a, b});
}
Var ge(const Arg& a, const Arg& b) {
  static const OpPtr op = comparison(
      "ge", ">=", [](auto x, auto y) { return x >= y; },
      [](const std::int64_t* x) -> std::int64_t { return x[0] >= x[1]; });
  return elementwise(op, {a, b});
}

Var switch_(const Arg& condition, const Arg& a, const Arg& b) {
  static const OpPtr op = [] {
    auto row = std::make_shared<ScalarOp>();
    row->name = "switch";
    row->arity = 3;
    row->promote = Promote::branches;
    row->slope = Slope::choice;
    row->grad = [](const Var& g, const Vars& x, const Var&) {
      return Vars{zeros_like(x[0]), switch_(x[0], g, 0), switch_(x[0], 0, g)};
    };
    fill_all<SwitchKernel>(*row);
    row->integer = [](const std::int64_t* x) { return x[0] != 0 ? x[1] : x[2]; };
    return make_op(Elemwise(row));
  }();
  return elementwise(op, {condition, a, b});
}

// The gradient belongs to x inside the bounds, to the bound outside them.
Var clip(const Arg& x, const Arg& low, const Arg& high) {
  static const OpPtr op = [] {
    auto row = std::make_shared<ScalarOp>();
    row->name = "clip";
    row->arity = 3;
    row->grad = [](const Var& g, const Vars& v, const Var&) {
      const Var inside = mul(ge(v[0], v[1]), le(v[0], v[2]));
      return Vars{switch_(inside, g, 0), switch_(lt(v[0], v[1]), g, 0), switch_(gt(v[0], v[2]), g, 0)};
    };
    row->promote = Promote::numbers;
    row->slope = Slope::choice;
    fill_all<ClipKernel>(*row);
    row->integer = [](const std::int64_t* v) { return v[0] < v[1] ? v[1] : v[0] > v[2] ? v[2] : v[0]; };
    return make_op(Elemwise(row));
  }();
  return elementwise(op, {x, low, high});
}

Var operator+(const Arg& a, const Arg& b) { return add(a, b); }
Var operator-(const Arg& a, const Arg& b) { return sub(a, b); }
Var operator*(const Arg& a, const Arg& b) { return mul(a, b); }
Var operator/(const Arg& a, const Arg& b) { return true_div(a, b); }
Var operator%(const Arg& a, const Arg& b) { return mod(a, b); }
Var operator-(const Arg& x) { return neg(x); }
Var operator<(const Arg& a, const Arg& b) { return lt(a, b); }
Var operator<=(const Arg& a, const Arg& b) { return le(a, b); }
Var operator>(const Arg& a, const Arg& b) { return gt(a, b); }
Var operator>=(const Arg& a, const Arg& b) { return ge(a, b); }

namespace {

template <class F>
Var& replace(Var& v, F op, const Arg& x) {
  const Scope here(x);
  return v = op(Arg(v, Here(x.where.file, x.where.line)), x);
}

}  // namespace

Var& Var::operator+=(const Arg& x) { return replace(*this, add, x); }
Var& Var::operator-=(const Arg& x) { return replace(*this, sub, x); }
Var& Var::operator*=(const Arg& x) { return replace(*this, mul, x); }
Var& Var::operator/=(const Arg& x) { return replace(*this, true_div, x); }

}  // namespace damo
