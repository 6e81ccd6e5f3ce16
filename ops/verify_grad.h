#pragma once
#include <functional>
#include <vector>

#include "../core/graph/graph.h"

namespace damo {

struct VerifyGradArgs {
  double eps = 1e-6;  ///< the step of the central differences
  double tolerance =
      0;  ///< of the error, absolute or relative, whichever is smaller; 0: 1e-6 in float64, 1e-4 in
          ///< float32 (the differences' own error, and float32's rounding over a few operations)
  std::uint32_t seed = 1234;
};

/// Checks the symbolic gradient of sum(r f(x)), r random, at `points` (tensors of one float dtype) against
/// central differences, which are always taken in float64. Throws Error with the op, the argument, the
/// element, both values and the types where they differ, or if an argument is not a float.
void verify_grad(const std::function<Var(const Vars&)>& f, const std::vector<Tensor>& points,
                 const VerifyGradArgs& args = {});

}  // namespace damo
