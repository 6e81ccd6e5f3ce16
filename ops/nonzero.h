#pragma once
#include "../core/graph/graph.h"

/// Where an array is not zero. How many places there are depends on its values: what is made of them has
/// sizes that are known only within the call.
namespace damo {

/// The positions of the elements that are not 0, in row-major order: an int64 vector for each axis of x, as
/// x[nonzero(x)] takes them. Throws Error on a scalar.
Vars nonzero(const Arg& x);
/// The same positions in the flattened array.
Var flatnonzero(const Arg& x);
/// The elements that are not 0, as a vector.
Var nonzero_values(const Arg& x);

}  // namespace damo
