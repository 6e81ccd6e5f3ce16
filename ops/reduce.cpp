#include "ops/reduce.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>

#include "core/op.h"
#include "ops/elemwise.h"
#include "ops/fused.h"
#include "ops/shape.h"
#include "ops/structure.h"
#include "ops/warn_float64.h"

namespace damo {

std::vector<int> Axes::of(int ndim) const {
  std::vector<int> axes;
  if (!axes_) {
    for (int i = 0; i < ndim; ++i) axes.push_back(i);
    return axes;
  }
  for (const int a : *axes_) axes.push_back(checked_axis(a, ndim));
  std::sort(axes.begin(), axes.end());
  for (std::size_t i = 1; i < axes.size(); ++i)
    check(axes[i] != axes[i - 1], "axis {} stands twice", axes[i]);
  return axes;
}

namespace {

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

// One reduction each: the accumulator's type, its start, one step. Sums of floats accumulate in float64.
struct Sum {
  template <class T>
  using Acc = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;
  template <class T>
  static Acc<T> start() {
    return 0;
  }
  template <class A, class T>
  static void step(A& a, T v) {
    a += static_cast<A>(v);
  }
};
struct Prod {
  template <class T>
  using Acc = Sum::Acc<T>;
  template <class T>
  static Acc<T> start() {
    return 1;
  }
  template <class A, class T>
  static void step(A& a, T v) {
    a *= static_cast<A>(v);
  }
};
struct Max {
  template <class T>
  using Acc = T;
  template <class T>
  static T start() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
  template <class T>
  static void step(T& a, T v) {
    if (v > a || v != v) a = v;
  }
};
struct Min {
  template <class T>
  using Acc = T;
  template <class T>
  static T start() {
    return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::max();
  }
  template <class T>
  static void step(T& a, T v) {
    if (v < a || v != v) a = v;
  }
};
struct Any {
  template <class T>
  using Acc = bool;
  template <class T>
  static bool start() {
    return false;
  }
  template <class T>
  static void step(bool& a, T v) {
    a |= v != T{};
  }
};
struct All {
  template <class T>
  using Acc = bool;
  template <class T>
  static bool start() {
    return true;
  }
  template <class T>
  static void step(bool& a, T v) {
    a &= v != T{};
  }
};

template <class R, class T, class Out>
void reduce(const View& x, const View& y, std::uint32_t mask) {
  using Acc = typename R::template Acc<T>;
  const Split split(x, mask);
  Out* out = y.ptr<Out>();
  const T* in = x.ptr<T>();
  if (split.n_outputs == 0) return;
  if (split.n_terms == 0) {
    std::fill(out, out + split.n_outputs, static_cast<Out>(R::template start<T>()));
    return;
  }
  const auto last_kept = static_cast<std::size_t>(std::max(split.n_kept - 1, 0));
  const auto last_gone = static_cast<std::size_t>(std::max(split.n_gone - 1, 0));
  const std::int64_t inner_kept = split.n_kept == 0 ? 1 : split.kept[last_kept];
  const std::int64_t inner_gone = split.n_gone == 0 ? 1 : split.gone[last_gone];
  const std::int64_t step_kept = split.n_kept == 0 ? 0 : split.kept_stride[last_kept];
  const std::int64_t step_gone = split.n_gone == 0 ? 0 : split.gone_stride[last_gone];
  constexpr std::int64_t block = 1024;

  for_outer(split.n_kept, split.kept, split.kept_stride, [&](std::int64_t at) {
    if (split.n_gone == 0 || (split.n_kept > 0 && std::abs(step_kept) < std::abs(step_gone))) {
      // Neighbours in memory belong to different sums: a block of them at a time.
      std::array<Acc, block> acc;
      for (std::int64_t k0 = 0; k0 < inner_kept; k0 += block) {
        const std::int64_t n = std::min(block, inner_kept - k0);
        std::fill(acc.begin(), acc.begin() + n, R::template start<T>());
        for_outer(split.n_gone, split.gone, split.gone_stride, [&](std::int64_t offset) {
          for (std::int64_t g = 0; g < inner_gone; ++g) {
            const T* p = in + (at + k0 * step_kept + offset + g * step_gone);
            for (std::int64_t k = 0; k < n; ++k) R::step(acc[static_cast<std::size_t>(k)], p[k * step_kept]);
          }
        });
        for (std::int64_t k = 0; k < n; ++k) *out++ = static_cast<Out>(acc[static_cast<std::size_t>(k)]);
      }
      return;
    }
    for (std::int64_t k = 0; k < inner_kept; ++k) {
      // Several chains at once, joined in a fixed order: one chain would wait for each addition.
      constexpr int chains = 16;
      std::array<Acc, chains> acc;
      acc.fill(R::template start<T>());
      for_outer(split.n_gone, split.gone, split.gone_stride, [&](std::int64_t offset) {
        const T* p = in + (at + k * step_kept + offset);
        std::int64_t g = 0;
        if (step_gone == 1) {
          for (; g + chains <= inner_gone; g += chains)
            for (int c = 0; c < chains; ++c) R::step(acc[static_cast<std::size_t>(c)], p[g + c]);
        }
        for (; g < inner_gone; ++g) R::step(acc[static_cast<std::size_t>(g % chains)], p[g * step_gone]);
      });
      Acc total = acc[0];
      for (int c = 1; c < chains; ++c) R::step(total, acc[static_cast<std::size_t>(c)]);
      *out++ = static_cast<Out>(total);
    }
  });
}

template <class F>
void visit(DType dtype, F f) {
  switch (dtype) {
    case DType::bool_: return f(bool{});
    case DType::int8: return f(std::int8_t{});
    case DType::int16: return f(std::int16_t{});
    case DType::int32: return f(std::int32_t{});
    case DType::int64: return f(std::int64_t{});
    case DType::uint8: return f(std::uint8_t{});
    case DType::float32: return f(float{});
    case DType::float64: return f(double{});
  }
}

/// Whether a mask takes the first axes of some, or the last.
struct Part {
  SumOver over;
  int second;  ///< the first axis of the second part
};

std::optional<Part> part_of(std::uint32_t mask, int ndim) {
  const int n = std::popcount(mask);
  const std::uint32_t first = (1U << n) - 1U;
  if (mask == first << (ndim - n)) return Part{SumOver::second_part, ndim - n};
  if (mask == first) return Part{SumOver::first_part, n};
  return std::nullopt;
}

std::string axes_text(std::uint32_t mask, int ndim) {
  if (mask == (1U << ndim) - 1U) return {};
  std::string s;
  int n = 0;
  for (int i = 0; i < ndim; ++i)
    if ((mask >> i & 1U) != 0) {
      s += (n++ > 0 ? ", " : "") + std::to_string(i);
    }
  return n == 1 ? "{axis=" + s + "}" : "{axis=(" + s + ")}";
}

std::uint32_t mask_of(const std::vector<int>& axes) {
  std::uint32_t mask = 0;
  for (const int a : axes) mask |= 1U << a;
  return mask;
}

/// g, which has lost the axes in `mask`, with them back as stretching axes.
Var with_axes(const Var& g, std::uint32_t mask, int ndim) {
  std::vector<int> pattern;
  int next = 0;
  for (int i = 0; i < ndim; ++i) pattern.push_back((mask >> i & 1U) != 0 ? 'x' : next++);
  return dimshuffle(g, pattern);
}

Args sizes_of(const Var& x) {
  Args sizes;
  for (int i = 0; i < x.ndim(); ++i) sizes.emplace_back(shape(x, i));
  return sizes;
}

/// y = the elements along some axes combined into one.
struct Reduce : OpOf<Reduce> {
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

