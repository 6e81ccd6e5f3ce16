#include "ops/kernels/direct_convolution.h"

#include <array>

#include "ops/kernels/blocking.h"

namespace damo {
namespace {

/// A packet of the output: where it begins in the image and in y, and how many of its lanes are pixels.
struct Place {
  std::int64_t from, to, n;
};

}  // namespace

template <class T>
bool DirectConvolution<T>::suits(const ConvGeometry& g) {
  const std::int64_t padded = (g.out_cols + lanes<T> - 1) / lanes<T> * lanes<T>;
  return g.step_cols == 1 && g.n_filters >= blocking.rows && 3 * padded <= 4 * g.out_cols;
}

template <class T>
void DirectConvolution<T>::begin(const ConvGeometry& g, const T* filters) {
  g_ = g;
  const std::int64_t k = g.patch_size();
  const std::int64_t padded_rows = g.rows + 2 * g.pad_rows, padded_cols = g.cols + 2 * g.pad_cols;
  offsets_.clear();
  for (std::int64_t c = 0; c < g.channels; ++c)
    for (std::int64_t p = 0; p < g.filter_rows; ++p)
      for (std::int64_t q = 0; q < g.filter_cols; ++q)
        offsets_.push_back((c * padded_rows + p * g.dilation_rows) * padded_cols + q * g.dilation_cols);
  filters_.resize(static_cast<std::size_t>(g.n_filters * k));
  for_groups(g.n_filters, blocking.rows, [&](std::int64_t first, std::int64_t size) {
    T* const to = filters_.data() + first * k;
    for (std::int64_t f = 0; f < size; ++f)
      for (std::int64_t i = 0; i < k; ++i) to[i * size + f] = filters[(first + f) * k + i];
  });
}

template <class T>
void DirectConvolution<T>::convolve(const T* image, std::int64_t first, std::int64_t last, T* y) const {
  const std::int64_t k = g_.patch_size(), cols = g_.out_cols, per_row = (cols + lanes<T> - 1) / lanes<T>;
  const std::int64_t row_step = g_.step_rows * (g_.cols + 2 * g_.pad_cols);
  for_groups(g_.n_filters, blocking.rows, [&](std::int64_t f0, std::int64_t size) {
    with_count<blocking.rows>(size, [&]<int rows>() {
      for_groups((last - first) * per_row, blocking.packets, [&](std::int64_t p0, std::int64_t n) {
        with_count<blocking.packets>(n, [&]<int packets>() {
          std::array<Place, packets> places;
          for (std::size_t p = 0; p < packets; ++p) {
            const std::int64_t at = p0 + static_cast<std::int64_t>(p);
            const std::int64_t row = first + at / per_row, col = at % per_row * lanes<T>;
            places[p] = {row * row_step + col, row * cols + col, std::min(lanes<T>, cols - col)};
          }
          const T* from[packets];
          each<packets>([&](auto p) { from[p] = image + places[p].from; });
          const T* factors = filters_.data() + f0 * k;
          Packet<T> s[rows][packets] = {};
          for (const std::int64_t offset : offsets_) {
            Packet<T> v[packets];
            each<packets>([&](auto p) { v[p] = kept(load(from[p] + offset)); });
            each<rows>([&](auto r) {
              const Packet<T> factor = broadcast(factors[r]);
              each<packets>([&](auto p) { s[r][p] = multiply_add(v[p], factor, s[r][p]); });
            });
            factors += rows;
          }
          each<rows>([&](auto r) {
            each<packets>([&](auto p) {
              T* const to = y + (f0 + r) * g_.out_size() + places[p].to;
              if (places[p].n == lanes<T>)
                store(to, s[r][p]);
              else
                store_some(to, s[r][p], places[p].n);
            });
          });
        });
      });
    });
  });
}

template class DirectConvolution<float>;
template class DirectConvolution<double>;

}  // namespace damo
