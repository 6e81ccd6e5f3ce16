#pragma once
#include <optional>
#include <vector>

#include "../../core/graph/op.h"

/// For rewrites and other products: products, and products that are added to something.
namespace damo {

/// The type of a product of vectors or matrices. Throws Error with the reason.
Type product_type(const Type& a, const Type& b);

/// y = a b for matrices of one dtype, y row-major.
void multiply(const View& a, const View& b, const View& y);

/// y = x[0] x[1], for vectors and matrices.
struct Dot : OpOf<Dot> {
  std::string name() const override { return "dot"; }

  Types infer(const Types& x) const override;
  Var size(const Vars& x, int, int axis) const override;
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override;
  void perform(const Views& x, const Views& y) const override;
  double flops(const Views& x, const Views&) const override;
};

/// alpha a b, for matrices and a scalar of one float dtype.
struct ScaledProduct {
  Var alpha, a, b;
};

/// scale p, a scalar times a matrix, plus the products; the planner may write it over p. Without a gradient:
/// only rewrites make it.
Var add_dot(const Var& p, const Var& scale, const std::vector<ScaledProduct>& products);

/// scale p + alpha a b: what is added to a p that is left open.
struct AddedProduct {
  Var scale;
  ScaledProduct product;
};

/// If v is such a sum with one product.
std::optional<AddedProduct> added_product(const Var& v);

/// x w^T, and then scale w + alpha a b, which may be written over w: one sweep over the rows of w for one row
/// x. Both inner sizes must be those of dot(x, w.T) and add_dot(w, scale, {{alpha, a, b}}).
Vars dot_and_add_dot(const Var& x, const Var& w, const AddedProduct& added);

/// g w for a g that is computed elementwise from x w^T and other operands: one sweep over the rows of w for
/// one row x. `elementwise` is a Fused of x w^T and the operands, its first output g. Returns g w, x w^T, and
/// the outputs of `elementwise`.
Vars dot_f_dot(const OpPtr& elementwise, const Var& x, const Var& w, const Vars& operands);

}  // namespace damo
