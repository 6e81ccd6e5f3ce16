#pragma once
#include <cstdint>
#include <utility>

#include "lanes.h"

/// How kernels cut their work, so that registers hold a block of results.
namespace damo {

/// A block of results that fills the registers: `rows` vectors times `packets` packets of columns, and for
/// inner products `vectors` times `rows`. What they are made of takes the registers that are left.
struct Blocking {
  int rows, packets, dot_vectors;
};
inline constexpr Blocking blocking = packet_bytes == 64   ? Blocking{8, 3, 6}
                                     : packet_bytes == 32 ? Blocking{4, 3, 3}
                                     : packet_registers == 32
                                         ? Blocking{5, 4, 4}
                                         : Blocking{4, 2, 2};  // and the product, without FMA

/// f<1>(), ..., f<most>(): the one of n.
template <int most, class F>
__attribute__((always_inline)) inline void with_count(std::int64_t n, F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) {
    ((n == i + 1 ? f.template operator()<i + 1>() : void()), ...);
  }
  (std::make_integer_sequence<int, most>());
}

/// Groups of at most `most`, as equal as can be: f(first, size).
template <class F>
__attribute__((always_inline)) inline void for_groups(std::int64_t n, std::int64_t most, F f) {
  const std::int64_t groups = (n + most - 1) / most;
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t begin = n * g / groups, end = n * (g + 1) / groups;
    f(begin, end - begin);
  }
}

}  // namespace damo
