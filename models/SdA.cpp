#include "models/SdA.h"

#include "core/graph/walk.h"
#include "core/tensor/check.h"
#include "models/sizes.h"
#include "models/streams.h"

namespace damo {
namespace {

// A step of the autoencoder on a minibatch of `data`, which stands in for the node `input` of its graph.
Function pretraining_step(const dA& layer, const Var& input, const Shared& data, int batch_size) {
  n_minibatches(data, batch_size);
  const Var index = lscalar("index");
  const Var corruption_level = scalar("corruption");
  const Var learning_rate = scalar("lr");
  const auto [cost, updates] = layer.get_cost_updates(corruption_level, learning_rate);
  return function({.inputs = {index, In(corruption_level, 0.2), In(learning_rate, 0.1)},
                   .outputs = cost,
                   .updates = updates,
                   .givens = {{input, minibatch(data, index, batch_size)}},
                   .name = "pretrain"});
}

}  // namespace

SdA::SdA(Args args)
    : n_layers(static_cast<int>(args.hidden_layers_sizes.size())),
      corruption_levels(args.corruption_levels),
      theano_rng(streams_or_new(args.theano_rng, args.numpy_rng)),
      x(matrix("x")),
      y(ivector("y")) {
  check(n_layers > 0, "SdA: hidden_layers_sizes is empty, and must name at least one layer");
  Var layer_input = x;
  int input_size = args.n_ins;
  for (const int size : args.hidden_layers_sizes) {
    const HiddenLayer& layer = sigmoid_layers.emplace_back(HiddenLayer::Args{.rng = args.numpy_rng,
                                                                             .input = layer_input,
                                                                             .n_in = input_size,
                                                                             .n_out = size,
                                                                             .activation = sigmoid});
    params.insert(params.end(), layer.params.begin(), layer.params.end());
    // The autoencoder holds the layer's own W and b; the bias of its reconstruction is no parameter of the
    // network.
    dA_layers.emplace_back(dA::Args{.numpy_rng = args.numpy_rng,
                                    .theano_rng = theano_rng.get(),
                                    .input = layer_input,
                                    .n_visible = input_size,
                                    .n_hidden = size,
                                    .W = layer.W,
                                    .bhid = layer.b});
    dA_layers.back().theano_rng = theano_rng;  // shared, so that a layer may outlive the stack
    layer_input = layer.output;
    input_size = size;
  }
  log_layer = LogisticRegression({.input = layer_input, .n_in = input_size, .n_out = args.n_outs});
  params.insert(params.end(), log_layer.params.begin(), log_layer.params.end());
  finetune_cost = log_layer.negative_log_likelihood(y);
  errors = log_layer.errors(y);
}

std::vector<Function> SdA::pretraining_functions(const Shared& train_set_x, int batch_size) const {
  std::vector<Function> functions;
  for (const dA& layer : dA_layers) functions.push_back(pretraining_step(layer, x, train_set_x, batch_size));
  return functions;
}

Function SdA::pretraining_function(int layer, const Shared& layer_input, int batch_size) const {
  const dA& autoencoder = dA_layers[checked_layer(layer)];
  return pretraining_step(autoencoder, autoencoder.x, layer_input, batch_size);
}

Tensor SdA::layer_output(int layer, const Shared& layer_input, int batch_size) const {
  const HiddenLayer& below = sigmoid_layers[checked_layer(layer)];
  const std::int64_t n = n_minibatches(layer_input, batch_size);
  const Var index = lscalar("index");
  // By minibatches of the same size, so that the products are computed as they are when the layers are
  // chained.
  const Function f = function({.inputs = {index},
                               .outputs = below.output,
                               .givens = {{below.input, minibatch(layer_input, index, batch_size)}},
                               .name = "layer_output"});
  const Tensor all = Tensor::empty({n * batch_size, dA_layers[layer].n_hidden}, below.output.dtype());
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor part = f(i);
    copy_into(all.slice(0, i * batch_size, (i + 1) * batch_size).view(), part.view());
  }
  return all;
}

TrainingFunctions SdA::build_finetune_functions(const Datasets& datasets, int batch_size,
                                                double learning_rate) const {
  return training_functions({x, y, finetune_cost, errors, params}, datasets, batch_size, learning_rate);
}

Var SdA::encode(const Var& input, int layer) const {
  const Var& output = sigmoid_layers[checked_layer(layer)].output;
  return substitute({output}, {{x, input}}).front();
}

NamedParams SdA::named_params() const {
  NamedParams named;
  const auto add = [&named](const std::string& prefix, const NamedParams& more) {
    for (const auto& param : prefixed(prefix, more)) named.push_back(param);
  };
  for (int i = 0; i < n_layers; ++i) add(fmt::format("layer{}.", i), dA_layers[i].named_params());
  add("log_layer.", log_layer.named_params());
  return named;
}

std::size_t SdA::checked_layer(int layer) const {
  check(layer >= 0 && layer < n_layers, "there is no layer {}: this model has layers 0 to {}", layer,
        n_layers - 1);
  return static_cast<std::size_t>(layer);
}

}  // namespace damo
