#pragma once
#include <vector>

#include "../../core/graph/node_set.h"
#include "../grad.h"

/// What `grad` differentiates in place of the graph that it is given.
namespace damo {

/// The graph after the stabilizing rules. An expression that the user named (to differentiate with respect to
/// it, to hold it constant, or because its gradient is known) stays what it is: no rule removes it or looks
/// through it. Its own stabilized form stands beside it, and is what its gradient is passed on to.
struct Stabilized {
  Var cost;
  std::vector<NodePtr> order;  ///< all nodes, each after what its gradient goes to
  NodeMap<Vars> instead;       ///< for the outputs of a node, their stabilized forms

  /// What the gradient of a node goes to.
  const Vars& inputs_of(const Node& node) const {
    const auto found = instead.find(&node);
    return found == instead.end() ? node.inputs : found->second;
  }
  /// The nodes from which a gradient goes to one of `wrt`: these themselves only if it goes on to another.
  NodeSet above(const Vars& wrt) const;
};

Stabilized stabilized(const Var& cost, const Vars& wrt, const GradArgs& args);

/// All outputs of a node.
Vars outputs_of(const NodePtr& node);

}  // namespace damo
