#include "ops/index.h"

#include <algorithm>

#include "ops/elemwise.h"
#include "ops/indexing.h"
#include "ops/shape.h"
#include "ops/structure.h"

namespace damo {
namespace {

/// y = index, which must lie in [0, n) (inputs: index, n).
struct CheckedIndex : OpOf<CheckedIndex> {
  std::string what;

  explicit CheckedIndex(std::string w) : what(std::move(w)) {}
  bool operator==(const CheckedIndex&) const = default;

  std::string name() const override { return "checked_index"; }
  Types infer(const Types& x) const override {
    Type y(DType::int64, {});
    y.has_value = x[0].has_value && x[1].has_value;
    if (y.has_value) {
      const std::int64_t values[] = {x[0].value, x[1].value};
      y.value = integer(values);
    }
    return {y};
  }
  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(2); }
  bool has_integer_form() const override { return true; }
  std::int64_t integer(std::span<const std::int64_t> x) const override {
    check(x[0] >= 0 && x[0] < x[1], "index {} is past the data: there are {} {}, counted from 0", x[0], x[1],
          what);
    return x[0];
  }
  void perform(const Views& x, const Views& y) const override {
    const std::int64_t values[] = {*x[0].ptr<std::int64_t>(), *x[1].ptr<std::int64_t>()};
    *y[0].ptr<std::int64_t>() = integer(values);
  }
  bool can_fail() const override { return true; }
};

Var integer_scalar(const Arg& a) {
  if (a.is_literal() && !a.is_float_literal()) return a.var(DType::int64);
  const Var v = a.var();
  check(v.ndim() == 0 && !v.type().is_float(), "a bound of a slice is an integer scalar, not {}", v.type());
  return cast(v, DType::int64);
}

bool is_array(const Index& i) { return i.arg() && !i.arg()->is_literal() && i.arg()->var().ndim() > 0; }

Var basic(const Var& x, const std::vector<Index>& index) {
  Spec spec;
  Vars inputs{x};
  for (const Index& i : index) {
    Spec::Axis axis;
    if (i.slice()) {
      const Slice& s = *i.slice();
      axis.has_start = s.start.has_value();
      axis.has_stop = s.stop.has_value();
      axis.has_step = s.step.has_value();
      for (const auto& bound : {s.start, s.stop, s.step})
        if (bound) inputs.push_back(integer_scalar(*bound));
    } else {
      axis.is_slice = false;
      inputs.push_back(integer_scalar(*i.arg()));
    }
    spec.axes.push_back(axis);
  }
  return apply(make_op(Subtensor(std::move(spec))), std::move(inputs));
}

/// Slices first; then the indexed axes are brought to the front, picked from, and their place is given to the
/// result.
Var advanced(const Var& x, const std::vector<Index>& index) {
  check(static_cast<int>(index.size()) <= x.ndim(), "{} indices for {} dimensions", index.size(), x.ndim());
  std::vector<Index> slices;
  bool any_slice = false;
  std::vector<int> picked_axes, order;
  int result_rank = 0;
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (index[i].slice()) {
      slices.push_back(index[i]);
      any_slice = true;
      continue;
    }
    slices.emplace_back(slice(none, none));
    picked_axes.push_back(static_cast<int>(i));
    result_rank = std::max(result_rank, index[i].arg()->var().ndim());
  }
  const Var base = any_slice ? basic(x, slices) : x;
  order = picked_axes;
  for (int i = 0; i < x.ndim(); ++i)
    if (std::find(picked_axes.begin(), picked_axes.end(), i) == picked_axes.end()) order.push_back(i);
  AdvancedSubtensor op;
  op.sliced = any_slice;
  if (!std::is_sorted(order.begin(), order.end())) op.order = order;
  Vars inputs{dimshuffle(base, order)};
  for (const int a : picked_axes) {
    const Var i = index[static_cast<std::size_t>(a)].arg()->var();
    check(i.type().is_int(), "an index array holds integers, not {}", i.type());
    inputs.push_back(i);
  }
  const int first = picked_axes.front(), n_picked = static_cast<int>(picked_axes.size());
  const bool together = picked_axes.back() - first + 1 == n_picked;
  if (together && first > 0) {
    for (int i = 0; i < first; ++i) op.back.push_back(result_rank + i);
    for (int i = 0; i < result_rank; ++i) op.back.push_back(i);
    for (int i = result_rank + first; i < result_rank + x.ndim() - n_picked; ++i) op.back.push_back(i);
  }
  const std::vector<int> back = op.back;
  const Var y = apply(make_op(std::move(op)), std::move(inputs));
  return back.empty() ? y : dimshuffle(y, back);
}

std::vector<int> inverse(const std::vector<int>& pattern) {
  std::vector<int> back(pattern.size());
  for (std::size_t i = 0; i < pattern.size(); ++i)
    back[static_cast<std::size_t>(pattern[i])] = static_cast<int>(i);
  return back;
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
Var with_advanced_part(const Var& picked, const AdvancedSubtensor& op, const Var& value, bool adds) {
  Var y = value;
  if (!op.back.empty()) {
    std::vector<int> raised;
    const int n = static_cast<int>(op.back.size());
    check(y.ndim() <= n, "the new values have {} dimensions, the indexed part has {}", y.ndim(), n);
    for (int i = 0; i < n; ++i) raised.push_back(i < n - y.ndim() ? 'x' : i - (n - y.ndim()));
    y = dimshuffle(dimshuffle(y, raised), inverse(op.back));
  }
  const Vars& from = picked.node().inputs;
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
  const Var part = indexed.var();
  const std::string name = adds ? "inc_subtensor" : "set_subtensor";
  const Var given = value.is_literal() ? value.var(part.dtype()) : value.var();
  return checking(name, {part, given}, [&] {
    check(promote(part.dtype(), given.dtype()) == part.dtype(), "values of {} do not fit in {}", given.type(),
          part.type());
    const Var y = cast(given, part.dtype());
    const auto op_of = [](const Var& v) {
      return v.node().kind == Node::Kind::apply ? v.node().op.get() : nullptr;
    };
    if (is_basic_index(part)) return with_basic_part(part, y, adds);
    if (const auto* op = dynamic_cast<const AdvancedSubtensor*>(op_of(part));
        op != nullptr && op->back.empty())
      return with_advanced_part(part, *op, y, adds);
    if (const auto pattern = dimshuffle_pattern(part)) {
      const Var& picked = part.node().inputs[0];
      const auto* op = dynamic_cast<const AdvancedSubtensor*>(op_of(picked));
      if (op != nullptr && op->back == *pattern) return with_advanced_part(picked, *op, y, adds);
    }
    fail("the first argument must be an indexed expression, x[...], not {}", label(part));
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
    return std::any_of(index.begin(), index.end(), is_array) ? advanced(x.var(), index)
                                                             : basic(x.var(), index);
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
  check(batch_size > 0, "minibatch: the batch size is {}, not a positive number", batch_size);
  const Var n = int_div(shape(x, 0), batch_size);
  const Var i = checked_index(index, n, fmt::format("minibatches of {}", batch_size));
  return subtensor(x, {slice(i * batch_size, (i + 1) * batch_size)});
}

bool is_basic_index(const Var& v) {
  return v.node().kind == Node::Kind::apply && dynamic_cast<const Subtensor*>(v.node().op.get()) != nullptr;
}

}  // namespace damo
