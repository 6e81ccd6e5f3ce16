#include "ops/kernels/convolution.h"

#include <cstring>
#include <vector>

#include "core/tensor/visit.h"
#include "ops/kernels/blas.h"
#include "ops/kernels/direct_convolution.h"
#include "ops/kernels/direct_gradients.h"
#include "ops/kernels/patches.h"

namespace damo {
namespace {

/// Steps of a product that make a thread worth waking.
constexpr std::int64_t products_per_thread = 1 << 17;

int threads_of(const ConvGeometry& g) {
  return threads_for(g.all_rows() * g.out_cols * g.n_filters * g.patch_size(), products_per_thread);
}

template <class T>
std::vector<T>& sized(std::vector<T>& memory, std::int64_t n) {
  if (memory.size() < static_cast<std::size_t>(n)) memory.resize(static_cast<std::size_t>(n));
  return memory;
}

/// The memory of this thread.
template <class T>
Patches<T>& patches_of(const ConvGeometry& g) {
  thread_local Patches<T> patches;
  patches.begin(g);
  return patches;
}

/// Calls f(position in a row-major (n_filters, channels, filter_rows, filter_cols), offset in w) for each
/// element, flipped if the convolution is one.
template <class F>
void for_filters(const ConvGeometry& g, const View& w, F f) {
  std::int64_t at = 0;
  for (std::int64_t o = 0; o < g.n_filters; ++o)
    for (std::int64_t c = 0; c < g.channels; ++c)
      for (std::int64_t p = 0; p < g.filter_rows; ++p)
        for (std::int64_t q = 0; q < g.filter_cols; ++q) {
          const std::int64_t i = g.flip ? g.filter_rows - 1 - p : p, j = g.flip ? g.filter_cols - 1 - q : q;
          f(at++, o * w.strides[0] + c * w.strides[1] + i * w.strides[2] + j * w.strides[3]);
        }
}

/// The filters as a matrix (n_filters, patch_size).
template <class T>
const T* filter_matrix(const ConvGeometry& g, const View& w) {
  thread_local std::vector<T> memory;
  T* const matrix = sized(memory, w.size()).data();
  for_filters(g, w, [&](std::int64_t at, std::int64_t offset) { matrix[at] = w.ptr<T>()[offset]; });
  return matrix;
}

/// f(image, first row, rows) for the parts of a block that belong to one image each.
template <class F>
void for_images(const ConvGeometry& g, OutputRows rows, F f) {
  for (std::int64_t row = rows.begin; row < rows.end;) {
    const std::int64_t image = row / g.out_rows, i = row % g.out_rows;
    const std::int64_t n = std::min(g.out_rows - i, rows.end - row);
    f(image, i, n);
    row += n;
  }
}

/// A block of a gradient (batch, n_filters, out_rows, out_cols) as a matrix (n_filters, elements of `rows`).
template <class T>
Panel<T> gradient_matrix(const ConvGeometry& g, const View& gy, OutputRows rows) {
  const std::int64_t n = (rows.end - rows.begin) * g.out_cols;
  if (rows.begin / g.out_rows == (rows.end - 1) / g.out_rows && gy.strides[3] == 1 &&
      gy.strides[2] == g.out_cols && gy.strides[1] >= n) {
    const std::int64_t image = rows.begin / g.out_rows, i = rows.begin % g.out_rows;
    return {gy.ptr<T>() + image * gy.strides[0] + i * gy.strides[2], gy.strides[1]};
  }
  thread_local std::vector<T> memory;
  T* const matrix = sized(memory, g.n_filters * n).data();
  T* to = matrix;
  for_images(g, rows, [&](std::int64_t image, std::int64_t i, std::int64_t n_rows) {
    for (std::int64_t f = 0; f < g.n_filters; ++f) {
      const T* const from = gy.ptr<T>() + image * gy.strides[0] + f * gy.strides[1] + i * gy.strides[2];
      T* out = to + f * n;
      if (gy.strides[3] == 1 && gy.strides[2] == g.out_cols) {
        std::copy_n(from, n_rows * g.out_cols, out);
        continue;
      }
      for (std::int64_t k = 0; k < n_rows; ++k)
        for (std::int64_t j = 0; j < g.out_cols; ++j) *out++ = from[k * gy.strides[2] + j * gy.strides[3]];
    }
    to += n_rows * g.out_cols;
  });
  return {matrix, n};
}

// y (n_filters, n) = filters (n_filters, patch_size) patches (patch_size, n)
template <class T>
void convolve_block(const ConvGeometry& g, Patches<T>& patches, const View& x, const T* filters, T* y,
                    OutputRows rows) {
  const std::int64_t k = g.patch_size(), n = (rows.end - rows.begin) * g.out_cols;
  const Panel<T> a{filters, k}, b{patches.unfold(x, rows), n};
  const std::int64_t first = rows.begin / g.out_rows, plane = g.out_size();
  if (first == (rows.end - 1) / g.out_rows) {
    T* const to = y + first * g.n_filters * plane + rows.begin % g.out_rows * g.out_cols;
    gemm_alone<T>({.m = g.n_filters, .n = n, .k = k}, a, b, 0, to, plane);
    return;
  }
  thread_local std::vector<T> memory;
  T* const product = sized(memory, g.n_filters * n).data();
  gemm_alone<T>({.m = g.n_filters, .n = n, .k = k}, a, b, 0, product, n);
  const T* from = product;
  for_images(g, rows, [&](std::int64_t image, std::int64_t i, std::int64_t n_rows) {
    T* const to = y + image * g.n_filters * plane + i * g.out_cols;
    for (std::int64_t f = 0; f < g.n_filters; ++f)
      std::copy_n(from + f * n, n_rows * g.out_cols, to + f * plane);
    from += n_rows * g.out_cols;
  });
}

template <class T>
void forward(const ConvGeometry& g, const View& x, const View& w, const View& y) {
  const T* const filters = filter_matrix<T>(g, w);
  thread_local DirectConvolution<T> memory;
  DirectConvolution<T>& direct = memory;
  const bool directly = DirectConvolution<T>::suits(g);
  if (directly) direct.begin(g, filters);
  parallel(threads_of(g), [&](Part part) {
    Patches<T>& patches = patches_of<T>(g);
    const auto [begin, end] = part.range(g.all_rows(), g.batch >= part.n ? g.out_rows : 1);
    if (directly)
      return for_images(g, {begin, end}, [&](std::int64_t image, std::int64_t i, std::int64_t n) {
        direct.convolve(patches.padded(x, image, image + 1), i, i + n,
                        y.ptr<T>() + image * g.n_filters * g.out_size());
      });
    for_blocks<T>(g, begin, end,
                  [&](OutputRows rows) { convolve_block(g, patches, x, filters, y.ptr<T>(), rows); });
  });
}

/// The gradients that are computed directly, ready to begin, if they suit.
template <class T>
DirectGradients<T>* direct_gradients(const ConvGeometry& g, const View& gy, int n_parts) {
  thread_local DirectGradients<T> memory;
  return g.batch >= n_parts && DirectGradients<T>::suits(g, gy) ? &memory : nullptr;
}

// patches (patch_size, n) = filters^T (patch_size, n_filters) gy (n_filters, n), added to their pixels
template <class T>
void grad_inputs(const ConvGeometry& g, const View& gy, const View& w, const View& gx) {
  const T* const filters = filter_matrix<T>(g, w);
  const int n_parts = threads_of(g);
  DirectGradients<T>* const direct = direct_gradients<T>(g, gy, n_parts);
  if (direct != nullptr) direct->begin(g, filters);
  parallel(n_parts, [&](Part part) {
    // Pixels belong to one thread: it has its images, or if these are few, its channels.
    const bool by_images = g.batch >= part.n;
    const auto [first, last] = part.range(by_images ? g.batch : g.channels);
    if (first == last) return;
    if (direct != nullptr) {
      Patches<T>& patches = patches_of<T>(g);
      for (std::int64_t image = first; image < last; ++image) {
        direct->add_inputs(gy.ptr<T>() + image * gy.strides[0], gy.strides[1], patches.blank_image());
        patches.store_image(gx, image);
      }
      return;
    }
    ConvGeometry mine = g;
    View pixels = gx;
    if (!by_images) {
      mine.channels = last - first;
      pixels.data = gx.ptr<T>() + first * g.rows * g.cols;
    }
    const std::int64_t k = mine.patch_size();
    const T* const a = filters + (by_images ? 0 : first * g.filter_rows * g.filter_cols);
    Patches<T>& patches = patches_of<T>(mine);
    for_blocks<T>(mine, by_images ? first * g.out_rows : 0, by_images ? last * g.out_rows : g.all_rows(),
                  [&](OutputRows rows) {
                    const std::int64_t n = (rows.end - rows.begin) * g.out_cols;
                    gemm_alone<T>({.m = k, .n = n, .k = g.n_filters},
                                  {.data = a, .ld = g.patch_size(), .transposed = true},
                                  gradient_matrix<T>(g, gy, rows), 0, patches.columns(rows), n);
                    patches.fold(rows, pixels);
                  });
  });
}

// filters (n_filters, patch_size) = gy (n_filters, n) patches^T (n, patch_size): each thread sums over its
// part of all n, and the sums are added in order
template <class T>
void grad_weights(const ConvGeometry& g, const View& x, const View& gy, const View& gw) {
  thread_local std::vector<T> memory;
  const int n_parts = threads_of(g);
  const std::int64_t size = gw.size(), k = g.patch_size();
  memory.assign(static_cast<std::size_t>(n_parts * size), T(0));
  T* const sums = memory.data();
  DirectGradients<T>* const direct = direct_gradients<T>(g, gy, n_parts);
  if (direct != nullptr) direct->begin(g);
  parallel(n_parts, [&](Part part) {
    Patches<T>& patches = patches_of<T>(g);
    T* const sum = sums + part.t * size;
    if (direct != nullptr) {
      const auto [first, last] = part.range(g.batch);
      const std::int64_t at_once = DirectGradients<T>::images_at_once(g);
      for (std::int64_t i = first; i < last; i += at_once) {
        const std::int64_t end = std::min(i + at_once, last);
        direct->add_weights(patches.padded(x, i, end), end - i, gy.ptr<T>() + i * gy.strides[0],
                            gy.strides[1], gy.strides[0], sum);
      }
      return;
    }
    const auto [begin, end] = part.range(g.all_rows(), g.batch >= part.n ? g.out_rows : 1);
    for_blocks<T>(g, begin, end, [&](OutputRows rows) {
      const std::int64_t n = (rows.end - rows.begin) * g.out_cols;
      gemm_alone<T>({.m = g.n_filters, .n = k, .k = n}, gradient_matrix<T>(g, gy, rows),
                    {.data = patches.unfold(x, rows), .ld = n, .transposed = true}, 1, sum, k);
    });
  });
  for_filters(g, gw, [&](std::int64_t at, std::int64_t offset) {
    T total = sums[at];
    for (int t = 1; t < n_parts; ++t) total += sums[t * size + at];
    gw.ptr<T>()[offset] = total;
  });
}

/// Whether there is nothing to add up.
bool is_empty(const ConvGeometry& g) {
  return g.all_rows() * g.out_cols == 0 || g.n_filters == 0 || g.patch_size() == 0;
}

void fill_zero(const View& y) {
  if (y.size() > 0) std::memset(y.data, 0, static_cast<std::size_t>(y.size() * size_of(y.dtype)));
}

}  // namespace

void convolve(const ConvGeometry& g, const View& x, const View& w, const View& y) {
  if (is_empty(g)) return fill_zero(y);
  for_float(y, [&]<class T>(T) { forward<T>(g, x, w, y); });
}

void convolve_grad_inputs(const ConvGeometry& g, const View& gy, const View& w, const View& gx) {
  if (is_empty(g)) return fill_zero(gx);
  for_float(gx, [&]<class T>(T) { grad_inputs<T>(g, gy, w, gx); });
}

void convolve_grad_weights(const ConvGeometry& g, const View& x, const View& gy, const View& gw) {
  if (is_empty(g)) return fill_zero(gw);
  for_float(gw, [&]<class T>(T) { grad_weights<T>(g, x, gy, gw); });
}

}  // namespace damo
