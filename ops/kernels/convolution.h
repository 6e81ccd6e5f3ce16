#pragma once
#include "../../core/tensor/tensor.h"

/// The kernels of conv.h: products of matrices whose columns are patches of the images.
namespace damo {

/// The sizes of a convolution of images (batch, channels, rows, cols) with filters (n_filters, channels,
/// filter_rows, filter_cols).
struct ConvGeometry {
  std::int64_t batch = 0, channels = 0, rows = 0, cols = 0;
  std::int64_t n_filters = 0, filter_rows = 0, filter_cols = 0;
  std::int64_t out_rows = 0, out_cols = 0;
  std::int64_t pad_rows = 0, pad_cols = 0;
  std::int64_t step_rows = 1, step_cols = 1;
  std::int64_t dilation_rows = 1, dilation_cols = 1;
  bool flip = true;

  std::int64_t out_size() const { return out_rows * out_cols; }
  std::int64_t patch_size() const { return channels * filter_rows * filter_cols; }
  /// All rows of the output, one image after the other.
  std::int64_t all_rows() const { return batch * out_rows; }
  double flops() const {
    return 2 * static_cast<double>(batch * out_size()) * static_cast<double>(n_filters * patch_size());
  }
};

// float32 or float64; inputs with any strides, outputs row-major.

void convolve(const ConvGeometry& g, const View& x, const View& w, const View& y);
void convolve_grad_inputs(const ConvGeometry& g, const View& gy, const View& w, const View& gx);
void convolve_grad_weights(const ConvGeometry& g, const View& x, const View& gy, const View& gw);

}  // namespace damo
