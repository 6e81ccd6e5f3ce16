#include "ops/kernels/few_rows.h"

#include <algorithm>

#include "ops/kernels/blocking.h"
#include "ops/kernels/scratch.h"

namespace damo {
namespace {

constexpr int dot_rows = 4;

/// Rows of the matrix that stay in the second-level cache while all columns and vectors use them.
constexpr std::int64_t rows_at_once = 64;
/// What the vectors' columns may take of the first-level cache.
constexpr std::int64_t first_level = (packet_bytes == 64 ? 40 : 20) * 1024;

/// What is read next: rows at a distance are no pattern that the processor would foresee.
template <int packets, class T>
__attribute__((always_inline)) inline void prefetch(const T* p) {
  constexpr std::int64_t elements = packets * lanes<T>;
  for (std::int64_t j = 0; j < elements; j += cache_line / static_cast<std::int64_t>(sizeof(T)))
    __builtin_prefetch(p + j);
  __builtin_prefetch(p + elements - 1);
}

/// f<packets>(get, put, j) for blocks of the columns [from, to).
template <class T, class F>
__attribute__((always_inline)) inline void for_blocks(std::int64_t from, std::int64_t to, F f) {
  constexpr std::int64_t wide = blocking.packets * lanes<T>;
  std::int64_t j = from;
  const auto whole = [](const T* p) { return load(p); };
  const auto put_whole = [](T* p, const Packet<T>& v) { store(p, v); };
  for (; j + wide <= to; j += wide) f.template operator()<blocking.packets>(whole, put_whole, j);
  for (; j + lanes<T> <= to; j += lanes<T>) f.template operator()<1>(whole, put_whole, j);
  if (const std::int64_t n = to - j; n > 0)
    f.template operator()<1>([n](const T* p) { return load_some(p, n); },
                             [n](T* p, const Packet<T>& v) { store_some(p, v, n); }, j);
}

/// Some columns of m vectors, side by side and filled up with zeros to whole packets: they stay in the
/// first-level cache, wherever the vectors lie.
template <class T>
class Chunk {
 public:
  Chunk(const T* x, std::int64_t ldx, std::int64_t m, std::int64_t cols) : x_(x), ldx_(ldx), m_(m) {
    constexpr std::int64_t block = blocking.packets * lanes<T>;
    const std::int64_t fitting = first_level / (m * static_cast<std::int64_t>(sizeof(T)));
    width = std::min((cols + lanes<T> - 1) / lanes<T> * lanes<T>, std::max(block, fitting / block * block));
    thread_local Scratch<T> memory;
    data_ = memory.sized(m * width);
  }
  void read(std::int64_t from, std::int64_t to) {
    for (std::int64_t r = 0; r < m_; ++r) {
      T* const end = std::copy(x_ + r * ldx_ + from, x_ + r * ldx_ + to, data_ + r * width);
      std::fill(end, data_ + r * width + std::min(width, (to - from + lanes<T> - 1) / lanes<T> * lanes<T>),
                T(0));
    }
  }
  /// Vector r from the chunk's first column on.
  const T* operator[](std::int64_t r) const { return data_ + r * width; }

  std::int64_t width;

