#pragma once
#include "core/graph.h"

namespace damo {

/// A graph with inputs of its own, which an op holds and its node stands for (Op::body). Shared variables and
/// constants inside are those of the whole graph.
struct Body {
  Vars inputs;  ///< input nodes
  Vars outputs;
};

/// Throws Error, which begins with `what`, unless the inputs are different input nodes and the outputs depend
/// on no others.
void check_body(const Body& body, const std::string& what);

/// The types of the outputs where the inputs have these.
Types infer_body(const Body& body, const Types& inputs);

/// The graph of `outputs` with the Body of each node, and what it holds in turn, in the node's place.
Vars expand(const Vars& outputs);

}  // namespace damo
