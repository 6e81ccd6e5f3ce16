// Compiled with fused multiply-add.
#include "apps/bench/kernels.h"

#include <bit>
#include <cmath>

#include "ops/kernels/lanes.h"

namespace damo::bench {
namespace {

using Vector = Packet<float>;
constexpr std::int64_t lanes = damo::lanes<float>;
constexpr int group = 4;  // rows at a time: one load of x serves all of them

template <int n>
void dots_of(const float* w, std::int64_t cols, const float* x, float* y) {
  Vector even[n] = {}, odd[n] = {};
  std::int64_t j = 0;
  for (; j + 2 * lanes <= cols; j += 2 * lanes) {
    const Vector x0 = kept(load(x + j)), x1 = kept(load(x + j + lanes));
    for (int i = 0; i < n; ++i) {
      even[i] = multiply_add(load(w + i * cols + j), x0, even[i]);
      odd[i] = multiply_add(load(w + i * cols + j + lanes), x1, odd[i]);
    }
  }
  for (int i = 0; i < n; ++i) {
    y[i] = total<float>(even[i] + odd[i]);
    for (std::int64_t k = j; k < cols; ++k) y[i] += w[i * cols + k] * x[k];
  }
}

template <int n>
void add_rows_of(const float* const* w, const float* c, std::int64_t cols, float* y) {
  std::int64_t j = 0;
  for (; j + lanes <= cols; j += lanes) {
    Vector s = load(y + j);
    for (int i = 0; i < n; ++i) s = multiply_add(load(w[i] + j), broadcast(c[i]), s);
    store(y + j, s);
  }
  for (; j < cols; ++j)
    for (int i = 0; i < n; ++i) y[j] += w[i][j] * c[i];
}

void update_row(float* w, float a, const float* x, std::int64_t cols) {
  std::int64_t j = 0;
  for (; j + lanes <= cols; j += lanes) store(w + j, multiply_add(load(x + j), broadcast(a), load(w + j)));
  for (; j < cols; ++j) w[j] += x[j] * a;
}

// exp(x) = 2^k exp(r) with |r| <= log(2) / 2, where Taylor's series of degree 7 has an error below 2^-27.
inline float exp_of(float x) {
  x = x > 88.f ? 88.f : x;
  x = x < -87.f ? -87.f : x;
  const float round = 12582912.f;  // 1.5 2^23: what is added to it is rounded to a whole number
  const float t = x * 1.44269504f + round, k = t - round;
  const float r = (x - k * .693359375f) + k * 2.12194440e-4f;
  float p = 1.f / 5040;
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + .5f;
  p = p * r + 1.f;
  p = p * r + 1.f;
  return p * std::bit_cast<float>((static_cast<std::int32_t>(k) + 127) << 23);
}

}  // namespace

void dots(const Matrix& w, Range rows, const float* x, float* y) {
  std::int64_t i = rows.begin;
  for (; i + group <= rows.end; i += group) dots_of<group>(w[i], w.cols, x, y + i);
  for (; i < rows.end; ++i) dots_of<1>(w[i], w.cols, x, y + i);
}

void add_rows(const Matrix& w, Range rows, const float* c, float* y) {
  const float* some[group];
  float factors[group];
  int n = 0;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    if (c[i] == 0) continue;
    some[n] = w[i];
    factors[n] = c[i];
    if (++n < group) continue;
    add_rows_of<group>(some, factors, w.cols, y);
    n = 0;
  }
  for (int k = 0; k < n; ++k) add_rows_of<1>(some + k, factors + k, w.cols, y);
}

void update(const Matrix& w, Range rows, const float* a, const float* x) {
  for (std::int64_t i = rows.begin; i < rows.end; ++i)
    if (a[i] != 0) update_row(w[i], a[i], x, w.cols);
}

void update(const Matrix& w, Range rows, float scale, const float* a, const float* x, const float* b,
            const float* y) {
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    float* const row = w[i];
    if (a[i] == 0 && scale == 1) {
      update_row(row, b[i], y, w.cols);
      continue;
    }
    std::int64_t j = 0;
    for (; j + lanes <= w.cols; j += lanes)
      store(row + j, multiply_add(load(y + j), broadcast(b[i]),
                                  multiply_add(load(x + j), broadcast(a[i]), load(row + j) * scale)));
    for (; j < w.cols; ++j) row[j] = row[j] * scale + x[j] * a[i] + y[j] * b[i];
  }
}

void dots_and_update(const Matrix& w, Range rows, const float* x, float* y, const float* a) {
  for (std::int64_t i = rows.begin; i < rows.end; i += group) {
    const Range few{i, std::min(rows.end, i + group)};  // they stay in the first-level cache
    dots(w, few, x, y);
    update(w, few, a, x);
  }
}

double squares(const Matrix& w, Range rows) {
  double sum = 0;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    float of_row = 0;
    dots_of<1>(w[i], w.cols, w[i], &of_row);
    sum += of_row;
  }
  return sum;
}

void sigmoid(const float* x, float* y, Range range) {
  for (std::int64_t i = range.begin; i < range.end; ++i) y[i] = 1.f / (1.f + exp_of(-x[i]));
}

void tanh(const float* x, float* y, Range range) {
  for (std::int64_t i = range.begin; i < range.end; ++i) y[i] = 1.f - 2.f / (1.f + exp_of(2.f * x[i]));
}

double cross_entropy(const float* x, const float* z, Range range) {
  double sum = 0;
  constexpr std::int64_t at_once = 16;  // a sum of logarithms is the logarithm of a product
  for (std::int64_t i = range.begin; i < range.end; i += at_once) {
    double product = 1, rest = 0;
    for (std::int64_t k = i; k < std::min(range.end, i + at_once); ++k) {
      product *= 1 + static_cast<double>(exp_of(-std::abs(z[k])));
      rest += static_cast<double>(std::max(z[k], 0.f) - x[k] * z[k]);
    }
    sum += std::log(product) + rest;
  }
  return sum;
}

}  // namespace damo::bench
