#include "ops/shape.h"

#include <algorithm>
#include <numeric>

#include "core/graph/identity.h"
#include "ops/array/shape_ops.h"

namespace damo {
std::string DimShuffle::name() const {
  std::string s;
  for (const int p : pattern) s += (s.empty() ? "" : ", ") + (p < 0 ? std::string("x") : std::to_string(p));
  return "dimshuffle{" + s + "}";
}

Types DimShuffle::infer(const Types& x) const {
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

Var DimShuffle::size(const Vars& x, int, int axis) const {
  const int from = pattern[static_cast<std::size_t>(axis)];
  return from < 0 ? constant(Tensor::full({}, DType::int64, 1)) : shape(x[0], from);
}

Vars DimShuffle::L_op(const Vars&, const Vars&, const Vars& gy) const {
  std::vector<int> back(static_cast<std::size_t>(ndim), 'x');
  for (std::size_t i = 0; i < pattern.size(); ++i)
    if (pattern[i] >= 0) back[static_cast<std::size_t>(pattern[i])] = static_cast<int>(i);
  return {dimshuffle(gy[0], back)};
}

View DimShuffle::view(const Views& x) const {
  View y{x[0].dtype, {}, {}, x[0].data};
  for (const int p : pattern) {
    y.shape.push_back(p < 0 ? 1 : x[0].shape[p]);
    y.strides.push_back(p < 0 ? 0 : x[0].strides[p]);
  }
  return y;
}

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

}  // namespace damo
