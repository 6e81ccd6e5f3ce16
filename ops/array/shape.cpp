#include "ops/shape.h"

#include <algorithm>

#include "core/graph/identity.h"
#include "core/graph/op.h"
#include "ops/array/indexing.h"
#include "ops/array/shape_ops.h"
#include "ops/array/sizes.h"
#include "ops/array/structure.h"
#include "ops/elemwise.h"
#include "ops/index.h"

namespace damo {
Types ShapeOf::infer(const Types& x) const {
  Type y(DType::int64, {});
  y.has_value = x[0].shape[axis] >= 0;
  y.value = x[0].shape[axis];
  return {y};
}

namespace {

Var size_var(const Arg& a) {
  if (a.is_literal() && !a.is_float_literal()) return a.var(DType::int64);
  const Var v = a.var();
  check(v.ndim() == 0 && !v.type().is_float(), "a size is an integer scalar, not {}", v.type());
  return cast(v, DType::int64);
}

/// The elements of a vector of integers.
Args elements(const Var& v, const Where& where) {
  const std::int64_t n = v.type().shape[0];
  check(n >= 0, "a vector of sizes must have a known length, as x.shape() has, unlike {}\n  {}   {}\n  {}",
        label(v), v.type(), label(v), to_string(where));
  Args all;
  const Here at(where.file, where.line);
  // Of scalars made vectors of one element.
  const bool is_stack = op_as<Join>(v) != nullptr &&
                        std::all_of(v.node().inputs.begin(), v.node().inputs.end(), [](const Var& x) {
                          return op_as<DimShuffle>(x) != nullptr && x.node().inputs[0].ndim() == 0;
                        });
  for (std::int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (v.node().kind == Node::Kind::constant)
      all.emplace_back(v.node().value[i].item<std::int64_t>(), at);
    else
      all.emplace_back(is_stack ? v.node().inputs[k].node().inputs[0] : v[i], at);
  }
  return all;
}

}  // namespace

Shape::Shape(const Args& sizes) {
  for (const Arg& a : sizes) {
    const bool is_list = !a.is_literal() && a.var().ndim() == 1 && !a.var().type().is_float();
    const Scope here(a);
    for (const Arg& n : is_list ? elements(a.var(), a.where) : Args{a}) push_back(n);
  }
}

Vars with_sizes(const std::string& op, const Var& x, const Args& sizes) {
  Vars inputs{x};
  for (const Arg& a : sizes) inputs.push_back(checking(op, {a.var()}, [&] { return size_var(a); }));
  return inputs;
}

std::uint32_t literal_ones(const Args& sizes) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i].is_literal() && sizes[i].var().type().value == 1) mask |= 1U << i;
  }
  return mask;
}

Var shape(const Arg& arg, int axis) {
  const Scope here(arg);
  const Var x = arg.var();
  const int at = checking("shape", {x}, [&] { return checked_axis(axis, x.ndim()); });
  return apply(make_op(ShapeOf(at)), Vars{x});
}

Var shape(const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  if (x.ndim() == 0) return constant(Tensor::empty({0}, DType::int64));
  Args sizes;
  for (int i = 0; i < x.ndim(); ++i) sizes.emplace_back(shape(x, i));
  return stack(sizes);
}

Var Var::shape(Here at) const { return damo::shape(Arg(*this, at)); }
Var Var::shape(int axis, Here at) const { return damo::shape(Arg(*this, at), axis); }

bool only_moves(const Var& v) {
  return op_as<DimShuffle>(v) != nullptr || op_as<Reshape>(v) != nullptr || op_as<Alloc>(v) != nullptr ||
         op_as<Restretch>(v) != nullptr || op_as<Subtensor>(v) != nullptr ||
         op_as<AdvancedSubtensor>(v) != nullptr;
}

bool is_zero(const Var& v) {
  Var x = v;
  while (op_as<Alloc>(x) != nullptr || op_as<DimShuffle>(x) != nullptr) x = Var(x.node().inputs[0]);
  const Node& node = x.node();
  return node.kind == Node::Kind::constant && node.value.size() == 1 && node.value.item() == 0;
}

}  // namespace damo
