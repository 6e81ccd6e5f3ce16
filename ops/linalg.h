#pragma once
#include "../core/graph/graph.h"

/// Linear algebra of Theano's nlinalg and slinalg. Matrices are float32 or float64, and integers become
/// float64, as LAPACK takes them. A matrix that must be square is checked when the graph is built, or else in
/// the call.
namespace damo {

/// x^-1, (n, n) -> (n, n). The call throws Error if x is singular: to solve equations, `solve` is cheaper and
/// more exact.
Var matrix_inverse(const Arg& x);

/// The Moore-Penrose inverse, (m, n) -> (n, m): the x^+ for which x^+ b is the shortest of all y that
/// minimize |x y - b|. Its gradient is right where the rank of x does not change.
Var pinv(const Arg& x);

/// The determinant, (n, n) -> (). Its gradient needs the inverse: an Error where x is singular.
Var det(const Arg& x);

/// det x = sign e^log_abs, without overflow or underflow. For a singular x: 0 and -inf.
struct SlogDet {
  Var sign;     ///< -1, 0 or 1
  Var log_abs;  ///< log |det x|
};
SlogDet slogdet(const Arg& x);

struct TriangleArgs {
  bool lower = true;  ///< which triangle of x is read
};
/// The triangular L with L L^T = x and a positive diagonal; the upper triangular U with U^T U = x if `lower`
/// is false. Only that triangle of x is read, so the gradient is 0 in the other. The call throws Error if x
/// is not positive definite.
Var cholesky(const Arg& x, const TriangleArgs& args = {});

struct Eigh {
  Var w;  ///< (n), in increasing order
  Var v;  ///< (n, n), a column for each, of length 1
};
/// Eigenvalues and eigenvectors of a symmetric x, of which one triangle is read: x v = v diag(w). The
/// gradient through v divides by the differences of eigenvalues: Inf or NaN where two are equal.
Eigh eigh(const Arg& x, const TriangleArgs& args = {});

/// A^-1 b for a vector (n) or the columns of a matrix (n, k). The call throws Error if A is singular.
Var solve(const Arg& A, const Arg& b);

struct TriangularArgs {
  bool lower = false;  ///< which triangle of A is read; the other is taken for 0
  bool trans = false;  ///< whether its transpose stands on the left
};
/// The same for a triangular A: one substitution. The call throws Error if the diagonal of A holds a 0.
Var solve_triangular(const Arg& A, const Arg& b, const TriangularArgs& args = {});
Var solve_lower_triangular(const Arg& A, const Arg& b);
Var solve_upper_triangular(const Arg& A, const Arg& b);

/// The product of all, from left to right.
Var matrix_dot(const Args& factors);

/// The Kronecker product: every element of a times all of b, (m, n) (p, q) -> (m p, n q). Of two vectors:
/// (m) (p) -> (m p).
Var kron(const Arg& a, const Arg& b);

}  // namespace damo
