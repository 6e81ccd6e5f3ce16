#pragma once
#include <optional>
#include <vector>

#include "../core/graph/graph.h"

/// Reductions over one, several or all axes.
namespace damo {

/// Axes, counted from the end if negative; none given: all. An empty vector stands for no axis.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : axes_{{axis}} {}
  Axes(std::initializer_list<int> axes) : axes_(axes) {}
  Axes(std::vector<int> axes) : axes_(std::move(axes)) {}
  /// In increasing order, without repeats; throws Error on an axis that does not exist or stands twice.
  std::vector<int> of(int ndim) const;

 private:
  std::optional<std::vector<int>> axes_;
};

struct ReduceArgs {
  Axes axis = {};
  bool keepdims = false;  ///< keep the reduced axes with size 1, so that they stretch
  /// Of the result of a sum, product or mean, where it is not to be the usual one.
  std::optional<DType> dtype = {};
  /// Of the partial results of a sum, product or mean: at least as wide as x. Floats are never accumulated in
  /// less than float64.
  std::optional<DType> acc_dtype = {};
  int ddof = 0;  ///< var and std_ divide by n - ddof
};

/// sum accumulates in float64 (integers in int64) and casts back; integers give int64.
Var sum(const Arg& x, const ReduceArgs& args = {});
Var prod(const Arg& x, const ReduceArgs& args = {});
/// sum / n; integers give float64.
Var mean(const Arg& x, const ReduceArgs& args = {});
Var var(const Arg& x, const ReduceArgs& args = {});   ///< mean squared deviation: divided by n - ddof
Var std_(const Arg& x, const ReduceArgs& args = {});  ///< sqrt(var)
/// The largest element. Its gradient goes to every element that equals it. An empty axis is an Error.
Var max(const Arg& x, const ReduceArgs& args = {});
Var min(const Arg& x, const ReduceArgs& args = {});
Var ptp(const Arg& x, const ReduceArgs& args = {});  ///< max - min
Var any(const Arg& x, const ReduceArgs& args = {});
Var all(const Arg& x, const ReduceArgs& args = {});
/// int64 position of the largest element along one axis, or in the array flattened (over the axes given) if
/// there are several or none; the first of equals wins. An empty axis is an Error.
Var argmax(const Arg& x, const ReduceArgs& args = {});
Var argmin(const Arg& x, const ReduceArgs& args = {});

struct MaxAndArgmax {
  Var max, argmax;
};
MaxAndArgmax max_and_argmax(const Arg& x, const ReduceArgs& args = {});

/// (sum |x_i|^p)^(1/p) of the elements along the axes, not of a matrix as an operator; max |x_i| for p
/// infinite, min |x_i| for minus infinite. Its gradient at x = 0 is taken to be 0. Integers give float64.
Var norm(const Arg& x, double p = 2, const ReduceArgs& args = {});

}  // namespace damo
