#include "core/body.h"

#include <algorithm>

#include "core/op.h"
#include "core/walk.h"

namespace damo {

void check_body(const Body& body, const std::string& what) {
  std::unordered_set<const Node*> inputs;
  for (const Var& v : body.inputs) {
    check(v.is_set(), "{}: an input is an empty Var", what);
    check(v.node().kind == Node::Kind::input, "{}: {} is not a variable that can be an input", what,
          label(v));
    check(inputs.insert(v.node_ptr().get()).second, "{}: input {} stands twice", what, label(v));
  }
  check(!body.outputs.empty(), "{}: there is no output", what);
  for (const Var& v : body.outputs) check(v.is_set(), "{}: an output is an empty Var", what);
  for (const NodePtr& node : toposort(body.outputs))
    check(node->kind != Node::Kind::input || inputs.contains(node.get()),
          "{}: {}, which the outputs depend on, is not among the inputs", what, label(Var(node)));
}

Types infer_body(const Body& body, const Types& inputs) {
  std::unordered_map<const Node*, Types> types;
  for (std::size_t i = 0; i < inputs.size(); ++i) types[body.inputs[i].node_ptr().get()] = {inputs[i]};
  const auto type_of = [&](const Var& v) {
    const auto found = types.find(v.node_ptr().get());
    return found == types.end() ? v.type() : found->second[static_cast<std::size_t>(v.output())];
  };
  for (const NodePtr& node : toposort(body.outputs)) {
    if (node->kind != Node::Kind::apply) continue;
    Types x;
    for (const Var& v : node->inputs) x.push_back(type_of(v));
    try {
      types[node.get()] = node->op->infer(x);
    } catch (const Error& e) {
      throw Error(explain(node->op->name(), node->inputs, x, node->where, e.what(), {}));
    }
  }
  Types result;
  for (const Var& v : body.outputs) result.push_back(type_of(v));
  return result;
}

Vars expand(const Vars& outputs) {
  Vars roots = outputs;
  while (true) {
    const std::vector<NodePtr> order = toposort(roots);
    const auto holds_body = [](const NodePtr& node) {
      return node->kind == Node::Kind::apply && node->op->body() != nullptr;
    };
    if (std::none_of(order.begin(), order.end(), holds_body)) return roots;
    Current now;
    for (const NodePtr& node : order) {
      if (!holds_body(node)) {
        now.put(node, now.rebuilt(*node));
        continue;
      }
      const Body& body = *node->op->body();
      VarMap<Var> by;
      for (std::size_t i = 0; i < node->inputs.size(); ++i) by.emplace(body.inputs[i], now(node->inputs[i]));
      now.put(node, substitute(body.outputs, by));
    }
    roots = now(roots);
  }
}

}  // namespace damo
