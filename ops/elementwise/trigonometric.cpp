#include <numbers>

#include "ops/elemwise.h"
#include "ops/kernels/kernels.h"

/// Functions of angles and of hyperbolas, and their inverses.
namespace damo {

Var sin(const Arg& a) {
  static const OpPtr op = unary(
      "sin", [](auto x) { return x.sin(); },
      [](const Var& g, const Var& x, const Var&) { return g * cos(x); });
  return elementwise(op, {a});
}

Var cos(const Arg& a) {
  static const OpPtr op = unary(
      "cos", [](auto x) { return x.cos(); },
      [](const Var& g, const Var& x, const Var&) { return -g * sin(x); });
  return elementwise(op, {a});
}

Var tan(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "tan", [](auto x) { return std::tan(x); },
      [](const Var& g, const Var&, const Var& y) { return g * (1 + sqr(y)); });
  return elementwise(op, {a});
}

namespace {

/// 1 / sqrt(1 - x^2), the square as a product: it keeps its digits near 1.
Var over_root(const Var& x) { return inv(sqrt((1 - x) * (1 + x))); }

/// The larger one, as a number that others are divided by so that their squares do not overflow.
Var scale(const Arg& a, const Arg& b) { return zero_grad(maximum(a, b)); }

}  // namespace

Var arcsin(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "arcsin", [](auto x) { return std::asin(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, over_root(x)); });
  return elementwise(op, {a});
}

Var arccos(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "arccos", [](auto x) { return std::acos(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, -over_root(x)); });
  return elementwise(op, {a});
}

Var arctan(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "arctan", [](auto x) { return std::atan(x); },
      [](const Var& g, const Var& x, const Var&) { return g / (1 + sqr(x)); });
  return elementwise(op, {a});
}

Var arctan2(const Arg& y, const Arg& x) {
  // d/dy = x / (x^2 + y^2), d/dx = -y / (x^2 + y^2)
  static const OpPtr op = binary({.name = "arctan2",
                                  .promote = Promote::floating,
                                  .grad =
                                      [](const Var& g, const Vars& v, const Var&) {
                                        const Var m = scale(abs(v[0]), abs(v[1])), s = v[0] / m, c = v[1] / m;
                                        const Var r = g / (sqr(s) + sqr(c)) / m;
                                        return Vars{r * c, -r * s};
                                      }},
                                 [](auto v, auto w) {
                                   using T = typename decltype(v)::Scalar;
                                   return v.binaryExpr(w, [](T s, T c) { return std::atan2(s, c); });
                                 });
  return elementwise(op, {y, x});
}

Var sinh(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "sinh", [](auto x) { return std::sinh(x); },
      [](const Var& g, const Var& x, const Var&) { return g * cosh(x); });
  return elementwise(op, {a});
}

Var cosh(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "cosh", [](auto x) { return std::cosh(x); },
      [](const Var& g, const Var& x, const Var&) { return g * sinh(x); });
  return elementwise(op, {a});
}

Var arcsinh(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "arcsinh", [](auto x) { return std::asinh(x); },
      [](const Var& g, const Var& x, const Var&) {
        const Var m = scale(abs(x), 1);
        return g / sqrt(sqr(1 / m) + sqr(x / m)) / m;
      });
  return elementwise(op, {a});
}

Var arccosh(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "arccosh", [](auto x) { return std::acosh(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, inv(sqrt(x - 1) * sqrt(x + 1))); });
  return elementwise(op, {a});
}

Var arctanh(const Arg& a) {
  static const OpPtr op = unary_of_each(
      "arctanh", [](auto x) { return std::atanh(x); },
      [](const Var& g, const Var& x, const Var&) { return mul_no_nan(g, inv((1 - x) * (1 + x))); });
  return elementwise(op, {a});
}

Var deg2rad(const Arg& x) {
  const Scope here(x);
  return as_floats("deg2rad", x) * (std::numbers::pi / 180);
}

Var rad2deg(const Arg& x) {
  const Scope here(x);
  return as_floats("rad2deg", x) * (180 / std::numbers::pi);
}

}  // namespace damo
