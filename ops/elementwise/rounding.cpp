#include "ops/elemwise.h"
#include "ops/kernels/kernels.h"
#include "ops/shape.h"

/// Functions to whole numbers. They keep the dtype; integers stay as they are.
namespace damo {
namespace {

/// From a function of single floats, which is constant between its steps.
template <class F>
OpPtr rounding(std::string name, F) {
  return unary(
      std::move(name), [](auto x) { return x.unaryExpr(F()); }, [](const std::int64_t* x) { return x[0]; },
      [](const Var&, const Var& x, const Var&) { return zeros_like(x); }, {}, Promote::common,
      Slope::constant);
}

}  // namespace

Var ceil(const Arg& a) {
  static const OpPtr op = rounding("ceil", [](auto x) { return std::ceil(x); });
  return elementwise(op, {a});
}

Var floor(const Arg& a) {
  static const OpPtr op = rounding("floor", [](auto x) { return std::floor(x); });
  return elementwise(op, {a});
}

Var trunc(const Arg& a) {
  static const OpPtr op = rounding("trunc", [](auto x) { return std::trunc(x); });
  return elementwise(op, {a});
}

Var round_half_to_even(const Arg& a) {
  // As the processor rounds.
  static const OpPtr op = rounding("round_half_to_even", [](auto x) { return std::nearbyint(x); });
  return elementwise(op, {a});
}

Var round_half_away_from_zero(const Arg& a) {
  static const OpPtr op = rounding("round_half_away_from_zero", [](auto x) { return std::round(x); });
  return elementwise(op, {a});
}

Var round(const Arg& x, RoundMode mode) {
  return mode == RoundMode::half_to_even ? round_half_to_even(x) : round_half_away_from_zero(x);
}

}  // namespace damo
