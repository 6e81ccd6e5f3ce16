#include "ops/ifelse.h"

#include <algorithm>

#include "core/op.h"
#include "core/walk.h"
#include "ops/elemwise.h"
#include "ops/passes.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// y_i = a_i if c is not 0, else b_i (inputs: c, a_0, a_1, ..., b_0, b_1, ...).
struct IfElse : OpOf<IfElse> {
  int n;

  explicit IfElse(int n_) : n(n_) {}
  bool operator==(const IfElse&) const = default;
  std::string name() const override { return n == 1 ? "ifelse" : fmt::format("ifelse{{{}}}", n); }

  Types infer(const Types& x) const override {
    const Type& c = x[0];
    check(c.ndim() == 0 && !c.is_float(), "the condition must be an integer scalar, not {}", c);
    Types y;
    for (int i = 0; i < n; ++i) {
      const Type &a = x[static_cast<std::size_t>(1 + i)], &b = x[static_cast<std::size_t>(1 + n + i)];
      check(a.dtype == b.dtype && a.ndim() == b.ndim(), "the branches differ in type, {} and {}", a, b);
      y.push_back(c.has_value ? (c.value != 0 ? a : b) : either(a, b));
      y.back().stretch = a.stretch & b.stretch;
    }
    return y;
  }

  /// What is known of both.
  static Type either(const Type& a, const Type& b) {
    Type t = a;
    for (int i = 0; i < t.ndim(); ++i)
      if (a.shape[i] != b.shape[i]) t.shape[i] = -1;
    if (!b.has_value || a.value != b.value) t.has_value = false;
    return t;
  }

  // Each branch receives the whole gradient, where it is taken.
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    Vars gx{zeros_like(x[0])};
    gx.insert(gx.end(), gy.begin(), gy.end());
    gx.insert(gx.end(), gy.begin(), gy.end());
    return gx;
  }

  std::optional<bool> needed_if(int input) const override {
    if (input == 0) return {};
    return input <= n;
  }
  bool needs_value(int input) const override { return input == 0; }
  bool has_integer_form() const override { return n == 1; }
  std::int64_t integer(std::span<const std::int64_t> x) const override { return x[0] != 0 ? x[1] : x[2]; }

  void perform(const Views& x, const Views& y) const override {
    const bool taken = is_true(x[0]);
    for (int i = 0; i < n; ++i) copy_into(y[i], x[taken ? 1 + i : 1 + n + i]);
  }

  static bool is_true(const View& c) {
    std::int64_t value = 0;
    copy_into(View{DType::int64, {}, {}, &value}, c);
    return value != 0;
  }
};

const IfElse* as_ifelse(const Var& v) {
  const Node& node = v.node();
  return node.kind == Node::Kind::apply ? dynamic_cast<const IfElse*>(node.op.get()) : nullptr;
}

}  // namespace

Vars ifelse(const Arg& condition, const Vars& a, const Vars& b) {
  const Scope here(condition);
  check(a.size() == b.size() && !a.empty(), "ifelse: {} values for one branch and {} for the other\n  {}",
        a.size(), b.size(), to_string(Scope::where()));
  Vars inputs{condition.var()};
  for (const Vars* branch : {&a, &b})
    for (std::size_t i = 0; i < a.size(); ++i) {
      check(a[i].is_set() && b[i].is_set(), "ifelse: a branch is an empty Var\n  {}",
            to_string(Scope::where()));
      Type type = (*branch)[i].type();
      if (a[i].ndim() == b[i].ndim()) type.stretch = a[i].type().stretch & b[i].type().stretch;
      inputs.push_back(with_stretch((*branch)[i], type));
    }
  return apply_all(make_op(IfElse(static_cast<int>(a.size()))), std::move(inputs));
}

Var ifelse(const Arg& condition, const Arg& a, const Arg& b) {
  const Scope here(condition);
  // A literal takes the other's dtype.
  const Var x = a.is_literal() && !b.is_literal() ? a.var(b.dtype()) : a.var();
  const Var y = b.is_literal() ? b.var(x.dtype()) : b.var();
  return ifelse(condition, Vars{x}, Vars{y})[0];
}

Var drop_choice(const Var& v) {
  const IfElse* op = as_ifelse(v);
  if (op == nullptr) return {};
  const Vars& x = v.node().inputs;
  const auto i = static_cast<std::size_t>(v.output()), n = static_cast<std::size_t>(op->n);
  const Type& c = x[0].type();
  if (!c.has_value) return {};
  return c.value != 0 ? x[1 + i] : x[1 + n + i];
}

Vars drop_equal_choices(const Vars& outputs, Trace& trace) {
  return transform(outputs, [&](const NodePtr& node, const Current& now) -> Var {
    const Var v(node);
    if (as_ifelse(v) == nullptr || node->types.size() != 1 || !same(node->inputs[1], node->inputs[2]))
      return {};
    const Var result = now(node->inputs[1]);
    trace.push_back({"equal_choice", v, result, node->where});
    return result;
  });
}

}  // namespace damo
