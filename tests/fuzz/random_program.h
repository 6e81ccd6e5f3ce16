#pragma once
#include "tests/fuzz/random_graph.h"

namespace damo::test {

/// Where seeds begin: 1, or $DAMO_FUZZ_FROM, for a long search in parts.
std::uint32_t first_seed();

/// A random graph with what a program asks of it: outputs, a cost with its gradients, updates of a matrix and
/// of rows of a table, and now and then products with Jacobians, a Jacobian, a Hessian; one in 25 is a long
/// chain.
struct RandomProgram {
  RandomGraph g;
  Vars outputs;
  Updates updates;
  Vars expected;  ///< outputs and new values for the oracle, which knows no Bodies and no loops

  RandomProgram(std::uint32_t seed, DType dtype, RandomGraph::Kind kind = RandomGraph::Kind::any);

  Function compiled(const Rewrites& rewrites) const;
  /// What the outputs and new values are for these inputs.
  std::vector<Tensor> wanted(const std::vector<Tensor>& values) const;
  /// What f gives, and what the updated variables are then; afterwards they are as before.
  std::vector<Tensor> results(const Function& f, const std::vector<Tensor>& values) const;

 private:
  void add_derivatives(std::uint32_t seed);
};

}  // namespace damo::test
