#include "ops/index.h"

#include <algorithm>
#include <array>

#include "core/op.h"
#include "ops/elemwise.h"
#include "ops/scalar_op.h"
#include "ops/shape.h"
#include "ops/structure.h"

namespace damo {
namespace {

/// How each axis is indexed; the bounds themselves are inputs, in the order of the text.
struct Spec {
  struct Axis {
    bool is_slice = true;
    bool has_start = false, has_stop = false, has_step = false;
    bool operator==(const Axis&) const = default;
  };
  std::vector<Axis> axes;
  bool operator==(const Spec&) const = default;

  std::string text() const {
    std::string s;
    for (const Axis& a : axes) {
      if (!s.empty()) s += ", ";
      if (!a.is_slice) s += "i";
      else s += std::string(a.has_start ? "a" : "") + ":" + (a.has_stop ? "b" : "") + (a.has_step ? ":c" : "");
    }
    return s;
  }
};

struct Bounds {
  std::int64_t start = 0, length = 0, step = 1;
};

/// a:b:c over n elements, by Python's rules.
Bounds python_slice(std::optional<std::int64_t> start, std::optional<std::int64_t> stop, std::int64_t step, std::int64_t n) {
  check(step != 0, "the step of a slice is 0");
  const auto clamp = [&](std::int64_t i) {
    if (i < 0) i += n;
    return step > 0 ? std::clamp<std::int64_t>(i, 0, n) : std::clamp<std::int64_t>(i, -1, n - 1);
  };
  const std::int64_t first = start ? clamp(*start) : step > 0 ? 0 : n - 1;
  const std::int64_t end = stop ? clamp(*stop) : step > 0 ? n : -1;
  const std::int64_t span = step > 0 ? end - first : first - end;
  const std::int64_t width = step > 0 ? step : -step;
  return {first, span <= 0 ? 0 : (span + width - 1) / width, step};
}

std::int64_t checked_position(std::int64_t i, int axis, std::int64_t n) {
  const std::int64_t at = i < 0 ? i + n : i;
  check(at >= 0 && at < n, "index {} is out of range for axis {} of size {}", i, axis, n);
  return at;
}

/// The type of x[spec], from what is known of the bounds x[first], x[first + 1], ...
Type indexed_type(const Spec& spec, const Types& x, std::size_t first) {
  const Type& base = x[0];
  check(static_cast<int>(spec.axes.size()) <= base.ndim(), "{} indices for {} dimensions", spec.axes.size(), base.ndim());
  Type y(base.dtype, {});
  std::size_t next = first;
  for (int axis = 0; axis < base.ndim(); ++axis) {
    const std::int64_t n = base.shape[axis];
    if (axis >= static_cast<int>(spec.axes.size())) {
      if (base.stretches(axis)) y.stretch |= 1U << y.ndim();
      y.shape.push_back(n);
      continue;
    }
    const Spec::Axis& a = spec.axes[static_cast<std::size_t>(axis)];
    if (!a.is_slice) {
      const Type& i = x[next++];
      if (i.has_value && n >= 0) checked_position(i.value, axis, n);
      continue;
    }
    bool known = n >= 0;
    const auto bound = [&](bool present) -> std::optional<std::int64_t> {
      if (!present) return {};
      known = known && x[next].has_value;
      return x[next++].value;
    };
    const auto start = bound(a.has_start), stop = bound(a.has_stop);
    check(!a.has_step || !x[next].has_value || x[next].value != 0, "the step of a slice is 0");
    const auto step = bound(a.has_step);
    const bool full = !a.has_start && !a.has_stop && !a.has_step;
    if (full && base.stretches(axis)) y.stretch |= 1U << y.ndim();
    y.shape.push_back(full ? n : known ? python_slice(start, stop, step.value_or(1), n).length : -1);
  }
  return y;
}

View indexed_view(const Spec& spec, const View& base, const Views& x, int first) {
  View y{base.dtype, {}, {}, base.data};
  int next = first;
  const auto value = [&] { return *x[next++].ptr<std::int64_t>(); };
  std::int64_t offset = 0;
  for (int axis = 0; axis < base.ndim(); ++axis) {
    const std::int64_t n = base.shape[axis], stride = base.strides[axis];
    if (axis >= static_cast<int>(spec.axes.size())) {
      y.shape.push_back(n);
      y.strides.push_back(stride);
      continue;
    }
    const Spec::Axis& a = spec.axes[static_cast<std::size_t>(axis)];
    if (!a.is_slice) {
      offset += checked_position(value(), axis, n) * stride;
      continue;
    }
    std::optional<std::int64_t> start, stop;
    std::int64_t step = 1;
    if (a.has_start) start = value();
    if (a.has_stop) stop = value();
    if (a.has_step) step = value();
    const Bounds b = python_slice(start, stop, step, n);
    if (b.length > 0) offset += b.start * stride;
    y.shape.push_back(b.length);
    y.strides.push_back(b.step * stride);
  }
  y.data = advance(y.data, y.dtype, offset);
  return y;
}

/// y = x[a:b:c, i, ...]: a view (inputs: x, bounds).
struct Subtensor : OpOf<Subtensor> {
  Spec spec;

