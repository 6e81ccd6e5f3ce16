#pragma once
#include <cstdint>
#include <random>
#include <vector>

#include "ops/ops.h"

namespace damo::test {

/// A random expression over two matrices, two vectors, positions and two shared matrices, whose values stay
/// of order one: each operation is one that the models use, with operands chosen among all expressions so
/// far.
class RandomGraph {
 public:
  enum class Kind {
    any,
    smooth,            ///< nothing that has corners: no maxima, absolute values or clips
    without_choice,    ///< smooth, and no element is chosen by a comparison: NaN and Inf may stand anywhere
    without_branches,  ///< all sizes are known before a kernel runs, and needed
  };
  RandomGraph(std::uint32_t seed, DType dtype, std::int64_t columns, Kind kind = Kind::any);

  /// Adds n operations.
  void grow(int n);
  /// Adds a chain of n links, of a few operations each.
  void grow_chain(int n);

  Vars inputs() const { return {x_, y_, v_, u_, i_}; }
  const Shared& W() const { return W_; }
  /// A table of `n_entries` rows, which the last input is the positions of.
  const Shared& E() const { return E_; }
  static constexpr std::int64_t n_entries = 6;
  /// Values of the inputs for `rows` rows.
  std::vector<Tensor> values(std::int64_t rows, std::uint32_t seed) const;
  /// The same with zeros, ties and large numbers, and here and there Inf or NaN.
  std::vector<Tensor> special_values(std::int64_t rows, std::uint32_t seed) const;

  /// Some of the expressions, the last one among them.
  Vars outputs(int n);
  /// A scalar that depends on all inputs.
  Var cost();
  /// An expression of the shape of W.
  Var new_value();
  /// E with rows at the positions changed, or set.
  Var new_entries();

  /// Rows are the inputs' (unknown), columns the constructor's: (r, c), (c, r), (c,), (r,), ().
  enum Shape { rc, cr, c_only, r_only, no_axes, n_shapes };
  /// One of the expressions of that shape.
  Var any(Shape s);

 private:
  struct Expression {
    Var v;
    Shape shape;
  };

  int pick(int n) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(n)); }
  Shape any_shape() { return static_cast<Shape>(pick(n_shapes)); }
  Var beside(Shape s);
  Var branch(Shape s);
  Expression next();
  Var elementwise(const Var& a);
  Var combined(const Var& a, const Var& b);
  Var moved(const Var& a, Shape s);
  Expression reduced();
  Expression product();
  Expression indexed();
  Expression sized();
  Expression stabilized();
  Var in_body(const Var& a);
  Var link(int way, const Var& h, const Var& a);
  Var count(const Var& a, int axis) const;

  std::mt19937 engine_;
  DType dtype_;
  std::int64_t columns_;
  Kind kind_;
  bool smooth_;
  Var x_, y_, v_, u_, i_;
  Shared W_, E_;
  std::vector<Var> pool_[n_shapes];
  Var last_;
};

}  // namespace damo::test
