#pragma once
#include <Eigen/Core>
#include <algorithm>
#include <cstdint>

#include "../../core/run/threads.h"
#include "../../core/tensor/tensor.h"
#include "../../core/tensor/visit.h"
#include "exponential.h"
#include "scalar_op.h"

/// What softmax and its kin compute first.
namespace damo {

/// A row x along the last axis: x - max(x), its exponential, and the sum of that in float64.
template <class T>
struct ExponentialRow {
  std::int64_t number;
  const T *shifted, *exponential;
  T largest;
  double sum;
};

/// Where that row begins.
inline std::int64_t offset_of(const View& x, std::int64_t row) {
  std::int64_t offset = 0;
  for (int i = x.ndim() - 2; i >= 0; --i) {
    offset += row % x.shape[i] * x.strides[i];
    row /= x.shape[i];
  }
  return offset;
}

/// Calls f(ExponentialRow) for each row: rows of a part are gathered in packets, and their exponentials taken
/// together.
template <class T, class F>
void for_exponential_rows(const View& x, Part part, F f) {
  thread_local Eigen::Array<T, Eigen::Dynamic, 1> shifted, exponential, largest;
  const int last = x.ndim() - 1;
  const std::int64_t n = x.shape[last], step = x.strides[last];
  if (n == 0) return;
  const std::int64_t at_once = std::max<std::int64_t>(1, tile_size / n);
  const std::int64_t room = (at_once * n + tile_lanes - 1) / tile_lanes * tile_lanes;
  if (shifted.size() < room) {
    shifted.setZero(room);
    exponential.setZero(room);
  }
  if (largest.size() < at_once) largest.resize(at_once);
  const auto [begin, end] = part.range(x.size() / n);
  for (std::int64_t first = begin; first < end; first += at_once) {
    const std::int64_t rows = std::min(at_once, end - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* const in = x.ptr<T>() + offset_of(x, first + r);
      T m = in[0];
      for (std::int64_t i = 1; i < n; ++i) m = std::max(m, in[i * step]);
      for (std::int64_t i = 0; i < n; ++i)
        shifted[r * n + i] = in[i * step] - m;  // the largest is exp(0) = 1
      largest[r] = m;
    }
    const std::int64_t padded = (rows * n + tile_lanes - 1) / tile_lanes * tile_lanes;
    const T* const power = shifted.data();
    T* const y = exponential.data();
    for (std::int64_t i = 0; i < padded; ++i) y[i] = exp_of(power[i]);
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* const e = exponential.data() + r * n;
      double sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(e[i]);
      f(ExponentialRow<T>{first + r, shifted.data() + r * n, e, largest[r], sum});
    }
  }
}

/// The same for all rows, on threads. f must not throw.
template <class T, class F>
void for_exponential_rows(const View& x, F f) {
  constexpr std::int64_t elements_per_thread = 1 << 12;
  parallel(threads_for(x.size(), elements_per_thread),
           [&](Part part) { for_exponential_rows<T>(x, part, f); });
}

}  // namespace damo
