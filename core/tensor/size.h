#pragma once
#include <cstdint>
#include <string>

#include "type.h"

/// Arithmetic on sizes, which come from outside and may be anything: each function throws Error, with the
/// reason alone, where the result does not exist.
namespace damo {

/// No array, and no function's arrays together, may take more: a size mistyped by some digits is a mistake,
/// not a lack of memory. It leaves room for arithmetic on sizes that have been checked.
inline constexpr std::int64_t most_array_bytes = std::int64_t{1} << 40;

std::int64_t plus(std::int64_t a, std::int64_t b);
std::int64_t times(std::int64_t a, std::int64_t b);

/// How many of start, start + step, ... lie before stop; step may be negative, not 0.
std::int64_t steps_between(std::int64_t start, std::int64_t stop, std::int64_t step);

/// Checks what is known of an array. As in NumPy, the sizes other than 0 must fit without the others, so that
/// strides do, too.
void check_size(const Type& type);

/// The bytes of an array whose sizes are all known.
std::int64_t checked_bytes(const Sizes& shape, DType dtype);

/// "(0, 2)": the place of the element with this number, in row-major order.
std::string index_text(const Sizes& shape, std::int64_t element);

}  // namespace damo
