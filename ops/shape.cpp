#include "ops/shape.h"

#include "ops/passes.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/identity.h"
#include "core/op.h"
#include "core/size.h"
#include "core/walk.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/indexing.h"
#include "ops/reduce.h"
#include "ops/structure.h"
#include "core/warn_float64.h"

namespace damo {
namespace {

template <class T>
const T* made_by(const Var& v) {
  return v.node().kind == Node::Kind::apply ? dynamic_cast<const T*>(v.node().op.get()) : nullptr;
}

Var size_var(const Arg& a) {
  if (a.is_literal() && !a.is_float_literal()) return a.var(DType::int64);
  const Var v = a.var();
  check(v.ndim() == 0 && !v.type().is_float(), "a size is an integer scalar, not {}", v.type());
  return cast(v, DType::int64);
}

/// x followed by its new sizes.
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

/// y_ij.. = x with its axes in another order; -1 stands for a new axis of size 1.
struct DimShuffle : OpOf<DimShuffle> {
  std::vector<int> pattern;
  int ndim;

  DimShuffle(std::vector<int> p, int n) : pattern(std::move(p)), ndim(n) {}
  bool operator==(const DimShuffle&) const = default;

  std::string name() const override {
    std::string s;
    for (const int p : pattern) s += (s.empty() ? "" : ", ") + (p < 0 ? std::string("x") : std::to_string(p));
    return "dimshuffle{" + s + "}";
  }

  Types infer(const Types& x) const override {
    Type y(x[0].dtype, {});
    for (const int p : pattern) {
      if (p < 0 || x[0].stretches(p)) y.stretch |= 1U << y.ndim();
      y.shape.push_back(p < 0 ? 1 : x[0].shape[p]);
    }
    for (int i = 0; i < x[0].ndim(); ++i) {
      if (std::find(pattern.begin(), pattern.end(), i) != pattern.end()) continue;
      check(x[0].stretches(i), "axis {} cannot be left out: it is not declared to have size 1", i);
    }
    y.has_value = x[0].has_value && y.ndim() == 0;
    y.value = x[0].value;
    return {y};
  }

  Var size(const Vars& x, int, int axis) const override {
    const int from = pattern[static_cast<std::size_t>(axis)];
    return from < 0 ? constant(Tensor::full({}, DType::int64, 1)) : shape(x[0], from);
  }

  Vars L_op(const Vars&, const Vars&, const Vars& gy) const override {
    std::vector<int> back(static_cast<std::size_t>(ndim), 'x');
    for (std::size_t i = 0; i < pattern.size(); ++i)
      if (pattern[i] >= 0) back[static_cast<std::size_t>(pattern[i])] = static_cast<int>(i);
    return {dimshuffle(gy[0], back)};
  }

  int view_of() const override { return 0; }
  View view(const Views& x) const override {
    View y{x[0].dtype, {}, {}, x[0].data};
    for (const int p : pattern) {
      y.shape.push_back(p < 0 ? 1 : x[0].shape[p]);
      y.strides.push_back(p < 0 ? 0 : x[0].strides[p]);
    }
    return y;
  }
};

/// y = the size of one axis.
struct ShapeOf : OpOf<ShapeOf> {
  int axis;

  explicit ShapeOf(int a) : axis(a) {}
  bool operator==(const ShapeOf&) const = default;

  std::string name() const override { return fmt::format("shape{{{}}}", axis); }
  Types infer(const Types& x) const override {
    Type y(DType::int64, {});
    y.has_value = x[0].shape[axis] >= 0;
    y.value = x[0].shape[axis];
    return {y};
  }
  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return {Var()}; }
  bool reads(int) const override { return false; }
};

/// y = x's elements, in row-major order, under another shape (inputs: x, sizes).
struct Reshape : OpOf<Reshape> {
  std::uint32_t stretch;

  explicit Reshape(std::uint32_t s) : stretch(s) {}
  bool operator==(const Reshape&) const = default;

  std::string name() const override { return "reshape"; }

  Types infer(const Types& x) const override {
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

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    Vars gx(x.size());
    Vars inputs{gy[0]};
    for (int i = 0; i < x[0].ndim(); ++i) inputs.push_back(shape(x[0], i));
    gx[0] = apply(make_op(Reshape(x[0].type().stretch)), std::move(inputs));
    return gx;
  }

  bool needs_value(int input) const override { return input > 0; }
  int view_of() const override { return 0; }
  bool needs_row_major() const override { return true; }
  View view(const Views& x) const override {
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
};

/// y = x stretched to a shape (inputs: x, sizes).
struct Alloc : OpOf<Alloc> {
  std::uint32_t stretch;

  explicit Alloc(std::uint32_t s) : stretch(s) {}
  bool operator==(const Alloc&) const = default;

  std::string name() const override { return "alloc"; }

  Types infer(const Types& x) const override {
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

  Var size(const Vars& x, int, int axis) const override {
    return cast(x[static_cast<std::size_t>(axis) + 1], DType::int64);
  }

  // The sum over all copies.
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
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

  bool needs_value(int input) const override { return input > 0; }
  bool reads(int input) const override { return input == 0; }

  void perform(const Views& x, const Views& y) const override {
    View from{x[0].dtype, y[0].shape, Sizes(y[0].ndim(), 0), x[0].data};
    const int added = y[0].ndim() - x[0].ndim();
    for (int i = 0; i < x[0].ndim(); ++i)
      if (x[0].shape[i] != 1) from.strides[i + added] = x[0].strides[i];
    copy_into(y[0], from);
  }
};

/// y = the inputs one behind the other along an axis.
struct Join : OpOf<Join> {
  int axis;