  explicit Subtensor(Spec s) : spec(std::move(s)) {}
  bool operator==(const Subtensor&) const = default;

  std::string name() const override { return "subtensor{" + spec.text() + "}"; }
  Types infer(const Types& x) const override { return {indexed_type(spec, x, 1)}; }
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  bool needs_value(int input) const override { return input > 0; }
  int view_of() const override { return 0; }
  View view(const Views& x) const override { return indexed_view(spec, x[0], x, 1); }
};

/// Writes or adds y to part of an array, y stretched to the part's shape.
void put(const View& part, const View& y, bool adds) {
  View from{y.dtype, part.shape, Sizes(part.ndim(), 0), y.data};
  const int added = part.ndim() - y.ndim();
  for (int i = 0; i < y.ndim(); ++i)
    if (y.shape[i] != 1) from.strides[i + added] = y.strides[i];
  if (!adds) return copy_into(part, from);
  if (part.size() == 0) return;
  const auto run = [&]<class T>(T) {
    Sizes index(part.ndim(), 0);
    T* to = part.ptr<T>();
    const T* v = from.ptr<T>();
    while (true) {
      *to = static_cast<T>(*to + *v);
      int axis = part.ndim() - 1;
      for (; axis >= 0; --axis) {
        to += part.strides[axis];
        v += from.strides[axis];
        if (++index[axis] < part.shape[axis]) break;
        index[axis] = 0;
        to -= part.strides[axis] * part.shape[axis];
        v -= from.strides[axis] * part.shape[axis];
      }
      if (axis < 0) return;
    }
  };
  switch (part.dtype) {
    case DType::bool_: return run(std::uint8_t{});
    case DType::int8: return run(std::int8_t{});
    case DType::int16: return run(std::int16_t{});
    case DType::int32: return run(std::int32_t{});
    case DType::int64: return run(std::int64_t{});
    case DType::uint8: return run(std::uint8_t{});
    case DType::float32: return run(float{});
    case DType::float64: return run(double{});
  }
}

/// Whether y may be stretched to the indexed part.
void check_fits(const Type& y, const Type& part) {
  check(y.ndim() <= part.ndim(), "the new values have {} dimensions, the indexed part has {}", y.ndim(), part.ndim());
  for (int i = 0; i < y.ndim(); ++i) {
    const std::int64_t from = y.shape[i], to = part.shape[i + part.ndim() - y.ndim()];
    if (y.stretches(i) || from < 0 || to < 0) continue;
    check(from == to, "the new values have shape {}, the indexed part {}", y.shape, part.shape);
  }
}

/// z = x with x[...] set to y, or with y added to it (inputs: x, y, bounds).
struct IncSubtensor : OpOf<IncSubtensor> {
  Spec spec;
  bool adds;

  IncSubtensor(Spec s, bool a) : spec(std::move(s)), adds(a) {}
  bool operator==(const IncSubtensor&) const = default;

  std::string name() const override { return std::string(adds ? "inc" : "set") + "_subtensor{" + spec.text() + "}"; }

  Types infer(const Types& x) const override {
    check_fits(x[1], indexed_type(spec, x, 2));
    return {x[0]};
  }

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    Vars gx(x.size());
    const Vars bounds(x.begin() + 2, x.end());
    Vars part{gy[0]};
    part.insert(part.end(), bounds.begin(), bounds.end());
    gx[1] = apply(make_op(Subtensor(spec)), part);
    gx[0] = gy[0];
    if (!adds) {
      Vars inputs{gy[0], constant(Tensor::zeros({}, gy[0].dtype()))};
      inputs.insert(inputs.end(), bounds.begin(), bounds.end());
      gx[0] = apply(make_op(IncSubtensor(spec, false)), std::move(inputs));
    }
    return gx;
  }

  bool needs_value(int input) const override { return input > 1; }
  bool overwrites(int, int input) const override { return input == 0; }

