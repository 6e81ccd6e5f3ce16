#include "core/graph/body.h"

#include <algorithm>
#include <map>

#include "core/graph/op.h"
#include "core/graph/walk.h"

namespace damo {
namespace {

bool is_draw(const Node& node) {
  if (node.kind != Node::Kind::apply) return false;
  for (int i = 0; i < static_cast<int>(node.types.size()); ++i)
    if (node.op->next_of(i) >= 0) return true;
  return false;
}

void check_graph(const Vars& given, const Vars& outputs, const std::string& what) {
  NodeSet inputs;
  for (const Var& v : given) {
    check(v.is_set(), "{}: an input is an empty Var", what);
    check(v.node().kind == Node::Kind::input, "{}: {} is not a variable that can be an input", what,
          label(v));
    check(inputs.insert(v.node_ptr().get()), "{}: input {} stands twice", what, label(v));
  }
  check(!outputs.empty(), "{}: there is no output", what);
  for (const Var& v : outputs) check(v.is_set(), "{}: an output is an empty Var", what);
  for (const NodePtr& node : toposort(outputs))
    check(node->kind != Node::Kind::input || inputs.contains(node.get()),
          "{}: {}, which the outputs depend on, is not among the inputs", what, label(Var(node)));
}

/// What stands inside for something from outside. Its value may be another one in another function.
Var placeholder(const Var& v) {
  Type t = v.type();
  t.has_value = false;
  return variable(t, label(v));
}

/// What a graph over `inputs` uses that changes neither with them nor from draw to draw, but for constants.
Vars used_from_outside(const Vars& inputs, const Vars& outputs) {
  NodeSet moving, constant;
  for (const Var& v : inputs) moving.insert(v.node_ptr().get());
  Vars found;
  VarMap<bool> seen;
  const auto use = [&](const Var& v) {
    const Node* node = v.node_ptr().get();
    if (!moving.contains(node) && !constant.contains(node) && seen.emplace(v, true).second)
      found.push_back(v);
  };
  for (const NodePtr& node : toposort(outputs)) {
    const auto among = [&](const auto& nodes) {
      return [&nodes](const Var& v) { return nodes.contains(v.node_ptr().get()); };
    };
    const Vars& x = node->inputs;
    if (node->kind == Node::Kind::constant) constant.insert(node.get());
    if (node->kind != Node::Kind::apply) continue;
    if (is_draw(*node) || std::any_of(x.begin(), x.end(), among(moving))) {
      moving.insert(node.get());
      for (const Var& v : x) use(v);
    } else if (std::all_of(x.begin(), x.end(), among(constant))) {
      constant.insert(node.get());
    }
  }
  for (const Var& v : outputs) use(v);
  return found;
}

/// The outputs that a Body has beside those asked for: all that is drawn, and the last of each random state.
void add_draws(Body& body) {
  body.next_of.assign(body.outputs.size(), -1);
  VarMap<int> state_of;  // of a Var: the input whose value, or next value, it is
  for (std::size_t i = 0; i < body.inputs.size(); ++i) state_of.emplace(body.inputs[i], static_cast<int>(i));
  std::map<int, Var> last;
  for (const NodePtr& node : toposort(body.outputs)) {
    if (!is_draw(*node)) continue;
    for (int o = 0; o < static_cast<int>(node->types.size()); ++o) {
      const Var v(node, o);
      const int i = node->op->next_of(o);
      if (i < 0) {
        body.outputs.push_back(v);
        body.next_of.push_back(-1);
        continue;
      }
      const auto state = state_of.find(node->inputs[static_cast<std::size_t>(i)]);
      if (state == state_of.end()) continue;
      last[state->second] = v;
      state_of.emplace(v, state->second);
    }
  }
  for (const auto& [i, v] : last) {
    body.outputs.push_back(v);
    body.next_of.push_back(i);
  }
}

}  // namespace

bool Body::operator==(const Body& other) const {
  if (this == &other) return true;
  if (inputs.size() != other.inputs.size() || next_of != other.next_of) return false;
  VarMap<Var> by;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!(inputs[i].type() == other.inputs[i].type())) return false;
    by.emplace(other.inputs[i], inputs[i]);
  }
  return equal_computations(outputs, substitute(other.outputs, by));
}

