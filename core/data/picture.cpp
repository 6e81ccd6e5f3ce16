#include "core/data/picture.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/data/file.h"
#include "core/tensor/check.h"
#include "core/tensor/size.h"

namespace damo {
namespace {

/// utils.py's scale_to_unit_interval, in X's precision.
template <class T>
void scale_to_unit_interval(std::vector<T>& image) {
  T low = image[0], high = image[0];
  for (const T v : image) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const T factor = static_cast<T>(1.0 / (static_cast<double>(high - low) + 1e-8));
  for (T& v : image) v = (v - low) * factor;
}

std::uint8_t pixel(double v) {
  return v > 0 ? static_cast<std::uint8_t>(std::min(v, 255.0)) : std::uint8_t{0};
}

template <class T>
Tensor tile(const Tensor& X, const TileArgs& a) {
  const std::int64_t step_rows = plus(a.img_shape.rows, a.tile_spacing.rows),
                     step_cols = plus(a.img_shape.cols, a.tile_spacing.cols);
  const Sizes shape{times(step_rows, a.tile_shape.rows) - a.tile_spacing.rows,
                    times(step_cols, a.tile_shape.cols) - a.tile_spacing.cols};
  const Tensor out = Tensor::zeros(shape, a.output_pixel_vals ? uint8 : X.dtype());
  const std::int64_t n = std::min(X.shape(0), a.tile_shape.rows * a.tile_shape.cols);
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<T> image = X[i].to_vector<T>();
    if (a.scale_rows_to_unit_interval) scale_to_unit_interval(image);
    const std::int64_t top = i / a.tile_shape.cols * step_rows, left = i % a.tile_shape.cols * step_cols;
    for (std::int64_t k = 0; k < static_cast<std::int64_t>(image.size()); ++k) {
      const std::int64_t at = (top + k / a.img_shape.cols) * shape[1] + left + k % a.img_shape.cols;
      const T v = image[static_cast<std::size_t>(k)];
      if (a.output_pixel_vals)
        static_cast<std::uint8_t*>(out.data())[at] = pixel(static_cast<double>(v * T{255}));
      else
        static_cast<T*>(out.data())[at] = v;
    }
  }
  return out;
}

}  // namespace

Tensor tile_raster_images(const Tensor& X, const TileArgs& args) {
  const auto [rows, cols] = args.img_shape;
  check(rows > 0 && cols > 0, "an image needs a positive size, not {} x {}", rows, cols);
  check(args.tile_shape.rows > 0 && args.tile_shape.cols > 0,
        "there must be a place for an image, not {} x {}", args.tile_shape.rows, args.tile_shape.cols);
  check(args.tile_spacing.rows >= 0 && args.tile_spacing.cols >= 0,
        "the spacing must not be negative, but is {} x {}", args.tile_spacing.rows, args.tile_spacing.cols);
  check(X.ndim() == 2 && X.shape(1) == times(rows, cols),
        "images of {} x {} need a matrix of {} columns, not the shape {}", rows, cols, times(rows, cols),
        X.shape());
  const Tensor x = is_float(X.dtype()) ? X : X.astype(floatX());
  return x.dtype() == float32 ? tile<float>(x, args) : tile<double>(x, args);
}

void save_png(const std::string& path, const Tensor& picture) {
  check(picture.dtype() == uint8 && picture.ndim() == 2, "a picture must be a uint8 matrix, not {} {}",
        picture.dtype(), picture.shape());
  constexpr std::int64_t largest = 65500;
  check(picture.size() > 0 && picture.shape(0) <= largest && picture.shape(1) <= largest,
        "a picture must have from 1 to {} rows and columns, not the shape {}", largest, picture.shape());
  const Tensor pixels = picture.contiguous();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_GRAY;
  image.height = static_cast<png_uint_32>(picture.shape(0));
  image.width = static_cast<png_uint_32>(picture.shape(1));
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<char> bytes(size);
  const int done = ::png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr);
  check(done != 0, "cannot write {}: {}", path, image.message);
  OutputFile file(path);
  file.write(bytes.data(), size);
  file.commit();
}

}  // namespace damo