  void perform(const Views& x, const Views& y) const override {
    if (y[0].data != x[0].data) copy_into(y[0], x[0]);
    put(indexed_view(spec, y[0], x, 2), x[1], adds);
  }
};

Vars Subtensor::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx(x.size());
  Vars inputs{zeros_like(x[0]), gy[0]};
  inputs.insert(inputs.end(), x.begin() + 1, x.end());
  gx[0] = apply(make_op(IncSubtensor(spec, true)), std::move(inputs));
  return gx;
}

/// The index arrays of an advanced index, stretched to one shape.
struct Positions {
  Sizes shape;
  std::vector<View> index;

  Positions(const Views& x, int first) {
    int rank = 0;
    for (int i = first; i < x.size(); ++i) rank = std::max(rank, x[i].ndim());
    shape = Sizes(rank, 1);
    for (int i = first; i < x.size(); ++i)
      for (int a = 0; a < x[i].ndim(); ++a)
        if (x[i].shape[a] != 1) shape[a + rank - x[i].ndim()] = x[i].shape[a];
    for (int i = first; i < x.size(); ++i) {
      View v{x[i].dtype, shape, Sizes(rank, 0), x[i].data};
      for (int a = 0; a < x[i].ndim(); ++a)
        if (x[i].shape[a] != 1) v.strides[a + rank - x[i].ndim()] = x[i].strides[a];
      index.push_back(v);
    }
  }

  /// The offset in x of the element (or row) that position p picks.
  std::int64_t offset(std::int64_t p, const View& x) const {
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < index.size(); ++k) {
      std::int64_t rest = p, at = 0;
      for (int a = shape.size() - 1; a >= 0; --a) {
        at += rest % shape[a] * index[k].strides[a];
        rest /= shape[a];
      }
      const int axis = static_cast<int>(k);
      offset += checked_position(read(index[k], at), axis, x.shape[axis]) * x.strides[axis];
    }
    return offset;
  }

  static std::int64_t read(const View& v, std::int64_t at) {
    switch (v.dtype) {
      case DType::int8: return v.ptr<std::int8_t>()[at];
      case DType::int16: return v.ptr<std::int16_t>()[at];
      case DType::int32: return v.ptr<std::int32_t>()[at];
      case DType::uint8: return v.ptr<std::uint8_t>()[at];
      default: return v.ptr<std::int64_t>()[at];
    }
  }

  void check_all(const View& x) const {
    const std::int64_t n = shape.product();
    for (std::int64_t p = 0; p < n; ++p) offset(p, x);
  }
};

/// What one position of an advanced index picks: the axes behind the indexed ones.
View picked(const View& x, std::size_t n_indexed, std::int64_t offset) {
  View part{x.dtype, {}, {}, advance(x.data, x.dtype, offset)};
  for (int i = static_cast<int>(n_indexed); i < x.ndim(); ++i) {
    part.shape.push_back(x.shape[i]);
    part.strides.push_back(x.strides[i]);
  }
  return part;
}

Type advanced_type(const Types& x, std::size_t first) {
  const auto n = static_cast<int>(x.size() - first);
  check(n <= x[0].ndim(), "{} index arrays for {} dimensions", n, x[0].ndim());
  Types index(x.begin() + static_cast<std::ptrdiff_t>(first), x.end());
  for (const Type& t : index) check(t.is_int(), "an index array holds integers, not {}", t.dtype);
  Type y = broadcast(index);
  y.dtype = x[0].dtype;
  y.has_value = false;
  for (int i = n; i < x[0].ndim(); ++i) {
    if (x[0].stretches(i)) y.stretch |= 1U << y.ndim();
    y.shape.push_back(x[0].shape[i]);
  }
  return y;
}

/// y_p.. = x[i_p, j_p, ...]: elements, or rows, picked by arrays of integers (inputs: x, i, j, ...).
///
/// Of x[:, i] and the like it is the middle step: slices were taken of x, and axes moved, before it, and axes are
/// moved back behind it. It remembers, for set_subtensor.
struct AdvancedSubtensor : OpOf<AdvancedSubtensor> {
  bool sliced = false;
  std::vector<int> order;  ///< of the axes that were moved, if they were
  std::vector<int> back;   ///< of the result's axes, if they are

  bool operator==(const AdvancedSubtensor&) const = default;

  std::string name() const override { return "advanced_subtensor"; }
  Types infer(const Types& x) const override { return {advanced_type(x, 1)}; }
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    const Positions positions(x, 1);
    const std::int64_t n = positions.shape.product();
    View row = y[0];
    const View shape_of_row = picked(x[0], positions.index.size(), 0);
    row.shape = shape_of_row.shape;
    row.strides = row_major(row.shape);
    const std::int64_t step = row.shape.product();
    for (std::int64_t p = 0; p < n; ++p) {
      copy_into(row, picked(x[0], positions.index.size(), positions.offset(p, x[0])));
      row.data = advance(row.data, row.dtype, step);
    }
  }
};

