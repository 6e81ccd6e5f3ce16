#pragma once
#include <optional>

#include "../core/graph/graph.h"

/// Picking by position, and counting positions.
namespace damo {

/// What becomes of a position outside [0, n).
enum class OutOfRange {
  raise,  ///< an Error in the call; -n .. -1 count from the end
  wrap,   ///< i modulo n
  clip,   ///< the nearest of 0 and n - 1
};

struct TakeArgs {
  std::optional<int> axis = {};  ///< none: of the flattened array
  OutOfRange mode = OutOfRange::raise;
};

/// The elements of x, or its parts along an axis, at the given positions: an array of integers, whose shape
/// stands where the axis stood.
Var take(const Arg& x, const Arg& positions, const TakeArgs& args = {});

/// y_i = choices[a_i]_i: of several arrays, which are stretched to one shape with a, the one that a names. a
/// holds integers in [0, n).
Var choose(const Arg& a, const Args& choices, OutOfRange mode = OutOfRange::raise);

struct BincountArgs {
  std::optional<Arg> weights = {};  ///< as many as there are elements of x: y_k = the sum of those of k
  Arg minlength = 0;
};

/// y_k = how often k stands in x, a vector of integers from 0 on, for k = 0 .. max(x): int64, or of the
/// weights' dtype. An element below 0 is an Error in the call.
Var bincount(const Arg& x, const BincountArgs& args = {});

}  // namespace damo
