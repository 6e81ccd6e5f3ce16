#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/bench/limits.h"
#include "models/SdA.h"
#include "models/datasets.h"

/// What is measured: each tutorial's step, calls of small functions, and models of which no kernel knows.
namespace damo::bench {

/// A function, ready to be called, and the limit of its step.
struct Step {
  std::function<double(std::int64_t index)> call = {};  ///< returns the cost
  std::int64_t n_batches = 1;
  std::vector<Shared> params = {};
  std::string limit_name = {};  ///< empty: there is none
  std::function<std::unique_ptr<Limit>(int threads)> limit =
      {};  ///< of the same parameters, random state and data
};

struct Stack;

/// The data, read when first asked for, and the models made so far.
class World {
 public:
  /// A folder of MNIST's files, "synthetic", or "" for the usual places, else drawn digits with a notice on
  /// standard error.
  explicit World(std::string dataset);
  ~World();

  const Datasets& datasets();
  const Tensor& x() { return (void)datasets(), x_; }
  /// Of the training set.
  const std::vector<std::int32_t>& labels() { return (void)datasets(), labels_; }
  Stack& stack(int batch_size);

 private:
  std::string dataset_;
  Datasets datasets_;
  Tensor x_;
  std::vector<std::int32_t> labels_;
  std::vector<std::unique_ptr<Stack>> stacks_;
};

struct Case {
  std::string name;
  std::function<Step(World&)> make;
};

/// In the order in which they are measured.
const std::vector<Case>& cases();

/// Seconds that it takes to build the three pretraining and the three fine-tuning functions.
double build_sda(World& world);

}  // namespace damo::bench