  explicit Join(int a) : axis(a) {}
  bool operator==(const Join&) const = default;

  std::string name() const override { return fmt::format("join{{{}}}", axis); }

  Types infer(const Types& x) const override {
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

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
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

  void perform(const Views& x, const Views& y) const override {
    View place = y[0];
    for (int i = 0; i < x.size(); ++i) {
      place.shape[axis] = x[i].shape[axis];
      copy_into(place, x[i]);
      place.data = advance(place.data, place.dtype, x[i].shape[axis] * place.strides[axis]);
    }
  }
};

}  // namespace

Var dimshuffle(const Arg& arg, const std::vector<int>& pattern) {
  const Scope here(arg);
  const Var x = arg.var();
  std::vector<int> axes;
  bool same_order = static_cast<int>(pattern.size()) == x.ndim();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const int p = pattern[i] == 'x' ? -1 : pattern[i];
    const bool fits =
        p == -1 || (p >= 0 && p < x.ndim() && std::find(axes.begin(), axes.end(), p) == axes.end());
    if (!fits)
      throw completed(DimShuffle(pattern, x.ndim()).name(), {x},
                      Error(fmt::format("axis {} does not exist, or stands twice", p)));
    same_order = same_order && p == static_cast<int>(i);
    axes.push_back(p);
  }
  if (same_order) return x;
  return apply(make_op(DimShuffle(axes, x.ndim())), Vars{x});
}

Var transpose(const Arg& arg) {
  const Scope here(arg);
  std::vector<int> pattern(static_cast<std::size_t>(arg.var().ndim()));
  std::iota(pattern.rbegin(), pattern.rend(), 0);
  return dimshuffle(arg, pattern);
}

namespace {

/// The elements of a vector of integers.
Args elements(const Var& v, const Where& where) {
  const std::int64_t n = v.type().shape[0];
  check(n >= 0, "a vector of sizes must have a known length, as x.shape() has, unlike {}\n  {}   {}\n  {}",
        label(v), v.type(), label(v), to_string(where));
  Args all;
  const Here at(where.file, where.line);
  // Of scalars made vectors of one element.
  const bool is_stack =
      made_by<Join>(v) != nullptr &&
      std::all_of(v.node().inputs.begin(), v.node().inputs.end(),
                  [](const Var& x) { return made_by<DimShuffle>(x) && x.node().inputs[0].ndim() == 0; });
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

Var shape(const Arg& arg, int axis) {
  const Scope here(arg);
  const Var x = arg.var();
  const int at = checking("shape", {x}, [&] { return checked_axis(axis, x.ndim()); });
  return apply(make_op(ShapeOf(at)), Vars{x});
}

Var size_instead(const Var& v) {
  const auto* op = made_by<ShapeOf>(v);
  if (op == nullptr) return {};
  const Var& x = v.node().inputs[0];
  return x.node().kind == Node::Kind::apply ? x.node().op->size(x.node().inputs, x.output(), op->axis)
                                            : Var();
}

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

Var shape(const Arg& arg) {
  const Scope here(arg);
  const Var x = arg.var();
  if (x.ndim() == 0) return constant(Tensor::empty({0}, DType::int64));
  Args sizes;
  for (int i = 0; i < x.ndim(); ++i) sizes.emplace_back(shape(x, i));
  return stack(sizes);
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

Var addbroadcast(const Arg& arg, const std::vector<int>& axes) {
  const Scope here(arg);
  const Var x = arg.var();
  std::uint32_t mask = x.type().stretch;
  for (const int a : axes)
    mask |= 1U << checking("addbroadcast", {x}, [&] { return checked_axis(a, x.ndim()); });
  return mask == x.type().stretch ? x : apply(make_op(Restretch(mask)), Vars{x});
}

Var unbroadcast(const Arg& arg, const std::vector<int>& axes) {
  const Scope here(arg);
  const Var x = arg.var();
  std::uint32_t mask = x.type().stretch;
  for (const int a : axes)
    mask &= ~(1U << checking("unbroadcast", {x}, [&] { return checked_axis(a, x.ndim()); }));
  return mask == x.type().stretch ? x : apply(make_op(Restretch(mask)), Vars{x});
}

Var Var::T(Here at) const { return transpose(Arg(*this, at)); }
Var Var::dimshuffle(const std::vector<int>& pattern, Here at) const {
  return damo::dimshuffle(Arg(*this, at), pattern);
}
Var Var::reshape(const Shape& sizes, Here at) const { return damo::reshape(Arg(*this, at), sizes); }
Var Var::flatten(int ndim, Here at) const { return damo::flatten(Arg(*this, at), ndim); }
Var Var::shape(Here at) const { return damo::shape(Arg(*this, at)); }
Var Var::shape(int axis, Here at) const { return damo::shape(Arg(*this, at), axis); }

std::optional<std::vector<int>> dimshuffle_pattern(const Var& v) {
  const auto* op = made_by<DimShuffle>(v);
  return op == nullptr ? std::nullopt : std::optional(op->pattern);
}

bool only_moves(const Var& v) {
  if (v.node().kind != Node::Kind::apply) return false;
  const Op& op = *v.node().op;
  const std::type_info& type = typeid(op);
  return type == typeid(DimShuffle) || type == typeid(Reshape) || type == typeid(Restretch) ||
         type == typeid(Alloc) || type == typeid(Subtensor) || type == typeid(AdvancedSubtensor);
}

bool is_alloc(const Var& v) { return made_by<Alloc>(v) != nullptr; }

}  // namespace damo
