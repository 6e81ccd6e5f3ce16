#include "ops/shape.h"

#include <algorithm>
#include <numeric>

#include "core/graph/walk.h"
#include "core/graph/warn_float64.h"
#include "core/tensor/size.h"
#include "ops/array/indexing.h"
#include "ops/array/shape_ops.h"
#include "ops/elemwise.h"
#include "ops/index.h"

namespace damo {
Types Join::infer(const Types& x) const {
  Type y = x[0];
  y.has_value = false;
  y.stretch &= ~(1U << axis);
  y.shape[axis] = 0;
  for (const Type& t : x) {
    check(t.ndim() == y.ndim(), "the parts have {} and {} dimensions", y.ndim(), t.ndim());
    y.stretch &= t.stretch | 1U << axis;
    for (int i = 0; i < y.ndim(); ++i) {
      if (i == axis) continue;
      check(y.shape[i] < 0 || t.shape[i] < 0 || y.shape[i] == t.shape[i],
            "the sizes of axis {} differ, {} and {}", i, y.shape[i], t.shape[i]);
      y.shape[i] = std::max(y.shape[i], t.shape[i]);
    }
    const std::int64_t n = t.shape[axis];
    y.shape[axis] = y.shape[axis] < 0 || n < 0 ? -1 : plus(y.shape[axis], n);
  }
  return {y};
}

Vars Join::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx;
  Var start = constant(Tensor(std::int64_t{0}));
  for (const Var& part : x) {
    const Var end = start + shape(part, axis);
    std::vector<Index> index;
    for (int i = 0; i < axis; ++i) index.emplace_back(slice(none, none));
    index.emplace_back(slice(start, end));
    gx.push_back(with_stretch(subtensor(gy[0], index), part.type()));
    start = end;
  }
  return gx;
}

void Join::perform(const Views& x, const Views& y) const {
  View place = y[0];
  for (int i = 0; i < x.size(); ++i) {
    place.shape[axis] = x[i].shape[axis];
    copy_into(place, x[i]);
    place.data = advance(place.data, place.dtype, x[i].shape[axis] * place.strides[axis]);
  }
}

Var join(int axis, const Args& parts) {
  check(!parts.empty(), "join: there is nothing to join");
  const Scope here(parts[0]);
  DType dtype = parts[0].dtype();
  for (const Arg& a : parts) dtype = promote(dtype, a.dtype());
  note_float64("join", parts, dtype);
  Vars inputs;
  for (const Arg& a : parts) inputs.push_back(cast(a.var(), dtype));
  const int ndim = parts[0].var().ndim();
  const int at = checking("join", inputs, [&] {
    check(ndim > 0, "scalars have no axis to join along: use stack");
    return checked_axis(axis, ndim);
  });
  return apply(make_op(Join(at)), std::move(inputs));
}

Var stack(const Args& parts, int axis) {
  check(!parts.empty(), "stack: there is nothing to stack");
  const Scope here(parts[0]);
  const int ndim = parts[0].var().ndim();
  Vars given;
  for (const Arg& a : parts) given.push_back(a.var());
  const int at = checking("stack", given, [&] { return checked_axis(axis, ndim + 1); });
  std::vector<int> pattern(static_cast<std::size_t>(ndim));
  std::iota(pattern.begin(), pattern.end(), 0);
  pattern.insert(pattern.begin() + at, 'x');
  Args raised;
  for (const Arg& a : parts) raised.emplace_back(dimshuffle(a, pattern));
  return join(at, raised);
}

}  // namespace damo
