#include "ops/kernels/pooling.h"

#include <limits>
#include <vector>

#include "core/run/threads.h"
#include "core/tensor/visit.h"

namespace damo {
namespace {

constexpr std::int64_t elements_per_thread = 1 << 14;
/// What a pass over some rows keeps in the first-level cache.
constexpr std::int64_t elements_at_once = 2048;

/// The last two axes of an array, of one of its images.
template <class T>
struct Plane {
  T* data;
  std::int64_t cols, row_stride, col_stride;

  /// Row r without gaps; gathered to `memory` if there are any.
  const T* row(std::int64_t r, T* memory) const {
    const T* const from = data + r * row_stride;
    if (col_stride == 1) return from;
    for (std::int64_t c = 0; c < cols; ++c) memory[c] = from[c * col_stride];
    return memory;
  }
  T& at(std::int64_t r, std::int64_t c) const { return data[r * row_stride + c * col_stride]; }
};

std::int64_t n_planes(const View& x) {
  std::int64_t n = 1;
  for (int i = 0; i < x.ndim() - 2; ++i) n *= x.shape[i];
  return n;
}

template <class T>
Plane<T> plane(const View& x, std::int64_t p) {
  const int n = x.ndim();
  std::int64_t offset = 0;
  for (int i = n - 3; i >= 0; --i) {
    offset += p % x.shape[i] * x.strides[i];
    p /= x.shape[i];
  }
  return {x.ptr<T>() + offset, x.shape[n - 1], x.strides[n - 2], x.strides[n - 1]};
}

/// Memory of this thread for so many elements; one per call site by its number.
template <class T, int number>
T* memory(std::int64_t n) {
  thread_local std::vector<T> elements;
  if (elements.size() < static_cast<std::size_t>(n)) elements.resize(static_cast<std::size_t>(n));
  return elements.data();
}

/// f(p) for each plane of an array, shared by the threads; `elements` is what there is to do.
template <class F>
void for_planes(std::int64_t planes, std::int64_t elements, F f) {
  parallel(threads_for(elements, elements_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(planes);
    for (std::int64_t p = begin; p < end; ++p) f(p);
  });
}

struct Larger {
  template <class T>
  static T of(T a, T b) {
    return b > a || b != b ? b : a;  // NaN stays
  }
};
struct Total {
  template <class T>
  static T of(T a, T b) {
    return a + b;
  }
};

/// to = the rows [begin, end) of x combined element by element.
template <class F, class T>
void combine_rows(const Plane<T>& x, std::int64_t begin, std::int64_t end, T* to) {
  T* const gathered = memory<T, 0>(x.cols);
  const T* const first = x.row(begin, to);
  if (end == begin + 1) {
    if (first != to) std::copy_n(first, x.cols, to);
    return;
  }
  const T* const second = x.row(begin + 1, gathered);
  for (std::int64_t c = 0; c < x.cols; ++c) to[c] = F::of(first[c], second[c]);
  for (std::int64_t r = begin + 2; r < end; ++r) {
    const T* const row = x.row(r, gathered);
    for (std::int64_t c = 0; c < x.cols; ++c) to[c] = F::of(to[c], row[c]);
  }
}

/// out_j = the elements of window j of a row combined.
template <class F, class T>
void combine_columns(const WindowAxis& cols, const T* row, T* out) {
  for (std::int64_t j = 0; j < cols.n_windows; ++j) {
    const std::int64_t begin = cols.begin(j), end = cols.end(j);
    T total = row[begin];
    for (std::int64_t c = begin + 1; c < end; ++c) total = F::of(total, row[c]);
    out[j] = total;
  }
}

/// The same for n windows of two elements, side by side.
template <class F, class T>
void combine_pairs(std::int64_t n, const T* x, T* out) {
  for (std::int64_t j = 0; j < n; ++j) out[j] = F::of(x[2 * j], x[2 * j + 1]);
}

/// Whether rows of pairs that follow each other are one long row of pairs.
bool are_pairs(const WindowAxis& cols) {
  return cols.are_tiles() && cols.size == 2 && cols.n == 2 * cols.n_windows;
}

/// So many rows of windows at once that their elements stay in the first-level cache.
std::int64_t rows_at_once(const WindowAxis& rows, const WindowAxis& cols) {
  return std::clamp<std::int64_t>(elements_at_once / cols.n, 1, rows.n_windows);
}

template <class F, class T>
void combine(const PoolGeometry& g, const View& x, const View& y) {
  const std::int64_t windows = g.rows.n_windows * g.cols.n_windows;
  for_planes(n_planes(x), x.size(), [&](std::int64_t p) {
    const Plane<T> in = plane<T>(x, p);
    T* const out = y.ptr<T>() + p * windows;
    const std::int64_t most = rows_at_once(g.rows, g.cols);
    T* const combined = memory<T, 1>(most * g.cols.n);
    for (std::int64_t first = 0; first < g.rows.n_windows; first += most) {
      const std::int64_t n = std::min(most, g.rows.n_windows - first);
      for (std::int64_t i = 0; i < n; ++i)
        combine_rows<F>(in, g.rows.begin(first + i), g.rows.end(first + i), combined + i * g.cols.n);
      T* const to = out + first * g.cols.n_windows;
      if (are_pairs(g.cols))
        combine_pairs<F>(n * g.cols.n_windows, combined, to);
      else
        for (std::int64_t i = 0; i < n; ++i)
          combine_columns<F>(g.cols, combined + i * g.cols.n, to + i * g.cols.n_windows);
    }
    if (g.mode == PoolMode::max || g.mode == PoolMode::sum) return;
    for (std::int64_t i = 0; i < g.rows.n_windows; ++i)
      for (std::int64_t j = 0; j < g.cols.n_windows; ++j)
        out[i * g.cols.n_windows + j] /= static_cast<T>(g.count(i, j));
  });
}

template <class T>
void spread(const PoolGeometry& g, const View& gy, const View& gx) {
  const std::int64_t size = g.rows.n * g.cols.n;
  for_planes(n_planes(gx), gx.size(), [&](std::int64_t p) {
    const Plane<T> in = plane<T>(gy, p);
    T* const out = gx.ptr<T>() + p * size;
    std::fill_n(out, size, T(0));
    T *const gathered = memory<T, 0>(g.cols.n_windows), *const row = memory<T, 1>(g.cols.n);
    for (std::int64_t i = 0; i < g.rows.n_windows; ++i) {
      const T* const from = in.row(i, gathered);
      std::fill_n(row, g.cols.n, T(0));
      for (std::int64_t j = 0; j < g.cols.n_windows; ++j) {
        const T part = g.mode == PoolMode::sum ? from[j] : from[j] / static_cast<T>(g.count(i, j));
        for (std::int64_t c = g.cols.begin(j); c < g.cols.end(j); ++c) row[c] += part;
      }
      for (std::int64_t r = g.rows.begin(i); r < g.rows.end(i); ++r)
        for (std::int64_t c = 0; c < g.cols.n; ++c) out[r * g.cols.n + c] += row[c];
    }
  });
}

/// to = each element of `from` as often as its window is wide; NaN, which equals nothing, behind the last
/// one.
template <class T>
void widen(const WindowAxis& cols, const T* from, T* to) {
  for (std::int64_t j = 0; j < cols.n_windows; ++j)
    for (std::int64_t c = cols.begin(j); c < cols.end(j); ++c) to[c] = from[j];
  std::fill(to + std::min(cols.n, cols.n_windows * cols.size), to + cols.n,
            std::numeric_limits<T>::quiet_NaN());
}
template <class T>
void widen_pairs(std::int64_t n, const T* from, T* to) {
  for (std::int64_t j = 0; j < n; ++j) to[2 * j] = to[2 * j + 1] = from[j];
}

/// Windows side by side: an element belongs to one window at most.
template <class T>
void max_unpool_tiles(const PoolGeometry& g, const Plane<T>& x, const Plane<T>& y, const Plane<T>& gy,
                      T* out) {
  T* const gathered = memory<T, 0>(g.cols.n);
  T *const largest = memory<T, 1>(g.cols.n), *const gradient = memory<T, 2>(g.cols.n);
  for (std::int64_t i = 0; i < g.rows.n_windows; ++i) {
    const auto wide = [&](const Plane<T>& from, T* to) {
      const T* const row = from.row(i, gathered);
      if (are_pairs(g.cols))
        widen_pairs(g.cols.n_windows, row, to);
      else
        widen(g.cols, row, to);
    };
    wide(y, largest);
    wide(gy, gradient);
    for (std::int64_t r = g.rows.begin(i); r < g.rows.end(i); ++r) {
      const T* const row = x.row(r, gathered);
      T* const to = out + r * g.cols.n;
      for (std::int64_t c = 0; c < g.cols.n; ++c) to[c] = row[c] == largest[c] ? gradient[c] : T(0);
    }
  }
  const std::int64_t covered = std::min(g.rows.n, g.rows.n_windows * g.rows.size);
  std::fill(out + covered * g.cols.n, out + g.rows.n * g.cols.n, T(0));
}

/// f(i, j, r, c) for each element of each window.
template <class F>
void for_windows(const PoolGeometry& g, F f) {
  for (std::int64_t i = 0; i < g.rows.n_windows; ++i)
    for (std::int64_t j = 0; j < g.cols.n_windows; ++j)
      for (std::int64_t r = g.rows.begin(i); r < g.rows.end(i); ++r)
        for (std::int64_t c = g.cols.begin(j); c < g.cols.end(j); ++c) f(i, j, r, c);
}

template <class T>
void unpool_max(const PoolGeometry& g, const View& x, const View& y, const View& gy, const View& gx) {
  const std::int64_t size = g.rows.n * g.cols.n;
  for_planes(n_planes(gx), gx.size(), [&](std::int64_t p) {
    const Plane<T> in = plane<T>(x, p), largest = plane<T>(y, p), gradient = plane<T>(gy, p);
    T* const out = gx.ptr<T>() + p * size;
    if (g.rows.are_tiles() && g.cols.are_tiles()) return max_unpool_tiles(g, in, largest, gradient, out);
    std::fill_n(out, size, T(0));
    for_windows(g, [&](std::int64_t i, std::int64_t j, std::int64_t r, std::int64_t c) {
      if (in.at(r, c) == largest.at(i, j)) out[r * g.cols.n + c] += gradient.at(i, j);
    });
  });
}

template <class T>
void pick_max(const PoolGeometry& g, const View& x, const View& y, const View& v, const View& z) {
  const std::int64_t size = g.rows.n_windows * g.cols.n_windows;
  for_planes(n_planes(x), x.size(), [&](std::int64_t p) {
    const Plane<T> in = plane<T>(x, p), largest = plane<T>(y, p), values = plane<T>(v, p);
    T* const out = z.ptr<T>() + p * size;
    std::fill_n(out, size, T(0));
    for_windows(g, [&](std::int64_t i, std::int64_t j, std::int64_t r, std::int64_t c) {
      if (in.at(r, c) == largest.at(i, j)) out[i * g.cols.n_windows + j] += values.at(r, c);
    });
  });
}

}  // namespace

void pool(const PoolGeometry& g, const View& x, const View& y) {
  if (y.size() == 0) return;
  const bool is_max = g.mode == PoolMode::max;
  for_float(y, [&]<class T>(T) { is_max ? combine<Larger, T>(g, x, y) : combine<Total, T>(g, x, y); });
}

void unpool(const PoolGeometry& g, const View& gy, const View& gx) {
  if (gx.size() == 0) return;
  for_float(gx, [&]<class T>(T) { spread<T>(g, gy, gx); });
}

void max_unpool(const PoolGeometry& g, const View& x, const View& y, const View& gy, const View& gx) {
  if (gx.size() == 0) return;
  for_float(gx, [&]<class T>(T) { unpool_max<T>(g, x, y, gy, gx); });
}

void max_pick(const PoolGeometry& g, const View& x, const View& y, const View& v, const View& z) {
  if (z.size() == 0) return;
  for_float(z, [&]<class T>(T) { pick_max<T>(g, x, y, v, z); });
}

}  // namespace damo
