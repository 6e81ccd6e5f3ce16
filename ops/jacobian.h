#pragma once
#include "grad.h"

/// What is made of gradients: products with Jacobians and Hessians, and the matrices themselves.
namespace damo {

/// The product of v and the Jacobian of f: sum_k v_k df_k/dwrt.
Vars Lop(const Var& f, const Vars& wrt, const Arg& v);
/// The same, summed over several f, each with its v.
Vars Lop(const Vars& f, const Vars& wrt, const Vars& v, Here at = {});

/// The product of the Jacobian of f and v: sum_k df/dwrt_k v_k, by two Lops.
Var Rop(const Var& f, const Vars& wrt, const Vars& v, Here at = {});
/// The same of several f.
Vars Rop(const Vars& f, const Vars& wrt, const Vars& v, Here at = {});

/// df_i/dx for each x of `wrt`, a (n, shape of x) array for a vector f of n elements: row after row, without
/// what all rows share. Of a scalar f: its gradient. Throws Error if f has more dimensions, or as grad does;
/// known_grads have no meaning here.
Vars jacobian(const Arg& f, const Vars& wrt, const GradArgs& args = {});
Var jacobian(const Arg& f, const Var& wrt, const GradArgs& args = {});

/// d^2 cost / dx dx for each vector x of `wrt`, an (n, n) matrix; zeros where the gradient does not depend on
/// x. Throws Error if an x is no vector, or as grad does.
Vars hessian(const Arg& cost, const Vars& wrt, const GradArgs& args = {});
Var hessian(const Arg& cost, const Var& wrt, const GradArgs& args = {});

/// The product of the Hessian of the cost and v, for each of `wrt`: sum_k d^2 cost / dwrt dwrt_k v_k. Costs
/// about as much as two gradients. Throws Error if a v has another rank than its variable.
Vars hessian_times_vector(const Arg& cost, const Vars& wrt, const Vars& v, const GradArgs& args = {});
Var hessian_times_vector(const Arg& cost, const Var& wrt, const Var& v, const GradArgs& args = {});

struct SubgraphGrads {
  Vars wrt;  ///< the gradients of `wrt`
  Vars end;  ///< and of `end`: the next call's `start`
};
struct SubgraphArgs {
  Var cost = {};
  std::vector<std::pair<Var, Var>> start = {};  ///< the cost's gradient where it is known already
};
/// Gradients in parts (Theano's subgraph_grad): of a cost, or onward from `start`, with respect to `wrt`, but
/// not past the variables of `end`, for which they are returned too. Zeros where there is no way.
SubgraphGrads subgraph_grad(const Vars& wrt, const Vars& end, const SubgraphArgs& args, Here at = {});

}  // namespace damo
