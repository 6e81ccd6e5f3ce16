#pragma once
#include "../core/graph/graph.h"

/// Nonlinearities of units, elementwise, beside tanh, sigmoid and softplus (theano.tensor.nnet); integers are
/// promoted to floats.
namespace damo {

/// max(x, 0), as (x + |x|) / 2: the slope at 0 is 1/2.
Var relu(const Arg& x);
/// x where it is positive, alpha x elsewhere; the slope at 0 is between the two.
Var relu(const Arg& x, const Arg& alpha);
/// x where it is positive, alpha (exp(x) - 1) elsewhere: Clevert, Unterthiner and Hochreiter, "Fast and
/// accurate deep network learning by exponential linear units" (2015).
Var elu(const Arg& x);  ///< alpha = 1
Var elu(const Arg& x, const Arg& alpha);
/// A multiple of elu that keeps means at 0 and variances at 1: Klambauer et al., "Self-normalizing neural
/// networks" (2017).
Var selu(const Arg& x);
Var softsign(const Arg& x);            ///< x / (1 + |x|)
Var hard_sigmoid(const Arg& x);        ///< sigmoid by three lines: 0.2 x + 0.5, between 0 and 1
Var ultra_fast_sigmoid(const Arg& x);  ///< sigmoid by quotients and lines, 0.02 from it at most

}  // namespace damo
