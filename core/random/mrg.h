#pragma once
#include <array>
#include <cstdint>

#include "../tensor/tensor.h"

/// MRG31k3p (L'Ecuyer and Touzin, "Fast combined multiple recursive generators with multipliers of the form
/// a = +-2^q +-2^r", Winter Simulation Conference 2000), as Theano's rng_mrg lays it out: a random variable
/// owns n substreams 2^72 numbers apart, kept as a matrix of n rows of six words, and variables are 2^134
/// numbers apart.
namespace damo {

/// The substreams of a random variable whose size is not known beforehand, and the most that any has.
inline constexpr int mrg_max_streams = 15360;

/// The substreams of a random variable of a size known when the graph is built: a sixth of its elements, at
/// most mrg_max_streams, one per element up to six.
int mrg_n_streams(const Sizes& size);

/// Hands out the states of one random variable after the other.
class MRG31k3p {
 public:
  /// All six words are `seed`. Throws Error unless 0 < seed < 2147462579.
  explicit MRG31k3p(std::int64_t seed);

  /// Throws Error unless the first three words are below 2147483647, the last three below 2147462579, and
  /// neither three are all zero.
  explicit MRG31k3p(const std::array<std::int64_t, 6>& seed);

  /// The next variable's state, int32 of shape (n, 6). Throws Error unless n > 0.
  Tensor next_stream(int n);

  /// The state of the next variable's first substream.
  const std::array<std::int32_t, 6>& words() const { return words_; }

 private:
  std::array<std::int32_t, 6> words_{};
};

/// out[i] = a number in (0, 1] from row i mod n_rows of the state, which is advanced in place. The float
/// values are those of Theano's float32 kernel, not the double ones rounded.
void mrg_uniform(std::int32_t* rows, std::int64_t n_rows, double* out, std::int64_t n);
void mrg_uniform(std::int32_t* rows, std::int64_t n_rows, float* out, std::int64_t n);

/// How many values mrg_normal writes for n normals: n made even.
constexpr std::int64_t mrg_normal_room(std::int64_t n) { return n + n % 2; }

/// n standard normals by Box and Muller: of 2h uniform draws u, h = (n+1)/2, element i is
/// sqrt(-2 log u_i) cos(2 pi u_{h+i}) and element h+i the same with sin. `out` needs mrg_normal_room(n)
/// elements.
void mrg_normal(std::int32_t* rows, std::int64_t n_rows, double* out, std::int64_t n);
void mrg_normal(std::int32_t* rows, std::int64_t n_rows, float* out, std::int64_t n);

}  // namespace damo
