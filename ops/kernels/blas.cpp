#include "ops/kernels/blas.h"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/run/threads.h"
#include "core/tensor/check.h"
#include "core/tensor/finite.h"
#include "ops/kernels/few_rows.h"
#include "ops/kernels/rows.h"
#include "ops/kernels/scratch.h"

namespace damo {
namespace {

/// BLAS's sizes are ints.
int blas_size(std::int64_t n) {
  check(n <= std::numeric_limits<int>::max(),
        "a product of matrices takes sizes below 2147483648, not {}, unless one has few rows or columns", n);
  return static_cast<int>(n);
}

void gemm_(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, std::int64_t m, std::int64_t n, std::int64_t k,
           float alpha, const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta,
           float* c, std::int64_t ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, blas_size(m), blas_size(n), blas_size(k), alpha, a, blas_size(lda), b,
              blas_size(ldb), beta, c, blas_size(ldc));
}
void gemm_(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, std::int64_t m, std::int64_t n, std::int64_t k,
           double alpha, const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double beta,
           double* c, std::int64_t ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, blas_size(m), blas_size(n), blas_size(k), alpha, a, blas_size(lda), b,
              blas_size(ldb), beta, c, blas_size(ldc));
}
/// A matrix as BLAS takes it: rows at a distance of `ld`, transposed or not; anything else is copied first.
template <class T>
struct Operand {
  const T* data;
  std::int64_t ld;
  CBLAS_TRANSPOSE trans;

  Operand(const View& v, std::vector<T>& scratch) {
    const std::int64_t rows = v.shape[0], cols = v.shape[1];
    const std::int64_t rs = v.strides[0], cs = v.strides[1];
    data = v.ptr<T>();
    if ((cs == 1 || cols == 1) && (rs >= cols || rows == 1)) {
      ld = rows == 1 ? cols : rs;
      trans = CblasNoTrans;
    } else if ((rs == 1 || rows == 1) && (cs >= rows || cols == 1)) {
      ld = cols == 1 ? rows : cs;
      trans = CblasTrans;
    } else {
      scratch.resize(static_cast<std::size_t>(v.size()));
      copy_into(View{v.dtype, v.shape, row_major(v.shape), scratch.data()}, v);
      data = scratch.data();
      ld = cols;
      trans = CblasNoTrans;
    }
  }
};

/// A vector whose elements may lie apart, as one whose elements do not.
template <class T>
const T* gathered(const T* x, std::int64_t stride, std::int64_t n, std::vector<T>& scratch) {
  if (stride == 1 || n == 1) return x;
  scratch.resize(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) scratch[static_cast<std::size_t>(i)] = x[i * stride];
  return scratch.data();
}

/// Elements that make a thread worth waking.
constexpr std::int64_t elements_per_thread = 1 << 14;
constexpr std::int64_t products_per_thread = 1 << 17;

/// y = alpha W x + beta y, each thread for its rows.
template <class T>
void times_column(T alpha, const T* w, std::int64_t ld, std::int64_t rows, std::int64_t cols, const T* x,
                  T beta, T* y) {
  thread_local Scratch<T> sums;
  const bool plain = alpha == T(1) && beta == T(0);
  T* const out = plain ? y : sums.sized(rows);
  parallel(threads_for(rows * cols, elements_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(rows, 4);
    row_dots<T>({w, ld, cols, begin, end}, x, out);
  });
  if (plain) return;
  for (std::int64_t i = 0; i < rows; ++i) y[i] = alpha * out[i] + (beta == T(0) ? T(0) : beta * y[i]);
}

/// y = alpha x W + beta y: each thread sums its rows, and the sums are added in order. `whole` is the array
/// of which all is read.
template <class T>
void times_row(T alpha, const T* x, const T* w, std::int64_t ld, std::int64_t rows, std::int64_t cols, T beta,
               T* y, const View& whole) {
  thread_local Scratch<T> memory;
  const int n = threads_for(rows * cols, elements_per_thread);
  const std::int64_t room = whole_lines<T>(cols);
  T* const sums = memory.sized(n * room);
  const bool is_finite = known_finite(whole);
  parallel(n, [&](Part part) {
    T* const mine = std::fill_n(sums + part.t * room, room, T(0)) - room;
    const auto [begin, end] = part.range(rows, 4);
    row_sums<T>({w, ld, cols, begin, end}, x, mine, is_finite);
  });
  if (!is_finite && whole.finite != nullptr && all_finite(sums, n * room)) found_finite(whole);
  for (std::int64_t j = 0; j < cols; ++j) {
    T s = sums[j];
    for (int t = 1; t < n; ++t) s += sums[t * room + j];
    y[j] = alpha * s + (beta == T(0) ? T(0) : beta * y[j]);
  }
}

