#include "ops/kernels/nest.h"

#include <algorithm>
#include <numeric>

namespace damo {

Nest make_nest(const Views& x, const Sizes& shape, int second) {
  Nest nest;
  const int n = static_cast<int>(shape.size());
  for (int axis = 0; axis < n; ++axis) {
    if (axis == second) nest.n_first = nest.rank;
    if (shape[axis] == 1) continue;
    const auto r = static_cast<std::size_t>(nest.rank);
    bool joins = nest.rank > (axis < second ? 0 : nest.n_first);
    std::array<std::int64_t, max_operands> step;
    for (int i = 0; i < x.size(); ++i) {
      const int own = axis - (n - x[i].ndim());
      const auto k = static_cast<std::size_t>(i);
      step[k] = own < 0 || x[i].shape[own] == 1 ? 0 : x[i].strides[own];
      if (joins) joins = nest.strides[k][r - 1] == step[k] * shape[axis];
    }
    const std::size_t at = joins ? r - 1 : r;
    nest.shape[at] = joins ? nest.shape[at] * shape[axis] : shape[axis];
    for (int i = 0; i < x.size(); ++i)
      nest.strides[static_cast<std::size_t>(i)][at] = step[static_cast<std::size_t>(i)];
    if (!joins) ++nest.rank;
  }
  return nest;
}

Nest make_nest_of_parts(const Views& x, const Sizes& shape, int second) {
  Nest nest = make_nest(x, shape, second);
  if (nest.n_first == nest.rank) {
    const auto r = static_cast<std::size_t>(nest.rank++);
    nest.shape[r] = 1;
    for (int i = 0; i < x.size(); ++i) nest.strides[static_cast<std::size_t>(i)][r] = 0;
  }
  return nest;
}

void join_short_rows(Nest& nest, int n_operands) {
  if (nest.rank < 2) return;
  const auto last = static_cast<std::size_t>(nest.rank - 1);
  const std::int64_t n = nest.shape[last];
  if (n > tile_size / 4) return;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n_operands); ++i) {
    const auto& step = nest.strides[i];
    nest.periodic[i] = step[last - 1] != step[last] * n;
    if (nest.periodic[i] && std::any_of(step.begin(), step.begin() + last, [](auto s) { return s != 0; }))
      return;
  }
  // Whole rows, and whole packets where that is possible.
  const std::int64_t whole = tile_lanes / std::gcd(n, std::int64_t{tile_lanes}) * n,
                     unit = whole <= tile_size ? whole : n;
  nest.tile = tile_size / unit * unit;
  nest.period = n;
  nest.shape[last - 1] *= n;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n_operands); ++i)
    nest.strides[i][last - 1] = nest.strides[i][last];
  --nest.rank;
}

std::int64_t product(const Nest& nest, int from, int to) {
  std::int64_t n = 1;
  for (int i = from; i < to; ++i) n *= nest.shape[static_cast<std::size_t>(i)];
  return n;
}

std::int64_t inner_size(const Nest& nest) {
  return nest.rank == 0 ? 1 : nest.shape[static_cast<std::size_t>(nest.rank - 1)];
}

}  // namespace damo
