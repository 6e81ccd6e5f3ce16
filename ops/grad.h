#pragma once
#include <utility>

#include "core/function.h"
#include "core/graph.h"

namespace damo {

enum class Disconnected { raise, zero, ignore };

struct GradArgs {
  Vars consider_constant = {};                        ///< not differentiated through
  std::vector<std::pair<Var, Var>> known_grads = {};  ///< the cost's gradient where it is known already
  Disconnected disconnected_inputs = Disconnected::raise;
};

/// The gradient of a scalar cost with respect to each of `wrt`, as graph code with the same types. The cost
/// is rewritten by the stabilizing rules first. Throws Error if the cost is not a float scalar, or if it does
/// not depend on one of `wrt` (unless `disconnected_inputs` asks for zeros, or for empty Vars).
Vars grad(const Arg& cost, const Vars& wrt, const GradArgs& args = {});
Var grad(const Arg& cost, const Var& wrt, const GradArgs& args = {});

struct ValueAndGrad {
  Var value;  ///< the stabilized cost: what the gradients were taken of
  Vars grads;
};
ValueAndGrad value_and_grad(const Arg& cost, const Vars& wrt, const GradArgs& args = {});

/// The product of v and the Jacobian of f: sum_k v_k df_k/dwrt.
Vars Lop(const Var& f, const Vars& wrt, const Arg& v);
/// The same of several f: the sum of all products. `disconnected_inputs` says what becomes of a variable that
/// none of them depends on.
Vars Lop(const Vars& f, const Vars& wrt, const Vars& v, Disconnected disconnected_inputs = Disconnected::zero,
         Here at = {});
/// The product of the Jacobian of f and v: sum_k df/dwrt_k v_k, by two Lops.
Var Rop(const Var& f, const Vars& wrt, const Vars& v, Here at = {});

}  // namespace damo
