#pragma once
#include <functional>

#include "graph.h"

namespace damo {

/// A graph with inputs of its own, which an op holds and its node stands for (Op::body). It is closed: what
/// it uses from outside, shared variables too, is among its inputs, and what it draws among its outputs.
struct Body {
  Vars inputs;  ///< input nodes
  Vars outputs;
  std::vector<int> next_of = {};  ///< of each output: the input whose next value it is (random states), or -1
  /// Not computed, but their sizes are inferred where the Body runs, for what their ops check.
  Vars checked = {};

  /// Whether both compute the same, whatever the names of their inputs.
  bool operator==(const Body& other) const;
};

struct Closed {
  Body body;     ///< the given inputs and outputs first
  Vars outside;  ///< what the further inputs stand for
};

/// The graph of `outputs` over `inputs` as a Body. What does not change with the inputs, and is not drawn, is
/// an input as a whole. Random states are inputs too, their next values outputs, and so is all that was
/// drawn: a gradient reads that, and draws nothing. Throws Error, which begins with `what`, unless the inputs
/// are different input nodes and the outputs depend on no others.
Closed closed(const Vars& inputs, const Vars& outputs, const std::string& what);

/// The graph of `outputs` in which nodes with a Body that draw from one random state do so one after the
/// other, in the order in which they stand in the graph.
Vars one_draw_each(const Vars& outputs);

/// The types of the outputs where the inputs have these.
Types infer_body(const Body& body, const Types& inputs);

/// The graph of `outputs` with the Body of each node that inlines it, and what that holds in turn, in the
/// node's place, also within other Bodies.
Vars expand(const Vars& outputs);

/// The graph of `outputs` with f(body) in the place of each Body that its op runs.
Vars map_bodies(const Vars& outputs, const std::function<Body(Body)>& f);

}  // namespace damo
