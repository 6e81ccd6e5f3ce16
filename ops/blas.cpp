#include "ops/blas.h"

#include <cblas.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/threads.h"
#include "core/zeros.h"
#include "ops/few_rows.h"
#include "ops/rows.h"

namespace damo {
namespace {

void gemm_(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha, const float* a, int lda,
           const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void gemm_(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha, const double* a,
           int lda, const double* b, int ldb, double beta, double* c, int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
/// A matrix as BLAS takes it: rows at a distance of `ld`, transposed or not; anything else is copied first.
template <class T>
struct Operand {
  const T* data;
  int ld;
  CBLAS_TRANSPOSE trans;

  Operand(const View& v, std::vector<T>& scratch) {
    const auto rows = static_cast<int>(v.shape[0]), cols = static_cast<int>(v.shape[1]);
    const std::int64_t rs = v.strides[0], cs = v.strides[1];
    data = v.ptr<T>();
    if ((cs == 1 || cols == 1) && (rs >= cols || rows == 1)) {
      ld = rows == 1 ? cols : static_cast<int>(rs);
      trans = CblasNoTrans;
    } else if ((rs == 1 || rows == 1) && (cs >= rows || cols == 1)) {
      ld = cols == 1 ? rows : static_cast<int>(cs);
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
  thread_local std::vector<T> sums;
  T* out = y;
  const bool plain = alpha == T(1) && beta == T(0);
  if (!plain) {
    sums.resize(static_cast<std::size_t>(rows));
    out = sums.data();
  }
  parallel(threads_for(rows * cols, elements_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(rows, 4);
    row_dots<T>({w, ld, cols, begin, end}, x, out);
  });
  if (plain) return;
  for (std::int64_t i = 0; i < rows; ++i) y[i] = alpha * out[i] + (beta == T(0) ? T(0) : beta * y[i]);
}

/// y = alpha x W + beta y: each thread sums its rows, and the sums are added in order.
template <class T>
void times_row(T alpha, const T* x, const T* w, std::int64_t ld, std::int64_t rows, std::int64_t cols, T beta,
               T* y) {
  thread_local std::vector<T> memory;
  const int n = threads_for(rows * cols, elements_per_thread);
  memory.assign(static_cast<std::size_t>(n * cols), T(0));
  T* const sums = memory.data();
  parallel(n, [&](Part part) {
    const auto [begin, end] = part.range(rows, 4);
    row_sums<T>({w, ld, cols, begin, end}, x, sums + part.t * cols);
  });
  for (std::int64_t j = 0; j < cols; ++j) {
    T s = sums[j];
    for (int t = 1; t < n; ++t) s += sums[t * cols + j];
    y[j] = alpha * s + (beta == T(0) ? T(0) : beta * y[j]);
  }
}

/// w = beta w + alpha a b, a column times a row.
template <class T>
void add_outer(T alpha, const T* a, const T* b, std::int64_t rows, std::int64_t cols, T beta, T* w) {
  thread_local std::vector<T> memory;
  memory.resize(static_cast<std::size_t>(rows));
  T* const factors = memory.data();
  for (std::int64_t i = 0; i < rows; ++i) factors[i] = alpha * a[i];
  parallel(threads_for(rows * cols, elements_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(rows, 4);
    row_updates<T>({w, cols, cols, begin, end}, beta, factors, b);
  });
}

/// The rows of a matrix v (rows, m) in one thread's range, times alpha; if `skips`, without those that are
/// all 0.
template <class T>
Factors<T> factors_of(T alpha, const View& v, std::pair<std::int64_t, std::int64_t> range, bool skips) {
  thread_local std::vector<T> values;
  thread_local std::vector<std::int64_t> rows;
  const auto [begin, end] = range;
  const std::int64_t m = v.shape[1];
  values.resize(static_cast<std::size_t>((end - begin) * m));
  rows.resize(static_cast<std::size_t>(end - begin));
  std::int64_t n = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    const T* const from = v.ptr<T>() + i * v.strides[0];
    T* const to = values.data() + n * m;
    bool any = !skips;
    for (std::int64_t r = 0; r < m; ++r) {
      to[r] = alpha * from[r * v.strides[1]];
      any |= to[r] != T(0);
    }
    rows[static_cast<std::size_t>(n)] = i;
    n += any ? 1 : 0;
  }
  return {rows.data(), values.data(), 0, n};
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

/// y = alpha x W + beta y for few rows x (m, rows): each thread sums its rows of W, and the sums are added in
/// order.
template <class T>
void few_rows_times(T alpha, const View& x, const T* w, std::int64_t ld, std::int64_t cols, T beta,
                    const Result<T>& y) {
  thread_local std::vector<T> memory;
  const std::int64_t m = x.shape[0], rows = x.shape[1];
  const View factors = transposed(x);
  const int n = threads_for(m * rows * cols, products_per_thread);
  memory.resize(static_cast<std::size_t>(n * m * cols));
  T* const sums = memory.data();
  const bool skips = skips_zeros();
  parallel(n, [&](Part part) {
    T* const mine = sums + part.t * m * cols;
    std::fill_n(mine, m * cols, T(0));
    few_sums<T>(w, ld, cols, factors_of(alpha, factors, part.range(rows, 4), skips), m, mine, cols);
  });
  parallel(threads_for(m * cols, elements_per_thread / 4), [&](Part part) {
    const auto [begin, end] = part.range(cols, 16);
    for (std::int64_t r = 0; r < m; ++r)
      for (std::int64_t j = begin; j < end; ++j) {
        T s = sums[r * cols + j];
        for (int t = 1; t < n; ++t) s += sums[(t * m + r) * cols + j];
        T& out = y.data[r * y.step_r + j * y.step_j];
        out = beta == T(0) ? s : s + beta * out;
      }
  });
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

/// w = beta w + alpha a b for a (rows, m) and b (m, cols), m few.
template <class T>
void add_few(T alpha, const View& a, const View& b, T beta, T* w) {
  thread_local std::vector<T> memory;
  const std::int64_t rows = a.shape[0], cols = b.shape[1], m = b.shape[0];
  std::int64_t ldb = 0;
  const T* const vectors = with_adjacent_rows(b, ldb, memory);
  const bool skips = beta == T(1) && skips_zeros();
  parallel(threads_for(m * rows * cols, products_per_thread), [&](Part part) {
    few_updates<T>(beta, w, cols, cols, factors_of(alpha, a, part.range(rows, 4), skips), m, vectors, ldb);
  });
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
    few_rows_times(alpha, few, large.data, large.ld, size, beta, to);
  } else if (k < short_rows) {
    thread_local std::vector<T> memory;
    memory.resize(static_cast<std::size_t>(k * size));
    copy_into(View{dtype_of<T>(), {k, size}, {size, 1}, memory.data()}, left ? b : transposed(a));
    few_rows_times(alpha, few, memory.data(), size, size, beta, to);
  } else {
    few_rows_times_transpose(alpha, few, large.data, large.ld, size, beta, to);
  }
}

/// BLAS on panels of the result, one per thread.
template <class T>
void on_panels(T alpha, const Operand<T>& a, const Operand<T>& b, int m, int n, int k, T beta, T* y) {
  const std::int64_t work = std::int64_t{m} * n * k;
  parallel(threads_for(work, products_per_thread), [&](Part part) {
    const bool by_rows = m > n;
    constexpr int block = 16;
    const auto [begin, end] = part.range(by_rows ? m : n, block);
    if (begin == end) return;
    const auto size = static_cast<int>(end - begin);
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
void product(T alpha, const View& a, const View& b, T beta, const View& c) {
  use_one_thread();
  const auto m = static_cast<int>(a.shape[0]), k = static_cast<int>(a.shape[1]),
             n = static_cast<int>(b.shape[1]);
  T* const y = c.ptr<T>();
  if (m == 0 || n == 0) return;
  if (k == 0) {
    const std::int64_t size = c.size();
    // 0 times NaN is NaN, but beta = 0 means that c holds nothing yet.
    for (std::int64_t i = 0; i < size; ++i) y[i] = beta == T(0) ? T(0) : beta * y[i];
    return;
  }
  thread_local std::vector<T> scratch_a, scratch_b;
  if (k == 1 && beta != T(0)) {
    add_outer(alpha, gathered(a.ptr<T>(), a.strides[0], m, scratch_a),
              gathered(b.ptr<T>(), b.strides[1], n, scratch_b), m, n, beta, y);
  } else if (m == 1) {
    const Operand<T> B(b, scratch_b);
    const T* const x = gathered(a.ptr<T>(), a.strides[1], k, scratch_a);
    if (B.trans == CblasNoTrans)
      times_row(alpha, x, B.data, B.ld, k, n, beta, y);
    else
      times_column(alpha, B.data, B.ld, n, k, x, beta, y);
  } else if (n == 1) {
    const Operand<T> A(a, scratch_a);
    const T* const x = gathered(b.ptr<T>(), b.strides[0], k, scratch_b);
    if (A.trans == CblasNoTrans)
      times_column(alpha, A.data, A.ld, m, k, x, beta, y);
    else
      times_row(alpha, x, A.data, A.ld, k, m, beta, y);
  } else if (is_few(k) && beta != T(0)) {
    add_few(alpha, a, b, beta, y);
  } else if (is_few(m) || is_few(n)) {
    few_product(alpha, a, b, beta, y);
  } else {
    const Operand<T> A(a, scratch_a), B(b, scratch_b);
    on_panels(alpha, A, B, m, n, k, beta, y);
  }
}

}  // namespace

void gemm(double alpha, const View& a, const View& b, double beta, const View& c) {
  invariant(c.is_contiguous(), "a product must be written to a row-major array");
  if (c.dtype == DType::float32)
    product<float>(static_cast<float>(alpha), a, b, static_cast<float>(beta), c);
  else
    product<double>(alpha, a, b, beta, c);
}

template <class T>
void gemm_alone(const ProductSizes& sizes, const Panel<T>& a, const Panel<T>& b, T beta, T* c,
                std::int64_t ldc) {
  use_one_thread();
  gemm_(a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans,
        static_cast<int>(sizes.m), static_cast<int>(sizes.n), static_cast<int>(sizes.k), T(1), a.data,
        static_cast<int>(a.ld), b.data, static_cast<int>(b.ld), beta, c, static_cast<int>(ldc));
}
template void gemm_alone<float>(const ProductSizes&, const Panel<float>&, const Panel<float>&, float, float*,
                                std::int64_t);
template void gemm_alone<double>(const ProductSizes&, const Panel<double>&, const Panel<double>&, double,
                                 double*, std::int64_t);

}  // namespace damo
