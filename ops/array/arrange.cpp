#include "ops/arrange.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/graph/op.h"
#include "core/tensor/size.h"
#include "ops/array/checked_integer.h"
#include "ops/checks.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/take.h"

namespace damo {
namespace {

std::vector<int> axes_in_order(int ndim) {
  std::vector<int> axes(static_cast<std::size_t>(ndim));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

Var integer(const Arg& a) {
  if (a.is_literal() && !a.is_float_literal()) return a.var(DType::int64);
  check(!a.var().type().is_float(), "a number of times or places is an integer, not {}", a.var().type());
  return cast(a.var(), DType::int64);
}

/// y = x, a number of times, for `whom` (inputs: x).
struct Times : OpOf<Times> {
  std::string whom;

  explicit Times(std::string w) : whom(std::move(w)) {}
  bool operator==(const Times&) const = default;

  std::string name() const override { return "times of " + whom; }

  Types infer(const Types& x) const override {
    if (x[0].has_value) integer({&x[0].value, 1});
    return x;
  }

  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(1); }
  bool has_integer_form() const override { return true; }
  bool can_fail() const override { return true; }

  std::int64_t integer(std::span<const std::int64_t> x) const override {
    check(x[0] >= 0, "nothing can be repeated {} times", x[0]);
    return x[0];
  }

  void perform(const Views& x, const Views& y) const override {
    *y[0].ptr<std::int64_t>() = integer({x[0].ptr<std::int64_t>(), 1});
  }
};

/// An integer scalar, which is not to be negative.
Var times(const Arg& a, const std::string& whom) {
  const Var n = integer(a);
  check(n.ndim() == 0, "a number of times is a scalar, not of {} dimensions", n.ndim());
  return n.type().has_value && n.type().value >= 0 ? n : apply(make_op(Times(whom)), Vars{n});
}

/// y = each position i of 0 .. n - 1, repeats_i times in a row (inputs: repeats, their sum, n).
struct RepeatedPositions : OpOf<RepeatedPositions> {
  std::string name() const override { return "positions of repeat"; }

  Types infer(const Types& x) const override {
    check(x[0].shape[0] < 0 || !x[2].has_value || x[0].shape[0] == x[2].value,
          "there are {} repeats for {} elements", x[0].shape[0], x[2].value);
    // Numbers that wrap around, or are negative, are found by the kernel, which can tell which.
    return {Type(DType::int64, {x[1].has_value ? std::max<std::int64_t>(x[1].value, 0) : -1})};
  }

  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(3); }
  bool needs_value(int input) const override { return input > 0; }
  bool reads(int input) const override { return input == 0; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    const std::int64_t *repeats = x[0].ptr<std::int64_t>(), step = x[0].strides[0], n = x[0].shape[0];
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      check(repeats[i * step] >= 0, "element {} cannot be repeated {} times", i, repeats[i * step]);
      total = plus(total, repeats[i * step]);
    }
    std::int64_t* out = y[0].ptr<std::int64_t>();
    for (std::int64_t i = 0; i < n; ++i) out = std::fill_n(out, repeats[i * step], i);
  }
};

/// y = where a part ends (inputs: where it begins, its size).
struct SplitEnd : CheckedInteger<SplitEnd> {
  std::string name() const override { return "split_end"; }

  std::int64_t integer(std::span<const std::int64_t> x) const override {
    std::int64_t end = 0;
    check(x[1] >= 0, "a part cannot have size {}", x[1]);
    check(!__builtin_add_overflow(x[0], x[1], &end), "a part of size {} after {} elements is too large", x[1],
          x[0]);
    return end;
  }
};

/// y = 0, where the first part begins, if all of them are the axis (inputs: the sum of their sizes, its
/// size).
struct SplitStart : CheckedInteger<SplitStart> {
  std::string name() const override { return "split_start"; }

  std::int64_t integer(std::span<const std::int64_t> x) const override {
    check(x[0] == x[1], "the sizes of the parts add up to {}, the axis has size {}", x[0], x[1]);
    return 0;
  }
};

/// x[:, .., a:b] along an axis.
Var sliced(const Var& x, int axis, const Slice& s) {
  std::vector<Index> index(static_cast<std::size_t>(axis), slice(none, none));
  index.emplace_back(s);
  return subtensor(x, index);
}

}  // namespace

Var swapaxes(const Arg& arg, int axis1, int axis2) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("swapaxes", {x}, [&] {
    std::vector<int> axes = axes_in_order(x.ndim());
    std::swap(axes[static_cast<std::size_t>(checked_axis(axis1, x.ndim()))],
              axes[static_cast<std::size_t>(checked_axis(axis2, x.ndim()))]);
    return dimshuffle(x, axes);
  });
}

Var squeeze(const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  std::vector<int> axes;
  for (int i = 0; i < x.ndim(); ++i)
    if (!x.type().stretches(i)) axes.push_back(i);
  return dimshuffle(x, axes);
}

Var squeeze(const Arg& arg, const std::vector<int>& axes) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("squeeze", {x}, [&] {
    std::vector<int> kept = axes_in_order(x.ndim());
    for (const int a : axes) {
      const auto found = std::find(kept.begin(), kept.end(), checked_axis(a, x.ndim()));
      check(found != kept.end(), "axis {} stands twice", a);
      kept.erase(found);
    }
    return dimshuffle(addbroadcast(x, axes), kept);
  });
}

