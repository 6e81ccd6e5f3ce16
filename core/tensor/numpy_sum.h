#pragma once
#include <array>
#include <cstddef>
#include <span>

namespace damo {

/// The sum in NumPy's order: halves of a multiple of 8 down to blocks of at most 128, each block as eight
/// interleaved sums, all in T.
template <class T>
T pairwise_sum(std::span<const T> x) {
  const std::size_t n = x.size();
  if (n > 128) {
    const std::size_t half = n / 2 - n / 2 % 8;
    return pairwise_sum(x.first(half)) + pairwise_sum(x.subspan(half));
  }
  T sum = 0;
  std::size_t i = 0;
  if (n >= 8) {
    std::array<T, 8> r{};
    for (; i + 8 <= n; i += 8)
      for (std::size_t k = 0; k < 8; ++k) r[k] += x[i + k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  }
  for (; i < n; ++i) sum += x[i];
  return sum;
}

}  // namespace damo
