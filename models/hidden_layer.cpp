#include "models/hidden_layer.h"

#include <cmath>

#include "core/random/random_state.h"
#include "models/sizes.h"

namespace damo {

Tensor initial_weights(RandomState& rng, int n_in, int n_out, Activation activation) {
  // The tutorial multiplies the drawn weights by 4; a factor that is a power of two is exact at either place.
  const double bound = (activation == sigmoid ? 4 : 1) * std::sqrt(6. / (static_cast<double>(n_in) + n_out));
  return rng.uniform(-bound, bound, {n_in, n_out}, floatX());
}

HiddenLayer::HiddenLayer(Args args) : input(args.input), W(args.W), b(args.b) {
  check_layer("HiddenLayer", input, args.n_in, args.n_out);
  if (!W.is_set())
    W = shared(initial_weights(args.rng, args.n_in, args.n_out, args.activation), "W", {.borrow = true});
  if (!b.is_set()) b = shared(Tensor::zeros({args.n_out}, floatX()), "b", {.borrow = true});
  check_shape("HiddenLayer", "W", W, {args.n_in, args.n_out});
  check_shape("HiddenLayer", "b", b, {args.n_out});
  const Var lin_output = dot(input, W) + b;
  output = args.activation == nullptr ? lin_output : args.activation(lin_output);
  params = {W, b};
}

}  // namespace damo
