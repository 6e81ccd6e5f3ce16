#include "ops/logic.h"

#include "ops/elemwise.h"
#include "ops/kernels/kernels.h"
#include "ops/reduce.h"

namespace damo {
namespace {

template <class F>
OpPtr of_bits(std::string name, std::string symbol, F f) {
  auto row = std::make_shared<ScalarOp>(
      ScalarOp{.name = std::move(name), .symbol = std::move(symbol), .arity = 2, .commutes = true});
  set_integer_kernels<F, 2>(*row, f);
  return make_op(Elemwise(row));
}

Var truth(const Arg& x) { return cast(x, DType::bool_); }

}  // namespace

Var bitwise_and(const Arg& a, const Arg& b) {
  static const OpPtr op = of_bits("bitwise_and", "&", [](const std::int64_t* x) { return x[0] & x[1]; });
  return elementwise(op, {a, b});
}

Var bitwise_or(const Arg& a, const Arg& b) {
  static const OpPtr op = of_bits("bitwise_or", "|", [](const std::int64_t* x) { return x[0] | x[1]; });
  return elementwise(op, {a, b});
}

Var bitwise_xor(const Arg& a, const Arg& b) {
  static const OpPtr op = of_bits("bitwise_xor", "^", [](const std::int64_t* x) { return x[0] ^ x[1]; });
  return elementwise(op, {a, b});
}

Var bitwise_not(const Arg& a) {
  // Of a bool only the last bit counts.
  static const OpPtr op = [] {
    const auto f = [](const std::int64_t* x) { return ~x[0]; };
    auto row = std::make_shared<ScalarOp>(
        ScalarOp{.name = "bitwise_not", .symbol = "~", .promote = Promote::numbers});
    set_integer_kernels<decltype(f), 1>(*row, f);
    return make_op(Elemwise(row));
  }();
  return a.dtype() == DType::bool_ ? logical_not(a) : elementwise(op, {a});
}

Var operator&(const Arg& a, const Arg& b) { return bitwise_and(a, b); }
Var operator|(const Arg& a, const Arg& b) { return bitwise_or(a, b); }
Var operator^(const Arg& a, const Arg& b) { return bitwise_xor(a, b); }
Var operator~(const Arg& x) { return bitwise_not(x); }

Var logical_and(const Arg& a, const Arg& b) {
  const Scope here(a);
  return bitwise_and(truth(a), truth(b));
}

Var logical_or(const Arg& a, const Arg& b) {
  const Scope here(a);
  return bitwise_or(truth(a), truth(b));
}

Var logical_not(const Arg& a) {
  static const OpPtr op = [] {
    const auto f = [](const std::int64_t* x) -> std::int64_t { return x[0] == 0; };
    auto row = std::make_shared<ScalarOp>(ScalarOp{.name = "logical_not", .symbol = "~"});
    set_integer_kernels<decltype(f), 1>(*row, f);
    return make_op(Elemwise(row));
  }();
  const Scope here(a);
  return elementwise(op, {truth(a)});
}

Var isclose(const Arg& a, const Arg& b, const CloseArgs& args) {
  const Scope here(a);
  const Var y = as_floats("isclose", b);  // whose differences and absolute values do not overflow
  const Var near = (abs(a - y) <= args.atol + args.rtol * abs(y)) & ~isinf(y);
  const Var close = eq(a, b) | near;
  return args.equal_nan ? close | (isnan(a) & isnan(b)) : close;
}

Var allclose(const Arg& a, const Arg& b, const CloseArgs& args) {
  const Scope here(a);
  return all(isclose(a, b, args));
}

}  // namespace damo
