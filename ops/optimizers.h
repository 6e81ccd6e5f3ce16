#pragma once
#include "../core/graph/shared.h"
#include "../core/run/function.h"

/// Updates for minimizing a cost. The parameters are shared variables, else an Error is thrown.
namespace damo {

/// p <- p - learning_rate dcost/dp.
Updates sgd(const Arg& cost, const Vars& params, const Arg& learning_rate);

/// v <- momentum v - learning_rate dcost/dp; p <- p + v. The velocities v start at zero.
Updates momentum(const Arg& cost, const Vars& params, const Arg& learning_rate, const Arg& momentum = 0.9);

struct AdamArgs {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};
/// Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.
Updates adam(const Arg& cost, const Vars& params, const Arg& learning_rate = 0.001,
             const AdamArgs& args = {});

}  // namespace damo
