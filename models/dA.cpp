#include "models/dA.h"

#include "models/hidden_layer.h"
#include "models/sizes.h"
#include "models/streams.h"

namespace damo {

dA::dA(Args args)
    : n_visible(args.n_visible),
      n_hidden(args.n_hidden),
      x(args.input.is_set() ? args.input : matrix("input")),
      W(args.W),
      b(args.bhid),
      b_prime(args.bvis) {
  check_layer("dA", x, n_visible, n_hidden);
  theano_rng = streams_or_new(args.theano_rng, args.numpy_rng);
  if (!W.is_set())
    W = shared(initial_weights(args.numpy_rng, n_visible, n_hidden, sigmoid), "W", {.borrow = true});
  if (!b.is_set()) b = shared(Tensor::zeros({n_hidden}, floatX()), "b", {.borrow = true});
  if (!b_prime.is_set()) b_prime = shared(Tensor::zeros({n_visible}, floatX()), "bvis", {.borrow = true});
  check_shape("dA", "W", W, {n_visible, n_hidden});
  check_shape("dA", "bhid", b, {n_hidden});
  check_shape("dA", "bvis", b_prime, {n_visible});
  W_prime = W.T();
  params = {W, b, b_prime};
}

Var dA::get_corrupted_input(const Var& input, const Arg& corruption_level) const {
  return theano_rng->binomial({.size = {input.shape(0), input.shape(1)},
                               .n = 1,
                               .p = 1 - corruption_level,
                               .dtype = floatX()}) *
         input;
}

Var dA::get_hidden_values(const Var& input) const { return sigmoid(dot(input, W) + b); }

Var dA::get_reconstructed_input(const Var& hidden) const { return sigmoid(dot(hidden, W_prime) + b_prime); }

dA::CostUpdates dA::get_cost_updates(const Arg& corruption_level, const Arg& learning_rate) const {
  const Var tilde_x = get_corrupted_input(x, corruption_level);
  const Var y = get_hidden_values(tilde_x);
  const Var z = get_reconstructed_input(y);
  // The cross-entropy of each example; their mean over the minibatch is the cost.
  const Var L = -sum(x * log(z) + (1 - x) * log(1 - z), {.axis = 1});
  const Var cost = mean(L);
  return {cost, sgd(cost, params, learning_rate)};
}

}  // namespace damo
