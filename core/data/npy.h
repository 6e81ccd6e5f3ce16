#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "../tensor/tensor.h"

/// The .npy format (numpy.lib.format), apart from where its bytes come from.
namespace damo {

/// What precedes the elements of a row-major tensor.
std::string npy_header(const Tensor& tensor);

/// The array in a stream of `size` bytes, of which `read` copies the next n; row-major. `where` begins every
/// message. Throws Error if the bytes are not exactly one array, or one whose dtype Damo does not have.
Tensor read_npy(const std::string& where, std::uint64_t size,
                const std::function<void(void*, std::size_t)>& read);

}  // namespace damo
