#include "ops/array/indexing.h"

#include <algorithm>

#include "core/tensor/size.h"
#include "core/tensor/visit.h"
#include "ops/shape.h"

/// Basic indexing: slices and integers.
namespace damo {
namespace {

struct Bounds {
  std::int64_t start = 0, length = 0, step = 1;
};

/// a:b:c over n elements, by Python's rules.
Bounds python_slice(std::optional<std::int64_t> start, std::optional<std::int64_t> stop, std::int64_t step,
                    std::int64_t n) {
  check(step != 0, "the step of a slice is 0");
  const auto clamp = [&](std::int64_t i) {
    if (i < 0) i += n;
    return step > 0 ? std::clamp<std::int64_t>(i, 0, n) : std::clamp<std::int64_t>(i, -1, n - 1);
  };
  const std::int64_t first = start ? clamp(*start) : step > 0 ? 0 : n - 1;
  const std::int64_t end = stop ? clamp(*stop) : step > 0 ? n : -1;
  return {first, steps_between(first, end, step), step};
}

/// The type of x[spec], from what is known of the bounds x[first], x[first + 1], ...
Type indexed_type(const Spec& spec, const Types& x, std::size_t first) {
  const Type& base = x[0];
  check(static_cast<int>(spec.axes.size()) <= base.ndim(), "{} indices for {} dimensions", spec.axes.size(),
        base.ndim());
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
    y.strides.push_back(b.length > 1 ? b.step * stride : stride);
  }
  y.data = advance(y.data, y.dtype, offset);
  return y;
}

}  // namespace

std::int64_t checked_position(std::int64_t i, int axis, std::int64_t n) {
  const std::int64_t at = i < 0 ? i + n : i;
  if (at < 0 || at >= n) reject_position(i, axis, n, {}, 0);
  return at;
}

void reject_position(std::int64_t i, int axis, std::int64_t n, const Sizes& shape, std::int64_t at) {
  Sizes position = shape;
  for (int k = shape.size() - 1; k >= 0; --k) {
    position[k] = at % shape[k];
    at /= shape[k];
  }
  const std::string where = shape.size() == 1 ? std::to_string(position[0]) : to_string(position);
  fail("index {}{} is out of range for axis {} of size {}", i, shape.empty() ? "" : " at position " + where,
       axis, n);
}

void put(const View& part, const View& y, bool adds) {
  View from{y.dtype, part.shape, Sizes(part.ndim(), 0), y.data};
  const int added = part.ndim() - y.ndim();
  for (int i = 0; i < y.ndim(); ++i)
    if (y.shape[i] != 1) from.strides[i + added] = y.strides[i];
  if (!adds) return copy_into(part, from);
  if (part.size() == 0) return;
  visit(part.dtype, [&]<class T>(T) {
    T* to = part.ptr<T>();
    const T* v = from.ptr<T>();
    const int last = part.ndim() - 1;
    const std::int64_t n = last < 0 ? 1 : part.shape[last], step = last < 0 ? 0 : part.strides[last],
                       v_step = last < 0 ? 0 : from.strides[last];
    Sizes index(part.ndim(), 0);
    while (true) {
      for (std::int64_t i = 0; i < n; ++i) to[i * step] = static_cast<T>(to[i * step] + v[i * v_step]);
      int axis = last - 1;
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
  });
}

void check_fits(const Type& y, const Type& part) {
  check(y.ndim() <= part.ndim(), "the new values have {} dimensions, the indexed part has {}", y.ndim(),
        part.ndim());
  for (int i = 0; i < y.ndim(); ++i) {
    const std::int64_t from = y.shape[i], to = part.shape[i + part.ndim() - y.ndim()];
    if (y.stretches(i) || from < 0 || to < 0) continue;
    check(from == to, "the new values have shape {}, the indexed part {}", y.shape, part.shape);
  }
}

Types Subtensor::infer(const Types& x) const { return {indexed_type(spec, x, 1)}; }

Vars Subtensor::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx(x.size());
  if (spec.is_full()) {
    gx[0] = gy[0];
    return gx;
  }
  Vars inputs{zeros_like(x[0]), gy[0]};
  inputs.insert(inputs.end(), x.begin() + 1, x.end());
  gx[0] = apply(make_op(IncSubtensor(spec, true)), std::move(inputs));
  return gx;
}

View Subtensor::view(const Views& x) const { return indexed_view(spec, x[0], x, 1); }

Types IncSubtensor::infer(const Types& x) const {
  check_fits(x[1], indexed_type(spec, x, 2));
  return {x[0]};
}

Vars IncSubtensor::L_op(const Vars& x, const Vars&, const Vars& gy) const {
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

void IncSubtensor::perform(const Views& x, const Views& y) const {
  if (y[0].data != x[0].data) copy_into(y[0], x[0]);
  put(indexed_view(spec, y[0], x, 2), x[1], adds);
}

}  // namespace damo
