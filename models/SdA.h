#pragma once
#include <memory>
#include <vector>

#include "dA.h"
#include "hidden_layer.h"
#include "logistic_regression.h"
#include "training.h"

namespace damo {

/// A stacked denoising autoencoder: a network of sigmoid layers with a logistic regression on top. Each layer
/// shares its W and b with a denoising autoencoder, which pretrains it on the output of the layers below;
/// then the whole network is fine-tuned on the labels. Vincent, Larochelle, Lajoie, Bengio and Manzagol,
/// "Stacked denoising autoencoders" (2010); tutorial "Stacked Denoising Autoencoders (SdA)".
struct SdA {
  struct Args {
    RandomState& numpy_rng;
    Streams* theano_rng = nullptr;  ///< must outlive the model; if nullptr, see streams_or_new
    int n_ins = 784;
    std::vector<int> hidden_layers_sizes = {500, 500};
    int n_outs = 10;
    /// Kept for the caller, as in the tutorial: the pretraining functions take the level as an argument.
    std::vector<double> corruption_levels = {0.1, 0.1};
  };

  /// Throws Error if there is no hidden layer or a size is below 1.
  explicit SdA(Args args);

  /// One function per layer, with inputs "index" of a minibatch, "corruption" (0.2) and "lr" (0.1): one step
  /// of the layer's autoencoder on that minibatch of train_set_x; returns the cost. Throws Error if the batch
  /// size is below 1 or above the number of examples.
  std::vector<Function> pretraining_functions(const Shared& train_set_x, int batch_size) const;

  /// The same for one layer, from the layer's own input: data (n, the layer's n_visible) that the layers
  /// below have transformed already, as `encode(x, layer - 1)` does. The tutorial's tip for saving time.
  Function pretraining_function(int layer, const Shared& layer_input, int batch_size) const;

  /// The layer's output for all whole minibatches of its input: what the next layer is trained on.
  Tensor layer_output(int layer, const Shared& layer_input, int batch_size) const;

  /// Gradient descent on all params by the labels, and the errors on the other two sets; see
  /// training_functions.
  TrainingFunctions build_finetune_functions(const Datasets& datasets, int batch_size,
                                             double learning_rate) const;

  /// The representation of x (n, n_ins) in a layer, 0 being the first hidden one: (n, its size). Throws Error
  /// if there is no such layer.
  Var encode(const Var& input, int layer) const;

  /// layer0.W, layer0.b, layer0.b_prime, layer1.W ... log_layer.W, log_layer.b.
  NamedParams named_params() const;

  std::vector<HiddenLayer> sigmoid_layers;
  std::vector<dA> dA_layers;
  std::vector<Shared> params;  ///< what fine-tuning changes: W and b of each layer, then of log_layer
  int n_layers;
  std::vector<double> corruption_levels;
  std::shared_ptr<Streams> theano_rng;
  Var x;  ///< floats (n, n_ins)
  Var y;  ///< labels, int32 (n,)
  LogisticRegression log_layer;
  Var finetune_cost;
  Var errors;

 private:
  std::size_t checked_layer(int layer) const;
};

}  // namespace damo
