#include <algorithm>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/array/indexing.h"
#include "ops/array/shape_ops.h"
#include "ops/array/structure.h"
#include "ops/dot.h"
#include "ops/elemwise.h"
#include "ops/kernels/scalar_op.h"
#include "ops/linear/products.h"
#include "ops/rewrite/passes.h"
#include "ops/shape.h"

namespace damo {

Var join_dimshuffles(const Var& v) {
  const auto* outer = op_as<DimShuffle>(v);
  if (outer == nullptr) return {};
  const Var& x = v.node().inputs[0];
  const auto* inner = op_as<DimShuffle>(x);
  if (inner == nullptr) return {};
  std::vector<int> joined;
  for (const int p : outer->pattern) {
    const int from = p < 0 ? -1 : inner->pattern[static_cast<std::size_t>(p)];
    joined.push_back(from < 0 ? 'x' : from);
  }
  return dimshuffle(x.node().inputs[0], joined);
}

Var drop_alloc_beside_full_operand(const Var& v) {
  if (scalar_op(v) == nullptr) return {};
  const Node& node = v.node();
  const auto is_alloc = [](const Var& x) { return op_as<Alloc>(x) != nullptr; };
  const auto is_full = [&](const Var& x) {
    return !is_alloc(x) && x.ndim() == v.ndim() && (x.type().stretch & ~v.type().stretch) == 0;
  };
  const bool any_full = std::any_of(node.inputs.begin(), node.inputs.end(), is_full);
  const bool any_alloc = std::any_of(node.inputs.begin(), node.inputs.end(), is_alloc);
  if (!any_full || !any_alloc) return {};
  Vars inputs;
  for (const Var& x : node.inputs) inputs.push_back(is_alloc(x) ? x.node().inputs[0] : x);
  return apply(node.op, std::move(inputs));
}

Var size_instead(const Var& v) {
  const auto* op = op_as<ShapeOf>(v);
  if (op == nullptr) return {};
  const Var& x = v.node().inputs[0];
  return x.node().kind == Node::Kind::apply ? x.node().op->size(x.node().inputs, x.output(), op->axis)
                                            : Var();
}

Var drop_product_with_zero(const Var& v) {
  const Vars* x = operands_of<mul>(v);
  return x != nullptr && (is_zero(x->front()) || is_zero(x->back())) ? zeros_instead(v) : Var();
}

namespace {

/// Whether v is made of leaves by few elementwise steps: computing a part of it costs only the part.
bool is_shallow(const Var& v, int depth = 3) {
  if (v.node().kind != Node::Kind::apply) return true;
  if (depth == 0 || scalar_op(v) == nullptr) return false;
  return std::all_of(v.node().inputs.begin(), v.node().inputs.end(),
                     [&](const Var& x) { return is_shallow(x, depth - 1); });
}

}  // namespace

Var lift_slice(const Var& v) {
  if (op_as<Subtensor>(v) == nullptr) return {};
  const Node& node = v.node();
  const Var& whole = node.inputs[0];
  if (scalar_op(whole) == nullptr || !is_shallow(whole)) return {};
  Vars parts;
  for (const Var& x : whole.node().inputs) {
    if (x.ndim() == 0) {
      parts.push_back(x);
      continue;
    }
    if (x.ndim() != whole.ndim() || x.type().stretch != whole.type().stretch) return {};
    Vars inputs = node.inputs;
    inputs[0] = x;
    parts.push_back(apply(node.op, std::move(inputs)));
  }
  return apply(whole.node().op, std::move(parts));
}

VarTable<int> count_uses(const Vars& outputs) {
  VarTable<int> uses;
  for (const NodePtr& node : toposort(outputs))
    for (const Var& x : node->inputs) ++uses[x];
  for (const Var& v : outputs) ++uses[v];
  return uses;
}

namespace {

/// v, or its value if that is known.
Var folded(const Var& v) {
  const Var constant = v.node().kind == Node::Kind::apply ? fold_constant(v) : Var();
  return constant.is_set() ? constant : v;
}

/// A number that multiplies all of an array, as a scalar, or an empty Var.
Var as_scalar(const Var& v) {
  if (v.ndim() == 0) return v;
  for (int i = 0; i < v.ndim(); ++i)
    if (!v.type().stretches(i)) return {};
  const Var s = dimshuffle(v, {});
  const Var joined = join_dimshuffles(s);
  return folded(joined.is_set() ? joined : s);
}

/// One summand of a linear combination: coefficient * value, the coefficient a scalar (empty: 1).
struct Term {
  Var coefficient;
  bool negative = false;
  Var value;
};

Var scaled(const Var& coefficient, const Var& by) {
  return coefficient.is_set() ? folded(coefficient * by) : by;
}

/// v as a sum of terms, looking through sums, differences and scalar factors that nothing else reads
/// (`inner`).
std::vector<Term> linear_combination(const Var& v, const VarTable<int>& uses, Vars& inner) {
  std::vector<Term> terms, stack{{Var(), false, v}};
  while (!stack.empty()) {
    const Term t = stack.back();
    stack.pop_back();
    const bool shared_by_others = !same(t.value, v) && uses.at(t.value) > 1;
    if (scalar_op(t.value) == nullptr || shared_by_others) {
      terms.push_back(t);
      continue;
    }
    const Vars& x = t.value.node().inputs;
    const bool subtracts = operands_of<sub>(t.value) != nullptr,
               multiplies = operands_of<mul>(t.value) != nullptr;
    const auto full = [&](const Var& operand) {
      return operand.ndim() == v.ndim() && operand.type().stretch == v.type().stretch;
    };
    if ((subtracts || operands_of<add>(t.value) != nullptr) && full(x[0]) && full(x[1])) {
      stack.push_back({t.coefficient, t.negative != subtracts, x[1]});
      stack.push_back({t.coefficient, t.negative, x[0]});
    } else if (operands_of<neg>(t.value) != nullptr) {
      stack.push_back({t.coefficient, !t.negative, x[0]});
    } else if (multiplies && full(x[1]) && as_scalar(x[0]).is_set()) {
      stack.push_back({scaled(t.coefficient, as_scalar(x[0])), t.negative, x[1]});
    } else if (multiplies && full(x[0]) && as_scalar(x[1]).is_set()) {
      stack.push_back({scaled(t.coefficient, as_scalar(x[1])), t.negative, x[0]});
    } else {
      terms.push_back(t);
      continue;
    }
    inner.push_back(t.value);
  }
  return terms;
}

/// Whether v is a product of matrices that has one reader.
bool is_private_product(const Var& v, const VarTable<int>& uses) {
  if (op_as<Dot>(v) == nullptr || uses.at(v) > 1) return false;
  const Vars& x = v.node().inputs;
  return x[0].ndim() == 2 && x[1].ndim() == 2;
}

bool is_product(const Term& t, const VarTable<int>& uses) { return is_private_product(t.value, uses); }

/// v^T; through products, and without a second transpose on top of a first.
Var transposed(const Var& v, const VarTable<int>& uses, const Current& now, int depth) {
  if (depth > 0 && is_private_product(v, uses)) {
    const Vars& x = v.node().inputs;
    return dot(transposed(x[1], uses, now, depth - 1), transposed(x[0], uses, now, depth - 1));
  }
  const Var t = transpose(now(v));
  const Var joined = join_dimshuffles(t);
  return joined.is_set() ? joined : t;
}

/// The combination with its products added to the sum of the rest. A rest that is one matrix times a scalar
/// is scaled where it lies.
Var accumulated(const Var& v, const std::vector<Term>& terms, const VarTable<int>& uses, const Current& now) {
  const Scope here(v.node(), {Origin::Kind::rule, "add_dot"});
  const Var one = constant(Tensor::full({}, v.dtype(), 1));
  const auto rest =
      std::find_if(terms.begin(), terms.end(), [&](const Term& t) { return !is_product(t, uses); });
  const bool is_multiple = std::all_of(terms.begin(), terms.end(), [&](const Term& t) {
    return is_product(t, uses) || same(t.value, rest->value);
  });
  // Terms have one sum each: of the coefficients, or of the terms themselves.
  Var sum;
  for (const Term& t : terms) {
    if (is_product(t, uses)) continue;
    const Var part =
        is_multiple ? (t.coefficient.is_set() ? t.coefficient : one) : scaled(t.coefficient, now(t.value));
    if (!sum.is_set())
      sum = folded(t.negative ? -part : part);
    else
      sum = folded(t.negative ? sum - part : sum + part);
  }
  std::vector<ScaledProduct> products;
  for (const Term& t : terms) {
    if (!is_product(t, uses)) continue;
    const Var alpha = t.coefficient.is_set() ? t.coefficient : one;
    const Vars& x = t.value.node().inputs;
    products.push_back({t.negative ? folded(-alpha) : alpha, now(x[0]), now(x[1])});
  }
  return is_multiple ? add_dot(now(rest->value), sum, products) : add_dot(sum, one, products);
}

}  // namespace

Vars accumulate_products(const Vars& outputs, Trace& trace) {
  const VarTable<int> uses = count_uses(outputs);
  const std::vector<NodePtr> order = toposort(outputs);
  // From the outputs down, so that the longest combination is taken whole.
  VarMap<std::vector<Term>> combinations;
  VarTable<bool> taken;
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const Var v(*at);
    const bool adds = operands_of<add>(v) != nullptr || operands_of<sub>(v) != nullptr;
    if (!adds || v.ndim() != 2 || !v.type().is_float() || taken.contains(v)) continue;
    Vars inner;
    std::vector<Term> terms = linear_combination(v, uses, inner);
    for (const Var& i : inner) taken.emplace(i, true);
    const auto product = [&](const Term& t) { return is_product(t, uses); };
    if (std::none_of(terms.begin(), terms.end(), product) || std::all_of(terms.begin(), terms.end(), product))
      continue;
    combinations.emplace(v, std::move(terms));
  }
  if (combinations.empty()) return outputs;

  return transform(outputs, [&](const NodePtr& node, const Current& now) -> Var {
    const auto combination = combinations.find(Var(node));
    if (combination == combinations.end()) return {};
    const Var result = accumulated(Var(node), combination->second, uses, now);
    trace.push_back({"add_dot", Var(node), result, node->where});
    return result;
  });
}

Vars transpose_operands(const Vars& outputs, Trace& trace) {
  const VarTable<int> uses = count_uses(outputs);
  return transform(outputs, [&](const NodePtr& node, const Current& now) -> Var {
    const auto* t = op_as<DimShuffle>(*node);
    if (t == nullptr || t->pattern != std::vector<int>{1, 0}) return {};
    if (!is_private_product(node->inputs[0], uses)) return {};
    const Scope here(*node, {Origin::Kind::rule, "transpose_dot"});
    constexpr int deepest = 64;
    const Var result = transposed(node->inputs[0], uses, now, deepest);
    trace.push_back({"transpose_dot", Var(node), result, node->where});
    return result;
  });
}

}  // namespace damo
