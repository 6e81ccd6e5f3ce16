#include "ops/nonzero.h"

#include "core/tensor/visit.h"
#include "ops/array/indexing.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// y = the positions in row-major order of the elements that are not 0 (inputs: x, how many they are, and the
/// sizes that x must have if it is a mask).
struct FlatNonzero : OpOf<FlatNonzero> {
  std::string name() const override { return "flatnonzero"; }

  Types infer(const Types& x) const override {
    const Type& n = x[1];
    for (std::size_t i = 2; i < x.size(); ++i) {
      const std::int64_t size = x[0].shape[static_cast<int>(i) - 2];
      check(size < 0 || !x[i].has_value || size == x[i].value,
            "axis {} of the mask has size {}, the axis that it indexes has size {}", i - 2, size, x[i].value);
    }
    return {Type(DType::int64, {n.has_value ? n.value : -1})};
  }

  // A position does not change with the elements, until it jumps.
  Vars L_op(const Vars& x, const Vars&, const Vars&) const override {
    Vars gx(x.size());
    gx[0] = zeros_like(x[0]);
    return gx;
  }

  bool needs_value(int input) const override { return input > 0; }
  bool reads(int input) const override { return input == 0; }

  void perform(const Views& x, const Views& y) const override {
    std::int64_t* out = y[0].ptr<std::int64_t>();
    std::int64_t* const end = out + y[0].size();
    visit(x[0].dtype, [&]<class T>(T) {
      const T* in = x[0].ptr<T>();
      std::int64_t at = 0;
      for_elements(x[0].shape, x[0].strides, [&](std::int64_t offset) {
        if (in[offset] != T{}) {
          invariant(out != end, "more elements than were counted are not 0");
          *out++ = at;
        }
        ++at;
      });
    });
    invariant(out == end, "fewer elements than were counted are not 0");
  }
};

Var positions(const Var& x, const Vars& sizes) {
  Vars inputs{x, sum(x.dtype() == DType::bool_ ? x : neq(x, 0))};
  inputs.insert(inputs.end(), sizes.begin(), sizes.end());
  return apply(make_op(FlatNonzero()), std::move(inputs));
}

/// Positions in the flattened x as positions along each axis.
Vars along_each_axis(const Var& flat, const Var& x) {
  Vars result(static_cast<std::size_t>(x.ndim()));
  Var rest = flat;
  for (int axis = x.ndim() - 1; axis > 0; --axis) {
    result[static_cast<std::size_t>(axis)] = mod(rest, shape(x, axis));
    rest = int_div(rest, shape(x, axis));
  }
  result[0] = rest;
  return result;
}

}  // namespace

Vars mask_positions(const Var& mask, const Var& x, int axis) {
  check(axis + mask.ndim() <= x.ndim(), "a mask of {} dimensions at axis {} of {} dimensions", mask.ndim(),
        axis, x.ndim());
  Vars sizes;
  for (int i = 0; i < mask.ndim(); ++i) sizes.push_back(shape(x, axis + i));
  return along_each_axis(positions(mask, sizes), mask);
}

Vars nonzero(const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  checking("nonzero", {x}, [&] { check(x.ndim() > 0, "a scalar has no positions"); });
  return along_each_axis(positions(x, {}), x);
}

Var flatnonzero(const Arg& arg) {
  const Scope here(arg);
  return positions(arg.var(), {});
}

Var nonzero_values(const Arg& arg) {
  const Scope here(arg);
  const Var x = flatten(arg);
  return x[flatnonzero(x)];
}

}  // namespace damo