 private:
  const T* x_;
  std::int64_t ldx_, m_;
  T* data_;
};

/// The sums of four packets.
template <class T>
__attribute__((always_inline)) inline void totals(const Packet<T>* s, T* y) {
#ifdef __AVX__
  const auto half = [](const Packet<T>& v) {
    if constexpr (packet_bytes == 64) {
      typename PacketOf<T, 32>::type halves[2];
      std::memcpy(halves, &v, sizeof v);
      return halves[0] + halves[1];
    } else {
      return v;
    }
  };
  if constexpr (std::is_same_v<T, float>) {
    const __m256 v =
        _mm256_hadd_ps(_mm256_hadd_ps(half(s[0]), half(s[1])), _mm256_hadd_ps(half(s[2]), half(s[3])));
    _mm_storeu_ps(y, _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
    return;
  }
#endif
  for (int i = 0; i < 4; ++i) y[i] = total<T>(s[i]);
}

/// Whether the packets of W are copied to the tile, or taken from there.
enum class Tile { none, write, read };

/// y_r += sum_i values_ir w_i, for the columns of one block and some of the vectors.
template <Tile tile, int rows, int packets, class T, class Get, class Put>
__attribute__((always_inline)) inline void sum_block(const T* w, std::int64_t ldw, const Factors<T>& c,
                                                     std::int64_t first, std::int64_t last, std::int64_t m,
                                                     T* copy, T* y, std::int64_t ldy, Get get, Put put) {
  constexpr std::int64_t wide = packets * lanes<T>;
  Packet<T> s[rows][packets];
  each<rows>([&](auto r) { each<packets>([&](auto p) { s[r][p] = get(y + r * ldy + p * lanes<T>); }); });
  const T* factors = c.values + first * m;
  for (std::int64_t i = first; i < last; ++i, factors += m, copy += wide) {
    Packet<T> v[packets];
    if constexpr (tile == Tile::read) {
      each<packets>([&](auto p) { v[p] = kept(load(copy + p * lanes<T>)); });
    } else {
      const T* const row = w + c.rows[i] * ldw;
      each<packets>([&](auto p) { v[p] = kept(get(row + p * lanes<T>)); });
      if constexpr (tile == Tile::write) {
        each<packets>([&](auto p) { store(copy + p * lanes<T>, v[p]); });
        prefetch<packets>(row + wide);  // the next block
      }
    }
    each<rows>([&](auto r) {
      const Packet<T> factor = broadcast(factors[r]);
      each<packets>([&](auto p) { s[r][p] = multiply_add(v[p], factor, s[r][p]); });
    });
  }
  each<rows>([&](auto r) { each<packets>([&](auto p) { put(y + r * ldy + p * lanes<T>, s[r][p]); }); });
}

}  // namespace

template <class T>
void few_sums(const T* w, std::int64_t ldw, std::int64_t cols, const Factors<T>& c, std::int64_t m, T* y,
              std::int64_t ldy) {
  alignas(packet_bytes) T tile[rows_at_once * blocking.packets * lanes<T>];
  for (std::int64_t first = c.begin; first < c.end; first += rows_at_once) {
    const std::int64_t last = std::min(c.end, first + rows_at_once);
    for_blocks<T>(0, cols, [&]<int packets>(auto get, auto put, std::int64_t j) {
      for_groups(m, blocking.rows, [&](std::int64_t r0, std::int64_t size) {
        with_count<blocking.rows>(size, [&]<int rows>() {
          const Factors<T> factors{c.rows, c.values + r0, c.begin, c.end};
          T* const out = y + r0 * ldy + j;
          if (size == m)
            sum_block<Tile::none, rows, packets>(w + j, ldw, factors, first, last, m, tile, out, ldy, get,
                                                 put);
          else if (r0 == 0)
            sum_block<Tile::write, rows, packets>(w + j, ldw, factors, first, last, m, tile, out, ldy, get,
                                                  put);
          else
            sum_block<Tile::read, rows, packets>(w + j, ldw, factors, first, last, m, tile, out, ldy, get,
                                                 put);
        });
      });
    });
  }
}

template <class T>
bool few_updates(T scale, T* w, std::int64_t ldw, std::int64_t cols, const Factors<T>& a, std::int64_t m,
                 const T* x, std::int64_t ldx) {
  Chunk<T> chunk(x, ldx, m, cols);
  AllFinite<T> finite;
  for (std::int64_t begin = a.begin; begin < a.end; begin += rows_at_once) {
    const std::int64_t end = std::min(a.end, begin + rows_at_once);
    for (std::int64_t from = 0; from < cols; from += chunk.width) {
      const std::int64_t to = std::min(cols, from + chunk.width);
      if (begin == a.begin || chunk.width < cols) chunk.read(from, to);
      for (std::int64_t first = begin; first < end; first += blocking.rows)
        with_count<blocking.rows>(std::min<std::int64_t>(blocking.rows, end - first), [&]<int rows>() {
          T *row[rows], *ahead[rows];
          for (int i = 0; i < rows; ++i) {
            row[i] = w + a.rows[first + i] * ldw;
            ahead[i] = w + a.rows[std::min(first + rows + i, a.end - 1)] * ldw;
          }
          const T* const factors = a.values + first * m;
          for_blocks<T>(from, to, [&]<int packets>(auto get, auto put, std::int64_t j) {
            AllFinite<T> mine = finite;
            Packet<T> s[rows][packets];
            each<rows>([&](auto i) {
              each<packets>([&](auto p) { s[i][p] = get(row[i] + j + p * lanes<T>) * scale; });
              prefetch<packets>(ahead[i] + j);
            });
            const T* v = chunk[0] + (j - from);
            for (std::int64_t r = 0; r < m; ++r, v += chunk.width) {
              Packet<T> u[packets];
              each<packets>([&](auto p) { u[p] = kept(load(v + p * lanes<T>)); });
              each<rows>([&](auto i) {
                const Packet<T> factor = broadcast(factors[i * m + r]);
                each<packets>([&](auto p) { s[i][p] = multiply_add(u[p], factor, s[i][p]); });
              });
            }
            each<rows>([&](auto i) {
              each<packets>([&](auto p) {
                put(row[i] + j + p * lanes<T>, s[i][p]);
                mine(s[i][p]);
              });
            });
            finite = mine;
          });
        });
    }
  }
  return static_cast<bool>(finite);
}

template <class T>
void few_dots(const Rows<const T>& w, const T* x, std::int64_t ldx, std::int64_t m, const FewDots<T>& to) {
  Chunk<T> chunk(x, ldx, m, w.cols);
  // <x_r, w_i> so far, of the rows at once.
  thread_local Scratch<T> memory;
  T* const sums = memory.sized(rows_at_once * m);
  for (std::int64_t begin = w.begin; begin < w.end; begin += rows_at_once) {
    const std::int64_t end = std::min(w.end, begin + rows_at_once);
    std::fill_n(sums, rows_at_once * m, T(0));
    for (std::int64_t from = 0; from < w.cols; from += chunk.width) {
      const std::int64_t width = std::min(w.cols - from, chunk.width);
      if (begin == w.begin || chunk.width < w.cols) chunk.read(from, from + width);
      for (std::int64_t first = begin; first < end; first += dot_rows) {
        const std::int64_t n = std::min<std::int64_t>(dot_rows, end - first);
        const T* row[dot_rows];
        for (int i = 0; i < dot_rows; ++i) row[i] = w[first + std::min<std::int64_t>(i, n - 1)] + from;
        for (std::int64_t i = first + dot_rows; i < std::min(w.end, first + 2 * dot_rows); ++i)
          for (std::int64_t j = 0; j < width; j += cache_line / static_cast<std::int64_t>(sizeof(T)))
            __builtin_prefetch(w[i] + from + j);
        for_groups(m, blocking.dot_vectors, [&](std::int64_t r0, std::int64_t size) {
          with_count<blocking.dot_vectors>(size, [&]<int vectors>() {
            Packet<T> s[vectors][dot_rows] = {};
            const T* const v = chunk[r0];
            for_packets<T>(
                0, width, [&](auto get, auto, std::int64_t j) __attribute__((always_inline)) {
                  Packet<T> u[vectors];
                  each<vectors>([&](auto r) { u[r] = kept(load(v + r * chunk.width + j)); });
                  each<dot_rows>([&](auto i) {
                    const Packet<T> of_row = kept(get(row[i] + j));
                    each<vectors>([&](auto r) { s[r][i] = multiply_add(u[r], of_row, s[r][i]); });
                  });
                });
            each<vectors>([&](auto r) {
              T dots[dot_rows];
              totals<T>(s[r], dots);
              T* const sum = sums + (r0 + r) * rows_at_once + (first - begin);
              for (std::int64_t i = 0; i < n; ++i) sum[i] += dots[i];
            });
          });
        });
      }
    }
    for (std::int64_t r = 0; r < m; ++r)
      for (std::int64_t i = begin; i < end; ++i) {
        T* const y = to.y + r * to.step_r + i * to.step_i;
        const T dot = to.alpha * sums[r * rows_at_once + i - begin];
        *y = to.beta == T(0) ? dot : dot + to.beta * *y;
      }
  }
}

template void few_sums(const float*, std::int64_t, std::int64_t, const Factors<float>&, std::int64_t, float*,
                       std::int64_t);
template void few_sums(const double*, std::int64_t, std::int64_t, const Factors<double>&, std::int64_t,
                       double*, std::int64_t);
template bool few_updates(float, float*, std::int64_t, std::int64_t, const Factors<float>&, std::int64_t,
                          const float*, std::int64_t);
template bool few_updates(double, double*, std::int64_t, std::int64_t, const Factors<double>&, std::int64_t,
                          const double*, std::int64_t);
template void few_dots(const Rows<const float>&, const float*, std::int64_t, std::int64_t,
                       const FewDots<float>&);
template void few_dots(const Rows<const double>&, const double*, std::int64_t, std::int64_t,
                       const FewDots<double>&);

}  // namespace damo
