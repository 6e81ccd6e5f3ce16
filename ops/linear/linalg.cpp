#include "ops/linalg.h"

#include <Eigen/QR>
#include <cmath>

#include "ops/dot.h"
#include "ops/elemwise.h"
#include "ops/linear/matrix.h"
#include "ops/shape.h"

/// Inverses, determinants and products of matrices.
namespace damo {

std::int64_t square_size(const Type& x) {
  check(x.ndim() == 2, "a square matrix is expected, not an array of {} dimensions", x.ndim());
  const std::int64_t rows = x.shape[0], cols = x.shape[1];
  check(rows < 0 || cols < 0 || rows == cols, "the matrix is not square: {} rows, {} columns", rows, cols);
  return rows < 0 ? cols : rows;
}

DType inexact(DType dtype) { return is_float(dtype) ? dtype : DType::float64; }
Var as_inexact(const Arg& x) { return cast(x, inexact(x.dtype())); }

namespace {

/// y = x^-1.
struct MatrixInverse : OpOf<MatrixInverse> {
  std::string name() const override { return "matrix_inverse"; }

  Types infer(const Types& x) const override {
    const std::int64_t n = square_size(x[0]);
    return {Type(x[0].dtype, {n, n})};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // gx = -y^T gy y^T
  Vars L_op(const Vars&, const Vars& y, const Vars& gy) const override {
    const Var yT = transpose(y[0]);
    return {-dot(yT, dot(gy[0], yT))};
  }

  void perform(const Views& x, const Views& y) const override {
    if (y[0].size() == 0) return;
    for_float(x[0], [&]<class T>(T) { write<T>(y[0]) = invertible_factors<T>(x[0]).inverse(); });
  }

  bool can_fail() const override { return true; }
  double flops(const Views& x, const Views&) const override {
    return 2 * std::pow(static_cast<double>(x[0].shape[0]), 3);
  }
};

/// y = det x, its sign, or the logarithm of its absolute value.
struct Determinant : OpOf<Determinant> {
  enum class Kind { det, sign, log_abs };
  Kind kind;

  explicit Determinant(Kind k) : kind(k) {}
  bool operator==(const Determinant&) const = default;

  std::string name() const override {
    static constexpr const char* names[] = {"det", "sign_of_det", "log_abs_det"};
    return names[static_cast<int>(kind)];
  }

  Types infer(const Types& x) const override {
    square_size(x[0]);
    return {Type(x[0].dtype, {})};
  }

  // d det x = det x tr(x^-1 dx)
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    if (kind == Kind::sign) return {zeros_like(x[0])};
    const Var g = kind == Kind::det ? gy[0] * y[0] : gy[0];
    return {g * transpose(matrix_inverse(x[0]))};
  }

  bool can_fail() const override { return true; }  // the decomposition allocates

  void perform(const Views& x, const Views& y) const override {
    for_float(x[0], [&]<class T>(T) { *y[0].ptr<T>() = static_cast<T>(value<T>(x[0])); });
  }

  template <class T>
  double value(const View& x) const {
    double product = 1, sign = 1, log_abs = 0;
    if (x.size() > 0) {
      const auto& lu = factors<T>(x);
      product = sign = static_cast<double>(lu.permutationP().determinant());
      for (Eigen::Index k = 0; k < lu.rows(); ++k) {
        const auto pivot = static_cast<double>(lu.matrixLU()(k, k));
        product *= pivot;
        sign *= pivot > 0 ? 1 : pivot < 0 ? -1 : pivot;  // NaN stays NaN
        log_abs += std::log(std::abs(pivot));
      }
    }
    return kind == Kind::det ? product : kind == Kind::sign ? sign : log_abs;
  }

  double flops(const Views& x, const Views&) const override {
    return std::pow(static_cast<double>(x[0].shape[0]), 3) * 2 / 3;
  }
};

/// y = x^+.
struct Pinv : OpOf<Pinv> {
  std::string name() const override { return "pinv"; }

  Types infer(const Types& x) const override {
    check(x[0].ndim() == 2, "a matrix is expected, not an array of {} dimensions", x[0].ndim());
    return {Type(x[0].dtype, {x[0].shape[1], x[0].shape[0]})};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], 1 - axis); }

  // dy = -y dx y + y y^T dx^T (1 - x y) + (1 - y x) dx^T y^T y (Golub and Pereyra 1973)
  Vars L_op(const Vars& in, const Vars& out, const Vars& gy) const override {
    const Var &x = in[0], &y = out[0];
    const Var xT = transpose(x), yT = transpose(y), gT = transpose(gy[0]);
    const Var inner = -matrix_dot({yT, gy[0], yT});
    const Var left = matrix_dot({gT, y, yT}), right = matrix_dot({yT, y, gT});
    return {inner + (left - matrix_dot({x, y, left})) + (right - matrix_dot({right, y, x}))};
  }

  bool can_fail() const override { return true; }  // the decomposition allocates

  void perform(const Views& x, const Views& y) const override {
    if (y[0].size() == 0) return;
    for_float(x[0], [&]<class T>(T) {
      thread_local Matrix<T> m;
      thread_local Eigen::CompleteOrthogonalDecomposition<Matrix<T>> cod;
      read(m, x[0]);
      cod.compute(m);
      write<T>(y[0]) = cod.pseudoInverse();
    });
  }
};

}  // namespace

Var matrix_inverse(const Arg& x) {
  const Scope here(x);
  return apply(make_op(MatrixInverse()), Vars{as_inexact(x)});
}

Var pinv(const Arg& x) {
  const Scope here(x);
  return apply(make_op(Pinv()), Vars{as_inexact(x)});
}

Var det(const Arg& x) {
  const Scope here(x);
  return apply(make_op(Determinant(Determinant::Kind::det)), Vars{as_inexact(x)});
}

SlogDet slogdet(const Arg& arg) {
  const Scope here(arg);
  const Var x = as_inexact(arg);
  return {apply(make_op(Determinant(Determinant::Kind::sign)), Vars{x}),
          apply(make_op(Determinant(Determinant::Kind::log_abs)), Vars{x})};
}

Var matrix_dot(const Args& factors) {
  check(!factors.empty(), "matrix_dot: there are no factors");
  const Scope here(factors[0]);
  Var product = factors[0].var();
  for (std::size_t i = 1; i < factors.size(); ++i) product = dot(product, factors[i]);
  return product;
}

Var kron(const Arg& a_arg, const Arg& b_arg) {
  const Scope here(a_arg);
  const Var a = a_arg.var(), b = b_arg.var();
  const int n = a.ndim();
  checking("kron", {a, b}, [&] {
    check(n == b.ndim() && (n == 1 || n == 2),
          "two vectors or two matrices are expected, not {} and {} dimensions", n, b.ndim());
  });
  std::vector<int> slow, fast;
  Args sizes;
  for (int i = 0; i < n; ++i) {
    slow.insert(slow.end(), {i, 'x'});
    fast.insert(fast.end(), {'x', i});
    sizes.emplace_back(shape(a, i) * shape(b, i));
  }
  return reshape(dimshuffle(a, slow) * dimshuffle(b, fast), sizes);
}

}  // namespace damo
