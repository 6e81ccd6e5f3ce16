#pragma once
#include <cstdint>
#include <utility>

#include "tensor.h"

/// Where arrays lie, and what their bytes are.
namespace damo {

/// The lowest address of a view's elements, and the first behind the highest. The view must not be empty.
std::pair<std::uintptr_t, std::uintptr_t> extent(const View& v);

/// A sum that tells the elements' bytes, in row-major order, from others.
std::uint64_t checksum(const Tensor& data);

}  // namespace damo
