#include "ops/calculus/stabilized.h"

#include <algorithm>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/rewrite/passes.h"
#include "ops/rewrite/rules.h"

namespace damo {
namespace {

const std::vector<Rule>& rules_of_grad() {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all = stabilizing_rules();
    all.push_back(rule("inline", graph_inlined));
    return all;
  }();
  return rules;
}

NodeSet nodes_of(const Vars& vars) {
  NodeSet nodes;
  for (const Var& v : vars) nodes.insert(v.node_ptr().get());
  return nodes;
}

/// A draw over rewritten sizes would be a second draw, and what is printed would be printed twice.
bool must_stay(const NodePtr& node) {
  if (node->kind != Node::Kind::apply) return false;
  const auto draws = [&](const Var& v) { return node->op->next_of(v.output()) >= 0; };
  const Vars y = outputs_of(node);
  return node->op->has_effect() || std::any_of(y.begin(), y.end(), draws);
}

/// The nodes that `roots` lead to, `parts` and what their gradient goes to among them.
std::vector<NodePtr> order_of(const Vars& roots, const std::vector<NodePtr>& parts, const Stabilized& s) {
  std::vector<NodePtr> order;
  NodeSet known;
  for (const NodePtr& part : parts) known.insert(part.get());
  const auto append = [&](const Vars& v) {
    for (const NodePtr& node : toposort(v, known)) {
      known.insert(node.get());
      order.push_back(node);
    }
  };
  for (const NodePtr& part : parts) {
    append(s.inputs_of(*part));
    order.push_back(part);
  }
  append(roots);
  return order;
}

}  // namespace

Vars outputs_of(const NodePtr& node) {
  Vars y;
  for (int i = 0; i < static_cast<int>(node->types.size()); ++i) y.emplace_back(node, i);
  return y;
}

NodeSet Stabilized::above(const Vars& wrt) const {
  const NodeSet targets = nodes_of(wrt);
  NodeSet nodes;
  for (const NodePtr& node : order) {
    const Vars& x = inputs_of(*node);
    if (std::any_of(x.begin(), x.end(), [&](const Var& v) {
          return targets.contains(v.node_ptr().get()) || nodes.contains(v.node_ptr().get());
        }))
      nodes.insert(node.get());
  }
  return nodes;
}

Stabilized stabilized(const Var& cost, const Vars& wrt, const GradArgs& args) {
  Vars roots;
  if (cost.is_set()) roots.push_back(cost);
  for (const auto& [v, g] : args.known_grads) roots.push_back(v);
  Stabilized given{cost, toposort(roots), {}};
  const NodeSet above = given.above(wrt), constant = nodes_of(args.consider_constant);

  RewriteArgs rewriting;
  Vars& fixed = rewriting.fixed;
  fixed = wrt;
  fixed.insert(fixed.end(), args.consider_constant.begin(), args.consider_constant.end());
  for (const auto& [v, g] : args.known_grads) fixed.push_back(v);
  const NodeSet named = nodes_of(fixed);
  NodeSet staying, entered;
  for (const NodePtr& node : given.order) {
    if (!must_stay(node)) continue;
    staying.insert(node.get());
    const Vars y = outputs_of(node);
    fixed.insert(fixed.end(), y.begin(), y.end());
    for (const Var& x : node->inputs) entered.insert(x.node_ptr().get());
  }

  // The parts are rewritten together with the cost: what they share is rewritten once.
  Vars before;
  if (cost.is_set()) before.push_back(cost);
  std::vector<NodePtr> parts;
  for (const NodePtr& node : given.order) {
    if (!named.contains(node.get()) && !entered.contains(node.get())) continue;
    if (node->kind != Node::Kind::apply || !above.contains(node.get()) || staying.contains(node.get()) ||
        constant.contains(node.get()))
      continue;
    parts.push_back(node);
    // What was named is left alone: a copy of it is rewritten.
    const Vars y = named.contains(node.get()) ? rebuild(*node, node->inputs) : outputs_of(node);
    before.insert(before.end(), y.begin(), y.end());
  }
  const Vars after = rewrite(before, rules_of_grad(), rewriting);

  Stabilized result;
  std::size_t at = 0;
  if (cost.is_set()) result.cost = after[at++];
  for (const NodePtr& node : parts) {
    bool changed = false;
    Vars y;
    for (std::size_t i = 0; i < node->types.size(); ++i, ++at) {
      changed = changed || !same(before[at], after[at]);
      y.push_back(after[at]);
    }
    if (changed) result.instead.emplace(node.get(), std::move(y));
  }
  if (cost.is_set()) roots[0] = result.cost;
  result.order = order_of(roots, parts, result);
  return result;
}

}  // namespace damo
