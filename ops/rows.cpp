// Compiled with fused multiply-add, which everything else does without.
#include "ops/rows.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <cstring>
#include <type_traits>

#include "core/zeros.h"

namespace damo {
namespace {

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using Vector = float __attribute__((vector_size(64)));
};
template <>
struct Lanes<double> {
  using Vector = double __attribute__((vector_size(64)));
};

template <class T>
using Vector = typename Lanes<T>::Vector;
template <class T>
constexpr std::int64_t lanes = 64 / sizeof(T);

template <class T>
Vector<T> load(const T* p) {
  Vector<T> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
void store(T* p, const Vector<T>& v) {
  std::memcpy(p, &v, sizeof v);
}

/// The first n lanes, the others 0.
template <class T>
Vector<T> load_some(const T* p, std::int64_t n) {
#ifdef __AVX512F__
  const unsigned mask = (1U << n) - 1U;
  if constexpr (std::is_same_v<T, float>)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), p);
  else
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), p);
#else
  Vector<T> v{};
  for (std::int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
template <class T>
void store_some(T* p, const Vector<T>& v, std::int64_t n) {
#ifdef __AVX512F__
  const unsigned mask = (1U << n) - 1U;
  if constexpr (std::is_same_v<T, float>)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), v);
  else
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), v);
#else
  for (std::int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}

/// f(load, store, j) for each packet of a row, the last of which may be a part: `load(p)` and `store(p, v)`
/// leave out what lies beyond.
template <class T, class F>
void for_packets(std::int64_t from, std::int64_t cols, F f) {
  std::int64_t j = from;
  for (; j + lanes<T> <= cols; j += lanes<T>)
    f([](const T* p) { return load(p); }, [](T* p, const Vector<T>& v) { store(p, v); }, j);
  if (const std::int64_t n = cols - j; n > 0)
    f([n](const T* p) { return load_some(p, n); }, [n](T* p, const Vector<T>& v) { store_some(p, v, n); }, j);
}

template <class T>
T total(const Vector<T>& v) {
  T parts[lanes<T>];
  std::memcpy(parts, &v, sizeof v);
  for (std::int64_t half = lanes<T> / 2; half > 0; half /= 2)
    for (std::int64_t i = 0; i < half; ++i) parts[i] += parts[i + half];
  return parts[0];
}

/// Inner products of n rows with x: one load of x serves all of them.
template <int n, class T>
void dots(const T* const* w, const T* x, std::int64_t cols, T* y) {
  Vector<T> s[n][2] = {};
  std::int64_t j = 0;
  for (; j + 2 * lanes<T> <= cols; j += 2 * lanes<T>) {
    const Vector<T> x0 = load(x + j), x1 = load(x + j + lanes<T>);
    for (int i = 0; i < n; ++i) {
      s[i][0] += load(w[i] + j) * x0;
      s[i][1] += load(w[i] + j + lanes<T>) * x1;
    }
  }
  for_packets<T>(j, cols, [&](auto get, auto, std::int64_t k) {
    const Vector<T> x0 = get(x + k);
    for (int i = 0; i < n; ++i) s[i][0] += get(w[i] + k) * x0;
  });
  for (int i = 0; i < n; ++i) y[i] = total<T>(s[i][0] + s[i][1]);
}

/// y += sum of n rows times their factors.
template <int n, class T>
void sums(const T* const* w, const T* c, std::int64_t cols, T* y) {
  for_packets<T>(0, cols, [&](auto get, auto put, std::int64_t j) {
    Vector<T> s = get(y + j);
    for (int i = 0; i < n; ++i) s += get(w[i] + j) * c[i];
    put(y + j, s);
  });
}

template <class T>
void update(T* w, T a, const T* x, std::int64_t cols) {
  for_packets<T>(0, cols,
                 [&](auto get, auto put, std::int64_t j) { put(w + j, get(w + j) + get(x + j) * a); });
}

/// y_i = <w_i, x>, and then w_i += a_i b, for n rows at once.
template <int n, class T>
void dots_and_updates(T* const* w, const T* x, T* y, const T* a, const T* b, std::int64_t cols) {
  Vector<T> s[n] = {};
  for_packets<T>(0, cols, [&](auto get, auto put, std::int64_t j) {
    const Vector<T> x0 = get(x + j), b0 = get(b + j);
    for (int i = 0; i < n; ++i) {
      const Vector<T> row = get(w[i] + j);
      s[i] += row * x0;
      put(w[i] + j, row + b0 * a[i]);
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
void row_updates(const Rows<T>& w, const T* a, const T* x) {
  const bool skips = skips_zeros();
  for (std::int64_t i = w.begin; i < w.end; ++i)
    if (!skips || a[i] != T(0)) update(w[i], a[i], x, w.cols);
}

template <class T>
void row_updates(const Rows<T>& w, const T* a, const T* x, const T* b, const T* y) {
  const bool skips = skips_zeros();
  for (std::int64_t i = w.begin; i < w.end; ++i) {
    T* const row = w[i];
    if (skips && b[i] == T(0)) {
      if (a[i] != T(0)) update(row, a[i], x, w.cols);
      continue;
    }
    if (skips && a[i] == T(0)) {
      update(row, b[i], y, w.cols);
      continue;
    }
    for_packets<T>(0, w.cols, [&](auto get, auto put, std::int64_t j) {
      put(row + j, get(row + j) + get(x + j) * a[i] + get(y + j) * b[i]);
    });
  }
}

template <class T>
void row_dots_and_updates(const Rows<T>& w, const T* x, T* y, const T* a, const T* b) {
  const bool skips = skips_zeros();
  std::int64_t i = w.begin;
  for (; i + group <= w.end; i += group) {
    T* const rows[group] = {w[i], w[i + 1], w[i + 2], w[i + 3]};
    const bool all = !skips || (a[i] != T(0) && a[i + 1] != T(0) && a[i + 2] != T(0) && a[i + 3] != T(0));
    if (all) {
      dots_and_updates<group>(rows, x, y + i, a + i, b, w.cols);
      continue;
    }
    dots<group>(rows, x, w.cols, y + i);
    row_updates<T>({w.data, w.stride, w.cols, i, i + group}, a, b);
  }
  row_dots<T>({w.data, w.stride, w.cols, i, w.end}, x, y);
  row_updates<T>({w.data, w.stride, w.cols, i, w.end}, a, b);
}

template void row_dots(const Rows<const float>&, const float*, float*);
template void row_dots(const Rows<const double>&, const double*, double*);
template void row_sums(const Rows<const float>&, const float*, float*);
template void row_sums(const Rows<const double>&, const double*, double*);
template void row_updates(const Rows<float>&, const float*, const float*);
template void row_updates(const Rows<double>&, const double*, const double*);
template void row_updates(const Rows<float>&, const float*, const float*, const float*, const float*);
template void row_updates(const Rows<double>&, const double*, const double*, const double*, const double*);
template void row_dots_and_updates(const Rows<float>&, const float*, float*, const float*, const float*);
template void row_dots_and_updates(const Rows<double>&, const double*, double*, const double*, const double*);

}  // namespace damo