/// z = x with the picked elements set to y, or with y added to them; one that is picked twice receives both
/// (inputs: x, y, i, j, ...).
struct AdvancedIncSubtensor : OpOf<AdvancedIncSubtensor> {
  bool adds;

  explicit AdvancedIncSubtensor(bool a) : adds(a) {}
  bool operator==(const AdvancedIncSubtensor&) const = default;

  std::string name() const override { return adds ? "advanced_inc_subtensor" : "advanced_set_subtensor"; }

  Types infer(const Types& x) const override {
    check_fits(x[1], advanced_type(x, 2));
    return {x[0]};
  }

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    Vars gx(x.size());
    Vars part{gy[0]};
    part.insert(part.end(), x.begin() + 2, x.end());
    gx[1] = apply(make_op(AdvancedSubtensor()), std::move(part));
    gx[0] = gy[0];
    if (!adds) {
      Vars inputs{gy[0], constant(Tensor::zeros({}, gy[0].dtype()))};
      inputs.insert(inputs.end(), x.begin() + 2, x.end());
      gx[0] = apply(make_op(AdvancedIncSubtensor(false)), std::move(inputs));
    }
    return gx;
  }

  bool overwrites(int, int input) const override { return input == 0; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    const Positions positions(x, 2);
    positions.check_all(x[0]);
    if (y[0].data != x[0].data) copy_into(y[0], x[0]);
    const std::int64_t n = positions.shape.product();
    const std::size_t indexed = positions.index.size();
    const int added = positions.shape.size() + y[0].ndim() - static_cast<int>(indexed) - x[1].ndim();
    const int n_index_axes = positions.shape.size();
    for (std::int64_t p = 0; p < n; ++p) {
      // The part of y that belongs to position p.
      View v{x[1].dtype, {}, {}, x[1].data};
      std::int64_t rest = p, offset = 0;
      for (int a = n_index_axes - 1; a >= 0; --a) {
        const int own = a - added;
        if (own >= 0 && x[1].shape[own] != 1) offset += rest % positions.shape[a] * x[1].strides[own];
        rest /= positions.shape[a];
      }
      for (int own = std::max(0, n_index_axes - added); own < x[1].ndim(); ++own) {
        v.shape.push_back(x[1].shape[own]);
        v.strides.push_back(x[1].strides[own]);
      }
      v.data = advance(v.data, v.dtype, offset);
      put(picked(y[0], indexed, positions.offset(p, y[0])), v, adds);
    }
  }
};

Vars AdvancedSubtensor::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx(x.size());
  Vars inputs{zeros_like(x[0]), gy[0]};
  inputs.insert(inputs.end(), x.begin() + 1, x.end());
  gx[0] = apply(make_op(AdvancedIncSubtensor(true)), std::move(inputs));
  return gx;
}

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
    check(x[0] >= 0 && x[0] < x[1], "index {} is past the data: there are {} {}, counted from 0", x[0], x[1], what);
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

/// Slices first; then the indexed axes are brought to the front, picked from, and their place is given to the result.
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
  for (std::size_t i = 0; i < pattern.size(); ++i) back[static_cast<std::size_t>(pattern[i])] = static_cast<int>(i);
  return back;
}

/// x with its basic index set to y, or with y added to it.
Var with_basic_part(const Var& part, const Var& y, bool adds) {
  const Vars& from = part.node().inputs;
  Vars inputs{from[0], y};
  inputs.insert(inputs.end(), from.begin() + 1, from.end());
  return apply(make_op(IncSubtensor(static_cast<const Subtensor&>(*part.node().op).spec, adds)), std::move(inputs));
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
    check(promote(part.dtype(), given.dtype()) == part.dtype(), "values of {} do not fit in {}", given.dtype(), part.dtype());
    const Var y = cast(given, part.dtype());
    const auto op_of = [](const Var& v) { return v.node().kind == Node::Kind::apply ? v.node().op.get() : nullptr; };
    if (is_basic_index(part)) return with_basic_part(part, y, adds);
    if (const auto* op = dynamic_cast<const AdvancedSubtensor*>(op_of(part)); op != nullptr && op->back.empty())
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
    return std::any_of(index.begin(), index.end(), is_array) ? advanced(x.var(), index) : basic(x.var(), index);
  });
}

Var Var::operator[](const Index& index) const { return subtensor(Arg(*this, Here(index.where.file, index.where.line)), {index}); }
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
