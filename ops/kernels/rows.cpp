#include "ops/kernels/rows.h"

#include "core/tensor/finite.h"
#include "ops/kernels/lanes.h"

namespace damo {
namespace {

/// Inner products of n rows with x: one load of x serves all of them.
template <int n, class T>
void dots(const T* const* w, const T* x, std::int64_t cols, T* y) {
  Packet<T> s[n][2] = {};
  std::int64_t j = 0;
  for (; j + 2 * lanes<T> <= cols; j += 2 * lanes<T>) {
    const Packet<T> x0 = kept(load(x + j)), x1 = kept(load(x + j + lanes<T>));
    each<n>([&](auto i) {
      s[i][0] = multiply_add(load(w[i] + j), x0, s[i][0]);
      s[i][1] = multiply_add(load(w[i] + j + lanes<T>), x1, s[i][1]);
    });
  }
  for_packets<T>(
      j, cols, [&](auto get, auto, std::int64_t k) __attribute__((always_inline)) {
        const Packet<T> x0 = kept(get(x + k));
        each<n>([&](auto i) { s[i][0] = multiply_add(get(w[i] + k), x0, s[i][0]); });
      });
  each<n>([&](auto i) { y[i] = total<T>(s[i][0] + s[i][1]); });
}

/// y += sum of n rows times their factors.
template <int n, class T>
void sums(const T* const* w, const T* c, std::int64_t cols, T* y) {
  const T* rows[n];
  T factors[n];
  each<n>([&](auto i) { rows[i] = w[i], factors[i] = c[i]; });  // no store can change these
  for_packets<T>(
      0, cols, [&](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
        Packet<T> s = get(y + j);
        each<n>([&](auto i) { s = multiply_add(get(rows[i] + j), broadcast(factors[i]), s); });
        put(y + j, s);
      });
}
template <class T>
void update(T* w, T scale, T a, const T* x, std::int64_t cols, AllFinite<T>& finite) {
  AllFinite<T> mine = finite;
  for_packets<T>(
      0, cols, [&](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
        const Packet<T> v = multiply_add(get(x + j), broadcast(a), get(w + j) * scale);
        put(w + j, v);
        mine(v);
      });
  finite = mine;
}

/// y_i = <w_i, x>, and then w_i = scale w_i + a_i b, for n rows at once.
template <int n, class T>
void dots_and_updates(T* const* w, const T* x, T* y, T scale, const T* a, const T* b, std::int64_t cols,
                      AllFinite<T>& finite) {
  AllFinite<T> mine = finite;
  T* rows[n];
  T factors[n];
  each<n>([&](auto i) { rows[i] = w[i], factors[i] = a[i]; });  // no store can change these
  Packet<T> s[n] = {};
  for_packets<T>(
      0, cols, [&](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
        const Packet<T> x0 = kept(get(x + j)), b0 = kept(get(b + j));
        each<n>([&](auto i) {
          const Packet<T> row = kept(get(rows[i] + j)),
                          v = multiply_add(b0, broadcast(factors[i]), row * scale);
          s[i] = multiply_add(row, x0, s[i]);
          put(rows[i] + j, v);
          mine(v);
        });
      });
  finite = mine;
  each<n>([&](auto i) { y[i] = total<T>(s[i]); });
}

constexpr int group = 4;      // rows at a time
constexpr int sum_group = 8;  // rows that are added at a time

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
void row_sums(const Rows<const T>& w, const T* c, T* y, bool is_finite) {
  const T* rows[sum_group];
  T factors[sum_group];
  int n = 0;
  for (std::int64_t i = w.begin; i < w.end; ++i) {
    if (is_finite && c[i] == T(0)) continue;
    rows[n] = w[i];
    factors[n] = c[i];
    if (++n < sum_group) continue;
    sums<sum_group>(rows, factors, w.cols, y);
    n = 0;
  }
  for (int k = 0; k < n; ++k) sums<1>(rows + k, factors + k, w.cols, y);
}

template <class T>
bool row_updates(const Rows<T>& w, T scale, const T* a, const T* x) {
  const bool skips = scale == T(1) && all_finite(x, w.cols);
  AllFinite<T> finite;
  for (std::int64_t i = w.begin; i < w.end; ++i)
    if (!skips || a[i] != T(0)) update(w[i], scale, a[i], x, w.cols, finite);
  return static_cast<bool>(finite);
}

template <class T>
bool row_updates(const Rows<T>& w, T scale, const T* a, const T* x, const T* b, const T* y) {
  const bool skips_x = scale == T(1) && all_finite(x, w.cols),
             skips_y = scale == T(1) && all_finite(y, w.cols);
  AllFinite<T> finite;
  for (std::int64_t i = w.begin; i < w.end; ++i) {
    T* const row = w[i];
    if (skips_y && b[i] == T(0)) {
      if (!skips_x || a[i] != T(0)) update(row, scale, a[i], x, w.cols, finite);
      continue;
    }
    if (skips_x && a[i] == T(0)) {
      update(row, scale, b[i], y, w.cols, finite);
      continue;
    }
    const T of_x = a[i], of_y = b[i];
    AllFinite<T> mine = finite;
    for_packets<T>(
        0, w.cols, [&](auto get, auto put, std::int64_t j) __attribute__((always_inline)) {
          const Packet<T> v = multiply_add(get(y + j), broadcast(of_y),
                                           multiply_add(get(x + j), broadcast(of_x), get(row + j) * scale));
          put(row + j, v);
          mine(v);
        });
    finite = mine;
  }
  return static_cast<bool>(finite);
}

template <class T>
bool row_dots_and_updates(const Rows<T>& w, const T* x, T* y, T scale, const T* a, const T* b) {
  const bool skips = scale == T(1) && all_finite(b, w.cols);
  AllFinite<T> finite;
  std::int64_t i = w.begin;
  for (; i + group <= w.end; i += group) {
    T* const rows[group] = {w[i], w[i + 1], w[i + 2], w[i + 3]};
    const bool all = !skips || (a[i] != T(0) && a[i + 1] != T(0) && a[i + 2] != T(0) && a[i + 3] != T(0));
    if (all) {
      dots_and_updates<group>(rows, x, y + i, scale, a + i, b, w.cols, finite);
      continue;
    }
    dots<group>(rows, x, w.cols, y + i);
    for (std::int64_t k = i; k < i + group; ++k)
      if (a[k] != T(0)) update(w[k], scale, a[k], b, w.cols, finite);
  }
  row_dots<T>({w.data, w.stride, w.cols, i, w.end}, x, y);
  return row_updates<T>({w.data, w.stride, w.cols, i, w.end}, scale, a, b) && finite;
}

template void row_dots(const Rows<const float>&, const float*, float*);
template void row_dots(const Rows<const double>&, const double*, double*);
template void row_sums(const Rows<const float>&, const float*, float*, bool);
template void row_sums(const Rows<const double>&, const double*, double*, bool);
template bool row_updates(const Rows<float>&, float, const float*, const float*);
template bool row_updates(const Rows<double>&, double, const double*, const double*);
template bool row_updates(const Rows<float>&, float, const float*, const float*, const float*, const float*);
template bool row_updates(const Rows<double>&, double, const double*, const double*, const double*,
                          const double*);
template bool row_dots_and_updates(const Rows<float>&, const float*, float*, float, const float*,
                                   const float*);
template bool row_dots_and_updates(const Rows<double>&, const double*, double*, double, const double*,
                                   const double*);

}  // namespace damo
