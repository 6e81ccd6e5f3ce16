#pragma once
#include <cstdint>
#include <vector>

#include "convolution.h"
#include "patches.h"

namespace damo {

/// Convolutions that need no matrix of patches: a packet of pixels beside each other meets one element of
/// several filters at a time, and lies in the image as it is.
template <class T>
class DirectConvolution {
 public:
  /// Whether that is worth while: pixels beside each other, and rows that fill their packets.
  static bool suits(const ConvGeometry& g);

  /// `filters` is a matrix (n_filters, patch_size).
  void begin(const ConvGeometry& g, const T* filters);

  /// y (n_filters, out_rows, out_cols), the rows [first, last) of it, from one image with its borders
  /// (channels, rows + 2 pad_rows, cols + 2 pad_cols), behind which a packet may be read.
  void convolve(const T* image, std::int64_t first, std::int64_t last, T* y) const;

 private:
  ConvGeometry g_;
  std::vector<T> filters_;             ///< group by group: (patch_size, filters of the group)
  std::vector<std::int64_t> offsets_;  ///< of each element of a filter in the image
};

}  // namespace damo
