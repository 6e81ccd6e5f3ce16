#include "ops/kernels/patches.h"

#include <cstring>

namespace damo {
namespace {

constexpr std::int64_t line = 64;

/// What a single load or store moves.
template <int n_bytes>
struct Packet;
template <>
struct Packet<16> {
  using Bytes = unsigned char __attribute__((vector_size(16)));
};
template <>
struct Packet<32> {
  using Bytes = unsigned char __attribute__((vector_size(32)));
};
template <>
struct Packet<64> {
  using Bytes = unsigned char __attribute__((vector_size(64)));
};

/// Whole packets: up to a packet too much is written, behind which the next row follows.
template <int n_bytes, class T>
void copy_row(T* to, const T* from, std::int64_t n) {
  constexpr std::int64_t lanes = n_bytes / sizeof(T);
  for (std::int64_t j = 0; j < n; j += lanes) {
    typename Packet<n_bytes>::Bytes v;
    std::memcpy(&v, from + j, sizeof v);
    std::memcpy(to + j, &v, sizeof v);
  }
}

template <class T>
struct Addends;
template <>
struct Addends<float> {
  using Vector = float __attribute__((vector_size(32)));
};
template <>
struct Addends<double> {
  using Vector = double __attribute__((vector_size(32)));
};

template <class T>
void add_row(T* to, const T* from, std::int64_t n) {
  constexpr std::int64_t lanes = 32 / sizeof(T);
  std::int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    typename Addends<T>::Vector a, b;
    std::memcpy(&a, to + j, sizeof a);
    std::memcpy(&b, from + j, sizeof b);
    a += b;
    std::memcpy(to + j, &a, sizeof a);
  }
  for (; j < n; ++j) to[j] += from[j];
}

/// Strides of one image within an array, whether it is packed without gaps.
bool is_packed(const View& x) {
  return x.strides[3] == 1 && x.strides[2] == x.shape[3] && x.strides[1] == x.shape[2] * x.shape[3];
}

}  // namespace

template <class T>
T* Patches<T>::Memory::grown_to(std::int64_t elements) {
  const std::int64_t wanted = elements * static_cast<std::int64_t>(sizeof(T)) + 2 * line;
  if (size < wanted) {
    bytes.reset(new std::byte[static_cast<std::size_t>(wanted)]());
    size = wanted;
  }
  const auto at = reinterpret_cast<std::uintptr_t>(bytes.get());
  return reinterpret_cast<T*>((at + line - 1) / line * line);
}

template <class T>
void Patches<T>::begin(const ConvGeometry& g) {
  g_ = g;
  padded_rows_ = g.rows + 2 * g.pad_rows;
  padded_cols_ = g.cols + 2 * g.pad_cols;
  loaded_ = {0, 0};
}

template <class T>
typename Patches<T>::Images Patches<T>::images_of(OutputRows rows) const {
  return {rows.begin / g_.out_rows, (rows.end - 1) / g_.out_rows + 1};
}

template <class T>
void Patches<T>::load(const View& x, Images images) {
  if (images == loaded_) return;
  loaded_ = images;
  const std::int64_t n = images.last - images.first, pixels = g_.channels * g_.rows * g_.cols;
  images_ = images_memory_.grown_to(n * image_size());
  const bool has_border = g_.pad_rows > 0 || g_.pad_cols > 0;
  if (has_border) std::fill_n(images_, n * image_size(), T(0));
  for (std::int64_t b = 0; b < n; ++b) {
    const T* const from = x.ptr<T>() + (images.first + b) * x.strides[0];
    T* const to = images_ + b * image_size();
    if (!has_border && is_packed(x)) {
      std::copy_n(from, pixels, to);
      continue;
    }
    for (std::int64_t c = 0; c < g_.channels; ++c)
      for (std::int64_t i = 0; i < g_.rows; ++i) {
        const T* const in = from + c * x.strides[1] + i * x.strides[2];
        T* const out = to + (c * padded_rows_ + i + g_.pad_rows) * padded_cols_ + g_.pad_cols;
        for (std::int64_t j = 0; j < g_.cols; ++j) out[j] = in[j * x.strides[3]];
      }
  }
}

