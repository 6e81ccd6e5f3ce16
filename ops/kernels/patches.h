#pragma once
#include <algorithm>
#include <memory>

#include "../../core/run/threads.h"
#include "convolution.h"

/// Between images and the matrix of their patches, block by block (im2col and col2im).
namespace damo {

/// Rows [begin, end) of ConvGeometry::all_rows(): of several images, or of a part of one.
struct OutputRows {
  std::int64_t begin, end;
};

/// Calls f(OutputRows) for the blocks of [begin, end): as many rows as keep the patches in the second-level
/// cache, and enough for a large product.
template <class T, class F>
void for_blocks(const ConvGeometry& g, std::int64_t begin, std::int64_t end, F f) {
  constexpr std::int64_t most_bytes = 1 << 19, most_columns = 1024;
  const std::int64_t columns = std::min(
      most_columns,
      most_bytes / (static_cast<std::int64_t>(sizeof(T)) * std::max<std::int64_t>(1, g.patch_size())));
  const std::int64_t images = columns / g.out_size();
  for (std::int64_t row = begin; row < end;) {
    const std::int64_t end_of_image = (row / g.out_rows + 1) * g.out_rows;
    const std::int64_t next =
        images > 0 ? end_of_image + (images - 1) * g.out_rows
                   : std::min(end_of_image, row + std::max<std::int64_t>(1, columns / g.out_cols));
    f(OutputRows{row, std::min(next, end)});
    row = next;
  }
}

/// One thread's memory for a block. The matrix of patches has a row for each element (c, p, q) of a filter
/// and a column for each element of the output; the filters are not flipped here.
template <class T>
class Patches {
 public:
  /// Prepares for another convolution; to be called before anything else.
  void begin(const ConvGeometry& g);

  /// Images [first, last) of x with their borders (channels, rows + 2 pad_rows, cols + 2 pad_cols); a packet
  /// may be read behind them.
  const T* padded(const View& x, std::int64_t first, std::int64_t last) {
    load(x, {first, last});
    return images_;
  }

  /// One such image of zeros, ...
  T* blank_image();
  /// ... which becomes image i of gx.
  void store_image(const View& gx, std::int64_t i) const { store(gx, {i, i + 1}); }

  /// The matrix (patch_size, elements of `rows`): what of the images x meets which element of a filter.
  const T* unfold(const View& x, OutputRows rows);

  /// Memory for a matrix (patch_size, elements of `rows`), ...
  T* columns(OutputRows rows);
  /// ... each element of which is added to the pixel that it belongs to. Blocks must come in order; where an
  /// image ends, it is written to gx.
  void fold(OutputRows rows, const View& gx);

 private:
  /// Memory that only grows, aligned to cache lines, with as much behind it as a packet may stick out.
  struct Memory {
    std::unique_ptr<std::byte[]> bytes;
    std::int64_t size = 0;
    T* grown_to(std::int64_t elements);
  };
  struct Images {
    std::int64_t first, last;
    bool operator==(const Images&) const = default;
  };
  Images images_of(OutputRows rows) const;
  std::int64_t image_size() const { return g_.channels * padded_rows_ * padded_cols_; }
  void load(const View& x, Images images);
  void store(const View& gx, Images images) const;
  /// f(columns, pixels) for each filter element and row: where the row's first element is found in both.
  template <class F>
  void for_rows(OutputRows rows, F f) const;

  ConvGeometry g_;
  std::int64_t padded_rows_ = 0, padded_cols_ = 0;
  Images loaded_{0, 0};
  Memory images_memory_, columns_memory_;
  T* images_ = nullptr;  ///< those of the block, with their borders
  T* columns_ = nullptr;
};

}  // namespace damo
