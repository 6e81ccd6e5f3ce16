#include "core/random/mt19937.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace damo {

void MT19937State::seed(std::uint32_t seed) {
  mt[0] = seed;
  for (std::uint32_t i = 1; i < n; ++i) mt[i] = 1812433253U * (mt[i - 1] ^ (mt[i - 1] >> 30)) + i;
  pos = n;
  has_gauss = 0;
  gauss = 0;
}

void MT19937State::seed(std::span<const std::uint32_t> key) {
  seed(19650218U);
  const std::size_t length = key.size();
  std::uint32_t i = 1;
  std::size_t j = 0;
  // Word i mixes with its left neighbour; past the last word the walk starts over, word 0 being a copy of the
  // last.
  const auto mix = [&](std::uint32_t factor, std::uint32_t addend, bool add) {
    const std::uint32_t mixed = mt[i] ^ ((mt[i - 1] ^ (mt[i - 1] >> 30)) * factor);
    mt[i] = add ? mixed + addend : mixed - addend;
    if (++i == n) {
      mt[0] = mt[n - 1];
      i = 1;
    }
  };
  for (std::size_t k = std::max<std::size_t>(n, length); k > 0; --k) {
    mix(1664525U, key[j] + static_cast<std::uint32_t>(j), true);
    if (++j == length) j = 0;
  }
  for (int k = n - 1; k > 0; --k) mix(1566083941U, i, false);
  mt[0] = 0x80000000U;
}

void MT19937State::twist() {
  constexpr int m = 397;
  const auto next = [this](int i, int right, int far) {
    const std::uint32_t y = (mt[i] & 0x80000000U) | (mt[right] & 0x7fffffffU);
    mt[i] = mt[far] ^ (y >> 1) ^ ((0U - (y & 1U)) & 0x9908b0dfU);
  };
  // Three loops without a remainder, so that the compiler can vectorize them.
  for (int i = 0; i < n - m; ++i) next(i, i + 1, i + m);
  for (int i = n - m; i < n - 1; ++i) next(i, i + 1, i + m - n);
  next(n - 1, 0, m - 1);
  pos = 0;
}

std::uint64_t MT19937State::interval(std::uint64_t max) {
  if (max == 0) return 0;
  const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(max);
  const bool narrow = max <= 0xffffffffU;
  while (true) {
    const std::uint64_t v = (narrow ? u32() : u64()) & mask;
    if (v <= max) return v;
  }
}

double MT19937State::normal() {
  if (has_gauss != 0) {
    has_gauss = 0;
    return gauss;
  }
  double x1, x2, r2;
  do {
    x1 = 2.0 * uniform() - 1.0;
    x2 = 2.0 * uniform() - 1.0;
    r2 = x1 * x1 + x2 * x2;
  } while (r2 >= 1.0 || r2 == 0.0);
  const double f = std::sqrt(-2.0 * std::log(r2) / r2);
  gauss = f * x1;
  has_gauss = 1;
  return f * x2;
}

void MT19937State::fill_uniform(double* out, std::int64_t count, double low, double high) {
  const double range = high - low;
  while (count > 0) {
    if (static_cast<std::uint32_t>(pos) >= n) twist();
    const int pairs = static_cast<int>(std::min<std::int64_t>(count, (n - pos) / 2));
    if (pairs == 0) {  // one word is left: the pair straddles two blocks
      *out++ = low + range * uniform();
      --count;
      continue;
    }
    std::uint32_t words[n];
    for (int i = 0; i < 2 * pairs; ++i) words[i] = temper(mt[pos + i]);
    for (int i = 0; i < pairs; ++i) {
      // Signed, since processors convert those to double directly.
      const auto a = static_cast<std::int32_t>(words[2 * i] >> 5),
                 b = static_cast<std::int32_t>(words[2 * i + 1] >> 6);
      // An exact power of two: the product rounds as the quotient in uniform() does.
      out[i] = low + range * ((a * 67108864.0 + b) * 0x1p-53);
    }
    pos += 2 * pairs;
    out += pairs;
    count -= pairs;
  }
}

void MT19937State::fill_uniform(float* out, std::int64_t count, double low, double high) {
  double block[n / 2];
  while (count > 0) {
    const std::int64_t m = std::min<std::int64_t>(count, n / 2);
    fill_uniform(block, m, low, high);
    for (std::int64_t i = 0; i < m; ++i) out[i] = static_cast<float>(block[i]);
    out += m;
    count -= m;
  }
}

}  // namespace damo
