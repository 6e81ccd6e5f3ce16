#pragma once
#include <algorithm>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "../../core/graph/node_set.h"

/// For rewrites of whole graphs: what depends on what.
namespace damo {

/// The nodes of a graph in order, each with its place and its height: the longest way down to a leaf. A node
/// depends only on what comes before it and lies lower.
class Dependence {
 public:
  explicit Dependence(const std::vector<NodePtr>& order) {
    for (const NodePtr& node : order) {
      int height = 0;
      for (const Var& x : node->inputs) height = std::max(height, at(x.node_ptr().get()).height + 1);
      places_.emplace(node.get(), Place{places_.size(), height});
    }
  }

  std::size_t place(const Node* node) const { return at(node).number; }

  /// Whether v depends on a node, or is an output of it. The nodes next to it in order are looked at first: a
  /// way that exists is found soon, where a gradient reads what was computed just behind the node.
  bool depends(const Var& v, const Node* on) const {
    const Place last = at(on);
    using Entry = std::pair<std::size_t, const Node*>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> next;
    NodeSet seen;
    const auto meet = [&](const Node* node) {
      const Place here = at(node);
      const bool may_depend = here.number > last.number && here.height > last.height;
      if ((may_depend || node == on) && seen.insert(node)) next.emplace(here.number, node);
    };
    for (meet(v.node_ptr().get()); !next.empty();) {
      const Node* node = next.top().second;
      next.pop();
      if (node == on) return true;
      for (const Var& x : node->inputs) meet(x.node_ptr().get());
    }
    return false;
  }

  /// What v depends on, itself among it, without what comes before `first`.
  NodeSet back_to(const Node* first, const Var& v) const {
    NodeSet nodes;
    std::vector<const Node*> stack{v.node_ptr().get()};
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (place(node) < place(first) || !nodes.insert(node)) continue;
      for (const Var& x : node->inputs) stack.push_back(x.node_ptr().get());
    }
    return nodes;
  }

 private:
  struct Place {
    std::size_t number = 0;
    int height = 0;
  };
  const Place& at(const Node* node) const { return places_.at(node); }

  NodeMap<Place> places_;
};

}  // namespace damo