  Types infer(const Types& x) const override {
    Type y(x[0].dtype, {});
    if (kind == Kind::any || kind == Kind::all)
      y.dtype = DType::bool_;
    else if ((kind == Kind::sum || kind == Kind::prod) && !x[0].is_float())
      y.dtype = DType::int64;
    for (int i = 0; i < x[0].ndim(); ++i) {
      if ((mask >> i & 1U) == 0) {
        if (x[0].stretches(i)) y.stretch |= 1U << y.ndim();
        y.shape.push_back(x[0].shape[i]);
      } else if (kind == Kind::max || kind == Kind::min) {
        check(x[0].shape[i] != 0, "axis {} is empty: there is no largest or smallest element", i);
      }
    }
    return {y};
  }

  Var size(const Vars& x, int, int axis) const override {
    int from = 0;
    for (int kept = -1; from < ndim; ++from)
      if ((mask >> from & 1U) == 0 && ++kept == axis) break;
    return shape(x[0], from);
  }

  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    const Var g = with_axes(gy[0], mask, ndim);
    switch (kind) {
      case Kind::sum: return {alloc(cast(g, x[0].dtype()), sizes_of(x[0]))};
      case Kind::prod: return {prod_gradient(x[0], g)};
      case Kind::max:
      case Kind::min: return {switch_(eq(x[0], with_axes(y[0], mask, ndim)), g, 0)};
      case Kind::any:
      case Kind::all: return {zeros_like(x[0])};
    }
    return {Var()};
  }

