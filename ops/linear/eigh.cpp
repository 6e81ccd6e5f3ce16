#include <Eigen/Eigenvalues>

#include "ops/create.h"
#include "ops/dot.h"
#include "ops/elemwise.h"
#include "ops/linalg.h"
#include "ops/linear/matrix.h"
#include "ops/shape.h"

/// Eigenvalues of symmetric matrices.
namespace damo {
namespace {

/// x v = v diag(w), for the symmetric x that has this lower triangle.
struct EighOp : OpOf<EighOp> {
  std::string name() const override { return "eigh"; }

  Types infer(const Types& x) const override {
    const std::int64_t n = square_size(x[0]);
    return {Type(x[0].dtype, {n}), Type(x[0].dtype, {n, n})};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // gx = s + s^T folded onto the triangle, s = v (diag(gw) + (v^T gv) / (w_j - w_i)) v^T (Giles 2008). Equal
  // eigenvalues have no eigenvectors of their own to change: that matters only to a cost that uses them.
  Vars L_op(const Vars&, const Vars& y, const Vars& gy) const override {
    const Var &w = y[0], &v = y[1], vT = transpose(v);
    const Var wi = dimshuffle(w, {0, 'x'}), wj = dimshuffle(w, {'x', 0});
    const Var n = arange(shape(w, 0));
    const Var on_diagonal = eq(dimshuffle(n, {0, 'x'}), dimshuffle(n, {'x', 0}));
    const Var apart = mul_no_nan(dot(vT, gy[1]), inv(switch_(on_diagonal, 1, wj - wi)));
    const Var inner = switch_(on_diagonal, dimshuffle(gy[0], {0, 'x'}), apart);
    const Var s = matrix_dot({v, inner, vT});
    return {lower_half(s + transpose(s))};
  }

  void perform(const Views& x, const Views& y) const override {
    if (x[0].size() == 0) return;
    for_float(x[0], [&]<class T>(T) {
      thread_local Matrix<T> m;
      thread_local Eigen::SelfAdjointEigenSolver<Matrix<T>> solver;
      read(m, x[0]);
      solver.compute(m);
      check(solver.info() == Eigen::Success, "the eigenvalues were not found: are all elements finite?");
      write<T>(y[0]) = solver.eigenvalues();
      write<T>(y[1]) = solver.eigenvectors();
    });
  }

  bool can_fail() const override { return true; }
};

}  // namespace

Eigh eigh(const Arg& arg, const TriangleArgs& args) {
  const Scope here(arg);
  const Var x = as_inexact(arg);
  const Vars y = apply_all(make_op(EighOp()), Vars{args.lower ? x : transpose(x)});
  return {y[0], y[1]};
}

}  // namespace damo
