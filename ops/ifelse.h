#pragma once
#include "../core/graph/graph.h"

namespace damo {

/// a if the condition, an integer scalar, is not 0, else b. Only what the one that is taken needs is
/// computed, each time the function runs; what something else needs as well is computed once, and random
/// variables are drawn in any case. The dtypes and ranks of a and b agree, their sizes need not: an axis
/// stretches if it does in both. So does the gradient: that of the branch which is not taken is zero, and is
/// not computed. Throws Error if the types do not fit (Theano's ifelse).
Var ifelse(const Arg& condition, const Arg& a, const Arg& b);
/// The same for several values at once, chosen pair by pair. Throws Error if there are not as many of each.
Vars ifelse(const Arg& condition, const Vars& a, const Vars& b);

}  // namespace damo
