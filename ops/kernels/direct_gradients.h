#pragma once
#include <cstdint>
#include <vector>

#include "convolution.h"

namespace damo {

/// The gradients of convolutions that need no matrix of patches: the output's rows are whole packets, and
/// each packet meets the pixels where they lie. Images have their borders: (channels, rows + 2 pad_rows, cols
/// + 2 pad_cols). One image's gradient gy is (n_filters, out_size), in rows that lie `ld` apart.
template <class T>
class DirectGradients {
 public:
  /// Whether that is worth while for a gradient that lies so in memory.
  static bool suits(const ConvGeometry& g, const View& gy);
  /// How many images at once make the sums over them long.
  static std::int64_t images_at_once(const ConvGeometry& g);

  void begin(const ConvGeometry& g);
  /// `filters` is a matrix (n_filters, patch_size).
  void begin(const ConvGeometry& g, const T* filters);

  /// image += what the filters send back of gy.
  void add_inputs(const T* gy, std::int64_t ld, T* image) const;

  /// sum (n_filters, patch_size) += gy patches^T of n images, one behind the other; their gradients lie
  /// `step` apart.
  void add_weights(const T* images, std::int64_t n, const T* gy, std::int64_t ld, std::int64_t step,
                   T* sum) const;

 private:
  std::int64_t plane() const { return (g_.rows + 2 * g_.pad_rows) * (g_.cols + 2 * g_.pad_cols); }

  ConvGeometry g_;
  std::vector<std::int64_t> packets_;  ///< where each packet of the output begins in the image
  std::vector<std::int64_t> taps_;     ///< how far from there each element of a filter lies
  std::vector<T> filters_;             ///< (taps, groups of channels, n_filters, channels of the group)
};

}  // namespace damo