Closed closed(const Vars& inputs, const Vars& outputs, const std::string& what) {
  check_graph(inputs, outputs, what);
  Closed result{{inputs, one_draw_each(outputs)}, {}};
  Body& body = result.body;
  result.outside = used_from_outside(inputs, body.outputs);
  VarMap<Var> by;
  for (const Var& v : result.outside) {
    body.inputs.push_back(placeholder(v));
    by.emplace(v, body.inputs.back());
  }
  body.outputs = substitute(body.outputs, by);
  add_draws(body);
  return result;
}

Vars one_draw_each(const Vars& outputs) {
  const std::vector<NodePtr> order = toposort(outputs);
  VarMap<std::vector<const Node*>> drawing;  // by state
  for (const NodePtr& node : order) {
    if (!is_draw(*node)) continue;
    for (int o = 0; o < static_cast<int>(node->types.size()); ++o)
      if (const int i = node->op->next_of(o); i >= 0)
        drawing[node->inputs[static_cast<std::size_t>(i)]].push_back(node.get());
  }
  // What is no Body draws once and for all: two of them are a mistake, which a function tells.
  VarMap<Var> state;  ///< of those of which several draws are made: where the last one left it
  for (const auto& [v, nodes] : drawing) {
    const auto is_plain = [](const Node* node) { return node->op->body() == nullptr; };
    if (nodes.size() > 1 && std::count_if(nodes.begin(), nodes.end(), is_plain) <= 1) state.emplace(v, v);
  }
  if (state.empty()) return outputs;

  Current now;
  for (const NodePtr& node : order) {
    if (node->kind != Node::Kind::apply) continue;
    Vars inputs = now(node->inputs);
    bool changed = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto advanced = is_draw(*node) ? state.find(node->inputs[i]) : state.end();
      if (advanced != state.end()) inputs[i] = advanced->second;
      changed |= !same(inputs[i], node->inputs[i]);
    }
    Vars y;
    for (int o = 0; o < static_cast<int>(node->types.size()); ++o) y.emplace_back(node, o);
    if (changed) {
      y = rebuild(*node, std::move(inputs));
      now.put(node, y);
    }
    if (!is_draw(*node)) continue;
    for (int o = 0; o < static_cast<int>(y.size()); ++o) {
      const int i = node->op->next_of(o);
      const auto left = i < 0 ? state.end() : state.find(node->inputs[static_cast<std::size_t>(i)]);
      if (left != state.end()) left->second = y[static_cast<std::size_t>(o)];
    }
  }
  return now(outputs);
}

Types infer_body(const Body& body, const Types& inputs) {
  NodeMap<Types> types;
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

Vars map_bodies(const Vars& outputs, const std::function<Body(Body)>& f) {
  const std::vector<NodePtr> order = toposort(outputs);
  const auto runs_body = [](const NodePtr& node) {
    return node->kind == Node::Kind::apply && node->op->body() != nullptr && !node->op->inlines();
  };
  if (std::none_of(order.begin(), order.end(), runs_body)) return outputs;
  Current now;
  for (const NodePtr& node : order) {
    if (!runs_body(node)) {
      now.put(node, now.rebuilt(*node));
      continue;
    }
    const Scope here(*node, node->origin);
    Vars y = apply_all(node->op->with_body(f(*node->op->body())), now(node->inputs));
    if (!node->name.empty()) y[0].named(node->name);
    now.put(node, y);
  }
  return now(outputs);
}

Vars expand(const Vars& outputs) {
  Vars roots = outputs;
  while (true) {
    const std::vector<NodePtr> order = toposort(roots);
    const auto is_inlined = [](const NodePtr& node) {
      return node->kind == Node::Kind::apply && node->op->body() != nullptr && node->op->inlines();
    };
    if (std::none_of(order.begin(), order.end(), is_inlined)) break;
    Current now;
    for (const NodePtr& node : order) {
      if (!is_inlined(node)) {
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
  return map_bodies(roots, [](Body body) {
    body.outputs = expand(one_draw_each(body.outputs));
    return body;
  });
}

}  // namespace damo
