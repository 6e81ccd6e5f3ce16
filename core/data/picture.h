#pragma once
#include <string>

#include "../tensor/rows_cols.h"
#include "../tensor/tensor.h"

namespace damo {

struct TileArgs {
  RowsCols img_shape = {};
  RowsCols tile_shape = {};
  RowsCols tile_spacing = {};
  bool scale_rows_to_unit_interval = true;
  bool output_pixel_vals = true;
};

/// The rows of X, each an image, side by side, as the tutorials' utils.py draws filters and samples. X has
/// shape (n, img rows * img cols); image i goes to place (i / tile cols, i % tile cols), images without a
/// place are left out, and places without an image, like the spacing, are 0. An image is scaled to (x - min)
/// / (max - min + 1e-8) if asked. The result is two-dimensional: uint8, 255 for a 1, if output_pixel_vals,
/// else of X's dtype (floatX if that is no float type). Values beyond [0, 255] are cut, a NaN is 0. Throws
/// Error if the sizes do not fit.
Tensor tile_raster_images(const Tensor& X, const TileArgs& args);

/// Writes a uint8 matrix as a grey picture. The file appears whole or not at all. Throws Error if the tensor
/// is not such a matrix or is empty, or if the file cannot be written.
void save_png(const std::string& path, const Tensor& picture);

}  // namespace damo
