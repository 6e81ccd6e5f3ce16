#pragma once
#include <vector>

#include "../ops/ops.h"
#include "params.h"

namespace damo {

class RandomState;

/// A contractive autoencoder: it learns to reconstruct x, and pays for a hidden representation that changes
/// with x,
///
///     y = sigmoid(x W + b)                     the hidden representation
///     z = sigmoid(y W' + b'),  W' = W.T        the reconstruction, by tied weights
///     J = dy/dx                                the Jacobian of an example, J_ij = y_j (1 - y_j) W_ij
///
/// Rifai, Vincent, Muller, Glorot and Bengio, "Contractive auto-encoders: explicit invariance during feature
/// extraction" (2011); the tutorials' cA.py.
struct cA {
  struct Args {
    RandomState& numpy_rng;
    Var input = {};  ///< floats (n_batchsize, n_visible); if empty, a free matrix
    int n_visible = 784;
    int n_hidden = 100;
    int n_batchsize = 1;
    Shared W = {};     ///< (n_visible, n_hidden); if empty, drawn from numpy_rng as for sigmoid units
    Shared bhid = {};  ///< (n_hidden,); if empty, zeros
    Shared bvis = {};  ///< (n_visible,); if empty, zeros
    /// Divides the Jacobians' norm by the batch size as the script does, rounding down: this has no gradient,
    /// so that the contraction has no effect but on the cost.
    bool script_division = false;
  };

  /// Throws Error if a size is below 1, or W or a bias has another shape.
  explicit cA(Args args);

  Var get_hidden_values(const Var& input) const;  ///< (n, n_visible) -> (n, n_hidden)
  /// The Jacobians of the hidden units with respect to the input, for a minibatch of hidden values:
  /// (n_batchsize, n_hidden) -> (n_batchsize, n_visible, n_hidden).
  Var get_jacobian(const Var& hidden, const Var& weights) const;
  Var get_reconstructed_input(const Var& hidden) const;  ///< (n, n_hidden) -> (n, n_visible)

  struct CostUpdates {
    Var cost;         ///< mean(L_rec) + contraction_level L_jacob, a scalar
    Updates updates;  ///< one step of gradient descent on params
  };
  CostUpdates get_cost_updates(const Arg& contraction_level, const Arg& learning_rate) const;

  NamedParams named_params() const { return {{"W", W}, {"b", b}, {"b_prime", b_prime}}; }

  int n_visible;
  int n_hidden;
  int n_batchsize;
  Var x;
  Shared W;
  Shared b;
  Shared b_prime;
  Var W_prime;
  std::vector<Shared> params;  ///< W, b, b_prime
  Var L_rec;                   ///< the cross-entropy of x and z of each example, in nats: (n_batchsize,)
  Var L_jacob;                 ///< the mean over the examples of the squared norm of J; a scalar
};

}  // namespace damo
