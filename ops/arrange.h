#pragma once
#include <optional>
#include <vector>

#include "../core/graph/graph.h"

/// The elements of an array in another order, repeated, or in parts.
namespace damo {

Var swapaxes(const Arg& x, int axis1, int axis2);
/// x without the axes that are declared to have size 1.
Var squeeze(const Arg& x);
/// x without the given axes, which must have size 1 (checked in the call).
Var squeeze(const Arg& x, const std::vector<int>& axes);

// New axes of size 1, which stretch.

Var shape_padleft(const Arg& x, int n_ones = 1);
Var shape_padright(const Arg& x, int n_ones = 1);
Var shape_padaxis(const Arg& x, int axis);  ///< the new axis is `axis`, counted from the end if negative

/// x, reps[i] times along axis i: (m, n) by {2, 3} -> (2 m, 3 n). With fewer reps than axes the last axes
/// are meant, with more x gets new axes in front; `ndim` asks for at least so many axes.
Var tile(const Arg& x, const Shape& reps, std::optional<int> ndim = std::nullopt);

/// Each element along an axis (of the flattened array if none is given) several times in a row: as often as
/// `repeats` says, a number, or a vector with one for each.
Var repeat(const Arg& x, const Arg& repeats, std::optional<int> axis = std::nullopt);

/// y_{i + shift} = x_i along an axis, or in the flattened array if none is given; what leaves at one end
/// enters at the other.
Var roll(const Arg& x, const Arg& shift, std::optional<int> axis = std::nullopt);

/// x cut along an axis into parts of the given sizes, which must add up to its size.
Vars split(const Arg& x, const Args& sizes, int axis = 0);
/// The same for sizes in one vector of `n_splits` integers.
Vars split(const Arg& x, const Arg& sizes, int n_splits, int axis);

}  // namespace damo