/// w = beta w + alpha a b, a column times a row. Whether all that is written is finite.
template <class T>
bool add_outer(T alpha, const T* a, const T* b, std::int64_t rows, std::int64_t cols, T beta, T* w) {
  thread_local Scratch<T> memory;
  T* const factors = memory.sized(rows);
  for (std::int64_t i = 0; i < rows; ++i) factors[i] = alpha * a[i];
  std::atomic<bool> finite = true;
  parallel(threads_for(rows * cols, elements_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(rows, 4);
    if (!row_updates<T>({w, cols, cols, begin, end}, beta, factors, b)) finite = false;
  });
  return finite;
}

/// The rows of matrices v_1, v_2, ... (rows, m_i) side by side, in one thread's range, each times its alpha;
/// if `skips`, without those that are all 0.
template <class T>
struct Factor {
  T alpha;
  View v;
};
template <class T>
Factors<T> factors_of(std::span<const Factor<T>> parts, std::pair<std::int64_t, std::int64_t> range,
                      bool skips) {
  thread_local Scratch<T> value_memory;
  thread_local Scratch<std::int64_t> row_memory;
  const auto [begin, end] = range;
  std::int64_t m = 0;
  for (const Factor<T>& part : parts) m += part.v.shape[1];
  const std::int64_t n_rows = end - begin;
  T* const values = value_memory.sized(n_rows * m);
  std::int64_t* const rows = row_memory.sized(n_rows);
  T* to = values;
  for (const Factor<T>& part : parts) {
    const View& v = part.v;
    for (std::int64_t r = 0; r < v.shape[1]; ++r, ++to) {
      const T* const from = v.ptr<T>() + begin * v.strides[0] + r * v.strides[1];
      for (std::int64_t i = 0; i < n_rows; ++i) to[i * m] = part.alpha * from[i * v.strides[0]];
    }
  }
  std::int64_t n = 0;
  for (std::int64_t i = 0; i < n_rows; ++i) {
    const T* const row = values + i * m;
    if (skips && std::all_of(row, row + m, [](T x) { return x == T(0); })) continue;
    if (n < i) std::copy(row, row + m, values + n * m);
    rows[n++] = begin + i;
  }
  return {rows, values, 0, n};
}

View transposed(const View& v) {
  return {v.dtype, {v.shape[1], v.shape[0]}, {v.strides[1], v.strides[0]}, v.data};
}

/// A matrix whose rows are adjacent elements.
template <class T>
const T* with_adjacent_rows(const View& v, std::int64_t& ld, std::vector<T>& scratch) {
  ld = v.strides[0];
  if (v.strides[1] == 1 || v.shape[1] == 1) return v.ptr<T>();
  ld = v.shape[1];
  scratch.resize(static_cast<std::size_t>(v.size()));
  copy_into(View{v.dtype, v.shape, row_major(v.shape), scratch.data()}, v);
  return scratch.data();
}

/// Where the product of few vectors x_r with a large matrix goes: element (r, j) lies at r step_r + j step_j.
template <class T>
struct Result {
  T* data;
  std::int64_t step_r, step_j;
};

/// y = alpha x W + beta y for few rows x (m, rows): each thread for its columns of W, so that nothing is left
/// to be added up. `whole` is the array of which all is read.
template <class T>
void few_rows_times(T alpha, const View& x, const T* w, std::int64_t ld, std::int64_t cols, T beta,
                    const Result<T>& y, const View& whole) {
  const std::int64_t m = x.shape[0], rows = x.shape[1];
  const Factor<T> factor{alpha, transposed(x)};
  const bool skips = known_finite(whole);
  std::atomic<bool> finite = true;
  parallel(threads_for(m * rows * cols, products_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(cols, whole_lines<T>(1));
    const std::int64_t n = end - begin;
    thread_local Scratch<T> memory;
    T* const sums = memory.sized(m * n);
    std::fill_n(sums, m * n, T(0));
    few_sums<T>(w + begin, ld, n, factors_of<T>({&factor, 1}, {0, rows}, skips), m, sums, n);
    if (!skips && whole.finite != nullptr && !all_finite(sums, m * n)) finite = false;
    for (std::int64_t r = 0; r < m; ++r)
      for (std::int64_t j = 0; j < n; ++j) {
        T& out = y.data[r * y.step_r + (begin + j) * y.step_j];
        out = beta == T(0) ? sums[r * n + j] : sums[r * n + j] + beta * out;
      }
  });
  if (!skips && finite) found_finite(whole);
}

