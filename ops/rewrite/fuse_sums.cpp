#include <algorithm>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/elementwise/fused_sum.h"
#include "ops/rewrite/passes.h"

namespace damo {
namespace {

/// A sum of elementwise results as one pass over the operands; an empty Var if v is none.
Var fused_sum(const Var& v, const Current& now) {
  const auto* sum = op_as<Reduce>(v);
  if (sum == nullptr || sum->kind != Reduce::Kind::sum || sum->ndim == 0 || !parts_of(sum->mask, sum->ndim))
    return {};
  const NodePtr& node = v.node().inputs[0].node_ptr();
  if (node->kind != Node::Kind::apply || !node->op->is_elementwise() || !node->types[0].is_float()) return {};
  Vars operands;
  for (const Var& x : node->inputs)
    if (std::none_of(operands.begin(), operands.end(), [&](const Var& o) { return same(o, x); }))
      operands.push_back(x);
  const Scope here(v.node(), {Origin::Kind::rule, "fuse_sum"});
  const OpPtr op = make_op(FusedSum(Fused({node}, operands, {Var(node)}), *sum));
  for (Var& x : operands) x = now(x);
  return apply(op, std::move(operands));
}

}  // namespace

Vars fuse_sums(const Vars& outputs, Trace& trace) {
  const VarTable<int> uses = count_uses(outputs);
  return transform(outputs, [&](const NodePtr& node, const Current& now) -> Var {
    const Var v(node);
    if (node->kind != Node::Kind::apply || node->inputs.size() != 1 || uses.at(node->inputs[0]) > 1)
      return {};
    const Var result = fused_sum(v, now);
    if (result.is_set()) trace.push_back({"fuse_sum", v, result, node->where});
    return result;
  });
}

}  // namespace damo
