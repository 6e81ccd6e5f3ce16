#include <optional>
#include <vector>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/array/indexing.h"
#include "ops/array/shape_ops.h"
#include "ops/array/structure.h"
#include "ops/create.h"
#include "ops/elemwise.h"
#include "ops/kernels/scalar_op.h"
#include "ops/nnet/cross_entropy.h"
#include "ops/reduce.h"
#include "ops/rewrite/dependence.h"
#include "ops/rewrite/passes.h"
#include "ops/softmax.h"

namespace damo {
namespace {

bool same_op(const Var& v, const Var& pattern) {
  return v.node().kind == Node::Kind::apply && v.node().op->same_as(*pattern.node().op);
}

/// The picked elements x[arange(n), labels] of an advanced index, or of a sum with one.
struct Picked {
  Var labels, n;
};

/// From the index arrays, two of them: none if the first is not 0, 1, ...
std::optional<Picked> picked_by(const Var& rows, const Var& labels) {
  static const Var counting = arange(1);
  if (!same_op(rows, counting) || labels.ndim() != 1) return std::nullopt;
  const Vars& bounds = rows.node().inputs;
  const auto is_constant = [](const Var& v, std::int64_t n) {
    return v.type().has_value && v.type().value == n;
  };
  if (!is_constant(bounds[0], 0) || !is_constant(bounds[2], 1)) return std::nullopt;
  return Picked{labels, bounds[1]};
}

/// What the gradient of a cost of log_softmax(x)[arange(n), labels] looks like: g - softmax(x) sum(g) for a g
/// that is v at the labels and 0 elsewhere.
struct Gradient {
  Var x, g, v;
  Picked picked;
};

std::optional<Gradient> gradient_of_cross_entropy(const Var& v) {
  static const Var m = wild("m"), some = softmax(m), total = sum(m, {.axis = 1});
  const Vars* difference = operands_of<sub>(v);
  if (difference == nullptr || v.ndim() != 2) return std::nullopt;
  const Var &g = difference->front(), &product = difference->back();
  const Vars* factors = operands_of<mul>(product);
  const auto* put = op_as<AdvancedIncSubtensor>(g);
  if (factors == nullptr || put == nullptr || !put->adds) return std::nullopt;
  const Vars& parts = g.node().inputs;  // zeros, v, rows, labels
  if (parts.size() != 4 || !is_zero(parts[0]) || parts[1].ndim() != 1 || parts[1].type().stretch != 0)
    return std::nullopt;
  const auto picked = picked_by(parts[2], parts[3]);
  const bool swapped = same_op(factors->back(), some);
  const Var &p = (*factors)[swapped ? 1 : 0], &column = (*factors)[swapped ? 0 : 1];
  if (!picked || !same_op(p, some) || p.ndim() != 2) return std::nullopt;
  const auto* stretched = op_as<DimShuffle>(column);
  if (stretched == nullptr || stretched->pattern != std::vector<int>{0, -1}) return std::nullopt;
  const Var& s = column.node().inputs[0];
  if (!same_op(s, total) || !same(s.node().inputs[0], g)) return std::nullopt;
  return Gradient{p.node().inputs[0], g, parts[1], *picked};
}

}  // namespace

/// The cost and its gradient in one pass over x, where a function computes both.
Vars share_cross_entropy(const Vars& outputs, Trace& trace) {
  static const Var m = wild("m"), logarithm = log_softmax(m);
  const std::vector<NodePtr> order = toposort(outputs);
  VarMap<std::vector<NodePtr>> costs;  // by x
  for (const NodePtr& node : order) {
    if (node->kind != Node::Kind::apply || node->inputs.size() != 3) continue;
    if (op_as<AdvancedSubtensor>(*node) != nullptr && same_op(node->inputs[0], logarithm))
      costs[node->inputs[0].node().inputs[0]].push_back(node);
  }
  if (costs.empty()) return outputs;
  const Dependence dependence(order);
  VarMap<Var> becomes;
  for (const NodePtr& node : order) {
    if (node->kind != Node::Kind::apply || node->types.size() != 1) continue;
    const auto gradient = gradient_of_cross_entropy(Var(node));
    if (!gradient) continue;
    for (const NodePtr& cost : costs[gradient->x]) {
      const auto picked = picked_by(cost->inputs[1], cost->inputs[2]);
      if (!picked || !same(picked->labels, gradient->picked.labels) || !same(picked->n, gradient->picked.n))
        continue;
      if (dependence.depends(gradient->v, cost.get())) continue;
      const Scope here(*cost, {Origin::Kind::rule, "cross_entropy"});
      static const OpPtr op = make_op(CrossEntropy());
      const Vars y = apply_all(op, Vars{gradient->x, picked->labels, picked->n, gradient->v});
      const Var nll = -y[0];
      becomes.emplace(Var(cost), nll);
      becomes.emplace(Var(node), y[1]);
      trace.push_back({"cross_entropy", Var(cost), nll, cost->where});
      trace.push_back({"cross_entropy", Var(node), y[1], node->where});
      break;
    }
  }
  return becomes.empty() ? outputs : substitute(outputs, becomes);
}

}  // namespace damo