Var shape_padleft(const Arg& arg, int n_ones) {
  const Scope here(arg);
  std::vector<int> pattern = axes_in_order(arg.var().ndim());
  pattern.insert(pattern.begin(), static_cast<std::size_t>(std::clamp(n_ones, 0, max_rank + 1)), 'x');
  return dimshuffle(arg, pattern);
}

Var shape_padright(const Arg& arg, int n_ones) {
  const Scope here(arg);
  std::vector<int> pattern = axes_in_order(arg.var().ndim());
  pattern.insert(pattern.end(), static_cast<std::size_t>(std::clamp(n_ones, 0, max_rank + 1)), 'x');
  return dimshuffle(arg, pattern);
}

Var shape_padaxis(const Arg& arg, int axis) {
  const Scope here(arg);
  const Var x = arg.var();
  const int at = checking("shape_padaxis", {x}, [&] { return checked_axis(axis, x.ndim() + 1); });
  std::vector<int> pattern = axes_in_order(x.ndim());
  pattern.insert(pattern.begin() + at, 'x');
  return dimshuffle(x, pattern);
}

// Along a repeated axis: (n) -> (1, n), stretched to (r, n), and both axes as one.
Var tile(const Arg& arg, const Shape& reps, std::optional<int> ndim) {
  const Scope here(arg);
  const Var given = arg.var();
  return checking("tile", {given}, [&] {
    const int n_reps = static_cast<int>(reps.size());
    const int rank = std::max({given.ndim(), n_reps, ndim.value_or(0)});
    check(!ndim || *ndim == rank, "ndim is {}, but x has {} dimensions and there are {} reps",
          ndim.value_or(0), given.ndim(), n_reps);
    const Var x = shape_padleft(given, rank - given.ndim());
    std::vector<int> pattern;
    Args stretched, sizes;
    for (int i = 0; i < rank; ++i) {
      const int own = i - (rank - n_reps);
      const Var n = shape(x, i), r = own < 0 ? Var() : times(reps[static_cast<std::size_t>(own)], "tile");
      if (r.is_set() && !(r.type().has_value && r.type().value == 1)) {
        pattern.push_back('x');
        stretched.emplace_back(r);
        sizes.emplace_back(r * n);
      } else {
        sizes.emplace_back(n);
      }
      pattern.push_back(i);
      stretched.emplace_back(n);
    }
    if (static_cast<int>(pattern.size()) == rank) return x;
    return reshape(alloc(dimshuffle(x, pattern), stretched), sizes);
  });
}

Var repeat(const Arg& arg, const Arg& repeats, std::optional<int> axis) {
  const Scope here(arg);
  const Var x = axis ? arg.var() : flatten(arg);
  return checking("repeat", {x, repeats.var()}, [&] {
    const int at = checked_axis(axis.value_or(0), x.ndim());
    const Var given = integer(repeats);
    check(given.ndim() <= 1, "repeats is a number or a vector, not of {} dimensions", given.ndim());
    if (given.ndim() == 1) {
      const Var& r = given;
      const Var positions = apply(make_op(RepeatedPositions()), Vars{r, sum(maximum(r, 0)), shape(x, at)});
      return take(x, positions, {.axis = at});
    }
    const Var r = times(given, "repeat");
    std::vector<int> pattern = axes_in_order(x.ndim());
    pattern.insert(pattern.begin() + at + 1, 'x');
    Args stretched, sizes;
    for (int i = 0; i < x.ndim(); ++i) {
      const Var n = shape(x, i);
      stretched.emplace_back(n);
      if (i == at) stretched.emplace_back(r);
      sizes.emplace_back(i == at ? n * r : n);
    }
    return reshape(alloc(dimshuffle(x, pattern), stretched), sizes);
  });
}

Var roll(const Arg& arg, const Arg& shift, std::optional<int> axis) {
  const Scope here(arg);
  const Var x = arg.var();
  if (!axis && x.ndim() != 1) {
    Args sizes;
    for (int i = 0; i < x.ndim(); ++i) sizes.emplace_back(shape(x, i));
    return reshape(roll(flatten(x), shift, 0), sizes);
  }
  return checking("roll", {x, shift.var()}, [&] {
    const int at = checked_axis(axis.value_or(0), x.ndim());
    const Var n = shape(x, at), begin = n - mod(integer(shift), n);
    return join(at, {sliced(x, at, slice(begin, none)), sliced(x, at, slice(none, begin))});
  });
}

Vars split(const Arg& arg, const Args& sizes, int axis) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("split", {x}, [&] {
    const int at = checked_axis(axis, x.ndim());
    check(!sizes.empty(), "there are no sizes");
    static const OpPtr end = make_op(SplitEnd()), start = make_op(SplitStart());
    Vars each;
    for (const Arg& a : sizes) each.push_back(integer(a));
    Var total = constant(Tensor(std::int64_t{0}));
    for (const Var& n : each) total = apply(end, Vars{total, n});
    Var begin = apply(start, Vars{total, shape(x, at)});
    Vars parts;
    for (const Var& n : each) {
      const Var next = begin + n;
      parts.push_back(sliced(x, at, slice(begin, next)));
      begin = next;
    }
    return parts;
  });
}

Vars split(const Arg& x, const Arg& sizes, int n_splits, int axis) {
  const Scope here(x);
  Args each;
  if (n_splits > 0) {
    const Var all = specify_shape(sizes, {n_splits});
    for (int k = 0; k < n_splits; ++k) each.emplace_back(all[k]);
  }
  return split(x, each, axis);
}

}  // namespace damo
