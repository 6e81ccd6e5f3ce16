#pragma once
#include "core/graph.h"

namespace damo {

/// The product of vectors and matrices, for every pair of ranks up to 2: (n) (n) -> (), (m, n) (n) -> (m),
/// (n) (n, k) -> (k), (m, n) (n, k) -> (m, k); a scalar multiplies. Throws Error if the inner sizes differ.
Var dot(const Arg& a, const Arg& b);

/// (m) (n) -> (m, n).
Var outer(const Arg& a, const Arg& b);

}  // namespace damo
