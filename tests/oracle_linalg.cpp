#include <cmath>
#include <stdexcept>

#include "tests/oracle_array.h"

namespace damo::test {
namespace {

/// A matrix, or a vector as one column, with elements of double.
struct Matrix {
  int rows, cols;
  std::vector<double> v;

  Matrix(int r, int c) : rows(r), cols(c), v(static_cast<std::size_t>(r * c)) {}
  explicit Matrix(const Array& a)
      : rows(static_cast<int>(a.shape[0])),
        cols(a.shape.size() == 2 ? static_cast<int>(a.shape[1]) : 1),
        v(a.real) {}

  double& at(int i, int j) { return v[static_cast<std::size_t>(i * cols + j)]; }
  double at(int i, int j) const { return v[static_cast<std::size_t>(i * cols + j)]; }
};

Matrix transposed(const Matrix& m) {
  Matrix t(m.cols, m.rows);
  for (int i = 0; i < m.rows; ++i)
    for (int j = 0; j < m.cols; ++j) t.at(j, i) = m.at(i, j);
  return t;
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.cols);
  for (int i = 0; i < a.rows; ++i)
    for (int j = 0; j < b.cols; ++j)
      for (int k = 0; k < a.cols; ++k) c.at(i, j) += a.at(i, k) * b.at(k, j);
  return c;
}

/// Along the first row.
double determinant(const Matrix& m) {
  if (m.rows == 0) return 1;
  double sum = 0;
  for (int j = 0; j < m.cols; ++j) {
    Matrix rest(m.rows - 1, m.cols - 1);
    for (int i = 1; i < m.rows; ++i)
      for (int k = 0; k < m.cols; ++k)
        if (k != j) rest.at(i - 1, k < j ? k : k - 1) = m.at(i, k);
    sum += (j % 2 == 0 ? 1 : -1) * m.at(0, j) * determinant(rest);
  }
  return sum;
}

/// Gauss and Jordan: the largest pivot of each column is brought up, and its column cleared.
Matrix solution(Matrix a, Matrix b) {
  for (int k = 0; k < a.rows; ++k) {
    int top = k;
    for (int i = k; i < a.rows; ++i)
      if (std::abs(a.at(i, k)) > std::abs(a.at(top, k))) top = i;
    for (int j = 0; j < a.cols; ++j) std::swap(a.at(k, j), a.at(top, j));
    for (int j = 0; j < b.cols; ++j) std::swap(b.at(k, j), b.at(top, j));
    const double pivot = a.at(k, k);
    if (pivot == 0) throw std::logic_error("the oracle has met a singular matrix");
    for (int j = 0; j < a.cols; ++j) a.at(k, j) /= pivot;
    for (int j = 0; j < b.cols; ++j) b.at(k, j) /= pivot;
    for (int i = 0; i < a.rows; ++i) {
      const double factor = a.at(i, k);
      if (i == k) continue;
      for (int j = 0; j < a.cols; ++j) a.at(i, j) -= factor * a.at(k, j);
      for (int j = 0; j < b.cols; ++j) b.at(i, j) -= factor * b.at(k, j);
    }
  }
  return b;
}

Matrix identity(int n) {
  Matrix m(n, n);
  for (int i = 0; i < n; ++i) m.at(i, i) = 1;
  return m;
}

Matrix triangle(Matrix m, bool lower) {
  for (int i = 0; i < m.rows; ++i)
    for (int j = 0; j < m.cols; ++j)
      if (lower ? j > i : j < i) m.at(i, j) = 0;
  return m;
}

Matrix cholesky(const Matrix& x) {
  Matrix y(x.rows, x.cols);
  for (int i = 0; i < x.rows; ++i)
    for (int j = 0; j <= i; ++j) {
      double rest = x.at(i, j);
      for (int k = 0; k < j; ++k) rest -= y.at(i, k) * y.at(j, k);
      y.at(i, j) = i == j ? std::sqrt(rest) : rest / y.at(j, j);
    }
  return y;
}

/// Of a matrix of full rank.
Matrix pinv(const Matrix& x) {
  const Matrix t = transposed(x);
  if (x.rows >= x.cols) return solution(product(t, x), t);
  return transposed(solution(product(x, t), x));
}

void assign(Array& y, const Matrix& m, int ndim) {
  y = Array(y.dtype, ndim == 2 ? Sizes{m.rows, m.cols} : Sizes{m.rows});
  y.real = m.v;
}

}  // namespace

bool oracle_linalg(const OpName& op, const Arrays& x, Array& y) {
  const bool takes_one = op.name == "matrix_inverse" || op.name == "pinv" || op.name == "cholesky" ||
                         op.name == "det" || op.name == "sign_of_det" || op.name == "log_abs_det";
  const bool is_lower = op.name == "solve_lower_triangular";
  if (!takes_one && op.name != "solve" && !is_lower && op.name != "solve_upper_triangular") return false;
  const Matrix a(x[0]);
  if (op.name == "matrix_inverse") {
    assign(y, solution(a, identity(a.rows)), 2);
  } else if (op.name == "pinv") {
    assign(y, pinv(a), 2);
  } else if (op.name == "cholesky") {
    assign(y, cholesky(a), 2);
  } else if (takes_one) {
    const double d = determinant(a);
    y = Array(y.dtype, {});
    y.real[0] = op.name == "det"           ? d
                : op.name == "log_abs_det" ? std::log(std::abs(d))
                                           : static_cast<double>((d > 0) - (d < 0));
  } else {
    const Matrix b(x[1]);
    assign(y, solution(op.name == "solve" ? a : triangle(a, is_lower), b), x[1].shape.size());
  }
  return true;
}

}  // namespace damo::test
