#include <algorithm>
#include <queue>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/array/shape_ops.h"
#include "ops/elementwise/fused.h"
#include "ops/linear/products.h"
#include "ops/rewrite/dependence.h"
#include "ops/rewrite/passes.h"

namespace damo {
namespace {

/// Which nodes read a node.
using Readers = NodeMap<std::vector<NodePtr>>;

Readers readers_of(const std::vector<NodePtr>& order) {
  Readers readers;
  for (const NodePtr& node : order)
    for (const Var& x : node->inputs) {
      std::vector<NodePtr>& those = readers[x.node_ptr().get()];
      if (those.empty() || those.back() != node) those.push_back(node);
    }
  return readers;
}

/// The matrix w if v is its transpose.
std::optional<Var> transpose_of(const Var& v) {
  const auto* op = op_as<DimShuffle>(v);
  if (op == nullptr || op->pattern != std::vector<int>{1, 0}) return std::nullopt;
  return v.node().inputs[0];
}

bool is_matrix_product(const NodePtr& node) {
  if (op_as<Dot>(*node) == nullptr) return false;
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

/// A product x w^T, and what becomes one sweep with it: g w and what is between them, or w + alpha a b.
struct Sweep {
  NodePtr first, last;
  Between between;
  std::optional<AddedProduct> added;

  std::vector<NodePtr> nodes() const {
    std::vector<NodePtr> all{first};
    all.insert(all.end(), between.members.begin(), between.members.end());
    all.push_back(last);
    return all;
  }
};

/// The nodes of a graph, and what rewriting them needs to know.
struct Graph {
  std::vector<NodePtr> order;
  Readers readers;
  Dependence dependence;
  NodeSet roots;
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

  void sort(std::vector<NodePtr>& nodes) const {
    std::sort(nodes.begin(), nodes.end(), [&](const NodePtr& a, const NodePtr& b) {
      return dependence.place(a.get()) < dependence.place(b.get());
    });
  }
};

std::size_t n_steps(const Node& node) {
  const auto* fused = op_as<Fused>(node);
  return fused == nullptr ? 1 : fused->program.code.size();
}

/// The elementwise nodes from which g is computed without anything else in between: the nearest.
std::vector<NodePtr> elementwise_cone(const Var& g, const Graph& graph) {
  const auto earlier = [&](const NodePtr& a, const NodePtr& b) {
    return graph.dependence.place(a.get()) < graph.dependence.place(b.get());
  };
  std::priority_queue<NodePtr, std::vector<NodePtr>, decltype(earlier)> next(earlier);
  NodeSet seen;
  const auto meet = [&](const NodePtr& node) {
    if (is_elementwise_matrix(*node, g.type()) && seen.insert(node.get())) next.push(node);
  };
  std::vector<NodePtr> cone;
  for (meet(g.node_ptr()); !next.empty() && cone.size() < most_steps;) {
    cone.push_back(next.top());
    next.pop();
    for (const Var& x : cone.back()->inputs) meet(x.node_ptr());
  }
  graph.sort(cone);
  return cone;
}

/// The operations of the cone on all ways from `first` to g, if there are no other ways.
std::optional<Between> find_between(const NodePtr& first, const NodePtr& last,
                                    const std::vector<NodePtr>& cone, const Graph& graph) {
  constexpr std::size_t most_arrays = 16;
  const Var g = last->inputs[0];
  Between b{{}, {Var(first)}, {g}};
  NodeSet inside;
  std::size_t steps = 0;
  for (const NodePtr& node : cone) {
    const bool follows = std::any_of(node->inputs.begin(), node->inputs.end(), [&](const Var& x) {
      return x.node_ptr() == first || inside.contains(x.node_ptr().get());
    });
    if (!follows) continue;
    inside.insert(node.get());
    b.members.push_back(node);
    steps += n_steps(*node);
  }
  if (steps > most_steps || !inside.contains(g.node_ptr().get())) return std::nullopt;
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
  if (b.operands.size() + b.outputs.size() > most_arrays) return std::nullopt;
  return b;
}

/// The sweeps of which `last` can be part, the one that begins first before others, as long as `take` refuses
/// them.
template <class Take>
void offer_sweeps(const Graph& graph, const NodePtr& last, Take take) {
  if (is_matrix_product(last)) {
    const Var& w = last->inputs[1];
    if (graph.products_with_transpose_of(w).empty()) return;
    const std::vector<NodePtr> cone = elementwise_cone(last->inputs[0], graph);
    std::vector<NodePtr> firsts;
    for (const NodePtr& node : cone)
      for (const Var& x : node->inputs)
        if (is_matrix_product(x.node_ptr()) && x.node().types[0].stretch == node->types[0].stretch)
          if (const auto of = transpose_of(x.node().inputs[1]); of && same(*of, w))
            firsts.push_back(x.node_ptr());
    graph.sort(firsts);
    for (const NodePtr& first : firsts)
      if (const auto between = find_between(first, last, cone, graph))
        if (take({first, last, *between, std::nullopt})) return;
  } else if (const auto added = last->kind == Node::Kind::apply ? added_product(Var(last)) : std::nullopt) {
    const std::vector<NodePtr>& firsts = graph.products_with_transpose_of(last->inputs[0]);
    if (firsts.empty()) return;
    const auto before = graph.dependence.back_to(firsts.front().get(), Var(last));
    for (const NodePtr& first : firsts)
      if (!before.contains(first.get()) && !graph.dependence.depends(Var(first), last.get()))
        if (take({first, last, {}, added})) return;
  }
}

/// Sweeps of which no node belongs to two.
std::vector<Sweep> find_sweeps(const Graph& graph) {
  std::vector<Sweep> sweeps;
  NodeSet taken;
  for (const NodePtr& node : graph.order)
    offer_sweeps(graph, node, [&](const Sweep& sweep) {
      const std::vector<NodePtr> nodes = sweep.nodes();
      if (std::any_of(nodes.begin(), nodes.end(), [&](const NodePtr& n) { return taken.contains(n.get()); }))
        return false;
      for (const NodePtr& n : nodes) taken.insert(n.get());
      sweeps.push_back(sweep);
      return true;
    });
  return sweeps;
}

/// The graph in which each sweep is one vertex, and each other node too.
class Contracted {
 public:
  Contracted(const Graph& graph, const std::vector<Sweep>& sweeps) {
    for (const Sweep& sweep : sweeps) add(sweep.nodes());
    for (const NodePtr& node : graph.order)
      if (!vertex_of_.contains(node.get())) add({node});
  }

  /// The strongly connected components, each after what it depends on (Tarjan 1972). Vertex i is sweep i.
  std::vector<std::vector<std::size_t>> components() const {
    const std::size_t n = nodes_.size(), none = static_cast<std::size_t>(-1);
    std::vector<std::vector<std::size_t>> found;
    std::vector<std::size_t> number(n, none), low(n, 0), open;
    std::vector<bool> is_open(n, false);
    std::size_t count = 0;
    struct Frame {
      std::size_t v;
      std::vector<std::size_t> next;
    };
    std::vector<Frame> stack;
    const auto enter = [&](std::size_t v) {
      number[v] = low[v] = count++;
      open.push_back(v);
      is_open[v] = true;
      stack.push_back({v, inputs_of(v)});
    };
    for (std::size_t root = 0; root < n; ++root) {
      if (number[root] == none) enter(root);
      while (!stack.empty()) {
        const std::size_t v = stack.back().v;
        if (!stack.back().next.empty()) {
          const std::size_t w = stack.back().next.back();
          stack.back().next.pop_back();
          if (number[w] == none)
            enter(w);
          else if (is_open[w])
            low[v] = std::min(low[v], number[w]);
          continue;
        }
        stack.pop_back();
        if (!stack.empty()) low[stack.back().v] = std::min(low[stack.back().v], low[v]);
        if (low[v] != number[v]) continue;
        const auto from = std::find(open.rbegin(), open.rend(), v).base() - 1;
        found.emplace_back(from, open.end());
        for (const std::size_t w : found.back()) is_open[w] = false;
        open.erase(from, open.end());
      }
    }
    return found;
  }

  const std::vector<NodePtr>& nodes(std::size_t vertex) const { return nodes_[vertex]; }

 private:
  void add(std::vector<NodePtr> nodes) {
    for (const NodePtr& node : nodes) vertex_of_.emplace(node.get(), nodes_.size());
    nodes_.push_back(std::move(nodes));
  }

  std::vector<std::size_t> inputs_of(std::size_t vertex) const {
    std::vector<std::size_t> inputs;
    for (const NodePtr& node : nodes_[vertex])
      for (const Var& x : node->inputs)
        if (const std::size_t v = vertex_of_.at(x.node_ptr().get()); v != vertex) inputs.push_back(v);
    return inputs;
  }

  std::vector<std::vector<NodePtr>> nodes_;
  NodeMap<std::size_t> vertex_of_;
};

/// Those of the sweeps that do not wait for each other: of some that do, the first.
std::vector<Sweep> apart(const Graph& graph, const std::vector<Sweep>& sweeps) {
  std::vector<Sweep> kept;
  for (const std::vector<std::size_t>& component : Contracted(graph, sweeps).components())
    if (const std::size_t first = *std::min_element(component.begin(), component.end());
        first < sweeps.size())
      kept.push_back(sweeps[first]);
  return kept;
}

void put_sweep(const Sweep& sweep, Current& now, Trace& trace) {
  const auto& [first, last, between, added] = sweep;
  const auto put = [&](const Var& from, const Var& to) { now.put(from, with_stretch(to, from.type())); };
  const Scope here(*last, {Origin::Kind::rule, "sweep"});
  const Var x = now(first->inputs[0]);
  if (added) {
    const auto& [alpha, a, b] = added->product;
    const Vars y =
        dot_and_add_dot(x, now(last->inputs[0]), {now(added->scale), {now(alpha), now(a), now(b)}});
    put(Var(first), y[0]);
    put(Var(last), y[1]);
  } else {
    const OpPtr f = make_op(Fused(between.members, between.operands, between.outputs));
    const Vars operands = now(Vars(between.operands.begin() + 1, between.operands.end()));
    const Vars y = dot_f_dot(f, x, now(last->inputs[1]), operands);
    put(Var(last), y[0]);
    put(Var(first), y[1]);
    for (std::size_t i = 0; i < between.outputs.size(); ++i) put(between.outputs[i], y[i + 2]);
  }
  trace.push_back({"sweep", Var(last), now(Var(last)), last->where});
}

}  // namespace

Vars fuse_sweeps(const Vars& outputs, Trace& trace) {
  const std::vector<NodePtr> order = toposort(outputs);
  if (std::none_of(order.begin(), order.end(), uses_transpose)) return outputs;
  Vars roots = outputs;
  while (true) {
    const Graph graph(roots);
    const std::vector<Sweep> sweeps = apart(graph, find_sweeps(graph));
    if (sweeps.empty()) return roots;
    const Contracted contracted(graph, sweeps);
    Current now;
    for (const std::vector<std::size_t>& one : contracted.components()) {
      invariant(one.size() == 1, "sweeps wait for each other");
      if (one[0] < sweeps.size())
        put_sweep(sweeps[one[0]], now, trace);
      else if (const NodePtr& node = contracted.nodes(one[0])[0]; node->kind == Node::Kind::apply)
        now.put(node, now.rebuilt(*node));
    }
    roots = now(roots);
  }
}

}  // namespace damo
