// Compiled with fused multiply-add, which everything else does without.
#include "ops/few_rows.h"

#include <algorithm>
#include <utility>

#include "ops/lanes.h"

namespace damo {
namespace {

#ifdef __AVX512F__
constexpr int block_rows = 8, block_packets = 3;  // 24 sums and what they are made of: 32 registers
constexpr int dot_rows = 4, dot_vectors = 6;
#else
constexpr int block_rows = 2, block_packets = 2;  // a packet is two registers or four
constexpr int dot_rows = 2, dot_vectors = 2;
#endif

/// f<1>(), ..., f<most>(): the one of n.
template <int most, class F>
__attribute__((always_inline)) inline void with_count(std::int64_t n, F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) {
    ((n == i + 1 ? f.template operator()<i + 1>() : void()), ...);
  }
  (std::make_integer_sequence<int, most>());
}

/// Groups of at most `most`, as equal as can be: f(first, size).
template <class F>
__attribute__((always_inline)) inline void for_groups(std::int64_t n, std::int64_t most, F f) {
  const std::int64_t groups = (n + most - 1) / most;
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t begin = n * g / groups, end = n * (g + 1) / groups;
    f(begin, end - begin);
  }
}

/// f<packets>(get, put, j) for blocks of columns.
template <class T, class F>
__attribute__((always_inline)) inline void for_blocks(std::int64_t cols, F f) {
  constexpr std::int64_t wide = block_packets * lanes<T>;
  std::int64_t j = 0;
  const auto whole = [](const T* p) { return load(p); };
  const auto put_whole = [](T* p, const Packet<T>& v) { store(p, v); };
  for (; j + wide <= cols; j += wide) f.template operator()<block_packets>(whole, put_whole, j);
  for (; j + lanes<T> <= cols; j += lanes<T>) f.template operator()<1>(whole, put_whole, j);
  if (const std::int64_t n = cols - j; n > 0)
    f.template operator()<1>([n](const T* p) { return load_some(p, n); },
                             [n](T* p, const Packet<T>& v) { store_some(p, v, n); }, j);
}

}  // namespace

template <class T>
void few_sums(const T* w, std::int64_t ldw, std::int64_t cols, const Factors<T>& c, std::int64_t m, T* y,
              std::int64_t ldy) {
  constexpr std::int64_t rows_at_once = 64;
  for (std::int64_t first = c.begin; first < c.end; first += rows_at_once) {
    const std::int64_t last = std::min(c.end, first + rows_at_once);
    for_blocks<T>(cols, [&]<int packets>(auto get, auto put, std::int64_t j) {
      for_groups(m, block_rows, [&](std::int64_t r0, std::int64_t size) {
        with_count<block_rows>(size, [&]<int rows>() {
          Packet<T> s[rows][packets];
          T* const out = y + r0 * ldy + j;
          for (int r = 0; r < rows; ++r)
            for (int p = 0; p < packets; ++p) s[r][p] = get(out + r * ldy + p * lanes<T>);
          for (std::int64_t i = first; i < last; ++i) {
            const T* const row = w + c.rows[i] * ldw + j;
            const T* const factors = c.values + i * m + r0;
            Packet<T> v[packets];
            for (int p = 0; p < packets; ++p) v[p] = get(row + p * lanes<T>);
            for (int r = 0; r < rows; ++r)
              for (int p = 0; p < packets; ++p) s[r][p] += v[p] * factors[r];
          }
          for (int r = 0; r < rows; ++r)
            for (int p = 0; p < packets; ++p) put(out + r * ldy + p * lanes<T>, s[r][p]);
        });
      });
    });
  }
}

template <class T>
void few_updates(T scale, T* w, std::int64_t ldw, std::int64_t cols, const Factors<T>& a, std::int64_t m,
                 const T* x, std::int64_t ldx) {
  for (std::int64_t first = a.begin; first < a.end; first += block_rows) {
    const std::int64_t n = std::min<std::int64_t>(block_rows, a.end - first);
    with_count<block_rows>(n, [&]<int rows>() {
      T* row[rows];
      for (int i = 0; i < rows; ++i) row[i] = w + a.rows[first + i] * ldw;
      const T* const factors = a.values + first * m;
      for_blocks<T>(cols, [&]<int packets>(auto get, auto put, std::int64_t j) {
        Packet<T> s[rows][packets];
        for (int i = 0; i < rows; ++i)
          for (int p = 0; p < packets; ++p) s[i][p] = get(row[i] + j + p * lanes<T>) * scale;
        for (std::int64_t r = 0; r < m; ++r) {
          Packet<T> v[packets];
          for (int p = 0; p < packets; ++p) v[p] = get(x + r * ldx + j + p * lanes<T>);
          for (int i = 0; i < rows; ++i)
            for (int p = 0; p < packets; ++p) s[i][p] += v[p] * factors[i * m + r];
        }
        for (int i = 0; i < rows; ++i)
          for (int p = 0; p < packets; ++p) put(row[i] + j + p * lanes<T>, s[i][p]);
      });
    });
  }
}

template <class T>
void few_dots(const Rows<const T>& w, const T* x, std::int64_t ldx, std::int64_t m, const FewDots<T>& to) {
  for (std::int64_t first = w.begin; first < w.end; first += dot_rows) {
    const std::int64_t n = std::min<std::int64_t>(dot_rows, w.end - first);
    for_groups(m, dot_vectors, [&](std::int64_t r0, std::int64_t size) {
      with_count<dot_rows>(n, [&]<int rows>() {
        with_count<dot_vectors>(size, [&]<int vectors>() {
          Packet<T> s[vectors][rows] = {};
          for_packets<T>(
              0, w.cols, [&](auto get, auto, std::int64_t j) __attribute__((always_inline)) {
                Packet<T> v[rows];
                for (int i = 0; i < rows; ++i) v[i] = get(w[first + i] + j);
                for (int r = 0; r < vectors; ++r) {
                  const Packet<T> u = get(x + (r0 + r) * ldx + j);
                  for (int i = 0; i < rows; ++i) s[r][i] += u * v[i];
                }
              });
          for (int r = 0; r < vectors; ++r)
            for (int i = 0; i < rows; ++i) {
              T* const y = to.y + (r0 + r) * to.step_r + (first + i) * to.step_i;
              const T dot = to.alpha * total<T>(s[r][i]);
              *y = to.beta == T(0) ? dot : dot + to.beta * *y;
            }
        });
      });
    });
  }
}

template void few_sums(const float*, std::int64_t, std::int64_t, const Factors<float>&, std::int64_t, float*,
                       std::int64_t);
template void few_sums(const double*, std::int64_t, std::int64_t, const Factors<double>&, std::int64_t,
                       double*, std::int64_t);
template void few_updates(float, float*, std::int64_t, std::int64_t, const Factors<float>&, std::int64_t,
                          const float*, std::int64_t);
template void few_updates(double, double*, std::int64_t, std::int64_t, const Factors<double>&, std::int64_t,
                          const double*, std::int64_t);
template void few_dots(const Rows<const float>&, const float*, std::int64_t, std::int64_t,
                       const FewDots<float>&);
template void few_dots(const Rows<const double>&, const double*, std::int64_t, std::int64_t,
                       const FewDots<double>&);

}  // namespace damo
