#include "ops/index.h"

#include <algorithm>

#include "ops/array/checked_integer.h"
#include "ops/array/indexing.h"
#include "ops/array/shape_ops.h"
#include "ops/elemwise.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// y = index, which must lie in [0, n) (inputs: index, n).
struct CheckedIndex : CheckedInteger<CheckedIndex> {
  std::string what;

  explicit CheckedIndex(std::string w) : what(std::move(w)) {}
  bool operator==(const CheckedIndex&) const = default;

  std::string name() const override { return "checked_index"; }
  std::int64_t integer(std::span<const std::int64_t> x) const override {
    check(x[0] >= 0 && x[0] < x[1], "index {} is past the data: there are {} {}, counted from 0", x[0], x[1],
          what);
    return x[0];
  }
  bool can_fail() const override { return true; }
};

Var integer_scalar(const Arg& a) {
  if (a.is_literal() && !a.is_float_literal()) return a.var(DType::int64);
  const Var v = a.var();
  check(v.ndim() == 0 && !v.type().is_float(), "a bound of a slice is an integer scalar, not {}", v.type());
  return cast(v, DType::int64);
}

int rank_of(const Index& i) { return i.arg() && !i.arg()->is_literal() ? i.arg()->var().ndim() : 0; }
bool is_array(const Index& i) { return rank_of(i) > 0; }
bool is_mask(const Index& i) { return is_array(i) && i.arg()->dtype() == DType::bool_; }

/// How many of x's axes the index stands for.
int n_axes(const Index& i) { return i.is_newaxis() || i.is_ellipsis() ? 0 : is_mask(i) ? rank_of(i) : 1; }

/// The index with the ellipsis written as full slices, and each mask as arrays of positions.
std::vector<Index> spelled_out(const Var& x, const std::vector<Index>& index) {
  int n_given = 0, n_ellipses = 0;
  for (const Index& i : index) {
    n_given += n_axes(i);
    n_ellipses += i.is_ellipsis() ? 1 : 0;
  }
  check(n_ellipses <= 1, "an index holds one ellipsis at most, not {}", n_ellipses);
  std::vector<Index> full;
  int axis = 0;
  for (const Index& i : index) {
    if (i.is_ellipsis()) {
      for (int k = n_given; k < x.ndim(); ++k, ++axis) full.emplace_back(slice(none, none));
    } else if (is_mask(i)) {
      for (const Var& positions : mask_positions(i.arg()->var(), x, axis)) full.emplace_back(positions);
    } else {
      full.push_back(i);
    }
    axis += n_axes(i);
  }
  return full;
}

Var basic(const Var& x, const std::vector<Index>& index) {
  Spec spec;
  Vars inputs{x};
  std::vector<int> pattern;  // of the result, with the new axes
  int n_kept = 0;
  for (const Index& i : index) {
    if (i.is_newaxis()) {
      pattern.push_back('x');
      continue;
    }
    Spec::Axis axis;
    if (i.slice()) {
      const Slice& s = *i.slice();
      axis.has_start = s.start.has_value();
      axis.has_stop = s.stop.has_value();
      axis.has_step = s.step.has_value();
      for (const auto& bound : {s.start, s.stop, s.step})
        if (bound) inputs.push_back(integer_scalar(*bound));
      pattern.push_back(n_kept++);
    } else {
      axis.is_slice = false;
      inputs.push_back(integer_scalar(*i.arg()));
    }
    spec.axes.push_back(axis);
  }
  const Var y = apply(make_op(Subtensor(std::move(spec))), std::move(inputs));
  while (n_kept < y.ndim()) pattern.push_back(n_kept++);
  return dimshuffle(y, pattern);
}

/// Slices first; then the indexed axes are brought to the front, picked from, and their place is given to the
/// result.
Var advanced(const Var& x, const std::vector<Index>& index) {
  std::vector<Index> slices;  // a full one where elements are picked
  AdvancedSubtensor op;
  Vars positions;
  std::vector<int> order;
  int rank = 0;
  std::size_t first = index.size(), last = 0;  // of the arrays
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (index[i].is_newaxis()) continue;
    if (const auto& s = index[i].slice()) {
      op.sliced = op.sliced || s->start || s->stop || s->step;
      slices.push_back(index[i]);
      continue;
    }
    order.push_back(static_cast<int>(slices.size()));
    slices.emplace_back(slice(none, none));
    positions.push_back(index[i].arg()->var());
    const Type& type = positions.back().type();
    check(type.is_int(), "an index array holds integers or bools, not {}", type);
    rank = std::max(rank, type.ndim());
    first = std::min(first, i);
    last = i;
  }
  check(static_cast<int>(slices.size()) <= x.ndim(), "{} indices for {} dimensions", slices.size(), x.ndim());
  const Var base = op.sliced ? basic(x, slices) : x;
  for (int i = 0; i < x.ndim(); ++i)
    if (std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(positions.size()), i) ==
        order.begin() + static_cast<std::ptrdiff_t>(positions.size()))
      order.push_back(i);
  if (!std::is_sorted(order.begin(), order.end())) op.order = order;
  Vars inputs{dimshuffle(base, order)};
  inputs.insert(inputs.end(), positions.begin(), positions.end());
  const bool together = last - first + 1 == positions.size();
  const Var y = apply(make_op(std::move(op)), std::move(inputs));

  std::vector<int> pattern;
  bool is_placed = false;
  const auto place = [&] {
    for (int i = 0; i < rank && !is_placed; ++i) pattern.push_back(i);
    is_placed = true;
  };
  int next = rank;
  if (!together) place();
  for (const Index& i : index) {
    if (i.is_newaxis())
      pattern.push_back('x');
    else if (i.slice())
      pattern.push_back(next++);
    else
      place();
  }
  while (next < y.ndim()) pattern.push_back(next++);
  return dimshuffle(y, pattern);
}

