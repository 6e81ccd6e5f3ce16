#include "ops/shape.h"

#include "ops/array/shape_ops.h"
#include "ops/array/sizes.h"
#include "ops/array/structure.h"
#include "ops/elemwise.h"
#include "ops/reduce.h"

namespace damo {
Types Alloc::infer(const Types& x) const {
  Type y(x[0].dtype, {}, stretch);
  for (std::size_t i = 1; i < x.size(); ++i) {
    check(!x[i].has_value || x[i].value >= 0, "a size cannot be {}", x[i].value);
    y.shape.push_back(x[i].has_value ? x[i].value : -1);
  }
  check(x[0].ndim() <= y.ndim(), "a value of {} dimensions cannot fill {}", x[0].ndim(), y.ndim());
  for (int i = 0; i < x[0].ndim(); ++i) {
    const std::int64_t from = x[0].shape[i], to = y.shape[i + y.ndim() - x[0].ndim()];
    if (x[0].stretches(i) || from < 0 || to < 0) continue;
    check(from == to, "axis {} of the value has size {}, which cannot fill {}", i, from, to);
  }
  return {y};
}

Var Alloc::size(const Vars& x, int, int axis) const {
  return cast(x[static_cast<std::size_t>(axis) + 1], DType::int64);
}

// The sum over all copies.
Vars Alloc::L_op(const Vars& x, const Vars& y, const Vars& gy) const {
  Vars gx(x.size());
  const int added = y[0].ndim() - x[0].ndim();
  std::vector<int> axes, back;
  for (int i = 0, next = 0; i < y[0].ndim(); ++i) {
    const bool stretched = i < added || (x[0].type().stretches(i - added) && !y[0].type().stretches(i));
    if (stretched) axes.push_back(i);
    if (i >= added) back.push_back(stretched ? 'x' : next);
    if (!stretched) ++next;
  }
  gx[0] = axes.empty() ? gy[0] : dimshuffle(sum(gy[0], {.axis = axes}), back);
  return gx;
}

void Alloc::perform(const Views& x, const Views& y) const {
  View from{x[0].dtype, y[0].shape, Sizes(y[0].ndim(), 0), x[0].data};
  const int added = y[0].ndim() - x[0].ndim();
  for (int i = 0; i < x[0].ndim(); ++i)
    if (x[0].shape[i] != 1) from.strides[i + added] = x[0].strides[i];
  copy_into(y[0], from);
}

Var alloc(const Arg& value, const Shape& sizes) {
  const Scope here(value);
  return apply(make_op(Alloc(literal_ones(sizes))), with_sizes("alloc", value.var(), sizes));
}

Var zeros(const Shape& sizes, DType dtype, Here at) {
  const Scope here(at);
  return alloc(Arg(0, at).var(dtype), sizes);
}

Var ones(const Shape& sizes, DType dtype, Here at) {
  const Scope here(at);
  return alloc(Arg(1, at).var(dtype), sizes);
}

namespace {

Var filled_like(const Arg& arg, double value) {
  const Scope here(arg);
  const Var x = arg.var();
  Vars inputs{constant(Tensor::full({}, x.dtype(), value))};
  for (int i = 0; i < x.ndim(); ++i) inputs.push_back(shape(x, i));
  if (x.ndim() == 0) return inputs[0];
  return apply(make_op(Alloc(x.type().stretch)), std::move(inputs));
}

}  // namespace

Var zeros_like(const Arg& x) { return filled_like(x, 0); }
Var ones_like(const Arg& x) { return filled_like(x, 1); }

Var zeros_instead(const Var& v) {
  Vars inputs{constant(Tensor::zeros({}, v.dtype()))};
  if (v.ndim() == 0) return inputs[0];
  for (int i = 0; i < v.ndim(); ++i) {
    inputs.push_back(v.type().stretches(i) ? constant(Tensor(1))
                                           : v.node().op->size(v.node().inputs, v.output(), i));
    if (!inputs.back().is_set()) return {};
  }
  return apply(make_op(Alloc(v.type().stretch)), std::move(inputs));
}

}  // namespace damo
