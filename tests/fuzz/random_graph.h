#pragma once
#include <cstdint>
#include <random>
#include <vector>

#include "ops/ops.h"

namespace damo::test {

/// A random expression over two matrices, two vectors and a shared matrix, whose values stay of order one:
/// each operation is one that the models use, with operands chosen among all expressions so far.
class RandomGraph {
 public:
  /// With `smooth`, nothing that has corners: no maxima, absolute values or clips.
  RandomGraph(std::uint32_t seed, DType dtype, std::int64_t columns, bool smooth = false);

  /// Adds n operations.
  void grow(int n);

  Vars inputs() const { return {x_, y_, v_, u_}; }
  const Shared& W() const { return W_; }
  /// Values of the inputs for `rows` rows.
  std::vector<Tensor> values(std::int64_t rows, std::uint32_t seed) const;

  /// Some of the expressions, the last one among them.
  Vars outputs(int n);
  /// A scalar that depends on all inputs.
  Var cost();
  /// An expression of the shape of W.
  Var new_value();

 private:
  /// Rows are the inputs' (unknown), columns the constructor's: (r, c), (c, r), (c,), (r,), ().
  enum Shape { rc, cr, c_only, r_only, no_axes, n_shapes };
  struct Expression {
    Var v;
    Shape shape;
  };

  int pick(int n) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(n)); }
  Shape any_shape() { return static_cast<Shape>(pick(n_shapes)); }
  Var any(Shape s);
  Var beside(Shape s);
  Var branch(Shape s);
  Expression next();
  Var elementwise(const Var& a);
  Var combined(const Var& a, const Var& b);
  Var moved(const Var& a, Shape s);
  Expression reduced();
  Expression product();
  Expression indexed();

  std::mt19937 engine_;
  DType dtype_;
  std::int64_t columns_;
  bool smooth_;
  Var x_, y_, v_, u_;
  Shared W_;
  std::vector<Var> pool_[n_shapes];
  Var last_;
};

}  // namespace damo::test
