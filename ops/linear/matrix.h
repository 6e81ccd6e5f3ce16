#pragma once
#include <Eigen/LU>

#include "../../core/graph/op.h"
#include "../../core/tensor/visit.h"

/// For authors of linear algebra: Eigen's matrices, and what the ops check.
namespace damo {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using RowMajorMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// m = x, a matrix, or a vector as one column; x may have any strides.
template <class T>
void read(Matrix<T>& m, const View& x) {
  m.resize(x.shape[0], x.ndim() == 2 ? x.shape[1] : 1);
  copy_into(View{x.dtype, x.shape, x.ndim() == 2 ? Sizes{1, x.shape[0]} : Sizes{1}, m.data()}, x);
}

/// A row-major array as Eigen writes it; a vector as one column.
template <class T>
Eigen::Map<RowMajorMatrix<T>> write(const View& y) {
  return {y.ptr<T>(), y.shape[0], y.ndim() == 2 ? y.shape[1] : 1};
}

/// The triangular factors of x with its rows reordered; they live until the thread's next call.
template <class T>
const Eigen::PartialPivLU<Matrix<T>>& factors(const View& x) {
  thread_local Matrix<T> m;
  thread_local Eigen::PartialPivLU<Matrix<T>> lu;
  read(m, x);
  lu.compute(m);
  return lu;
}

/// The same. Throws Error if x has no inverse.
template <class T>
const Eigen::PartialPivLU<Matrix<T>>& invertible_factors(const View& x) {
  const auto& lu = factors<T>(x);
  for (Eigen::Index k = 0; k < lu.rows(); ++k)
    check(lu.matrixLU()(k, k) != T(0), "the matrix is singular to working precision: pivot {} is 0", k);
  return lu;
}

/// The size of a square matrix, -1 if it is not known. Throws Error if x is none.
std::int64_t square_size(const Type& x);

/// LAPACK's dtypes: integers become float64.
DType inexact(DType dtype);
Var as_inexact(const Arg& x);

/// The lower triangle of a matrix with half of its diagonal: x = s + s^T becomes the gradient of a symmetric
/// matrix of which only the lower triangle is read.
Var lower_half(const Var& x);

}  // namespace damo
