#pragma once
#include <optional>

#include "../core/graph/graph.h"

/// Diagonals and triangles. Diagonal k lies k places to the right of the main one, or below it if negative.
namespace damo {

/// (n, m) with ones on diagonal k; m is n if it is left out.
Var eye(const Arg& n, const std::optional<Arg>& m = std::nullopt, const Arg& k = 0, DType dtype = floatX());
/// The same with the sizes and the dtype of the matrix x.
Var identity_like(const Arg& x);

/// Of a vector: the square matrix that has it on diagonal k. Of a matrix: its diagonal k.
Var diag(const Arg& x, int k = 0);
/// x_{.., i, i + offset} with i in axis1: the two axes go, the diagonal's becomes the last.
Var diagonal(const Arg& x, int offset = 0, int axis1 = 0, int axis2 = 1);
/// The sum of that diagonal.
Var trace(const Arg& x, int offset = 0, int axis1 = 0, int axis2 = 1);

/// (n, m) with ones on and below diagonal k; m is n if it is left out.
Var tri(const Arg& n, const std::optional<Arg>& m = std::nullopt, const Arg& k = 0, DType dtype = floatX());
/// A matrix with zeros above diagonal k.
Var tril(const Arg& x, const Arg& k = 0);
/// A matrix with zeros below diagonal k.
Var triu(const Arg& x, const Arg& k = 0);

}  // namespace damo
