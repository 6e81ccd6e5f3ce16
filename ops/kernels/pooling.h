#pragma once
#include <algorithm>

#include "../../core/tensor/tensor.h"
#include "../pool.h"

/// The kernels of pool.h.
namespace damo {

/// The windows along one axis.
struct WindowAxis {
  std::int64_t n = 0, n_windows = 0;
  std::int64_t size = 1, stride = 1, pad = 0;

  std::int64_t begin(std::int64_t i) const { return std::max<std::int64_t>(i * stride - pad, 0); }
  std::int64_t end(std::int64_t i) const { return std::min(i * stride - pad + size, n); }
  /// Whether the windows lie side by side, from the first element on.
  bool are_tiles() const { return stride == size && pad == 0; }
};

struct PoolGeometry {
  WindowAxis rows, cols;
  PoolMode mode = PoolMode::max;
  bool counts_padding = false;  ///< an average divides by the whole window's size

  std::int64_t count(std::int64_t i, std::int64_t j) const {
    if (counts_padding) return rows.size * cols.size;
    return (rows.end(i) - rows.begin(i)) * (cols.end(j) - cols.begin(j));
  }
};

// float32 or float64, on the last two axes; inputs with any strides, outputs row-major.

/// y = the maximum, sum or average of each window of x.
void pool(const PoolGeometry& g, const View& x, const View& y);
/// gx = the sum of gy, divided as the average is, over the windows of which an element is part.
void unpool(const PoolGeometry& g, const View& gy, const View& gx);
/// gx = the sum of gy over the windows of which an element is the maximum, y.
void max_unpool(const PoolGeometry& g, const View& x, const View& y, const View& gy, const View& gx);
/// z = the sum, of each window, of v where x is its maximum, y.
void max_pick(const PoolGeometry& g, const View& x, const View& y, const View& v, const View& z);

}  // namespace damo
