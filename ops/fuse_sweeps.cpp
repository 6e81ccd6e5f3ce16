#include <algorithm>

#include "core/op.h"
#include "core/walk.h"
#include "ops/fused.h"
#include "ops/passes.h"
#include "ops/products.h"
#include "ops/structure.h"

namespace damo {
namespace {

/// Which nodes read a node.
using Readers = std::unordered_map<const Node*, std::vector<NodePtr>>;

Readers readers_of(const std::vector<NodePtr>& order) {
  Readers readers;
  for (const NodePtr& node : order)
    for (const Var& x : node->inputs) {
      std::vector<NodePtr>& those = readers[x.node_ptr().get()];
      if (those.empty() || those.back() != node) those.push_back(node);
    }
  return readers;
}

/// What depends on what.
class Dependence {
 public:
  explicit Dependence(const std::vector<NodePtr>& order) {
    for (std::size_t i = 0; i < order.size(); ++i) place_.emplace(order[i].get(), i);
  }

  bool depends(const Var& v, const Node* on) const {
    const std::size_t first = place_.at(on);
    std::vector<const Node*> stack{v.node_ptr().get()};
    std::unordered_set<const Node*> seen;
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (node == on) return true;
      if (place_.at(node) < first || !seen.insert(node).second) continue;
      for (const Var& x : node->inputs) stack.push_back(x.node_ptr().get());
    }
    return false;
  }

 private:
  std::unordered_map<const Node*, std::size_t> place_;
};

/// The matrix w if v is its transpose.
std::optional<Var> transpose_of(const Var& v) {
  const auto pattern = dimshuffle_pattern(v);
  if (!pattern || *pattern != std::vector<int>{1, 0}) return std::nullopt;
  return v.node().inputs[0];
}

bool is_matrix_product(const NodePtr& node) {
  if (node->kind != Node::Kind::apply || !is_dot(Var(node))) return false;
  return node->types[0].is_float() && node->inputs[0].ndim() == 2 && node->inputs[1].ndim() == 2;
}

/// Whether it is a product x w^T.
bool uses_transpose(const NodePtr& node) {
  return is_matrix_product(node) && transpose_of(node->inputs[1]).has_value();
}

bool is_elementwise_matrix(const Node& node, const Type& type) {
  return node.kind == Node::Kind::apply && node.types.size() == 1 && node.op->is_elementwise() &&
         node.types[0].ndim() == 2 && node.types[0].stretch == type.stretch;
}

/// The elementwise operations between x w^T and g w.
struct Between {
  std::vector<NodePtr> members;  ///< in the order of computation
  Vars operands;                 ///< x w^T, and then what else the members read
  Vars outputs;                  ///< of the members: g, and then what others read
};

/// The nodes of a graph, and what rewriting them needs to know.
struct Graph {
  std::vector<NodePtr> order;
  Readers readers;
  Dependence dependence;
  std::unordered_set<const Node*> roots;
  VarMap<std::vector<NodePtr>> transposed_products;  ///< by w: the products x w^T

  explicit Graph(const Vars& outputs)
      : order(toposort(outputs)), readers(readers_of(order)), dependence(order) {
    for (const Var& v : outputs) roots.insert(v.node_ptr().get());
    for (const NodePtr& node : order)
      if (is_matrix_product(node))
        if (const auto w = transpose_of(node->inputs[1])) transposed_products[*w].push_back(node);
  }

