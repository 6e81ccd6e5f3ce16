#pragma once
#include <vector>

#include "../core/graph/graph.h"

/// Operations that move elements or make arrays, without arithmetic.
namespace damo {

Var transpose(const Arg& x);
Var dimshuffle(const Arg& x, const std::vector<int>& pattern);
/// One size may be -1: what the others leave. A view of a row-major array, else a copy.
Var reshape(const Arg& x, const Shape& shape);
/// The first ndim - 1 axes stay, the rest becomes one.
Var flatten(const Arg& x, int ndim = 1);
Var shape(const Arg& x);            ///< int64 vector
Var shape(const Arg& x, int axis);  ///< int64 scalar

/// `value`, stretched to `shape`.
Var alloc(const Arg& value, const Shape& shape);
Var zeros(const Shape& shape, DType dtype = floatX(), Here at = {});
Var ones(const Shape& shape, DType dtype = floatX(), Here at = {});
Var zeros_like(const Arg& x);
Var ones_like(const Arg& x);
/// Along an existing axis; all other sizes must agree.
Var join(int axis, const Args& parts);
inline Var concatenate(const Args& parts, int axis = 0) { return join(axis, parts); }
/// Along a new axis.
Var stack(const Args& parts, int axis = 0);
/// x with some axes of size 1 declared to stretch (checked in the call).
Var addbroadcast(const Arg& x, const std::vector<int>& axes);
/// x with some axes declared not to stretch.
Var unbroadcast(const Arg& x, const std::vector<int>& axes);

}  // namespace damo
