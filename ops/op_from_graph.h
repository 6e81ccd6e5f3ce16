#pragma once
#include <functional>
#include <memory>
#include <string>

#include "../core/graph/graph.h"

namespace damo {

struct OpFromGraphArgs {
  std::string name = "op_from_graph";
  /// The gradients with respect to the inputs, given the inputs, the outputs and the cost's gradient with
  /// respect to each output; an empty Var: not connected. By default the graph itself is differentiated.
  std::function<Vars(const Vars& x, const Vars& y, const Vars& gy)> grad_overrides = {};
};

/// A graph as one operation: OpFromGraph({x, y}, {x + y})(a, b) is a + b, one node. The inputs are variables
/// of the graph; shared variables inside are seen, and updated, as outside. A function that uses it computes
/// the graph in its place. Throws Error if an input is no variable, stands twice, or is missing; if it is
/// applied to other dtypes or ranks (theano.OpFromGraph).
class OpFromGraph {
 public:
  OpFromGraph(const Vars& inputs, const Vars& outputs, OpFromGraphArgs args = {}, Here at = {});

  /// The first output.
  Var operator()(const Arg& a) const { return all({a})[0]; }
  Var operator()(const Arg& a, const Arg& b) const { return all({a, b})[0]; }
  Var operator()(const Arg& a, const Arg& b, const Arg& c) const { return all({a, b, c})[0]; }
  Var operator()(const Arg& a, const Arg& b, const Arg& c, const Arg& d) const {
    return all({a, b, c, d})[0];
  }
  /// All outputs, of any number of inputs.
  Vars all(const Args& x) const;

 private:
  OpPtr op_;
};

}  // namespace damo
