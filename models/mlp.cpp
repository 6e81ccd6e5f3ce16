#include "models/mlp.h"

namespace damo {

MLP::MLP(Args args)
    : hiddenLayer({.rng = args.rng, .input = args.input, .n_in = args.n_in, .n_out = args.n_hidden}),
      logRegressionLayer({.input = hiddenLayer.output, .n_in = args.n_hidden, .n_out = args.n_out}),
      input(args.input) {
  const Shared& W0 = hiddenLayer.W;
  const Shared& W1 = logRegressionLayer.W;
  L1 = sum(abs(W0)) + sum(abs(W1));
  L2_sqr = sum(sqr(W0)) + sum(sqr(W1));
  params = {W0, hiddenLayer.b, W1, logRegressionLayer.b};
}

NamedParams MLP::named_params() const {
  NamedParams named = prefixed("hiddenLayer.", hiddenLayer.named_params());
  for (auto& param : prefixed("logRegressionLayer.", logRegressionLayer.named_params()))
    named.push_back(param);
  return named;
}

}  // namespace damo
