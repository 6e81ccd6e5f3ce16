#pragma once
#include <memory>
#include <vector>

#include "../ops/ops.h"
#include "params.h"

namespace damo {

class RandomState;

/// A denoising autoencoder: it learns to reconstruct x from a corrupted version of it,
///
///     tilde_x ~ q(tilde_x | x)                 some inputs are set to zero at random
///     y = sigmoid(tilde_x W + b)               the hidden representation
///     z = sigmoid(y W' + b'),  W' = W.T        the reconstruction, by tied weights
///
/// Vincent, Larochelle, Bengio and Manzagol, "Extracting and composing robust features with denoising
/// autoencoders" (2008); tutorial "Denoising Autoencoders (dA)".
struct dA {
  struct Args {
    RandomState& numpy_rng;
    Streams* theano_rng = nullptr;  ///< must outlive the model; if nullptr, see streams_or_new
    Var input = {};                 ///< floats (n, n_visible); if empty, a free matrix
    int n_visible = 784;
    int n_hidden = 500;
    Shared W = {};     ///< (n_visible, n_hidden); if empty, drawn from numpy_rng as for sigmoid units
    Shared bhid = {};  ///< (n_hidden,); if empty, zeros
    Shared bvis = {};  ///< (n_visible,); if empty, zeros
  };

  /// Throws Error if a size is below 1, or W or a bias has another shape.
  explicit dA(Args args);

  /// The input with each element kept with probability 1 - corruption_level and set to zero otherwise. The
  /// level, a number or a scalar Var, must lie in [0, 1]: else an Error of the call.
  Var get_corrupted_input(const Var& input, const Arg& corruption_level) const;
  Var get_hidden_values(const Var& input) const;         ///< (n, n_visible) -> (n, n_hidden)
  Var get_reconstructed_input(const Var& hidden) const;  ///< (n, n_hidden) -> (n, n_visible)

  struct CostUpdates {
    Var cost;         ///< the mean over the examples of the cross-entropy of x and z, in nats; a scalar
    Updates updates;  ///< one step of gradient descent on params
  };
  /// Both draw from a random variable that this call makes.
  CostUpdates get_cost_updates(const Arg& corruption_level, const Arg& learning_rate) const;

  NamedParams named_params() const { return {{"W", W}, {"b", b}, {"b_prime", b_prime}}; }

  int n_visible;
  int n_hidden;
  std::shared_ptr<Streams> theano_rng;
  Var x;
  Shared W;
  Shared b;
  Shared b_prime;
  Var W_prime;
  std::vector<Shared> params;  ///< W, b, b_prime
};

}  // namespace damo
