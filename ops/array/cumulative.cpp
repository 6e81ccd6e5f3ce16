#include "ops/cumulative.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/graph/op.h"
#include "core/tensor/visit.h"
#include "ops/array/reduction.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// The elements of x in row-major order: where they lie, or copied to `scratch`.
template <class T>
const T* row_major_elements(const View& x, std::vector<T>& scratch) {
  if (x.is_contiguous()) return x.ptr<T>();
  scratch.resize(static_cast<std::size_t>(x.size()));
  copy_into(View{x.dtype, x.shape, row_major(x.shape), scratch.data()}, x);
  return scratch.data();
}

/// Walks along an axis of a row-major array: step(state, place) for each element, the states of neighbouring
/// lines side by side, so that memory is read in order.
template <class State, class Step>
void along(const Sizes& shape, int axis, State start, Step step) {
  const std::int64_t n = shape[axis];
  std::int64_t inner = 1, outer = 1;
  for (int i = 0; i < shape.size(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : shape[i];
  constexpr std::int64_t block = 512;
  std::array<State, block> states;
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t k0 = 0; k0 < inner; k0 += block) {
      const std::int64_t width = std::min(block, inner - k0);
      std::fill(states.begin(), states.begin() + width, start);
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t at = (o * n + i) * inner + k0;
        for (std::int64_t k = 0; k < width; ++k) step(states[static_cast<std::size_t>(k)], at + k);
      }
    }
}

/// Floats accumulate in float64, integers wrap around.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

Var reversed(const Var& x, int axis) {
  std::vector<Index> index(static_cast<std::size_t>(axis), slice(none, none));
  index.emplace_back(slice(none, none, -1));
  return subtensor(x, index);
}

/// x moved one place on along the axis: y_0 = first, y_i = x_{i-1}.
Var delayed(const Var& x, const Var& first, int axis) {
  std::vector<Index> from(static_cast<std::size_t>(axis), slice(none, none)), to = from;
  from.emplace_back(slice(none, -1));
  to.emplace_back(slice(1, none));
  return set_subtensor(subtensor(first, to), subtensor(x, from));
}

/// y_i = a_i y_{i-1} + b_i along an axis, y_{-1} = 0: what the gradient of a cumulative product is made of.
struct Recurrence : OpOf<Recurrence> {
  int axis;

  explicit Recurrence(int a) : axis(a) {}
  bool operator==(const Recurrence&) const = default;

  std::string name() const override { return fmt::format("recurrence{{{}}}", axis); }

  Types infer(const Types& x) const override {
    for (int i = 0; i < x[0].ndim(); ++i)
      check(x[0].shape[i] < 0 || x[1].shape[i] < 0 || x[0].shape[i] == x[1].shape[i],
            "the sizes of axis {} differ, {} and {}", i, x[0].shape[i], x[1].shape[i]);
    return {x[1]};
  }

  Var size(const Vars& x, int, int at) const override { return shape(x[1], at); }

  // gb is the recurrence that runs backwards, gb_i = gy_i + a_{i+1} gb_{i+1}; ga_i = gb_i y_{i-1}
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    const Var a = reversed(x[0], axis), zero = zeros_like(a);
    const Var gb = reversed(apply(make_op(*this), Vars{delayed(a, zero, axis), reversed(gy[0], axis)}), axis);
    return {gb * delayed(y[0], zeros_like(y[0]), axis), gb};
  }

  void perform(const Views& x, const Views& y) const override {
    for_float(x[0], [&]<class T>(T) { run<T>(x[0], x[1], y[0]); });
  }

  template <class T>
  void run(const View& a, const View& b, const View& y) const {
    thread_local std::vector<T> scratch_a, scratch_b;
    const T *pa = row_major_elements(a, scratch_a), *pb = row_major_elements(b, scratch_b);
    T* out = y.ptr<T>();
    along(y.shape, axis, 0., [&](double& state, std::int64_t i) {
      state = static_cast<double>(pa[i]) * state + static_cast<double>(pb[i]);
      out[i] = static_cast<T>(state);
    });
  }
};

/// y_i = x_0 + ... + x_i, or x_0 ... x_i, along an axis.
struct Cumulative : OpOf<Cumulative> {
  enum class Kind { sum, prod };
  Kind kind;
  int axis;

  Cumulative(Kind k, int a) : kind(k), axis(a) {}
  bool operator==(const Cumulative&) const = default;

  std::string name() const override {
    return fmt::format("{}{{{}}}", kind == Kind::sum ? "cumsum" : "cumprod", axis);
  }

  Types infer(const Types& x) const override {
    Type y = x[0];
    if (y.dtype == DType::bool_) y.dtype = DType::int64;
    return {y};
  }

  Var size(const Vars& x, int, int at) const override { return shape(x[0], at); }

  // Of the sum: gx_i = gy_i + gy_{i+1} + ...
  // Of the product: gx_i = (x_0 ... x_{i-1}) r_i with r_i = gy_i + x_{i+1} r_{i+1}
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    const Var g = reversed(gy[0], axis);
    if (kind == Kind::sum) return {reversed(cumsum(g, axis), axis)};
    const Var later = reversed(x[0], axis);
    const Var r = apply(make_op(Recurrence(axis)), Vars{delayed(later, zeros_like(later), axis), g});
    return {delayed(y[0], ones_like(y[0]), axis) * reversed(r, axis)};
  }

  void perform(const Views& x, const Views& y) const override {
    visit(x[0].dtype, [&]<class T>(T) { run<T>(x[0], y[0]); });
  }

  template <class T>
  void run(const View& x, const View& y) const {
    using Out = std::conditional_t<std::is_same_v<T, bool>, std::int64_t, T>;
    // std::vector<bool> has no elements to point to.
    thread_local std::vector<std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>> scratch;
    const auto* in = row_major_elements(x, scratch);
    Out* out = y.ptr<Out>();
    if (kind == Kind::sum)
      along(y.shape, axis, Wide<T>(0), [&](Wide<T>& state, std::int64_t i) {
        state += static_cast<Wide<T>>(in[i]);
        out[i] = static_cast<Out>(state);
      });
    else
      along(y.shape, axis, Wide<T>(1), [&](Wide<T>& state, std::int64_t i) {
        state *= static_cast<Wide<T>>(in[i]);
        out[i] = static_cast<Out>(state);
      });
  }
};

Var cumulative(Cumulative::Kind kind, const Arg& arg, std::optional<int> axis) {
  const Scope here(arg);
  const Var x = axis ? arg.var() : flatten(arg);
  const int at = checking(kind == Cumulative::Kind::sum ? "cumsum" : "cumprod", {x},
                          [&] { return checked_axis(axis.value_or(0), x.ndim()); });
  return apply(make_op(Cumulative(kind, at)), Vars{x});
}

}  // namespace

Var cumsum(const Arg& x, std::optional<int> axis) { return cumulative(Cumulative::Kind::sum, x, axis); }
Var cumprod(const Arg& x, std::optional<int> axis) { return cumulative(Cumulative::Kind::prod, x, axis); }

Var prod_of_others(const Var& x, int axis) {
  const Var back = reversed(x, axis), one = ones_like(x);
  const Var later = reversed(delayed(cumprod(back, axis), one, axis), axis);
  return delayed(cumprod(x, axis), one, axis) * later;
}

}  // namespace damo