template <class T>
T* Patches<T>::blank_image() {
  loaded_ = {0, 0};
  images_ = images_memory_.grown_to(image_size());
  std::fill_n(images_, image_size(), T(0));
  return images_;
}

template <class T>
void Patches<T>::store(const View& gx, Images images) const {
  const std::int64_t pixels = g_.channels * g_.rows * g_.cols;
  for (std::int64_t b = 0; b < images.last - images.first; ++b) {
    const T* const from = images_ + b * image_size();
    T* to = gx.ptr<T>() + (images.first + b) * gx.strides[0];
    if (g_.pad_rows == 0 && g_.pad_cols == 0) {
      std::copy_n(from, pixels, to);
      continue;
    }
    for (std::int64_t c = 0; c < g_.channels; ++c)
      for (std::int64_t i = 0; i < g_.rows; ++i, to += g_.cols)
        std::copy_n(from + (c * padded_rows_ + i + g_.pad_rows) * padded_cols_ + g_.pad_cols, g_.cols, to);
  }
}

template <class T>
template <class F>
void Patches<T>::for_rows(OutputRows rows, F f) const {
  T* column = columns_;
  const std::int64_t row_step = g_.step_rows * padded_cols_, first = loaded_.first;
  for (std::int64_t c = 0; c < g_.channels; ++c)
    for (std::int64_t p = 0; p < g_.filter_rows; ++p)
      for (std::int64_t q = 0; q < g_.filter_cols; ++q) {
        T* const shifted =
            images_ + (c * padded_rows_ + p * g_.dilation_rows) * padded_cols_ + q * g_.dilation_cols;
        for (std::int64_t row = rows.begin; row < rows.end;) {
          const std::int64_t image = row / g_.out_rows, i = row % g_.out_rows;
          const std::int64_t n = std::min(g_.out_rows - i, rows.end - row);
          T* pixels = shifted + (image - first) * image_size() + i * row_step;
          for (std::int64_t k = 0; k < n; ++k, column += g_.out_cols, pixels += row_step) f(column, pixels);
          row += n;
        }
      }
}

template <class T>
const T* Patches<T>::unfold(const View& x, OutputRows rows) {
  load(x, images_of(rows));
  columns(rows);
  const std::int64_t n = g_.out_cols, step = g_.step_cols;
  const auto bytes = n * static_cast<std::int64_t>(sizeof(T));
  if (step != 1)
    for_rows(rows, [=](T* to, const T* from) {
      for (std::int64_t j = 0; j < n; ++j) to[j] = from[j * step];
    });
  else if (bytes <= 16)
    for_rows(rows, [=](T* to, const T* from) { copy_row<16>(to, from, n); });
  else if (bytes <= 32)
    for_rows(rows, [=](T* to, const T* from) { copy_row<32>(to, from, n); });
  else
    for_rows(rows, [=](T* to, const T* from) { copy_row<64>(to, from, n); });
  return columns_;
}

template <class T>
T* Patches<T>::columns(OutputRows rows) {
  columns_ = columns_memory_.grown_to(g_.patch_size() * (rows.end - rows.begin) * g_.out_cols);
  return columns_;
}

template <class T>
void Patches<T>::fold(OutputRows rows, const View& gx) {
  const Images images = images_of(rows);
  if (!(images == loaded_)) {
    loaded_ = images;
    const std::int64_t size = (images.last - images.first) * image_size();
    images_ = images_memory_.grown_to(size);
    std::fill_n(images_, size, T(0));
  }
  const std::int64_t n = g_.out_cols, step = g_.step_cols;
  if (step == 1)
    for_rows(rows, [=](const T* from, T* to) { add_row(to, from, n); });
  else
    for_rows(rows, [=](const T* from, T* to) {
      for (std::int64_t j = 0; j < n; ++j) to[j * step] += from[j];
    });
  if (rows.end % g_.out_rows == 0) store(gx, images);
}

template class Patches<float>;
template class Patches<double>;

}  // namespace damo