  const std::vector<NodePtr>& products_with_transpose_of(const Var& w) const {
    static const std::vector<NodePtr> none;
    const auto found = transposed_products.find(w);
    return found == transposed_products.end() ? none : found->second;
  }
};

/// The elementwise operations on all ways from `first` to g, if there are no other ways.
std::optional<Between> find_between(const NodePtr& first, const NodePtr& last, const Graph& graph) {
  constexpr std::size_t most_operands = 16;
  const Type& type = first->types[0];
  const Var g = last->inputs[0];
  Between b{{}, {Var(first)}, {g}};
  std::unordered_set<const Node*> inside;
  bool active = false;
  for (const NodePtr& node : graph.order) {
    if (node == first) active = true;
    if (node == last) break;
    if (!active || !is_elementwise_matrix(*node, type)) continue;
    const bool follows = std::any_of(node->inputs.begin(), node->inputs.end(), [&](const Var& x) {
      return x.node_ptr() == first || inside.contains(x.node_ptr().get());
    });
    if (follows && (g.node_ptr() == node || graph.dependence.depends(g, node.get()))) {
      inside.insert(node.get());
      b.members.push_back(node);
    }
  }
  if (b.members.empty() || !inside.contains(g.node_ptr().get())) return std::nullopt;
  for (const NodePtr& node : b.members) {
    for (const Var& x : node->inputs) {
      if (inside.contains(x.node_ptr().get()) || x.node_ptr() == first) continue;
      if (graph.dependence.depends(x, first.get())) return std::nullopt;
      if (std::none_of(b.operands.begin(), b.operands.end(), [&](const Var& o) { return same(o, x); }))
        b.operands.push_back(x);
    }
    const Var y(node);
    const auto& by = graph.readers.at(node.get());
    const bool read_outside =
        graph.roots.contains(node.get()) || std::any_of(by.begin(), by.end(), [&](const NodePtr& r) {
          return r != last && !inside.contains(r.get());
        });
    if (read_outside && !same(y, g)) b.outputs.push_back(y);
  }
  if (b.operands.size() + b.outputs.size() > most_operands) return std::nullopt;
  return b;
}

/// One sweep that can replace a product g w, or the sum w + alpha a b: what becomes what.
VarMap<Var> find_sweep(const Graph& graph, const NodePtr& last) {
  VarMap<Var> becomes;
  if (is_matrix_product(last)) {
    const Var& w = last->inputs[1];
    for (const NodePtr& first : graph.products_with_transpose_of(w)) {
      if (first == last) continue;
      const auto between = find_between(first, last, graph);
      if (!between) continue;
      const Scope here(*last, {Origin::Kind::rule, "sweep"});
      const OpPtr f = make_op(Fused(between->members, between->operands, between->outputs));
      const Vars y =
          dot_f_dot(f, first->inputs[0], w, Vars(between->operands.begin() + 1, between->operands.end()));
      becomes.emplace(Var(last), y[0]);
      becomes.emplace(Var(first), y[1]);
      for (std::size_t i = 0; i < between->outputs.size(); ++i)
        becomes.emplace(between->outputs[i], y[i + 2]);
      return becomes;
    }
  } else if (const auto added = added_product(Var(last))) {
    const Var& w = last->inputs[0];
    for (const NodePtr& first : graph.products_with_transpose_of(w)) {
      const bool apart = !graph.dependence.depends(Var(last), first.get()) &&
                         !graph.dependence.depends(Var(first), last.get());
      if (!apart) continue;
      const Scope here(*last, {Origin::Kind::rule, "sweep"});
      const Vars y = dot_and_add_dot(first->inputs[0], w, *added);
      becomes.emplace(Var(first), y[0]);
      becomes.emplace(Var(last), y[1]);
      return becomes;
    }
  }
  return becomes;
}

}  // namespace

Vars fuse_sweeps(const Vars& outputs, Trace& trace) {
  const std::vector<NodePtr> order = toposort(outputs);
  if (std::none_of(order.begin(), order.end(), uses_transpose)) return outputs;
  Vars now = outputs;
  // One at a time: what is found next must not depend on what a sweep has just tied together.
  for (bool again = true; again;) {
    again = false;
    const Graph graph(now);
    for (const NodePtr& node : graph.order) {
      if (node->kind != Node::Kind::apply) continue;
      const VarMap<Var> becomes = find_sweep(graph, node);
      if (becomes.empty()) continue;
      trace.push_back({"sweep", Var(node), becomes.at(Var(node)), node->where});
      now = substitute(now, becomes);
      again = true;
      break;
    }
  }
  return now;
}

}  // namespace damo
