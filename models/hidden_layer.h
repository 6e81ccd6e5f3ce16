#pragma once
#include <vector>

#include "../ops/ops.h"
#include "params.h"

namespace damo {

class RandomState;

/// A unit's nonlinearity, an elementwise function such as damo::tanh; nullptr for a linear unit.
using Activation = Var (*)(const Arg& x);

/// Values for the weights (n_in, n_out) of units with the given nonlinearity, floatX, uniform over
/// +-sqrt(6 / (n_in + n_out)), for sigmoid units over four times that: Glorot and Bengio, "Understanding the
/// difficulty of training deep feedforward neural networks" (2010).
Tensor initial_weights(RandomState& rng, int n_in, int n_out, Activation activation);

/// A layer of units, output = activation(input W + b) (tutorial "Multilayer Perceptron").
struct HiddenLayer {
  struct Args {
    RandomState& rng;
    Var input = {};  ///< floats (n, n_in)
    int n_in = 0;
    int n_out = 0;
    Shared W = {};  ///< (n_in, n_out); if empty, initial_weights drawn from rng
    Shared b = {};  ///< (n_out,); if empty, zeros
    Activation activation = damo::tanh;
  };

  /// Throws Error if the input is not set, a size is below 1, or W or b has another shape.
  explicit HiddenLayer(Args args);

  NamedParams named_params() const { return {{"W", W}, {"b", b}}; }

  Var input;
  Shared W;
  Shared b;
  Var output;  ///< (n, n_out)
  std::vector<Shared> params;
};

}  // namespace damo
