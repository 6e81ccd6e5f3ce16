#include "ops/arrange.h"

#include <algorithm>
#include <numeric>

#include "core/op.h"
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

/// y = each position i of 0 .. n - 1, repeats_i times in a row (inputs: repeats, their sum, n).
struct RepeatedPositions : OpOf<RepeatedPositions> {
  std::string name() const override { return "repeated_positions"; }

  Types infer(const Types& x) const override {
    check(!x[1].has_value || x[1].value >= 0, "nothing can be repeated {} times", x[1].value);
    check(x[0].shape[0] < 0 || !x[2].has_value || x[0].shape[0] == x[2].value,
          "there are {} repeats for {} elements", x[0].shape[0], x[2].value);
    return {Type(DType::int64, {x[1].has_value ? x[1].value : -1})};
  }

  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(3); }
  bool needs_value(int input) const override { return input > 0; }
  bool reads(int input) const override { return input == 0; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    const std::int64_t *repeats = x[0].ptr<std::int64_t>(), step = x[0].strides[0], n = x[0].shape[0];
    for (std::int64_t i = 0; i < n; ++i)
      check(repeats[i * step] >= 0, "nothing can be repeated {} times", repeats[i * step]);
    std::int64_t* out = y[0].ptr<std::int64_t>();
    for (std::int64_t i = 0; i < n; ++i) out = std::fill_n(out, repeats[i * step], i);
  }
};

/// y = where part k begins: the sum of the sizes before it (inputs: the sizes of all parts, that of the
/// axis).
struct SplitPoint : OpOf<SplitPoint> {
  int k;

  explicit SplitPoint(int part) : k(part) {}
  bool operator==(const SplitPoint&) const = default;

  std::string name() const override { return fmt::format("split_point{{{}}}", k); }

  Types infer(const Types& x) const override {
    Type y(DType::int64, {});
    std::vector<std::int64_t> values;
    for (const Type& t : x) {
      if (!t.has_value) return {y};
      values.push_back(t.value);
    }
    y.has_value = true;
    y.value = integer(values);
    return {y};
  }

  Vars L_op(const Vars& x, const Vars&, const Vars&) const override { return Vars(x.size()); }
  bool has_integer_form() const override { return true; }
  bool can_fail() const override { return true; }

  std::int64_t integer(std::span<const std::int64_t> x) const override {
    std::int64_t total = 0, begin = 0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      check(x[i] >= 0, "a part cannot have size {}", x[i]);
      if (static_cast<int>(i) < k) begin += x[i];
      total += x[i];
    }
    check(total == x.back(), "the sizes of the parts add up to {}, the axis has size {}", total, x.back());
    return begin;
  }

  void perform(const Views& x, const Views& y) const override {
    std::vector<std::int64_t> values;
    for (int i = 0; i < x.size(); ++i) values.push_back(*x[i].ptr<std::int64_t>());
    *y[0].ptr<std::int64_t>() = integer(values);
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
  pattern.insert(pattern.begin(), static_cast<std::size_t>(std::max(n_ones, 0)), 'x');
  return dimshuffle(arg, pattern);
}

Var shape_padright(const Arg& arg, int n_ones) {
  const Scope here(arg);
  std::vector<int> pattern = axes_in_order(arg.var().ndim());
  pattern.insert(pattern.end(), static_cast<std::size_t>(std::max(n_ones, 0)), 'x');
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
Var tile(const Arg& arg, const Args& reps, std::optional<int> ndim) {
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
      const Var n = shape(x, i), r = own < 0 ? Var() : integer(reps[static_cast<std::size_t>(own)]);
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
    const Var r = integer(repeats);
    check(r.ndim() <= 1, "repeats is a number or a vector, not of {} dimensions", r.ndim());
    if (r.ndim() == 1) {
      const Var positions = apply(make_op(RepeatedPositions()), Vars{r, sum(r), shape(x, at)});
      return take(x, positions, {.axis = at});
    }
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
    Vars inputs;
    for (const Arg& a : sizes) inputs.push_back(integer(a));
    inputs.push_back(shape(x, at));
    Vars parts;
    for (int k = 0; k < static_cast<int>(sizes.size()); ++k) {
      const Var begin = apply(make_op(SplitPoint(k)), inputs);
      parts.push_back(sliced(x, at, slice(begin, begin + inputs[static_cast<std::size_t>(k)])));
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
