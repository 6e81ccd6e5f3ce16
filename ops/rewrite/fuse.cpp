#include <algorithm>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/elementwise/fused.h"
#include "ops/rewrite/passes.h"

namespace damo {
namespace {

/// The elementwise nodes that end in one of them: members in the order of computation.
struct Group {
  std::vector<NodePtr> members;
  Vars operands;
};

bool fusible(const Node& node) {
  return node.kind == Node::Kind::apply && node.types.size() == 1 &&
         dynamic_cast<const Elemwise*>(node.op.get()) != nullptr &&
         !(node.types[0].ndim() == 0 && !node.types[0].is_float());
}

}  // namespace

Vars fuse_elementwise(const Vars& outputs, Trace& trace) {
  const std::vector<NodePtr> order = toposort(outputs);
  NodeSet roots;
  for (const Var& v : outputs) roots.insert(v.node_ptr().get());

  // A node joins the group to which all its readers belong, if it has the same size.
  NodeMap<std::vector<const Node*>> readers;
  for (const NodePtr& node : order)
    for (const Var& x : node->inputs) readers[x.node_ptr().get()].push_back(node.get());
  NodeMap<const Node*> head;  // of the group that a node belongs to
  const auto common_head = [&](const Node* node) -> const Node* {
    const Node* common = nullptr;
    for (const Node* reader : readers.at(node)) {
      const auto h = head.find(reader);
      if (h == head.end() || (common != nullptr && h->second != common)) return nullptr;
      common = h->second;
    }
    return common;
  };
  NodeMap<std::size_t> size;
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const Node* node = at->get();
    if (!fusible(*node)) continue;
    const Node* h = roots.contains(node) ? nullptr : common_head(node);
    if (h != nullptr) {
      const Type &own = node->types[0], &result = h->types[0];
      const bool same_size = own.ndim() == result.ndim() && own.stretch == result.stretch;
      const bool is_scalar = own.ndim() == 0;
      if ((same_size || is_scalar) && size.at(h) < most_steps) {
        head[node] = h;
        ++size[h];
        continue;
      }
    }
    head[node] = node;
    size[node] = 1;
  }

  NodeMap<Group> groups;
  for (const NodePtr& node : order)
    if (const auto h = head.find(node.get()); h != head.end()) groups[h->second].members.push_back(node);

  Current now;
  for (const NodePtr& node : order) {
    if (node->kind != Node::Kind::apply) continue;
    const auto h = head.find(node.get());
    if (h != head.end() && h->second != node.get()) continue;
    if (h != head.end() && groups.at(node.get()).members.size() > 1) {
      Group& group = groups.at(node.get());
      VarMap<int> number;
      for (const NodePtr& m : group.members)
        for (const Var& x : m->inputs) {
          const auto owner = head.find(x.node_ptr().get());
          const bool inside = owner != head.end() && owner->second == node.get();
          if (!inside && number.emplace(x, static_cast<int>(group.operands.size())).second)
            group.operands.push_back(x);
        }
      if (group.operands.size() <= most_operands) {
        Fused fused(group.members, group.operands, {Var(node)});
        const Scope here(*node, {Origin::Kind::rule, "fuse"});
        const Var result = apply(make_op(std::move(fused)), now(group.operands));
        if (!node->name.empty()) result.named(node->name);
        trace.push_back({"fuse", Var(node), result, node->where});
        now.put(Var(node), result);
        continue;
      }
      // Too many operands: the members stay as they are.
      for (const NodePtr& m : group.members) now.put(m, now.rebuilt(*m));
      continue;
    }
    now.put(node, now.rebuilt(*node));
  }
  return now(outputs);
}

}  // namespace damo