/// y = alpha x W^T + beta y for few rows x (m, cols): each thread for its rows of W.
template <class T>
void few_rows_times_transpose(T alpha, const View& x, const T* w, std::int64_t ld, std::int64_t rows, T beta,
                              const Result<T>& y) {
  thread_local std::vector<T> memory;
  const std::int64_t m = x.shape[0], cols = x.shape[1];
  std::int64_t ldx = 0;
  const T* const vectors = with_adjacent_rows(x, ldx, memory);
  parallel(threads_for(m * rows * cols, products_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(rows, 4);
    few_dots<T>({w, ld, cols, begin, end}, vectors, ldx, m, {alpha, beta, y.data, y.step_r, y.step_j});
  });
}

/// w = beta w + alpha_1 a_1 b_1 + ... for a_i (rows, m_i) and b_i (m_i, cols), the m_i few together: one pass
/// over w. Whether all that is written is finite.
template <class T>
bool add_few(std::span<const Term> terms, T beta, const View& w) {
  constexpr std::size_t most = most_few;
  std::array<Factor<T>, most> a;
  thread_local Scratch<T> memory;
  const std::int64_t rows = w.shape[0], cols = w.shape[1];
  std::int64_t m = 0;
  for (const Term& term : terms) m += term.b.shape[0];
  T* const vectors = memory.sized(m * cols);
  T* next = vectors;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const View& b = terms[i].b;
    a[i] = {static_cast<T>(terms[i].alpha), terms[i].a};
    copy_into(View{b.dtype, b.shape, row_major(b.shape), next}, b);
    next += b.size();
  }
  const bool skips = beta == T(1) && all_finite(vectors, m * cols);
  std::atomic<bool> finite = true;
  parallel(threads_for(m * rows * cols, products_per_thread), [&](Part part) {
    const Factors<T> factors = factors_of<T>({a.data(), terms.size()}, part.range(rows, 4), skips);
    if (!few_updates<T>(beta, w.ptr<T>(), cols, cols, factors, m, vectors, cols)) finite = false;
  });
  return finite;
}

bool is_few(std::int64_t n) { return n <= most_few; }

/// y = alpha a b + beta y where a has few rows, or b few columns.
template <class T>
void few_product(T alpha, const View& a, const View& b, T beta, T* y) {
  thread_local std::vector<T> scratch;
  const std::int64_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
  const View bt = transposed(b);
  const auto is_row_major = [](const View& v) { return v.strides[1] == 1 || v.shape[1] == 1; };
  // The loops run along rows of the large matrix: the longer, the better.
  const std::int64_t of_left = is_row_major(b) ? n : k, of_right = is_row_major(a) ? k : m;
  const bool left = is_few(m) && (!is_few(n) || of_left >= of_right);
  const Operand<T> large(left ? b : a, scratch);
  const View& few = left ? a : bt;
  const Result<T> to = left ? Result<T>{y, n, 1} : Result<T>{y, 1, n};
  const std::int64_t size = left ? n : m;
  // W's rows are summed, or each makes an inner product. Short ones cost more than a copy of W's transpose.
  constexpr std::int64_t short_rows = 64;
  if (left == (large.trans == CblasNoTrans)) {
    few_rows_times(alpha, few, large.data, large.ld, size, beta, to, left ? b : a);
  } else if (k < short_rows) {
    thread_local Scratch<T> memory;
    T* const rows = memory.sized(k * size);
    copy_into(View{dtype_of<T>(), {k, size}, {size, 1}, rows}, left ? b : transposed(a));
    few_rows_times(alpha, few, rows, size, size, beta, to, left ? b : a);
  } else {
    few_rows_times_transpose(alpha, few, large.data, large.ld, size, beta, to);
  }
}

/// BLAS on panels of the result, one per thread.
template <class T>
void on_panels(T alpha, const Operand<T>& a, const Operand<T>& b, std::int64_t m, std::int64_t n,
               std::int64_t k, T beta, T* y) {
  for (const std::int64_t size : {m, n, k, a.ld, b.ld}) blas_size(size);
  parallel(threads_for(m * n * k, products_per_thread), [&](Part part) {
    const bool by_rows = m > n;
    constexpr int block = 16;
    const auto [begin, end] = part.range(by_rows ? m : n, block);
    if (begin == end) return;
    const std::int64_t size = end - begin;
    if (by_rows)
      gemm_(a.trans, b.trans, size, n, k, alpha, a.data + (a.trans == CblasNoTrans ? begin * a.ld : begin),
            a.ld, b.data, b.ld, beta, y + begin * n, n);
    else
      gemm_(a.trans, b.trans, m, size, k, alpha, a.data, a.ld,
            b.data + (b.trans == CblasNoTrans ? begin : begin * b.ld), b.ld, beta, y + begin, n);
  });
}

