#include "core/random/mrg.h"

#include <algorithm>
#include <cmath>

#include "core/tensor/check.h"

namespace damo {
namespace {

constexpr std::uint32_t m1 = 2147483647, m2 = 2147462579;

using Matrix = std::array<std::array<std::uint64_t, 3>, 3>;

// The two components' transition matrices to the powers 2^72 and 2^134 (rng_mrg: A1p72, A2p72, A1p134,
// A2p134).
constexpr Matrix a1_72 = {{{1516919229, 758510237, 499121365},
                           {1884998244, 1516919229, 335398200},
                           {601897748, 1884998244, 358115744}}};
constexpr Matrix a2_72 = {{{1228857673, 1496414766, 954677935},
                           {1133297478, 1407477216, 1496414766},
                           {2002613992, 1639496704, 1407477216}}};
constexpr Matrix a1_134 = {{{1702500920, 1849582496, 1656874625},
                            {828554832, 1702500920, 1512419905},
                            {1143731069, 828554832, 102237247}}};
constexpr Matrix a2_134 = {{{796789021, 1464208080, 607337906},
                            {1241679051, 1431130166, 1464208080},
                            {1401213391, 1178684362, 1431130166}}};

// y = a x modulo m; three products of 31-bit numbers do not overflow.
template <std::uint32_t m>
void multiply(const Matrix& a, const std::int32_t* x, std::int32_t* y) {
  const auto x0 = static_cast<std::uint64_t>(x[0]), x1 = static_cast<std::uint64_t>(x[1]),
             x2 = static_cast<std::uint64_t>(x[2]);
  for (std::size_t i = 0; i < 3; ++i)
    y[i] = static_cast<std::int32_t>((a[i][0] * x0 + a[i][1] * x1 + a[i][2] * x2) % m);
}

constexpr std::uint32_t reduce(std::uint32_t x, std::uint32_t m) { return x >= m ? x - m : x; }

// One step of both recurrences, each modulus close enough to 2^31 to need no division, and their difference
// in [1, m1]:
//   x1_n = 2^22 x1_{n-2} + (2^7 + 1) x1_{n-3}     modulo m1
//   x2_n = 2^15 x2_{n-1} + (2^15 + 1) x2_{n-3}    modulo m2
std::int32_t step(std::uint32_t& x11, std::uint32_t& x12, std::uint32_t& x13, std::uint32_t& x21,
                  std::uint32_t& x22, std::uint32_t& x23) {
  std::uint32_t y1 = ((x12 & 511U) << 22) + (x12 >> 9) + ((x13 & 16777215U) << 7) + (x13 >> 24);
  y1 = reduce(reduce(y1, m1) + x13, m1);
  x13 = x12;
  x12 = x11;
  x11 = y1;
  // 2^31 = 21069 modulo m2
  const std::uint32_t a = reduce(((x21 & 65535U) << 15) + 21069U * (x21 >> 16), m2);
  const std::uint32_t b = reduce(((x23 & 65535U) << 15) + 21069U * (x23 >> 16), m2);
  const std::uint32_t y2 = reduce(reduce(b + x23, m2) + a, m2);
  x23 = x22;
  x22 = x21;
  x21 = y2;
  return static_cast<std::int32_t>(x11 > x21 ? x11 - x21 : x11 - x21 + m1);
}

template <class T>
constexpr T scale = static_cast<T>(0x1p-31);
template <>
constexpr float scale<float> = 4.6566126e-10F;

template <class T>
void draw_uniform(std::int32_t* rows, std::int64_t n_rows, T* out, std::int64_t n) {
  // Blocks of rows, turned so that word k of all rows lies together: the compiler can then vectorize over the
  // rows.
  constexpr std::int64_t block = 64;
  for (std::int64_t first = 0; first < std::min(n, n_rows); first += block) {
    const std::int64_t m = std::min(block, std::min(n, n_rows) - first);
    std::uint32_t x[6][block];
    std::int32_t* const words = rows + 6 * first;
    for (std::int64_t r = 0; r < m; ++r)
      for (int k = 0; k < 6; ++k) x[k][r] = static_cast<std::uint32_t>(words[6 * r + k]);
    for (std::int64_t i = first; i < n; i += n_rows) {
      const std::int64_t used = std::min(m, n - i);
      for (std::int64_t r = 0; r < used; ++r)
        out[i + r] = static_cast<T>(step(x[0][r], x[1][r], x[2][r], x[3][r], x[4][r], x[5][r])) * scale<T>;
    }
    for (std::int64_t r = 0; r < m; ++r)
      for (int k = 0; k < 6; ++k) words[6 * r + k] = static_cast<std::int32_t>(x[k][r]);
  }
}

template <class T>
void draw_normal(std::int32_t* rows, std::int64_t n_rows, T* out, std::int64_t n) {
  draw_uniform(rows, n_rows, out, mrg_normal_room(n));
  const std::int64_t half = mrg_normal_room(n) / 2;
  constexpr auto two_pi = static_cast<T>(6.283185307179586);
  for (std::int64_t i = 0; i < half; ++i) {
    const T radius = std::sqrt(T{-2} * std::log(out[i])), angle = two_pi * out[half + i];
    out[i] = radius * std::cos(angle);
    out[half + i] = radius * std::sin(angle);
  }
}

}  // namespace

int mrg_n_streams(const Sizes& size) {
  const std::int64_t n = size.product();
  return static_cast<int>(std::min<std::int64_t>(n > 6 ? n / 6 : n, mrg_max_streams));
}

MRG31k3p::MRG31k3p(std::int64_t seed) {
  check(seed > 0 && seed < m2, "an MRG31k3p seed must be between 1 and {}, not {}", m2 - 1, seed);
  words_.fill(static_cast<std::int32_t>(seed));
}

MRG31k3p::MRG31k3p(const std::array<std::int64_t, 6>& seed) {
  for (std::size_t i = 0; i < 6; ++i) {
    const std::uint32_t m = i < 3 ? m1 : m2;
    check(seed[i] >= 0 && seed[i] < m, "word {} of an MRG31k3p seed must be between 0 and {}, not {}", i,
          m - 1, seed[i]);
    words_[i] = static_cast<std::int32_t>(seed[i]);
  }
  check((seed[0] | seed[1] | seed[2]) != 0 && (seed[3] | seed[4] | seed[5]) != 0,
        "neither the first nor the last three words of an MRG31k3p seed may all be 0");
}

Tensor MRG31k3p::next_stream(int n) {
  check(n > 0, "a random variable needs at least one substream, not {}", n);
  const Tensor rows = Tensor::empty({n, 6}, int32);
  std::int32_t* row = rows.span<std::int32_t>().data();
  std::copy(words_.begin(), words_.end(), row);
  for (int i = 1; i < n; ++i, row += 6) {
    multiply<m1>(a1_72, row, row + 6);
    multiply<m2>(a2_72, row + 3, row + 9);
  }
  const std::array<std::int32_t, 6> base = words_;
  multiply<m1>(a1_134, base.data(), words_.data());
  multiply<m2>(a2_134, base.data() + 3, words_.data() + 3);
  return rows;
}

void mrg_uniform(std::int32_t* rows, std::int64_t n_rows, double* out, std::int64_t n) {
  draw_uniform(rows, n_rows, out, n);
}
void mrg_uniform(std::int32_t* rows, std::int64_t n_rows, float* out, std::int64_t n) {
  draw_uniform(rows, n_rows, out, n);
}
void mrg_normal(std::int32_t* rows, std::int64_t n_rows, double* out, std::int64_t n) {
  draw_normal(rows, n_rows, out, n);
}
void mrg_normal(std::int32_t* rows, std::int64_t n_rows, float* out, std::int64_t n) {
  draw_normal(rows, n_rows, out, n);
}

}  // namespace damo
