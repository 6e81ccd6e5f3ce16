#include <algorithm>
#include <bit>
#include <functional>
#include <optional>
#include <set>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/rewrite/fixed.h"
#include "ops/array/reduction.h"
#include "ops/array/shape_ops.h"
#include "ops/array/structure.h"
#include "ops/elemwise.h"
#include "ops/kernels/scalar_op.h"
#include "ops/rewrite/passes.h"
#include "ops/rewrite/rules.h"
#include "ops/shape.h"
#include "ops/softmax.h"

/// Stabilizing rules that a pattern cannot say.
namespace damo {
namespace {

/// The operands of v, if it is f of them and no rule is kept from seeing that.
template <auto f>
const Vars* seen_operands_of(const Var& v) {
  return Fixed::holds(v) ? nullptr : operands_of<f>(v);
}

/// x, if v is f(x); or an empty Var.
template <auto f>
Var argument_of(const Var& v) {
  const Vars* x = seen_operands_of<f>(v);
  return x == nullptr ? Var() : x->front();
}

/// Whether a and b are one expression, though it may have been written twice.
bool are_alike(const Var& a, const Var& b) {
  VarMap<Var> seen;
  std::vector<std::pair<Var, Var>> stack{{a, b}};
  while (!stack.empty()) {
    const auto [x, y] = stack.back();
    stack.pop_back();
    if (same(x, y)) continue;
    if (const auto [at, fresh] = seen.emplace(x, y); !fresh) {
      if (same(at->second, y)) continue;
      return false;
    }
    const Node &m = x.node(), &n = y.node();
    if (m.kind != n.kind || x.output() != y.output()) return false;
    if (m.kind == Node::Kind::constant && identical(m.value, n.value)) continue;
    if (m.kind != Node::Kind::apply || Fixed::holds(x) || Fixed::holds(y) || m.op->has_effect() ||
        !m.op->same_as(*n.op) || m.inputs.size() != n.inputs.size())
      return false;
    for (std::size_t i = 0; i < m.inputs.size(); ++i) stack.emplace_back(m.inputs[i], n.inputs[i]);
  }
  return true;
}

/// The order in which the axes of a mask come behind the others.
std::vector<int> gone_last(std::uint32_t mask, int ndim) {
  std::vector<int> order;
  for (const std::uint32_t gone : {0U, 1U})
    for (int i = 0; i < ndim; ++i)
      if ((mask >> i & 1U) == gone) order.push_back(i);
  return order;
}

/// x with the axes of a mask behind the others, as one.
Var with_gone_as_last(const Var& x, std::uint32_t mask) {
  const Var t = dimshuffle(x, gone_last(mask, x.ndim()));
  Args sizes;
  Var last;
  for (int i = 0; i < x.ndim(); ++i) {
    const Var n = shape(t, i);
    if (i < x.ndim() - std::popcount(mask))
      sizes.emplace_back(n);
    else
      last = last.is_set() ? last * n : n;
  }
  if (std::popcount(mask) == 1) return t;
  sizes.emplace_back(last);
  return reshape(t, sizes);
}

/// exp(x) summed over the axes of `mask`.
struct SumExp {
  Var x;
  std::uint32_t mask;
};

std::optional<SumExp> sum_exp(const Var& v) {
  const auto* sum = Fixed::holds(v) || !v.type().is_float() ? nullptr : op_as<Reduce>(v);
  if (sum == nullptr || sum->kind != Reduce::Kind::sum || sum->mask == 0) return std::nullopt;
  const Var x = argument_of<exp>(v.node().inputs[0]);
  return x.is_set() ? std::optional(SumExp{x, sum->mask}) : std::nullopt;
}

}  // namespace

Var log_of_sum_exp(const Var& v) {
  const Var total = argument_of<log>(v);
  if (!total.is_set()) return {};
  if (const auto s = sum_exp(total))
    return with_stretch(log_sum_exp(with_gone_as_last(s->x, s->mask)), v.type());
  const Vars* quotient = seen_operands_of<true_div>(total);
  if (quotient == nullptr || quotient->back().ndim() > 0 || !sum_exp(quotient->front())) return {};
  return log(quotient->front()) - log(quotient->back());
}

Var softmax_instead(const Var& v) {
  const Vars* quotient = seen_operands_of<true_div>(v);
  if (quotient == nullptr) return {};
  const Var x = argument_of<exp>(quotient->front());
  Var total = quotient->back();
  std::vector<int> pattern;  // which axis of the sum stands where
  if (const auto* op = Fixed::holds(total) ? nullptr : op_as<DimShuffle>(total)) {
    pattern = op->pattern;
    total = total.node().inputs[0];
  } else {
    for (int i = 0; i < total.ndim(); ++i) pattern.push_back(i);
  }
  const auto s = sum_exp(total);
  if (!x.is_set() || !s || !are_alike(s->x, x) || x.type().stretch != v.type().stretch ||
      x.ndim() != v.ndim())
    return {};
  // An axis that is left stands where it stood, one that is gone is stretched.
  const int n = x.ndim(), added = n - static_cast<int>(pattern.size());
  for (int i = 0, kept = 0; i < n; ++i) {
    const int from = i < added ? -1 : pattern[static_cast<std::size_t>(i - added)];
    if (from != ((s->mask >> i & 1U) != 0 ? -1 : kept++)) return {};
  }
  const std::vector<int> order = gone_last(s->mask, n);
  Var y = softmax(with_gone_as_last(x, s->mask));
  if (y.ndim() < n) {
    Args sizes;
    for (const int i : order) sizes.emplace_back(shape(x, i));
    y = reshape(y, sizes);
  }
  std::vector<int> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    back[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  return with_stretch(dimshuffle(y, back), v.type());
}

namespace {

constexpr int deepest = 4;

/// v, a product, with the first factor for which `by` gives another; an empty Var if there is none.
Var with_factor(const Var& v, const std::function<Var(const Var&)>& by, int depth = deepest) {
  if (const Var other = by(v); other.is_set()) return other;
  if (depth == 0) return {};
  if (const Vars* x = seen_operands_of<mul>(v)) {
    for (const std::size_t i : {0U, 1U})
      if (const Var y = with_factor((*x)[i], by, depth - 1); y.is_set())
        return i == 0 ? y * (*x)[1] : (*x)[0] * y;
  } else if (const Var y = argument_of<neg>(v); y.is_set()) {
    if (const Var other = with_factor(y, by, depth - 1); other.is_set()) return -other;
  }
  return {};
}

/// Whether a = -b, as it is written.
bool are_opposite(const Var& a, const Var& b) {
  const Var minus_a = argument_of<neg>(a), minus_b = argument_of<neg>(b);
  if ((minus_a.is_set() && are_alike(minus_a, b)) || (minus_b.is_set() && are_alike(minus_b, a))) return true;
  const Vars *x = seen_operands_of<sub>(a), *y = seen_operands_of<sub>(b);
  return x != nullptr && y != nullptr && are_alike((*x)[0], (*y)[1]) && are_alike((*x)[1], (*y)[0]);
}

}  // namespace

Var join_exp_and_sigmoid(const Var& v) {
  const Vars* x = seen_operands_of<mul>(v);
  if (x == nullptr) return {};
  for (const std::size_t i : {0U, 1U}) {
    Var opposite;  // of what the sigmoid on this side is taken
    const Var other_side = (*x)[1 - i];
    const Var without = with_factor((*x)[i], [&](const Var& factor) -> Var {
      const Var a = argument_of<sigmoid>(factor);
      if (!a.is_set() || factor.type().stretch != v.type().stretch || factor.ndim() != v.ndim()) return {};
      const Var joined = with_factor(other_side, [&](const Var& f) {
        const Var b = argument_of<exp>(f);
        return b.is_set() && are_opposite(a, b) ? sigmoid(b) : Var();
      });
      opposite = joined;
      return joined.is_set() ? constant(Tensor::full({}, v.dtype(), 1)) : Var();
    });
    if (!without.is_set()) continue;
    const Node& rest = without.node();
    return rest.kind == Node::Kind::constant ? opposite : without * opposite;
  }
  return {};
}

namespace {

/// An elementwise expression with what only moves elements taken out of it.
class Lifted {
 public:
  explicit Lifted(const Var& v) : expression_(without_moves(v, deepest, moves_)) {}

  const Var& expression() const { return expression_; }
  bool is_moved() const { return !moves_.empty(); }
  /// What the expression is made of, and what is no part of it.
  const Vars& leaves() const { return leaves_; }

  /// y moved as the expression was.
  Var moved(Var y) const {
    for (const Node* node : moves_) {
      Vars inputs = node->inputs;
      inputs[0] = y;
      y = apply(node->op, std::move(inputs));
    }
    return y;
  }

 private:
  using Moves = std::vector<const Node*>;  ///< the innermost first

  Var without_moves(const Var& v, int depth, Moves& moves) {
    if (!Fixed::holds(v) && only_moves(v)) {
      const Var y = without_moves(v.node().inputs[0], depth, moves);
      moves.push_back(&v.node());
      return y;
    }
    if (Fixed::holds(v) || scalar_op(v) == nullptr || depth == 0) return kept(v);
    // All operands but scalars must have been moved in the same way.
    Vars inputs = v.node().inputs;
    std::optional<Moves> common;
    Var one;  // of those operands
    for (Var& x : inputs) {
      Moves own;
      const Var y = without_moves(x, depth - 1, own);
      if (own.empty() && x.ndim() == 0) {
        leaves_.push_back(x);
        continue;
      }
      if (own.empty() || (common && !are_equal(*common, own)) ||
          (common && (one.ndim() != y.ndim() || one.type().stretch != y.type().stretch)))
        return kept(v);
      common = std::move(own);
      one = x = y;
    }
    if (!common) return kept(v);
    moves.insert(moves.end(), common->begin(), common->end());
    return apply(v.node().op, std::move(inputs));
  }

  /// v, which is not moved. What it is made of is left alone, but not what it is made of first.
  Var kept(const Var& v) {
    if (v.node().kind != Node::Kind::apply || Fixed::holds(v)) {
      leaves_.push_back(v);
      return v;
    }
    for (const Var& x : v.node().inputs)
      if (x.node().kind == Node::Kind::apply && !Fixed::holds(x))
        leaves_.insert(leaves_.end(), x.node().inputs.begin(), x.node().inputs.end());
      else
        leaves_.push_back(x);
    return v;
  }

  static bool are_equal(const Moves& a, const Moves& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Node* m, const Node* n) {
      return m->op->same_as(*n->op) && std::equal(m->inputs.begin() + 1, m->inputs.end(),
                                                  n->inputs.begin() + 1, n->inputs.end(), are_alike);
    });
  }

  Moves moves_;
  Vars leaves_;
  Var expression_;
};

}  // namespace

