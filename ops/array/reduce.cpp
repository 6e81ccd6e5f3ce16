#include "ops/reduce.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "core/run/threads.h"
#include "ops/array/reduction.h"
#include "ops/elemwise.h"
#include "ops/shape.h"

namespace damo {
namespace {

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

  // Where neighbours in memory belong to different sums: a block of them at a time.
  const auto reduce_neighbours = [&](std::int64_t at, std::int64_t begin, std::int64_t end, Out* to) {
    constexpr std::int64_t block = 1024;
    std::array<Acc, block> acc;
    for (std::int64_t k0 = begin; k0 < end; k0 += block) {
      const std::int64_t n = std::min(block, end - k0);
      std::fill(acc.begin(), acc.begin() + n, R::template start<T>());
      for_outer(split.n_gone, split.gone, split.gone_stride, [&](std::int64_t offset) {
        for (std::int64_t g = 0; g < inner_gone; ++g) {
          const T* p = in + (at + k0 * step_kept + offset + g * step_gone);
          if (step_kept == 1)
            for (std::int64_t k = 0; k < n; ++k) R::step(acc[static_cast<std::size_t>(k)], p[k]);
          else
            for (std::int64_t k = 0; k < n; ++k) R::step(acc[static_cast<std::size_t>(k)], p[k * step_kept]);
        }
      });
      for (std::int64_t k = 0; k < n; ++k) to[k0 + k] = static_cast<Out>(acc[static_cast<std::size_t>(k)]);
    }
  };
  const bool by_neighbours =
      split.n_gone == 0 || (split.n_kept > 0 && std::abs(step_kept) < std::abs(step_gone));
  constexpr std::int64_t elements_per_thread = 1 << 14;
  const int n_threads =
      split.n_kept == 1 ? threads_for(split.n_outputs * split.n_terms, elements_per_thread) : 1;

  for_outer(split.n_kept, split.kept, split.kept_stride, [&](std::int64_t at) {
    if (by_neighbours) {
      parallel(n_threads, [&](auto part) {
        const auto [begin, end] = part.range(inner_kept, 16);
        reduce_neighbours(at, begin, end, out);
      });
      out += inner_kept;
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

Args sizes_of(const Var& x) {
  Args sizes;
  for (int i = 0; i < x.ndim(); ++i) sizes.emplace_back(shape(x, i));
  return sizes;
}

}  // namespace

Types Reduce::infer(const Types& x) const {
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

Var Reduce::size(const Vars& x, int, int axis) const {
  int from = 0;
  for (int kept = -1; from < ndim; ++from)
    if ((mask >> from & 1U) == 0 && ++kept == axis) break;
  return shape(x[0], from);
}

Vars Reduce::L_op(const Vars& x, const Vars& y, const Vars& gy) const {
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

/// The product of all others, in float64: nothing is divided by an element that may be 0.
Var Reduce::prod_gradient(const Var& x, const Var& g) const {
  std::vector<int> order, back(static_cast<std::size_t>(ndim));
  for (const bool gone : {false, true})
    for (int i = 0; i < ndim; ++i)
      if (((mask >> i & 1U) != 0) == gone) order.push_back(i);
  for (int i = 0; i < ndim; ++i) back[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = i;
  const Var moved = dimshuffle(cast(x, DType::float64), order);
  const int n_kept = ndim - std::popcount(mask);
  Args lines;
  for (int i = 0; i < n_kept; ++i) lines.emplace_back(shape(moved, i));
  Var n = constant(Tensor(std::int64_t{1}));
  for (int i = n_kept; i < ndim; ++i) n = n * shape(moved, i);
  lines.emplace_back(n);
  const Var others = prod_of_others(reshape(moved, lines), n_kept);
  return g * cast(dimshuffle(reshape(others, sizes_of(moved)), back), x.dtype());
}

void Reduce::perform(const Views& x, const Views& y) const {
  if (kind == Kind::sum && is_float(x[0].dtype) && x[0].is_contiguous())
    if (const auto part = parts_of(mask, ndim)) {
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

namespace {

Var reduced(Reduce::Kind kind, const Arg& x, const ReduceArgs& args) {
  return reduced(x, args, [kind](std::uint32_t mask, int n) { return make_op(Reduce(kind, mask, n)); });
}

/// A sum or product with the dtypes asked for.
Var accumulated(Reduce::Kind kind, const Arg& arg, const ReduceArgs& args) {
  if (!args.dtype && !args.acc_dtype) return reduced(kind, arg, args);
  const Scope here(arg);
  const Var x = arg.var();
  const bool floats = x.type().is_float();
  const DType acc = args.acc_dtype.value_or(floats ? DType::float64 : DType::int64);
  checking(Reduce(kind, 0, 0).name(), {x}, [&] {
    check(promote(x.dtype(), acc) == acc || (is_float(acc) && !floats),
          "{} cannot be accumulated in {}: precision would be lost", x.dtype(), acc);
  });
  const ReduceArgs plain = {.axis = args.axis, .keepdims = args.keepdims, .ddof = args.ddof};
  const Var total = reduced(kind, is_float(acc) ? cast(x, acc) : x, plain);
  // Integers wrap around: int64, cast to acc, is what acc would have held.
  return cast(cast(total, acc), args.dtype.value_or(floats ? x.dtype() : DType::int64));
}

}  // namespace

Var sum(const Arg& x, const ReduceArgs& args) { return accumulated(Reduce::Kind::sum, x, args); }
Var prod(const Arg& x, const ReduceArgs& args) { return accumulated(Reduce::Kind::prod, x, args); }
Var max(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::max, x, args); }
Var min(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::min, x, args); }
Var any(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::any, x, args); }
Var all(const Arg& x, const ReduceArgs& args) { return reduced(Reduce::Kind::all, x, args); }

}  // namespace damo
