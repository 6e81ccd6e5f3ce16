#pragma once
#include <optional>

#include "../core/graph/graph.h"

/// Order.
namespace damo {

/// int64: the positions along an axis in the order of their elements, the smallest first, equal ones as they
/// stood, NaN last; of the flattened array if no axis (`none`) is given.
Var argsort(const Arg& x, std::optional<int> axis = -1);
/// The elements in that order. The gradient goes back to where each one came from.
Var sort(const Arg& x, std::optional<int> axis = -1);

enum class Side { left, right };

struct SearchsortedArgs {
  Side side = Side::left;
  std::optional<Arg> sorter = {};  ///< positions that bring x in order, as argsort gives them
};

/// int64 of v's shape: where each element of v must be put into the vector x, which is in order, so that it
/// stays in order: before those that are equal, or behind them.
Var searchsorted(const Arg& x, const Arg& v, const SearchsortedArgs& args = {});

}  // namespace damo
