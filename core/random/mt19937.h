#pragma once
#include <cstdint>
#include <span>
#include <type_traits>

namespace damo {

/// MT19937 (Matsumoto and Nishimura 1998) and the draws NumPy's legacy RandomState builds on it, over plain
/// memory: a compiled function keeps this struct inside a Tensor and copies it byte by byte.
struct MT19937State {
  static constexpr int n = 624;

  std::uint32_t mt[n];
  std::int32_t pos;        ///< the next word to hand out; at n a new block of words is due
  std::int32_t has_gauss;  ///< 1 while `gauss` holds the second value of a pair of normals
  double gauss;

  /// Starts from one number, as NumPy's RandomState(seed) and std::mt19937 do (init_genrand).
  void seed(std::uint32_t seed);

  /// Starts from a list of numbers, as NumPy's RandomState([...]) does (init_by_array). The list must not be
  /// empty.
  void seed(std::span<const std::uint32_t> key);

  /// A number in [0, 2^32).
  std::uint32_t u32() {
    // As unsigned, so that a damaged position is never used as an index.
    if (static_cast<std::uint32_t>(pos) >= n) twist();
    return temper(mt[pos++]);
  }

  /// A number in [0, 2^64), the high word drawn first.
  std::uint64_t u64() {
    const std::uint64_t high = u32();
    return high << 32 | u32();
  }

  /// A double in [0, 1) with 53 random bits.
  double uniform() {
    const std::uint32_t a = u32() >> 5, b = u32() >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
  }

  /// An integer in [0, max] by masked rejection; max = 0 draws nothing.
  std::uint64_t interval(std::uint64_t max);

  /// A standard normal by Marsaglia's polar method; every other call returns the cached half of a pair.
  double normal();

  /// out[0 .. count) = low + (high - low) * uniform(), computed in double; much faster than one call each.
  void fill_uniform(double* out, std::int64_t count, double low = 0, double high = 1);
  void fill_uniform(float* out, std::int64_t count, double low = 0, double high = 1);

 private:
  void twist();
  static std::uint32_t temper(std::uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
  }
};

static_assert(sizeof(MT19937State) == 2512 && std::is_trivially_copyable_v<MT19937State>);

}  // namespace damo