  /// The product of all others: y / x where nothing is 0; where one element is 0, only its own is not.
  Var prod_gradient(const Var& x, const Var& g) const {
    const Var is_zero = eq(x, 0);
    const Var safe = switch_(is_zero, 1, x);
    const Var p = with_axes(apply(make_op(*this), Vars{safe}), mask, ndim);
    const Var zeros_count =
        with_axes(apply(make_op(Reduce(Kind::sum, mask, ndim)), Vars{is_zero}), mask, ndim);
    return g * switch_(eq(zeros_count, 0), p / safe, switch_(mul(eq(zeros_count, 1), is_zero), p, 0));
  }

  void perform(const Views& x, const Views& y) const override {
    if (kind == Kind::sum && is_float(x[0].dtype) && x[0].is_contiguous())
      if (const auto part = part_of(mask, ndim)) {
        static const TileProgram identity{.n_inputs = 1, .code = {}, .outputs = {0}};
        return sum_tiles(identity, x, x[0].shape, part->second, part->over, y[0]);
      }
    visit(x[0].dtype, [&]<class T>(T) {
      using Wide = std::conditional_t<std::is_floating_point_v<T>, T, std::int64_t>;
      switch (kind) {
        case Kind::sum: return reduce<Sum, T, Wide>(x[0], y[0], mask);
        case Kind::prod: return reduce<Prod, T, Wide>(x[0], y[0], mask);
        case Kind::max: return reduce<Max, T, T>(x[0], y[0], mask);
        case Kind::min: return reduce<Min, T, T>(x[0], y[0], mask);
        case Kind::any: return reduce<Any, T, bool>(x[0], y[0], mask);
        case Kind::all: return reduce<All, T, bool>(x[0], y[0], mask);
      }
    });
  }
};

/// y = the position of the largest (or smallest) element along one axis, or in the flattened array.
struct ArgExtreme : OpOf<ArgExtreme> {
  bool largest;
  std::uint32_t mask;
  int ndim;

  ArgExtreme(bool l, std::uint32_t m, int n) : largest(l), mask(m), ndim(n) {}
  bool operator==(const ArgExtreme&) const = default;

  std::string name() const override { return (largest ? "argmax" : "argmin") + axes_text(mask, ndim); }

  Types infer(const Types& x) const override {
    Type y(DType::int64, {});
    for (int i = 0; i < x[0].ndim(); ++i) {
      if ((mask >> i & 1U) != 0) {
        check(x[0].shape[i] != 0, "axis {} is empty: there is no largest or smallest element", i);
        continue;
      }
      if (x[0].stretches(i)) y.stretch |= 1U << y.ndim();
      y.shape.push_back(x[0].shape[i]);
    }
    return {y};
  }

  // A position does not change with the elements, until it jumps.
  Vars L_op(const Vars& x, const Vars&, const Vars&) const override { return {zeros_like(x[0])}; }

  void perform(const Views& x, const Views& y) const override {
    visit(x[0].dtype, [&]<class T>(T) { search<T>(x[0], y[0]); });
  }

  template <class T>
  void search(const View& x, const View& y) const {
    const Split split(x, mask);
    std::int64_t* out = y.ptr<std::int64_t>();
    if (split.n_outputs == 0) return;
    const T* in = x.ptr<T>();
    const auto last_kept = static_cast<std::size_t>(std::max(split.n_kept - 1, 0));
    const auto last_gone = static_cast<std::size_t>(std::max(split.n_gone - 1, 0));
    const std::int64_t inner_kept = split.n_kept == 0 ? 1 : split.kept[last_kept];
    const std::int64_t inner_gone = split.n_gone == 0 ? 1 : split.gone[last_gone];
    for_outer(split.n_kept, split.kept, split.kept_stride, [&](std::int64_t at) {
      for (std::int64_t k = 0; k < inner_kept; ++k) {
        std::int64_t position = 0, best_at = 0;
        T best{};
        for_outer(split.n_gone, split.gone, split.gone_stride, [&](std::int64_t offset) {
          for (std::int64_t g = 0; g < inner_gone; ++g, ++position) {
            const T v = in[at + k * (split.n_kept == 0 ? 0 : split.kept_stride[last_kept]) + offset +
                           g * (split.n_gone == 0 ? 0 : split.gone_stride[last_gone])];
            // The first NaN is the extreme, as in NumPy.
            const bool better = (largest ? v > best : v < best) || (v != v && best == best);
            if (position == 0 || better) {
              best = v;
              best_at = position;
            }
          }
        });
        *out++ = best_at;
      }
    });
  }
};

/// y = the sum of what a tile program computes, along the first or the last axes.
struct FusedSum : OpOf<FusedSum> {
  Fused fused;
  Reduce sum;

