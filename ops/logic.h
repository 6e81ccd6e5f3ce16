#pragma once
#include "../core/graph/graph.h"

/// Bits, truth and closeness, elementwise.
namespace damo {

// Bit by bit, of integers and of bool, where they are and, or, exclusive or and not. Floats are an Error.
Var operator&(const Arg& a, const Arg& b);
Var operator|(const Arg& a, const Arg& b);
Var operator^(const Arg& a, const Arg& b);
Var operator~(const Arg& x);
Var bitwise_and(const Arg& a, const Arg& b);
Var bitwise_or(const Arg& a, const Arg& b);
Var bitwise_xor(const Arg& a, const Arg& b);
Var bitwise_not(const Arg& x);

// Theano's names for them.
inline Var and_(const Arg& a, const Arg& b) { return bitwise_and(a, b); }
inline Var or_(const Arg& a, const Arg& b) { return bitwise_or(a, b); }
inline Var xor_(const Arg& a, const Arg& b) { return bitwise_xor(a, b); }
inline Var invert(const Arg& x) { return bitwise_not(x); }

// Of truth, bool: what is not 0 is true.
Var logical_and(const Arg& a, const Arg& b);
Var logical_or(const Arg& a, const Arg& b);
Var logical_not(const Arg& x);

struct CloseArgs {
  double rtol = 1e-5;
  double atol = 1e-8;
  bool equal_nan = false;  ///< NaN is close to NaN
};
/// |a - b| <= atol + rtol |b|, bool; an infinity is close to itself only.
Var isclose(const Arg& a, const Arg& b, const CloseArgs& args = {});
/// Whether all elements are close, a scalar.
Var allclose(const Arg& a, const Arg& b, const CloseArgs& args = {});

}  // namespace damo
