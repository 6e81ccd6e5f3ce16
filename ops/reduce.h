#pragma once
#include <optional>
#include <vector>

#include "core/graph.h"

/// Reductions over one, several or all axes.
namespace damo {

/// Axes, counted from the end if negative; none given: all.
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
};

/// sum accumulates in float64 (integers in int64) and casts back; integers give int64.
Var sum(const Arg& x, const ReduceArgs& args = {});
Var prod(const Arg& x, const ReduceArgs& args = {});
/// sum / n; integers give float64.
Var mean(const Arg& x, const ReduceArgs& args = {});
Var var(const Arg& x, const ReduceArgs& args = {});  ///< mean squared deviation, divided by n
/// The largest element. Its gradient goes to every element that equals it. An empty axis is an Error.
Var max(const Arg& x, const ReduceArgs& args = {});
Var min(const Arg& x, const ReduceArgs& args = {});
Var any(const Arg& x, const ReduceArgs& args = {});
Var all(const Arg& x, const ReduceArgs& args = {});
/// int64 position of the largest element along one axis, or in the flattened array if none is given; the
/// first of equals wins. An empty axis is an Error.
Var argmax(const Arg& x, const ReduceArgs& args = {});
Var argmin(const Arg& x, const ReduceArgs& args = {});

}  // namespace damo
