#include "ops/kernels/direct_gradients.h"

#include <algorithm>

#include "ops/kernels/blocking.h"

namespace damo {

template <class T>
bool DirectGradients<T>::suits(const ConvGeometry& g, const View& gy) {
  // What all groups of channels or filters read again must stay in the second-level cache.
  constexpr std::int64_t most_bytes = 1 << 17;
  return g.step_cols == 1 && g.out_cols % lanes<T> == 0 &&
         std::min(g.n_filters, g.channels * g.filter_rows * g.filter_cols) >= blocking.rows &&
         g.n_filters * g.out_size() * static_cast<std::int64_t>(sizeof(T)) <= most_bytes &&
         gy.strides[3] == 1 && gy.strides[2] == g.out_cols;
}

template <class T>
std::int64_t DirectGradients<T>::images_at_once(const ConvGeometry& g) {
  constexpr std::int64_t packets = 64;
  return std::max<std::int64_t>(1, packets * lanes<T> / g.out_size());
}

template <class T>
void DirectGradients<T>::begin(const ConvGeometry& g) {
  g_ = g;
  const std::int64_t cols = g.cols + 2 * g.pad_cols;
  packets_.clear();
  for (std::int64_t i = 0; i < g.out_rows; ++i)
    for (std::int64_t j = 0; j < g.out_cols; j += lanes<T>) packets_.push_back(i * g.step_rows * cols + j);
  taps_.clear();
  for (std::int64_t p = 0; p < g.filter_rows; ++p)
    for (std::int64_t q = 0; q < g.filter_cols; ++q)
      taps_.push_back(p * g.dilation_rows * cols + q * g.dilation_cols);
}

template <class T>
void DirectGradients<T>::begin(const ConvGeometry& g, const T* filters) {
  begin(g);
  const auto n_taps = static_cast<std::int64_t>(taps_.size());
  filters_.resize(static_cast<std::size_t>(g.n_filters * g.patch_size()));
  T* to = filters_.data();
  for (std::int64_t k = 0; k < n_taps; ++k)
    for_groups(g.channels, blocking.rows, [&](std::int64_t first, std::int64_t size) {
      for (std::int64_t f = 0; f < g.n_filters; ++f)
        for (std::int64_t c = first; c < first + size; ++c)
          *to++ = filters[(f * g.channels + c) * n_taps + k];
    });
}

template <class T>
void DirectGradients<T>::add_inputs(const T* gy, std::int64_t ld, T* image) const {
  const T* factors = filters_.data();
  // Neighbouring taps reach the same pixels, and a sum just stored would be waited for: channels come first.
  for (const std::int64_t tap : taps_)
    for_groups(g_.channels, blocking.rows, [&](std::int64_t first, std::int64_t size) {
      T* const pixels = image + first * plane() + tap;
      with_count<blocking.rows>(size, [&]<int rows>() {
        const auto n_packets = static_cast<std::int64_t>(packets_.size());
        for_groups(n_packets, blocking.packets, [&](std::int64_t at, std::int64_t n) {
          with_count<blocking.packets>(n, [&]<int packets>() {
            Packet<T> s[rows][packets] = {};
            const T *g = gy + at * lanes<T>, *w = factors;
            for (std::int64_t f = 0; f < g_.n_filters; ++f, g += ld, w += rows) {
              Packet<T> v[packets];
              each<packets>([&](auto p) { v[p] = kept(load(g + p * lanes<T>)); });
              each<rows>([&](auto r) {
                const Packet<T> factor = broadcast(w[r]);
                each<packets>([&](auto p) { s[r][p] = multiply_add(v[p], factor, s[r][p]); });
              });
            }
            each<rows>([&](auto r) {
              each<packets>([&](auto p) {
                T* const to = pixels + r * plane() + packets_[static_cast<std::size_t>(at + p)];
                store(to, load(to) + s[r][p]);
              });
            });
          });
        });
      });
      factors += g_.n_filters * size;
    });
}

template <class T>
void DirectGradients<T>::add_weights(const T* images, std::int64_t n, const T* gy, std::int64_t ld,
                                     std::int64_t step, T* sum) const {
  const auto n_taps = static_cast<std::int64_t>(taps_.size()),
             n_packets = static_cast<std::int64_t>(packets_.size());
  const std::int64_t k = g_.patch_size(), image_size = g_.channels * plane();
  for (std::int64_t c = 0; c < g_.channels; ++c)
    for_groups(g_.n_filters, blocking.rows, [&](std::int64_t f, std::int64_t size) {
      with_count<blocking.rows>(size, [&]<int rows>() {
        for_groups(n_taps, blocking.packets, [&](std::int64_t tap, std::int64_t n_at_once) {
          with_count<blocking.packets>(n_at_once, [&]<int taps>() {
            Packet<T> s[rows][taps] = {};
            for (std::int64_t b = 0; b < n; ++b) {
              const T* from[taps];
              each<taps>([&](auto i) {
                from[i] = images + b * image_size + c * plane() + taps_[static_cast<std::size_t>(tap + i)];
              });
              const T* g = gy + b * step + f * ld;
              for (std::int64_t p = 0; p < n_packets; ++p, g += lanes<T>) {
                Packet<T> v[taps];
                each<taps>(
                    [&](auto i) { v[i] = kept(load(from[i] + packets_[static_cast<std::size_t>(p)])); });
                each<rows>([&](auto r) {
                  const Packet<T> slope = kept(load(g + r * ld));
                  each<taps>([&](auto i) { s[r][i] = multiply_add(v[i], slope, s[r][i]); });
                });
              }
            }
            each<rows>([&](auto r) {
              each<taps>([&](auto i) { sum[(f + r) * k + c * n_taps + tap + i] += total<T>(s[r][i]); });
            });
          });
        });
      });
    });
}

template class DirectGradients<float>;
template class DirectGradients<double>;

}  // namespace damo
