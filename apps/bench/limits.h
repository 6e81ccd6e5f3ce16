#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apps/bench/kernels.h"
#include "core/random/mt19937.h"
#include "core/tensor/tensor.h"

/// What a step would take if nothing but its memory traffic or its products took time: written by hand for
/// one model each.
namespace damo::bench {

class Limit {
 public:
  explicit Limit(int n) : threads(n), barrier(n) {}
  virtual ~Limit() = default;

  /// Thread t's part of the step on a minibatch; all threads call it for the same ones, in the same order.
  virtual void step(int t, std::int64_t index) = 0;
  /// Of the last step, before its update; NaN if the limit computes none.
  virtual double cost() const = 0;
  /// What step changes.
  std::vector<Tensor> params;

  /// So many steps one after the other from minibatch `first` on, `n_batches` before it begins again.
  void run(std::int64_t first, std::int64_t steps, std::int64_t n_batches);

  const int threads;

 protected:
  Barrier barrier;
};

/// W (n_in, n_out) and b (n_out,).
struct Weights {
  Tensor W = {}, b = {};
};

/// Denoising autoencoders on the output of some layers of sigmoid units.
struct Autoencoder {
  Tensor data = {};                 ///< (n, n_in)
  std::vector<Weights> below = {};  ///< not changed
  Weights layer = {};
  Tensor W_prime = {};  ///< (n_out, n_in); not set if it is the transpose of W
  Tensor b_prime = {};
  MT19937State random = {};
  double corruption = 0, learning_rate = 0;
  bool tanh_squared = false;  ///< tanh units and squared error; else sigmoid units and cross-entropy
  double L2 = 0;              ///< times the sum of W's squares
};

/// A step on one example. All tensors but `data` are copied.
std::unique_ptr<Limit> autoencoder_limit(const Autoencoder& model, int threads);

/// A network of sigmoid layers with a logistic regression on top.
struct Network {
  Tensor data = {};
  std::vector<std::int32_t> labels = {};
  std::vector<Weights> layers = {};  ///< the last one is the logistic regression
  double learning_rate = 0;
};

/// A step on one example. All tensors but `data` are copied.
std::unique_ptr<Limit> network_limit(const Network& model, int threads);

/// y = x w, or for an update y = y - 0.01 x w, each thread for its panel: rows of an update and of a tall
/// result, else columns. A product that is done several times is shared by these, each thread with a y of its
/// own.
struct Product {
  int m = 0, n = 0, k = 0;
  bool x_transposed = false, w_transposed = false;
  bool update = false;
  int times = 1;
  bool from_data = false;  ///< x is a minibatch of the data, which no cache holds
};

/// Bare products in BLAS, on matrices of their own but for minibatches of the data (n, n_in). Each makes its
/// panels of y; all wait between two products.
std::unique_ptr<Limit> products_limit(const std::vector<Product>& products, const Tensor& data, int threads);

}  // namespace damo::bench
