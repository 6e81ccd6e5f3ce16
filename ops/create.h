#pragma once
#include <optional>
#include <vector>

#include "../core/graph/graph.h"
#include "index.h"

/// Arrays made from numbers: ranges, grids, constants.
namespace damo {

/// [start, start + step, ...) up to, and without, stop. Integers give int64, else the dtype is the one that
/// holds all three, unless it is given. A step of 0 is an Error.
Var arange(const Arg& stop);
Var arange(const Arg& start, const Arg& stop, const Arg& step = 1, std::optional<DType> dtype = std::nullopt);

/// A coordinate for each slice start:stop:step: arrays of as many axes as there are slices, coordinate i
/// running along axis i. mgrid gives whole arrays, ogrid arrays of size 1 along the other axes, which
/// stretch.
Vars mgrid(const std::vector<Slice>& slices, Here at = {});
Vars ogrid(const std::vector<Slice>& slices, Here at = {});

/// An array of the given shape that holds `value` everywhere. dtype: the value's, unless it is given; that of
/// a literal is floatX or int64.
Var full(const Shape& shape, const Arg& value, std::optional<DType> dtype = std::nullopt);
/// The same with x's shape, and x's dtype unless one is given.
Var full_like(const Arg& x, const Arg& value, std::optional<DType> dtype = std::nullopt);
/// The same with x's shape and the value's dtype; a literal takes x's.
Var fill(const Arg& x, const Arg& value);

}  // namespace damo
