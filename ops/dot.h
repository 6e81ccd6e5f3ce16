#pragma once
#include <vector>

#include "../core/graph/graph.h"

namespace damo {

/// The product of vectors and matrices, for every pair of ranks up to 2: (n) (n) -> (), (m, n) (n) -> (m),
/// (n) (n, k) -> (k), (m, n) (n, k) -> (m, k); a scalar multiplies. Throws Error if the inner sizes differ.
Var dot(const Arg& a, const Arg& b);

/// (m) (n) -> (m, n).
Var outer(const Arg& a, const Arg& b);

/// (b, m, k) (b, k, n) -> (b, m, n): a product of matrices for each index along the first axis. A rank of 2
/// stands for vectors, (b, k), a rank of 1 for scalars, (b); more axes as batched_tensordot over the last
/// axis of x and the last but one of y. Throws Error if the first or the inner sizes differ.
Var batched_dot(const Arg& x, const Arg& y);

/// Axes of two arrays that belong together: x's first with y's first, and so on.
struct AxisPairs {
  std::vector<int> x, y;
};

/// The sum over pairs of axes of x and y, whose sizes must agree: {{1, 2}, {0, 1}} sums x_{i a b} y_{a b j}.
/// The other axes stay, x's before y's. A number n stands for the last n axes of x and the first n of y.
Var tensordot(const Arg& x, const Arg& y, int n_axes = 2);
Var tensordot(const Arg& x, const Arg& y, const AxisPairs& axes);
/// The same for each index along the first axis, which stays in front.
Var batched_tensordot(const Arg& x, const Arg& y, int n_axes = 2);
Var batched_tensordot(const Arg& x, const Arg& y, const AxisPairs& axes);

}  // namespace damo
