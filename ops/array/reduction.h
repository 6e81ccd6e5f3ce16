#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../../core/graph/op.h"
#include "../../core/tensor/visit.h"
#include "../kernels/tile.h"
#include "../reduce.h"
#include "zeros.h"

/// For reductions: which axes go, and loops over those that go and those that stay.
namespace damo {

/// The axes of an array split into those that stay and those that go, each with sizes and strides.
struct Split {
  int n_kept = 0, n_gone = 0;
  std::array<std::int64_t, max_rank> kept{}, kept_stride{}, gone{}, gone_stride{};
  std::int64_t n_outputs = 1, n_terms = 1;

  Split(const View& x, std::uint32_t mask) {
    for (int i = 0; i < x.ndim(); ++i) {
      const bool goes = (mask >> i & 1U) != 0;
      auto& n = goes ? n_gone : n_kept;
      auto& sizes = goes ? gone : kept;
      auto& strides = goes ? gone_stride : kept_stride;
      (goes ? n_terms : n_outputs) *= x.shape[i];
      const auto last = static_cast<std::size_t>(n - 1);
      if (n > 0 && strides[last] == x.strides[i] * x.shape[i]) {
        sizes[last] *= x.shape[i];
        strides[last] = x.strides[i];
      } else {
        sizes[static_cast<std::size_t>(n)] = x.shape[i];
        strides[static_cast<std::size_t>(n)] = x.strides[i];
        ++n;
      }
    }
  }
};

/// Calls f(offset) for every index over `sizes` but the last axis.
template <class F>
void for_outer(int n, const std::array<std::int64_t, max_rank>& sizes,
               const std::array<std::int64_t, max_rank>& strides, F f) {
  std::array<std::int64_t, max_rank> index{};
  std::int64_t offset = 0;
  while (true) {
    f(offset);
    int axis = n - 2;
    for (; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      offset += strides[a];
      if (++index[a] < sizes[a]) break;
      index[a] = 0;
      offset -= strides[a] * sizes[a];
    }
    if (axis < 0) return;
  }
}

/// "{axis=1}", or "" for all axes of `mask`.
std::string axes_text(std::uint32_t mask, int ndim);

/// Whether a mask takes the first axes of some, or the last.
struct AxisParts {
  SumOver over;
  int second;  ///< the first axis of the second part
};
std::optional<AxisParts> parts_of(std::uint32_t mask, int ndim);

/// y = the elements along some axes combined into one.
struct Reduce : OpOf<Reduce>, Chooses {
  enum class Kind { sum, prod, max, min, any, all };
  Kind kind;
  std::uint32_t mask;
  int ndim;

  Reduce(Kind k, std::uint32_t m, int n) : kind(k), mask(m), ndim(n) {}
  bool operator==(const Reduce&) const = default;

  std::string name() const override {
    static constexpr const char* names[] = {"sum", "prod", "max", "min", "any", "all"};
    return names[static_cast<int>(kind)] + axes_text(mask, ndim);
  }

  Types infer(const Types& x) const override;
  Var size(const Vars& x, int, int axis) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;

  Var prod_gradient(const Var& x, const Var& g) const;

  bool chooses() const override { return kind == Kind::max || kind == Kind::min; }

  void perform(const Views& x, const Views& y) const override;
};

/// sqrt(x) of what is not negative, with the gradient 0 at 0, where the root is steep without bound.
Var root_or_zero(const Var& x);

/// y_i = the product of all x_j but x_i, along an axis; nothing is divided.
Var prod_of_others(const Var& x, int axis);

/// Bit i: axis i goes.
std::uint32_t mask_of(const std::vector<int>& axes);

/// g, which has lost the axes in `mask`, with them back as stretching axes.
Var with_axes(const Var& g, std::uint32_t mask, int ndim);

/// The op that `make(mask, ndim)` gives, applied to x.
template <class MakeOp>
Var reduced(const Arg& arg, const ReduceArgs& args, MakeOp make) {
  const Scope here(arg);
  const Var x = arg.var();
  const std::string name = make((1U << x.ndim()) - 1U, x.ndim())->name();
  const std::uint32_t mask = checking(name, {x}, [&] {
    check(!args.dtype && !args.acc_dtype && args.ddof == 0,
          "dtype, acc_dtype and ddof are options of sums, products, means and variances only");
    return mask_of(args.axis.of(x.ndim()));
  });
  const Var y = apply(make(mask, x.ndim()), Vars{x});
  return args.keepdims ? with_axes(y, mask, x.ndim()) : y;
}

}  // namespace damo
