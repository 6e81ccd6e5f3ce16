#include <algorithm>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/elementwise/fused.h"
#include "ops/kernels/scalar_op.h"
#include "ops/rewrite/passes.h"

namespace damo {
namespace {

constexpr std::size_t fewest_members = 4;  // less is not worth a print that is harder to read

/// How many steps of a tile program the node would be; 0 if it cannot be part of one.
std::size_t n_steps(const Node& node) {
  if (node.kind != Node::Kind::apply || node.types.size() != 1) return 0;
  if (node.types[0].ndim() > 0 || !node.types[0].is_float()) return 0;
  if (const auto* fused = dynamic_cast<const Fused*>(node.op.get())) return fused->program.code.size();
  return dynamic_cast<const Elemwise*>(node.op.get()) != nullptr ? 1 : 0;
}

/// Nodes in the order of computation, which need nothing but leaves and each other.
struct Group {
  std::vector<NodePtr> members;
  Vars operands;
  std::size_t steps = 0;
};

bool has_choices(const std::vector<NodePtr>& order) {
  return std::any_of(order.begin(), order.end(), [](const NodePtr& node) {
    return node->kind == Node::Kind::apply && !node->inputs.empty() &&
           node->op->needed_if(static_cast<int>(node->inputs.size()) - 1);
  });
}

std::vector<Group> groups_of(const std::vector<NodePtr>& order) {
  std::vector<Group> groups(1);
  NodeMap<std::size_t> owner;
  for (const NodePtr& node : order) {
    const std::size_t steps = n_steps(*node);
    const bool is_early = std::all_of(node->inputs.begin(), node->inputs.end(), [&](const Var& x) {
      return x.ndim() == 0 && (x.node().kind != Node::Kind::apply || owner.contains(x.node_ptr().get()));
    });
    if (steps == 0 || steps > most_steps || !is_early) continue;
    if (groups.back().steps + steps > most_steps) groups.emplace_back();
    const auto new_operands = [&] {
      Vars added;
      const Group& group = groups.back();
      for (const Var& x : node->inputs) {
        const auto o = owner.find(x.node_ptr().get());
        const auto is_x = [&](const Var& v) { return same(v, x); };
        if ((o == owner.end() || o->second + 1 != groups.size()) &&
            std::none_of(group.operands.begin(), group.operands.end(), is_x) &&
            std::none_of(added.begin(), added.end(), is_x))
          added.push_back(x);
      }
      return added;
    };
    Vars added = new_operands();
    if (groups.back().operands.size() + added.size() > most_operands) {
      groups.emplace_back();
      added = new_operands();
    }
    Group& group = groups.back();
    group.operands.insert(group.operands.end(), added.begin(), added.end());
    group.members.push_back(node);
    group.steps += steps;
    owner.emplace(node.get(), groups.size() - 1);
  }
  return groups;
}

}  // namespace

Vars fuse_scalars(const Vars& outputs, Trace& trace) {
  const std::vector<NodePtr> order = toposort(outputs);
  // What only one branch needs is not to be computed with what the other one does.
  if (has_choices(order)) return outputs;
  const VarTable<int> uses = count_uses(outputs);
  Current now;
  NodeSet done;
  for (const Group& group : groups_of(order)) {
    if (group.members.size() < fewest_members) {
      for (const NodePtr& m : group.members) {
        done.insert(m.get());
        now.put(m, now.rebuilt(*m));
      }
      continue;
    }
    VarMap<int> uses_inside;
    for (const NodePtr& m : group.members)
      for (const Var& x : m->inputs) ++uses_inside[x];
    Vars results;
    for (const NodePtr& m : group.members) {
      done.insert(m.get());
      if (uses_inside[Var(m)] < uses.at(Var(m))) results.emplace_back(m);
    }
    const Node& last = *group.members.back();
    const Scope here(last, {Origin::Kind::rule, "fuse_scalars"});
    const Vars fused = apply_all(make_op(Fused(group.members, group.operands, results)), now(group.operands));
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].name().empty()) fused[i].named(results[i].name());
      trace.push_back({"fuse_scalars", results[i], fused[i], results[i].node().where});
      now.put(results[i], fused[i]);
    }
  }
  for (const NodePtr& node : order)
    if (!done.contains(node.get())) now.put(node, now.rebuilt(*node));
  return now(outputs);
}

}  // namespace damo
