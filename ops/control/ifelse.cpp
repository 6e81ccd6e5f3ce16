#include "ops/ifelse.h"

#include <algorithm>

#include "core/graph/walk.h"
#include "ops/control/ifelse_op.h"
#include "ops/elemwise.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// What is known of both.
Type either(const Type& a, const Type& b) {
  Type t = a;
  for (int i = 0; i < t.ndim(); ++i)
    if (a.shape[i] != b.shape[i]) t.shape[i] = -1;
  if (!b.has_value || a.value != b.value) t.has_value = false;
  return t;
}

bool is_true(const View& c) {
  std::int64_t value = 0;
  copy_into(View{DType::int64, {}, {}, &value}, c);
  return value != 0;
}

}  // namespace

Types IfElse::infer(const Types& x) const {
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

// Each branch receives the whole gradient, where it is taken.
Vars IfElse::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx{zeros_like(x[0])};
  gx.insert(gx.end(), gy.begin(), gy.end());
  gx.insert(gx.end(), gy.begin(), gy.end());
  return gx;
}

std::optional<bool> IfElse::needed_if(int input) const {
  if (input == 0) return {};
  return input <= n;
}

void IfElse::perform(const Views& x, const Views& y) const {
  const bool taken = is_true(x[0]);
  for (int i = 0; i < n; ++i) copy_into(y[i], x[taken ? 1 + i : 1 + n + i]);
}

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

}  // namespace damo
