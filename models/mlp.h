#pragma once
#include <vector>

#include "hidden_layer.h"
#include "logistic_regression.h"

namespace damo {

/// A multilayer perceptron: a layer of tanh units, and a logistic regression on its output (tutorial
/// "Multilayer Perceptron").
struct MLP {
  struct Args {
    RandomState& rng;
    Var input = {};  ///< floats (n, n_in)
    int n_in = 0;
    int n_hidden = 0;
    int n_out = 0;
  };

  /// Throws Error if the input is not set or a size is below 1.
  explicit MLP(Args args);

  /// That of the logistic regression.
  Var negative_log_likelihood(const Arg& y) const { return logRegressionLayer.negative_log_likelihood(y); }
  Var errors(const Arg& y) const { return logRegressionLayer.errors(y); }

  NamedParams named_params() const;

  HiddenLayer hiddenLayer;
  LogisticRegression logRegressionLayer;
  Var L1;      ///< sum |w| over the weights of both layers, a scalar
  Var L2_sqr;  ///< sum w^2 over the weights of both layers, a scalar
  std::vector<Shared> params;
  Var input;
};

}  // namespace damo
