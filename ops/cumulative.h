#pragma once
#include <optional>

#include "../core/graph/graph.h"

/// Sums and products of the elements so far.
namespace damo {

/// y_i = x_0 + ... + x_i along an axis, or over the flattened array if none is given. x's dtype; bool gives
/// int64.
Var cumsum(const Arg& x, std::optional<int> axis = std::nullopt);
/// y_i = x_0 ... x_i. Its gradient divides by nothing: x may hold zeros.
Var cumprod(const Arg& x, std::optional<int> axis = std::nullopt);

}  // namespace damo
