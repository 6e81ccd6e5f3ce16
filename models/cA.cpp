#include "models/cA.h"

#include "core/tensor/check.h"
#include "models/hidden_layer.h"
#include "models/sizes.h"

namespace damo {

cA::cA(Args args)
    : n_visible(args.n_visible),
      n_hidden(args.n_hidden),
      n_batchsize(args.n_batchsize),
      x(args.input.is_set() ? args.input : matrix("input")),
      W(args.W),
      b(args.bhid),
      b_prime(args.bvis) {
  check_layer("cA", x, n_visible, n_hidden);
  check(n_batchsize > 0, "cA: the batch size is {}, and must be at least 1", n_batchsize);
  if (!W.is_set())
    W = shared(initial_weights(args.numpy_rng, n_visible, n_hidden, sigmoid), "W", {.borrow = true});
  if (!b.is_set()) b = shared(Tensor::zeros({n_hidden}, floatX()), "b", {.borrow = true});
  if (!b_prime.is_set()) b_prime = shared(Tensor::zeros({n_visible}, floatX()), "bvis", {.borrow = true});
  check_shape("cA", "W", W, {n_visible, n_hidden});
  check_shape("cA", "bhid", b, {n_hidden});
  check_shape("cA", "bvis", b_prime, {n_visible});
  W_prime = W.T();
  params = {W, b, b_prime};

  const Var y = get_hidden_values(x);
  const Var z = get_reconstructed_input(y);
  L_rec = -sum(x * log(z) + (1 - x) * log(1 - z), {.axis = 1});
  // The script's sum(sqr(get_jacobian(y, W))), without its n_batchsize n_visible n_hidden elements: an
  // example's is sum_j (y_j (1 - y_j))^2 sum_i W_ij^2.
  const Var norm = sum(dot(sqr(y * (1 - y)), sum(sqr(W), {.axis = 0})));
  L_jacob = args.script_division ? int_div(norm, n_batchsize) : norm / n_batchsize;
}

Var cA::get_hidden_values(const Var& input) const { return sigmoid(dot(input, W) + b); }

Var cA::get_jacobian(const Var& hidden, const Var& weights) const {
  return (hidden * (1 - hidden)).dimshuffle({0, 'x', 1}) * weights.dimshuffle({'x', 0, 1});
}

Var cA::get_reconstructed_input(const Var& hidden) const { return sigmoid(dot(hidden, W_prime) + b_prime); }

cA::CostUpdates cA::get_cost_updates(const Arg& contraction_level, const Arg& learning_rate) const {
  const Var cost = mean(L_rec) + contraction_level * L_jacob;
  return {cost, sgd(cost, params, learning_rate)};
}

}  // namespace damo
