#pragma once
#include <functional>

#include "graph.h"
#include "node_set.h"

/// Walks over graphs: iterative and memoized, so that neither depth nor sharing hurts.
namespace damo {

/// All nodes that `outputs` depend on, each after its inputs.
std::vector<NodePtr> toposort(const Vars& outputs);

/// The same, without the nodes in `known` and what only they depend on.
std::vector<NodePtr> toposort(const Vars& outputs, const NodeSet& known);

/// The graph of `outputs` with each key of `by` replaced by its value. A replacement that differs in which
/// axes stretch is converted, so that no elementwise node changes its meaning; a node whose Body holds a key
/// is replaced by the Body's graph. Throws Error on other types.
Vars substitute(const Vars& outputs, const VarMap<Var>& by);

/// `node` over other inputs; the same op, line, origin and name.
Vars rebuild(const Node& node, Vars inputs);

/// A pass over a graph that makes a new one of it, inputs before readers: what has become of each Var.
class Current {
 public:
  Var operator()(const Var& v) const;  ///< v itself, if it was not put
  Vars operator()(const Vars& v) const;
  void put(const Var& v, const Var& by) { by_.emplace(v, by); }  ///< the first replacement stays
  void put(const NodePtr& node, const Vars& outputs);            ///< its first outputs, as many as these are
  /// The outputs of the node over what its inputs have become; none, if that is what they were.
  Vars rebuilt(const Node& node) const;

 private:
  VarTable<Var> by_;
};

/// One memoized pass: `f` gives the replacement of a node's only output, made of what its inputs have become
/// (`now`), or an empty Var to keep the node.
Vars transform(const Vars& outputs, const std::function<Var(const NodePtr&, const Current& now)>& f);

/// v with the stretched axes of `type` (v's own sizes permitting): a view.
Var with_stretch(const Var& v, const Type& type);

/// Whether a and b compute the same thing: the same ops in the same order on the same leaves (equal
/// constants).
bool equal_computations(const Vars& a, const Vars& b);

}  // namespace damo
