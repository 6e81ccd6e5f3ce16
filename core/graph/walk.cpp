#include "core/graph/walk.h"

#include <algorithm>

#include "core/graph/body.h"
#include "core/graph/identity.h"

namespace damo {

Types Restretch::infer(const Types& x) const {
  Type y = x[0];
  y.stretch = stretch;
  for (int i = 0; i < y.ndim(); ++i) {
    if (!y.stretches(i)) continue;
    check(y.shape[i] < 0 || y.shape[i] == 1, "axis {} is declared to have size 1, but has {}", i, y.shape[i]);
    y.shape[i] = 1;
  }
  return {y};
}

View Restretch::view(const Views& x) const {
  for (int i = 0; i < x[0].ndim(); ++i)
    check((stretch >> i & 1U) == 0 || x[0].shape[i] == 1, "axis {} is declared to have size 1, but has {}", i,
          x[0].shape[i]);
  return x[0];
}

Vars Restretch::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  return {with_stretch(gy[0], x[0].type())};
}

namespace {

/// Nodes in order, not looking past outputs for which `stop` holds.
template <class Stop>
std::vector<NodePtr> toposort_until(const Vars& outputs, Stop stop) {
  struct Frame {
    const NodePtr* node;  ///< in `outputs`, or in the inputs of a node of the graph
    std::size_t next = 0;
  };
  std::vector<NodePtr> order;
  NodeSet seen;
  std::vector<Frame> stack;
  const auto enter = [&](const Var& v) {
    if (v.is_set() && !stop(v) && seen.insert(v.node_ptr().get())) stack.push_back({&v.node_ptr()});
  };
  for (const Var& root : outputs) {
    enter(root);
    while (!stack.empty()) {
      Frame& top = stack.back();
      const Vars& inputs = (*top.node)->inputs;
      if (top.next < inputs.size()) {
        enter(inputs[top.next++]);
      } else {
        order.push_back(*top.node);
        stack.pop_back();
      }
    }
  }
  return order;
}

/// Whether the Body of `op`, or one inside it, computes a key of `by`.
bool computes_key(const Op& op, const VarMap<Var>& by) {
  const Body* body = op.body();
  if (body == nullptr || !op.inlines()) return false;
  for (const NodePtr& node : toposort(body->outputs)) {
    if (node->kind != Node::Kind::apply) continue;
    for (int i = 0; i < static_cast<int>(node->types.size()); ++i)
      if (by.contains(Var(node, i))) return true;
    if (computes_key(*node->op, by)) return true;
  }
  return false;
}

bool same_leaf(const Node& a, const Node& b) {
  if (&a == &b) return true;
  return a.kind == Node::Kind::constant && b.kind == Node::Kind::constant && identical(a.value, b.value);
}

}  // namespace

std::vector<NodePtr> toposort(const Vars& outputs) {
  return toposort_until(outputs, [](const Var&) { return false; });
}

std::vector<NodePtr> toposort(const Vars& outputs, const NodeSet& known) {
  return toposort_until(outputs, [&](const Var& v) { return known.contains(v.node_ptr().get()); });
}

Vars substitute(const Vars& outputs, const VarMap<Var>& by) {
  Current now;
  for (const auto& [from, to] : by) {
    check(from.dtype() == to.dtype() && from.ndim() == to.ndim(),
          "{} cannot be replaced by {}: the first is {}, the second {}", label(from), label(to), from.type(),
          to.type());
    const Scope here(to.node(), to.node().origin);
    now.put(from, with_stretch(to, from.type()));
  }
  for (const NodePtr& node : toposort_until(outputs, [&](const Var& v) { return by.contains(v); })) {
    if (node->kind == Node::Kind::apply && computes_key(*node->op, by)) {
      const Body& body = *node->op->body();
      VarMap<Var> inside = by;
      for (std::size_t i = 0; i < node->inputs.size(); ++i)
        inside.insert_or_assign(body.inputs[i], now(node->inputs[i]));
      now.put(node, substitute(body.outputs, inside));
    } else {
      now.put(node, now.rebuilt(*node));
    }
  }
  return now(outputs);
}

Vars rebuild(const Node& node, Vars inputs) {
  const Scope here(node, node.origin);
  Vars outputs = apply_all(node.op, std::move(inputs));
  if (!node.name.empty()) outputs[0].named(node.name);
  return outputs;
}

Var Current::operator()(const Var& v) const {
  const auto found = v.is_set() ? by_.find(v) : by_.end();
  return found == by_.end() ? v : found->second;
}

Vars Current::operator()(const Vars& v) const {
  Vars result;
  for (const Var& one : v) result.push_back((*this)(one));
  return result;
}

void Current::put(const NodePtr& node, const Vars& outputs) {
  for (int i = 0; i < static_cast<int>(outputs.size()); ++i)
    put(Var(node, i), outputs[static_cast<std::size_t>(i)]);
}

Vars Current::rebuilt(const Node& node) const {
  Vars inputs = (*this)(node.inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!same(inputs[i], node.inputs[i])) return rebuild(node, std::move(inputs));
  return {};
}

Vars transform(const Vars& outputs, const std::function<Var(const NodePtr&, const Current& now)>& f) {
  Current now;
  for (const NodePtr& node : toposort(outputs)) {
    if (node->kind != Node::Kind::apply) continue;
    if (const Var v = f(node, now); v.is_set())
      now.put(Var(node), v);
    else
      now.put(node, now.rebuilt(*node));
  }
  return now(outputs);
}

Var with_stretch(const Var& v, const Type& type) {
  if (v.type().stretch == type.stretch) return v;
  return apply(make_op(Restretch(type.stretch)), Vars{v});
}

bool equal_computations(const Vars& a, const Vars& b) {
  if (a.size() != b.size()) return false;
  VarMap<Vars> compared;
  std::vector<std::pair<Var, Var>> stack;
  for (std::size_t i = 0; i < a.size(); ++i) stack.emplace_back(a[i], b[i]);
  while (!stack.empty()) {
    const Var x = stack.back().first, y = stack.back().second;
    stack.pop_back();
    Vars& before = compared[x];
    if (std::any_of(before.begin(), before.end(), [&](const Var& v) { return same(v, y); })) continue;
    before.push_back(y);
    const Node &m = x.node(), &n = y.node();
    if (m.kind != n.kind || x.output() != y.output()) return false;
    if (m.kind != Node::Kind::apply) {
      if (!same_leaf(m, n)) return false;
      continue;
    }
    if (!m.op->same_as(*n.op) || m.inputs.size() != n.inputs.size()) return false;
    for (std::size_t i = 0; i < m.inputs.size(); ++i) stack.emplace_back(m.inputs[i], n.inputs[i]);
  }
  return true;
}

}  // namespace damo
