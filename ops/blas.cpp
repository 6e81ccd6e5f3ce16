#include "ops/blas.h"

#include <cblas.h>

#include <cstring>
#include <vector>

#include "core/check.h"
#include "core/threads.h"
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

/// w += alpha a b, a column times a row.
template <class T>
void add_outer(T alpha, const T* a, const T* b, std::int64_t rows, std::int64_t cols, T* w) {
  thread_local std::vector<T> memory;
  memory.resize(static_cast<std::size_t>(rows));
  T* const factors = memory.data();
  for (std::int64_t i = 0; i < rows; ++i) factors[i] = alpha * a[i];
  parallel(threads_for(rows * cols, elements_per_thread), [&](Part part) {
    const auto [begin, end] = part.range(rows, 4);
    row_updates<T>({w, cols, cols, begin, end}, factors, b);
  });
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
  if (k == 1 && beta == T(1)) {
    add_outer(alpha, gathered(a.ptr<T>(), a.strides[0], m, scratch_a),
              gathered(b.ptr<T>(), b.strides[1], n, scratch_b), m, n, y);
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
