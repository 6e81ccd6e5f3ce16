#include <Eigen/Cholesky>
#include <cmath>

#include "ops/dot.h"
#include "ops/elemwise.h"
#include "ops/linalg.h"
#include "ops/linear/matrix.h"
#include "ops/matrices.h"
#include "ops/shape.h"

/// Linear equations, and the triangular factor of a positive definite matrix.
namespace damo {
namespace {

/// The type of A^-1 b.
Type solution_type(const Types& x) {
  const Type &A = x[0], &b = x[1];
  const std::int64_t n = square_size(A);
  check(b.ndim() == 1 || b.ndim() == 2, "the right side is a vector or a matrix, not of {} dimensions",
        b.ndim());
  check(n < 0 || b.shape[0] < 0 || n == b.shape[0], "the matrix has {} rows, the right side {}", n,
        b.shape[0]);
  Type y(A.dtype, b.shape, b.stretch & 2U);
  if (n >= 0) y.shape[0] = n;
  return y;
}

/// A^-1 b depends on A as -A^-1 dA y: the gradient is -gb y^T.
Var matrix_gradient(const Var& gb, const Var& y) {
  return y.ndim() == 1 ? -outer(gb, y) : -dot(gb, transpose(y));
}

double solution_flops(const Views& x) {
  return static_cast<double>(x[0].shape[0]) * static_cast<double>(x[1].size());
}

/// y = A^-1 b.
struct Solve : OpOf<Solve> {
  std::string name() const override { return "solve"; }
  Types infer(const Types& x) const override { return {solution_type(x)}; }
  Var size(const Vars& x, int, int axis) const override { return shape(x[1], axis); }

  // gb = A^-T gy
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    const Var gb = solve(transpose(x[0]), gy[0]);
    return {matrix_gradient(gb, y[0]), gb};
  }

  void perform(const Views& x, const Views& y) const override {
    if (x[0].size() == 0) return;
    for_float(x[0], [&]<class T>(T) {
      thread_local Matrix<T> b;
      const auto& lu = invertible_factors<T>(x[0]);
      if (y[0].size() == 0) return;
      read(b, x[1]);
      write<T>(y[0]) = lu.solve(b);
    });
  }

  bool can_fail() const override { return true; }
  double flops(const Views& x, const Views&) const override {
    return std::pow(static_cast<double>(x[0].shape[0]), 3) * 2 / 3 + 2 * solution_flops(x);
  }
};

/// y = A^-1 b, A's other triangle taken for 0.
struct SolveTriangular : OpOf<SolveTriangular> {
  bool lower;

  explicit SolveTriangular(bool l) : lower(l) {}
  bool operator==(const SolveTriangular&) const = default;

  std::string name() const override { return lower ? "solve_lower_triangular" : "solve_upper_triangular"; }
  Types infer(const Types& x) const override { return {solution_type(x)}; }
  Var size(const Vars& x, int, int axis) const override { return shape(x[1], axis); }

  // gb = A^-T gy
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    const Var gb = solve_triangular(x[0], gy[0], {.lower = lower, .trans = true});
    const Var gA = matrix_gradient(gb, y[0]);
    return {lower ? tril(gA) : triu(gA), gb};
  }

  void perform(const Views& x, const Views& y) const override {
    for_float(x[0], [&]<class T>(T) { substitute_rows<T>(x[0], x[1], y[0]); });
  }

  template <class T>
  void substitute_rows(const View& A, const View& b, const View& y) const {
    thread_local Matrix<T> m;
    for (std::int64_t k = 0; k < A.shape[0]; ++k)
      check(A.ptr<T>()[k * (A.strides[0] + A.strides[1])] != T(0),
            "the matrix is singular: element ({}, {}) of its diagonal is 0", k, k);
    if (y.size() == 0) return;
    read(m, A);
    copy_into(y, b);
    auto rows = write<T>(y);
    if (lower)
      m.template triangularView<Eigen::Lower>().solveInPlace(rows);
    else
      m.template triangularView<Eigen::Upper>().solveInPlace(rows);
  }

