#pragma once
#include <utility>

#include "../core/graph/graph.h"
#include "../core/run/function.h"

namespace damo {

/// What becomes of an input that the cost does not depend on: an Error, zeros (Theano's 'ignore'), or an
/// empty Var (its return_disconnected='none').
enum class Disconnected { raise, zero, ignore };

struct GradArgs {
  Vars consider_constant = {};  ///< not differentiated through; their own gradients can be asked for
  std::vector<std::pair<Var, Var>> known_grads = {};  ///< the cost's gradient where it is known already
  Disconnected disconnected_inputs = Disconnected::raise;
};

/// The gradient of a scalar cost with respect to each of `wrt`, as graph code with the same types. The cost
/// is rewritten by the stabilizing rules first; it may be an empty Var if there are known_grads. Throws Error
/// if the cost is not a float scalar, or if it does not depend on one of `wrt` (unless `disconnected_inputs`
/// asks for zeros, or for empty Vars).
Vars grad(const Arg& cost, const Vars& wrt, const GradArgs& args = {});
Var grad(const Arg& cost, const Var& wrt, const GradArgs& args = {});

struct ValueAndGrad {
  Var value;  ///< the stabilized cost: what the gradients were taken of
  Vars grads;
};
ValueAndGrad value_and_grad(const Arg& cost, const Vars& wrt, const GradArgs& args = {});

}  // namespace damo
