#include "ops/shape.h"

#include <algorithm>

#include "core/tensor/size.h"
#include "ops/array/shape_ops.h"
#include "ops/array/sizes.h"
#include "ops/elemwise.h"

namespace damo {
Types Reshape::infer(const Types& x) const {
  Type y(x[0].dtype, {}, stretch);
  int free_axis = -1;
  bool known = true;
  std::int64_t rest = 1;
  for (std::size_t i = 1; i < x.size(); ++i) {
    const std::int64_t n = x[i].has_value ? x[i].value : -1;
    check(n >= -1, "a size cannot be {}", n);
    known = known && x[i].has_value;
    if (x[i].has_value && n == -1) {
      check(free_axis < 0, "only one size can be -1");
      free_axis = y.ndim();
    }
    if (n >= 0) rest = times(rest, n);
    y.shape.push_back(n);
  }
  std::int64_t size = 1;
  for (const std::int64_t n : x[0].shape) {
    if (n < 0) return {y};
    size = times(size, n);
  }
  if (!known) return {y};
  if (free_axis >= 0) {
    check(rest != 0 && size % rest == 0, "{} elements cannot be arranged as {}", size, y.shape);
    y.shape[free_axis] = size / rest;
  } else {
    check(rest == size, "{} elements cannot be arranged as {}", size, y.shape);
  }
  return {y};
}

Vars Reshape::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx(x.size());
  Vars inputs{gy[0]};
  for (int i = 0; i < x[0].ndim(); ++i) inputs.push_back(shape(x[0], i));
  gx[0] = apply(make_op(Reshape(x[0].type().stretch)), std::move(inputs));
  return gx;
}

View Reshape::view(const Views& x) const {
  View y{x[0].dtype, {}, {}, x[0].data};
  Types types{Type(x[0].dtype, x[0].shape)};
  for (int i = 1; i < x.size(); ++i) {
    Type t(DType::int64, {});
    t.has_value = true;
    t.value = *x[i].ptr<std::int64_t>();
    types.push_back(t);
  }
  y.shape = infer(types)[0].shape;
  y.strides = row_major(y.shape);
  return y;
}

Var reshape(const Arg& arg, const Shape& sizes) {
  const Scope here(arg);
  return apply(make_op(Reshape(literal_ones(sizes))), with_sizes("reshape", arg.var(), sizes));
}

Var flatten(const Arg& arg, int ndim) {
  const Scope here(arg);
  const Var x = arg.var();
  checking("flatten", {x}, [&] {
    check(ndim >= 1 && ndim <= std::max(x.ndim(), 1), "{} dimensions of x, which has {}", ndim, x.ndim());
  });
  if (x.ndim() == ndim) return x;
  Args sizes;
  for (int i = 0; i + 1 < ndim; ++i) sizes.emplace_back(shape(x, i));
  Var rest;
  for (int i = ndim - 1; i < x.ndim(); ++i) rest = rest.is_set() ? rest * shape(x, i) : shape(x, i);
  if (rest.is_set())
    sizes.emplace_back(rest);
  else
    sizes.emplace_back(1);
  return reshape(x, sizes);
}

Var Var::reshape(const Shape& sizes, Here at) const { return damo::reshape(Arg(*this, at), sizes); }
Var Var::flatten(int ndim, Here at) const { return damo::flatten(Arg(*this, at), ndim); }

}  // namespace damo