  FusedSum(Fused f, const Reduce& s) : fused(std::move(f)), sum(s) {}
  bool operator==(const FusedSum&) const = default;

  std::string name() const override { return sum.name() + " of " + fused.name(); }
  Types infer(const Types& x) const override { return sum.infer(fused.infer(x)); }

  void perform(const Views& x, const Views& y) const override {
    Sizes shape;
    for (int axis = 0; axis < sum.ndim; ++axis) {
      std::int64_t size = 1;
      for (int i = 0; i < x.size(); ++i) {
        const int own = axis - (sum.ndim - x[i].ndim());
        if (own >= 0 && x[i].shape[own] != 1) size = x[i].shape[own];
      }
      shape.push_back(size);
    }
    const Part part = *part_of(sum.mask, sum.ndim);
    sum_tiles(fused.program, x, shape, part.second, part.over, y[0]);
  }
};

template <class MakeOp>
Var reduced(const Arg& arg, const ReduceArgs& args, MakeOp make) {
  const Scope here(arg);
  const Var x = arg.var();
  const std::string name = make((1U << x.ndim()) - 1U, x.ndim())->name();
  const std::uint32_t mask = checking(name, {x}, [&] { return mask_of(args.axis.of(x.ndim())); });
  const Var y = apply(make(mask, x.ndim()), Vars{x});
  return args.keepdims ? with_axes(y, mask, x.ndim()) : y;
}

Var reduced(Reduce::Kind kind, const Arg& x, const ReduceArgs& args) {
  return reduced(x, args, [kind](std::uint32_t mask, int n) { return make_op(Reduce(kind, mask, n)); });
}

}  // namespace

Var fused_sum(const Var& v, const Current& now) {
  if (v.node().kind != Node::Kind::apply) return {};
  const auto* sum = dynamic_cast<const Reduce*>(v.node().op.get());
  if (sum == nullptr || sum->kind != Reduce::Kind::sum || sum->ndim == 0 || !part_of(sum->mask, sum->ndim))
    return {};
  const NodePtr& node = v.node().inputs[0].node_ptr();
  if (node->kind != Node::Kind::apply || !node->op->is_elementwise() || !node->types[0].is_float()) return {};
  Vars operands;
  for (const Var& x : node->inputs)
    if (std::none_of(operands.begin(), operands.end(), [&](const Var& o) { return same(o, x); }))
      operands.push_back(x);
  const Scope here(v.node(), {Origin::Kind::rule, "fuse_sum"});
  const OpPtr op = make_op(FusedSum(Fused({node}, operands, {Var(node)}), *sum));
  for (Var& x : operands) x = now(x);
  return apply(op, std::move(operands));
}

Var sum(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::sum, x, args); }
Var prod(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::prod, x, args); }
Var max(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::max, x, args); }
Var min(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::min, x, args); }
Var any(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::any, x, args); }
Var all(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::all, x, args); }

Var argmax(const Arg& x, const ReduceArgs& args) {
  return reduced(x, args, [](std::uint32_t mask, int n) { return make_op(ArgExtreme(true, mask, n)); });
}
Var argmin(const Arg& x, const ReduceArgs& args) {
  return reduced(x, args, [](std::uint32_t mask, int n) { return make_op(ArgExtreme(false, mask, n)); });
}

Var mean(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  const Var given = arg.var();
  const DType dtype = given.type().is_float() ? given.dtype() : DType::float64;
  note_float64("mean", {arg}, dtype);
  const Var x = cast(given, dtype);
  const Var total = sum(x, args);
  Var n;
  for (const int axis : args.axis.of(x.ndim())) n = n.is_set() ? n * shape(x, axis) : shape(x, axis);
  return n.is_set() ? total / cast(n, x.dtype()) : total;
}

Var var(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  const Var x = arg.var();
  return mean(sqr(x - mean(x, {.axis = args.axis, .keepdims = true})), args);
}

}  // namespace damo