  bool can_fail() const override { return true; }
  double flops(const Views& x, const Views&) const override { return solution_flops(x); }
};

/// The order of the first leading minor of m's lower triangle that is not positive.
template <class T>
Eigen::Index first_bad_minor(Matrix<T> m) {
  for (Eigen::Index k = 0; k < m.rows(); ++k) {
    const T square = m(k, k) - m.row(k).head(k).squaredNorm();
    if (!(square > T(0))) return k + 1;
    m(k, k) = std::sqrt(square);
    for (Eigen::Index i = k + 1; i < m.rows(); ++i)
      m(i, k) = (m(i, k) - m.row(i).head(k).dot(m.row(k).head(k))) / m(k, k);
  }
  return m.rows();
}

/// y y^T = x, y lower triangular; only the lower triangle of x is read.
struct Cholesky : OpOf<Cholesky> {
  std::string name() const override { return "cholesky"; }

  Types infer(const Types& x) const override {
    const std::int64_t n = square_size(x[0]);
    return {Type(x[0].dtype, {n, n})};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // gx = phi(s + s^T), s = y^-T phi(y^T gy) y^-1; phi: the lower triangle, its diagonal halved (Murray 2016)
  Vars L_op(const Vars&, const Vars& y, const Vars& gy) const override {
    const auto divided = [&](const Var& v) {
      return solve_triangular(y[0], v, {.lower = true, .trans = true});
    };
    const Var p = lower_half(dot(transpose(y[0]), gy[0]));
    const Var s = divided(transpose(divided(transpose(p))));
    return {lower_half(s + transpose(s))};
  }

  void perform(const Views& x, const Views& y) const override {
    if (x[0].size() == 0) return;
    for_float(x[0], [&]<class T>(T) {
      thread_local Matrix<T> m;
      thread_local Eigen::LLT<Matrix<T>> llt;
      read(m, x[0]);
      llt.compute(m);
      check(llt.info() == Eigen::Success,
            "the matrix is not positive definite: its leading minor of order {} is not positive",
            llt.info() == Eigen::Success ? 0 : first_bad_minor(m));
      write<T>(y[0]) = llt.matrixL();
    });
  }

  bool can_fail() const override { return true; }
  double flops(const Views& x, const Views&) const override {
    return std::pow(static_cast<double>(x[0].shape[0]), 3) / 3;
  }
};

Vars equations(const Arg& A, const Arg& b) {
  const DType dtype = promote(inexact(A.dtype()), inexact(b.dtype()));
  return {cast(A.var(), dtype), cast(b.var(), dtype)};
}

}  // namespace

Var lower_half(const Var& x) { return 0.5 * (tril(x) + tril(x, -1)); }

Var cholesky(const Arg& arg, const TriangleArgs& args) {
  const Scope here(arg);
  const Var x = as_inexact(arg);
  const OpPtr op = make_op(Cholesky());
  // The lower triangle of x^T is the upper one of x.
  return args.lower ? apply(op, Vars{x}) : transpose(apply(op, Vars{transpose(x)}));
}

Var solve(const Arg& A, const Arg& b) {
  const Scope here(A);
  return apply(make_op(Solve()), equations(A, b));
}

Var solve_triangular(const Arg& A, const Arg& b, const TriangularArgs& args) {
  const Scope here(A);
  Vars x = equations(A, b);
  if (args.trans) x[0] = transpose(x[0]);
  return apply(make_op(SolveTriangular(args.lower != args.trans)), std::move(x));
}

Var solve_lower_triangular(const Arg& A, const Arg& b) { return solve_triangular(A, b, {.lower = true}); }
Var solve_upper_triangular(const Arg& A, const Arg& b) { return solve_triangular(A, b, {.lower = false}); }

}  // namespace damo