std::vector<int> inverse(const std::vector<int>& pattern) {
  std::vector<int> back(pattern.size());
  for (std::size_t i = 0; i < pattern.size(); ++i)
    back[static_cast<std::size_t>(pattern[i])] = static_cast<int>(i);
  return back;
}

/// y for dimshuffle(x, pattern) as what it means for x, an array of `ndim` axes.
Var seen_behind(const Var& y, const std::vector<int>& pattern, int ndim) {
  const int n = static_cast<int>(pattern.size()), added = n - y.ndim();
  check(added >= 0, "the new values have {} dimensions, the indexed part has {}", y.ndim(), n);
  std::vector<int> raised, stretched, back(static_cast<std::size_t>(ndim), 'x');
  for (int i = 0; i < n; ++i) {
    raised.push_back(i < added ? 'x' : i - added);
    const int from = pattern[static_cast<std::size_t>(i)];
    if (from < 0)
      stretched.push_back(i);
    else
      back[static_cast<std::size_t>(from)] = i;
  }
  return dimshuffle(addbroadcast(dimshuffle(y, raised), stretched), back);
}

/// x with its basic index set to y, or with y added to it.
Var with_basic_part(const Var& part, const Var& y, bool adds) {
  const Vars& from = part.node().inputs;
  Vars inputs{from[0], y};
  inputs.insert(inputs.end(), from.begin() + 1, from.end());
  return apply(make_op(IncSubtensor(static_cast<const Subtensor&>(*part.node().op).spec, adds)),
               std::move(inputs));
}

/// The same for an advanced index: the way to the picked elements, and the way back.
Var with_advanced_part(const Var& part, const AdvancedSubtensor& op, const Var& y, bool adds) {
  const Vars& from = part.node().inputs;
  Vars inputs{from[0], y};
  inputs.insert(inputs.end(), from.begin() + 1, from.end());
  Var whole = apply(make_op(AdvancedIncSubtensor(adds)), std::move(inputs));
  Var base = from[0];
  if (!op.order.empty()) {
    whole = dimshuffle(whole, inverse(op.order));
    base = base.node().inputs[0];
  }
  return op.sliced ? with_basic_part(base, whole, false) : whole;
}

Var with_part(const Arg& indexed, const Arg& value, bool adds) {
  const Scope here(indexed);
  Var part = indexed.var();
  const std::string name = adds ? "inc_subtensor" : "set_subtensor";
  const Var given = value.is_literal() ? value.var(part.dtype()) : value.var();
  return checking(name, {part, given}, [&] {
    check(promote(part.dtype(), given.dtype()) == part.dtype(), "values of {} do not fit in {}", given.type(),
          part.type());
    Var y = cast(given, part.dtype());
    // Axes may have been moved behind the index.
    while (const auto* moved = op_as<DimShuffle>(part)) {
      const Var before = part.node().inputs[0];
      y = seen_behind(y, moved->pattern, before.ndim());
      part = before;
    }
    if (op_as<Subtensor>(part) != nullptr) return with_basic_part(part, y, adds);
    const auto* op = op_as<AdvancedSubtensor>(part);
    check(op != nullptr, "the first argument must be an indexed expression, x[...], not {}",
          label(indexed.var()));
    return with_advanced_part(part, *op, y, adds);
  });
}

}  // namespace

Slice slice(std::optional<Arg> start, std::optional<Arg> stop, std::optional<Arg> step) {
  return {std::move(start), std::move(stop), std::move(step)};
}

Var subtensor(const Arg& x, const std::vector<Index>& index) {
  Where where = x.where;
  if (!index.empty()) where = index.front().where;
  const Scope here(where);
  return checking("subtensor", {x.var()}, [&] {
    const std::vector<Index> full = spelled_out(x.var(), index);
    const bool picks = std::any_of(full.begin(), full.end(), is_array);
    return picks ? advanced(x.var(), full) : basic(x.var(), full);
  });
}

Var Var::operator[](const Index& index) const {
  return subtensor(Arg(*this, Here(index.where.file, index.where.line)), {index});
}
Var Var::operator[](std::initializer_list<Index> index) const {
  const std::vector<Index> list(index);
  const Where at = list.empty() ? Where{} : list.front().where;
  return subtensor(Arg(*this, Here(at.file, at.line)), list);
}

Var set_subtensor(const Arg& indexed, const Arg& y) { return with_part(indexed, y, false); }
Var inc_subtensor(const Arg& indexed, const Arg& y) { return with_part(indexed, y, true); }

Var checked_index(const Arg& index, const Arg& n, std::string what) {
  const Scope here(index);
  return apply(make_op(CheckedIndex(std::move(what))), Vars{integer_scalar(index), integer_scalar(n)});
}

Var minibatch(const Arg& x, const Arg& index, int batch_size) {
  const Scope here(index);
  checking("minibatch", {x.var()},
           [&] { check(batch_size > 0, "the batch size is {}, not a positive number", batch_size); });
  const Var n = int_div(shape(x, 0), batch_size);
  const Var i = checked_index(index, n, fmt::format("minibatches of {}", batch_size));
  return subtensor(x, {slice(i * batch_size, (i + 1) * batch_size)});
}

}  // namespace damo