/// Our own threads share the work: BLAS's would spin on our cores.
void use_one_thread() {
  static const bool done = (openblas_set_num_threads(1), true);
  (void)done;
}

template <class T>
bool product(T alpha, const View& a, const View& b, T beta, const View& c) {
  use_one_thread();
  const std::int64_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
  T* const y = c.ptr<T>();
  if (m == 0 || n == 0) return true;
  if (k == 0) {
    const std::int64_t size = c.size();
    // 0 times NaN is NaN, but beta = 0 means that c holds nothing yet.
    for (std::int64_t i = 0; i < size; ++i) y[i] = beta == T(0) ? T(0) : beta * y[i];
    return false;
  }
  thread_local std::vector<T> scratch_a, scratch_b;
  if (k == 1 && beta != T(0)) {
    return add_outer(alpha, gathered(a.ptr<T>(), a.strides[0], m, scratch_a),
                     gathered(b.ptr<T>(), b.strides[1], n, scratch_b), m, n, beta, y);
  }
  if (is_few(k) && beta != T(0) && m > 1 && n > 1) {
    const Term term{static_cast<double>(alpha), a, b};
    return add_few<T>({&term, 1}, beta, c);
  }
  if (m == 1) {
    const Operand<T> B(b, scratch_b);
    const T* const x = gathered(a.ptr<T>(), a.strides[1], k, scratch_a);
    if (B.trans == CblasNoTrans)
      times_row(alpha, x, B.data, B.ld, k, n, beta, y, b);
    else
      times_column(alpha, B.data, B.ld, n, k, x, beta, y);
  } else if (n == 1) {
    const Operand<T> A(a, scratch_a);
    const T* const x = gathered(b.ptr<T>(), b.strides[0], k, scratch_b);
    if (A.trans == CblasNoTrans)
      times_column(alpha, A.data, A.ld, m, k, x, beta, y);
    else
      times_row(alpha, x, A.data, A.ld, k, m, beta, y, a);
  } else if (is_few(m) || is_few(n)) {
    few_product(alpha, a, b, beta, y);
  } else {
    const Operand<T> A(a, scratch_a), B(b, scratch_b);
    on_panels(alpha, A, B, m, n, k, beta, y);
  }
  return false;
}

}  // namespace

bool gemm(double alpha, const View& a, const View& b, double beta, const View& c) {
  invariant(c.is_contiguous(), "a product must be written to a row-major array");
  if (c.dtype == DType::float32)
    return product<float>(static_cast<float>(alpha), a, b, static_cast<float>(beta), c);
  return product<double>(alpha, a, b, beta, c);
}

bool add_products(std::span<const Term> terms, double beta, const View& c) {
  invariant(c.is_contiguous(), "a product must be written to a row-major array");
  bool finite = true;
  for (std::size_t i = 0; i < terms.size();) {
    // As many as are few together.
    std::size_t end = i;
    std::int64_t k = 0;
    for (; end < terms.size() && k + terms[end].b.shape[0] <= 2 * most_few; ++end) k += terms[end].b.shape[0];
    if (end > i + 1 && beta != 0 && k > 0 && c.shape[0] > 1 && c.shape[1] > 1 && end - i <= most_few) {
      const std::span<const Term> some = terms.subspan(i, end - i);
      finite &= c.dtype == DType::float32 ? add_few<float>(some, static_cast<float>(beta), c)
                                          : add_few<double>(some, beta, c);
      i = end;
    } else {
      finite &= gemm(terms[i].alpha, terms[i].a, terms[i].b, beta, c);
      ++i;
    }
    beta = 1;
  }
  return finite;
}

template <class T>
void gemm_alone(const ProductSizes& sizes, const Panel<T>& a, const Panel<T>& b, T beta, T* c,
                std::int64_t ldc) {
  use_one_thread();
  gemm_(a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans, sizes.m, sizes.n,
        sizes.k, T(1), a.data, a.ld, b.data, b.ld, beta, c, ldc);
}
template void gemm_alone<float>(const ProductSizes&, const Panel<float>&, const Panel<float>&, float, float*,
                                std::int64_t);
template void gemm_alone<double>(const ProductSizes&, const Panel<double>&, const Panel<double>&, double,
                                 double*, std::int64_t);

}  // namespace damo
