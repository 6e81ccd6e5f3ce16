#include "ops/blas.h"

#include <cblas.h>

#include <cstring>
#include <vector>

#include "core/check.h"

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
void gemv_(CBLAS_TRANSPOSE ta, int m, int n, float alpha, const float* a, int lda, const float* x, int incx,
           float beta, float* y, int incy) {
  cblas_sgemv(CblasRowMajor, ta, m, n, alpha, a, lda, x, incx, beta, y, incy);
}
void gemv_(CBLAS_TRANSPOSE ta, int m, int n, double alpha, const double* a, int lda, const double* x,
           int incx, double beta, double* y, int incy) {
  cblas_dgemv(CblasRowMajor, ta, m, n, alpha, a, lda, x, incx, beta, y, incy);
}
void ger_(int m, int n, float alpha, const float* x, int incx, const float* y, int incy, float* a, int lda) {
  cblas_sger(CblasRowMajor, m, n, alpha, x, incx, y, incy, a, lda);
}
void ger_(int m, int n, double alpha, const double* x, int incx, const double* y, int incy, double* a,
          int lda) {
  cblas_dger(CblasRowMajor, m, n, alpha, x, incx, y, incy, a, lda);
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

template <class T>
void product(T alpha, const View& a, const View& b, T beta, const View& c) {
  // Our own threads share the work, if any do: BLAS's would spin on our cores.
  static const bool one_thread = (openblas_set_num_threads(1), true);
  (void)one_thread;
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
  const Operand<T> A(a, scratch_a), B(b, scratch_b);
  const auto step = [](std::int64_t s) { return static_cast<int>(s); };
  const bool forward = a.strides[1] > 0 && b.strides[0] > 0;
  if (m == 1 && forward) {
    // y = (b^T a^T)
    const CBLAS_TRANSPOSE t = B.trans == CblasNoTrans ? CblasTrans : CblasNoTrans;
    const int rows = B.trans == CblasNoTrans ? k : n, cols = B.trans == CblasNoTrans ? n : k;
    gemv_(t, rows, cols, alpha, B.data, B.ld, a.ptr<T>(), k == 1 ? 1 : step(a.strides[1]), beta, y, 1);
  } else if (n == 1 && forward) {
    const int rows = A.trans == CblasNoTrans ? m : k, cols = A.trans == CblasNoTrans ? k : m;
    gemv_(A.trans, rows, cols, alpha, A.data, A.ld, b.ptr<T>(), k == 1 ? 1 : step(b.strides[0]), beta, y, 1);
  } else if (k == 1 && beta == T(1) && a.strides[0] > 0 && b.strides[1] > 0) {
    ger_(m, n, alpha, a.ptr<T>(), step(a.strides[0]), b.ptr<T>(), step(b.strides[1]), y, n);
  } else {
    gemm_(A.trans, B.trans, m, n, k, alpha, A.data, A.ld, B.data, B.ld, beta, y, n);
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

}  // namespace damo
