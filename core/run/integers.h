#pragma once
#include <cstdint>

#include "../tensor/tensor.h"

/// Integers of any dtype that are sizes, bounds or conditions.
namespace damo {

/// The only element of an array of integers.
std::int64_t read_integer(const View& v);

/// v as an integer of that dtype holds it.
std::int64_t wrapped(DType dtype, std::int64_t v);

}  // namespace damo
