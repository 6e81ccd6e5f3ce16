#include "core/tensor/bytes.h"

#include <algorithm>
#include <cstring>

namespace damo {

std::pair<std::uintptr_t, std::uintptr_t> extent(const View& v) {
  std::int64_t low = 0, high = 0;
  for (int i = 0; i < v.ndim(); ++i) {
    const std::int64_t reach = (v.shape[i] - 1) * v.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  return {reinterpret_cast<std::uintptr_t>(advance(v.data, v.dtype, low)),
          reinterpret_cast<std::uintptr_t>(advance(v.data, v.dtype, high + 1))};
}

std::uint64_t checksum(const Tensor& data) {
  const Tensor t = data.contiguous();
  const auto n = static_cast<std::size_t>(t.size() * size_of(t.dtype()));
  const auto* p = static_cast<const char*>(t.data());
  std::uint64_t sum = n, word = 0;
  for (std::size_t i = 0; i < n; i += sizeof word) {
    word = 0;
    std::memcpy(&word, p + i, std::min(sizeof word, n - i));
    sum = (sum ^ word) * 0x9e3779b97f4a7c15;
    sum ^= sum >> 32;
  }
  return sum;
}

}  // namespace damo
