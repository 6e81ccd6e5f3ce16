#include "models/numpy_mean.h"

#include <array>

namespace damo {
namespace {

// NumPy's pairwise sum: halves of a multiple of 8 down to blocks of at most 128, each block as eight
// interleaved sums.
double pairwise_sum(std::span<const double> x) {
  const std::size_t n = x.size();
  if (n > 128) {
    const std::size_t half = n / 2 - n / 2 % 8;
    return pairwise_sum(x.first(half)) + pairwise_sum(x.subspan(half));
  }
  double sum = 0;
  std::size_t i = 0;
  if (n >= 8) {
    std::array<double, 8> r{};
    for (; i + 8 <= n; i += 8)
      for (std::size_t k = 0; k < 8; ++k) r[k] += x[i + k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  }
  for (; i < n; ++i) sum += x[i];
  return sum;
}

}  // namespace

double numpy_mean(std::span<const double> values) {
  return pairwise_sum(values) / static_cast<double>(values.size());
}

}  // namespace damo