Var lift_function(const Var& v) {
  // Where a pattern begins.
  static const std::set<const ScalarOp*> roots = [] {
    std::set<const ScalarOp*> rows;
    for (const Rule& r : stabilizing_rules())
      if (r.before.is_set()) rows.insert(scalar_op(r.before));
    return rows;
  }();
  const ScalarOp* f = scalar_op(v);
  if (f == nullptr || !roots.contains(f)) return {};
  const Lifted lifted(v);
  if (!lifted.is_moved()) return {};
  const Var before = lifted.expression();
  const Var after =
      rewrite({before}, stabilizing_rules(), {.exclude = {"lift"}, .fixed = lifted.leaves()})[0];
  return same(after, before) ? Var() : lifted.moved(after);
}

Vars subtract_from_one(const Vars& outputs, Trace& trace) {
  const VarTable<int> uses = count_uses(outputs);
  return transform(outputs, [&](const NodePtr& node, const Current& now) -> Var {
    const Vars* x = seen_operands_of<sub>(Var(node));
    if (x == nullptr || x->front().ndim() > 0 || x->front().node().kind != Node::Kind::constant ||
        x->front().node().value.item() != 1 || uses.at(x->back()) > 1)
      return {};
    const Var a = argument_of<sigmoid>(x->back());
    if (!a.is_set()) return {};
    const Scope here(*node, {Origin::Kind::rule, "one_minus_sigmoid"});
    const Var minus_a = argument_of<neg>(a);
    const Var result = sigmoid(minus_a.is_set() ? now(minus_a) : -now(a));
    trace.push_back({"one_minus_sigmoid", Var(node), result, node->where});
    return result;
  });
}

}  // namespace damo
