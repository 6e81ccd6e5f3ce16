// Compiled with fused multiply-add, which everything else does without.
#include "ops/rows.h"

#include "core/zeros.h"
#include "ops/lanes.h"

namespace damo {
namespace {

/// Inner products of n rows with x: one load of x serves all of them.
template <int n, class T>
void dots(const T* const* w, const T* x, std::int64_t cols, T* y) {
  Packet<T> s[n][2] = {};
  std::int64_t j = 0;
  for (; j + 2 * lanes<T> <= cols; j += 2 * lanes<T>) {
    const Packet<T> x0 = load(x + j), x1 = load(x + j + lanes<T>);
    for (int i = 0; i < n; ++i) {
      s[i][0] += load(w[i] + j) * x0;
      s[i][1] += load(w[i] + j + lanes<T>) * x1;
    }
  }
  for_packets<T>(
      j, cols, [&](auto get, auto, std::int64_t k) __attribute__((always_inline)) {
        const Packet<T> x0 = get(x + k);
        for (int i = 0; i < n; ++i) s[i][0] += get(w[i] + k) * x0;
      });
  for (int i = 0; i < n; ++i) y[i] = total<T>(s[i][0] + s[i][1]);
}

/// y += sum of n rows times their factors.
template <int n, class T>
void sums(const T* const* w, const T* c, std::int64_t cols, T* y) {
  const T* rows[n];
  T factors[n];
  for (int i = 0; i < n; ++i) rows[i] = w[i], factors[i] = c[i];  // no store can change these
  for_packets<T>(
      0, cols, [&](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
        Packet<T> s = get(y + j);
        for (int i = 0; i < n; ++i) s += get(rows[i] + j) * factors[i];
        put(y + j, s);
      });
}

template <class T>
void update(T* w, T scale, T a, const T* x, std::int64_t cols) {
  for_packets<T>(
      0, cols, [=](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
        put(w + j, get(w + j) * scale + get(x + j) * a);
      });
}

/// y_i = <w_i, x>, and then w_i = scale w_i + a_i b, for n rows at once.
template <int n, class T>
void dots_and_updates(T* const* w, const T* x, T* y, T scale, const T* a, const T* b, std::int64_t cols) {
  T* rows[n];
  T factors[n];
  for (int i = 0; i < n; ++i) rows[i] = w[i], factors[i] = a[i];  // no store can change these
  Packet<T> s[n] = {};
  for_packets<T>(
      0, cols, [&](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
        const Packet<T> x0 = get(x + j), b0 = get(b + j);
        for (int i = 0; i < n; ++i) {
          const Packet<T> row = get(rows[i] + j);
          s[i] += row * x0;
          put(rows[i] + j, row * scale + b0 * factors[i]);
        }
      });
  for (int i = 0; i < n; ++i) y[i] = total<T>(s[i]);
}

constexpr int group = 4;  // rows at a time

}  // namespace

template <class T>
void row_dots(const Rows<const T>& w, const T* x, T* y) {
  std::int64_t i = w.begin;
  for (; i + group <= w.end; i += group) {
    const T* rows[group] = {w[i], w[i + 1], w[i + 2], w[i + 3]};
    dots<group>(rows, x, w.cols, y + i);
  }
  for (; i < w.end; ++i) {
    const T* row = w[i];
    dots<1>(&row, x, w.cols, y + i);
  }
}

template <class T>
void row_sums(const Rows<const T>& w, const T* c, T* y) {
  const T* rows[group];
  T factors[group];
  int n = 0;
  const bool skips = skips_zeros();
  for (std::int64_t i = w.begin; i < w.end; ++i) {
    if (skips && c[i] == T(0)) continue;
    rows[n] = w[i];
    factors[n] = c[i];
    if (++n < group) continue;
    sums<group>(rows, factors, w.cols, y);
    n = 0;
  }
  for (int k = 0; k < n; ++k) sums<1>(rows + k, factors + k, w.cols, y);
}

template <class T>
void row_updates(const Rows<T>& w, T scale, const T* a, const T* x) {
  const bool skips = scale == T(1) && skips_zeros();
  for (std::int64_t i = w.begin; i < w.end; ++i)
    if (!skips || a[i] != T(0)) update(w[i], scale, a[i], x, w.cols);
}

template <class T>
void row_updates(const Rows<T>& w, T scale, const T* a, const T* x, const T* b, const T* y) {
  const bool skips = scale == T(1) && skips_zeros();
  for (std::int64_t i = w.begin; i < w.end; ++i) {
    T* const row = w[i];
    if (skips && b[i] == T(0)) {
      if (a[i] != T(0)) update(row, scale, a[i], x, w.cols);
      continue;
    }
    if (skips && a[i] == T(0)) {
      update(row, scale, b[i], y, w.cols);
      continue;
    }
    const T of_x = a[i], of_y = b[i];
    for_packets<T>(
        0, w.cols, [=](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
          put(row + j, get(row + j) * scale + get(x + j) * of_x + get(y + j) * of_y);
        });
  }
}

template <class T>
void row_dots_and_updates(const Rows<T>& w, const T* x, T* y, T scale, const T* a, const T* b) {
  const bool skips = scale == T(1) && skips_zeros();
  std::int64_t i = w.begin;
  for (; i + group <= w.end; i += group) {
    T* const rows[group] = {w[i], w[i + 1], w[i + 2], w[i + 3]};
    const bool all = !skips || (a[i] != T(0) && a[i + 1] != T(0) && a[i + 2] != T(0) && a[i + 3] != T(0));
    if (all) {
      dots_and_updates<group>(rows, x, y + i, scale, a + i, b, w.cols);
      continue;
    }
    dots<group>(rows, x, w.cols, y + i);
    row_updates<T>({w.data, w.stride, w.cols, i, i + group}, scale, a, b);
  }
  row_dots<T>({w.data, w.stride, w.cols, i, w.end}, x, y);
  row_updates<T>({w.data, w.stride, w.cols, i, w.end}, scale, a, b);
}

template void row_dots(const Rows<const float>&, const float*, float*);
template void row_dots(const Rows<const double>&, const double*, double*);
template void row_sums(const Rows<const float>&, const float*, float*);
template void row_sums(const Rows<const double>&, const double*, double*);
template void row_updates(const Rows<float>&, float, const float*, const float*);
template void row_updates(const Rows<double>&, double, const double*, const double*);
template void row_updates(const Rows<float>&, float, const float*, const float*, const float*, const float*);
template void row_updates(const Rows<double>&, double, const double*, const double*, const double*,
                          const double*);
template void row_dots_and_updates(const Rows<float>&, const float*, float*, float, const float*,
                                   const float*);
template void row_dots_and_updates(const Rows<double>&, const double*, double*, double, const double*,
                                   const double*);

}  // namespace damo
