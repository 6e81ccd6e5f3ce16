// Compiled with fused multiply-add, which everything else does without.
#include "ops/rows.h"

#include <cstring>

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
  for (int i = 0; i < n; ++i) {
    T rest = 0;
    for (std::int64_t k = j; k < cols; ++k) rest += w[i][k] * x[k];
    y[i] = total<T>(s[i][0] + s[i][1]) + rest;
  }
}

/// y += sum of n rows times their factors.
template <int n, class T>
void sums(const T* const* w, const T* c, std::int64_t cols, T* y) {
  std::int64_t j = 0;
  for (; j + lanes<T> <= cols; j += lanes<T>) {
    Vector<T> s = load(y + j);
    for (int i = 0; i < n; ++i) s += load(w[i] + j) * c[i];
    store(y + j, s);
  }
  for (; j < cols; ++j)
    for (int i = 0; i < n; ++i) y[j] += w[i][j] * c[i];
}

template <class T>
void update(T* w, T a, const T* x, std::int64_t cols) {
  std::int64_t j = 0;
  for (; j + lanes<T> <= cols; j += lanes<T>) store(w + j, load<T>(w + j) + load(x + j) * a);
  for (; j < cols; ++j) w[j] += x[j] * a;
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
    std::int64_t j = 0;
    for (; j + lanes<T> <= w.cols; j += lanes<T>)
      store(row + j, load<T>(row + j) + load(x + j) * a[i] + load(y + j) * b[i]);
    for (; j < w.cols; ++j) row[j] = row[j] + x[j] * a[i] + y[j] * b[i];
  }
}

template <class T>
void row_dots_and_updates(const Rows<T>& w, const T* x, T* y, const T* a, const T* b) {
  // The update finds the rows in the first-level cache.
  for (std::int64_t i = w.begin; i < w.end; i += group) {
    const std::int64_t end = i + group < w.end ? i + group : w.end;
    const Rows<T> few{w.data, w.stride, w.cols, i, end};
    row_dots<T>({w.data, w.stride, w.cols, i, end}, x, y);
    row_updates(few, a, b);
  }
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
