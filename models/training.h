#pragma once
#include <functional>
#include <string>
#include <vector>

#include "../ops/ops.h"
#include "datasets.h"

namespace damo {

/// What is trained, as a graph over a minibatch x with labels y.
struct Classifier {
  Var x;
  Var y;
  Var cost;    ///< a scalar, to be made small
  Var errors;  ///< a scalar, the fraction of wrong predictions
  std::vector<Shared> params;
};

/// What the tutorials' training loops call.
struct TrainingFunctions {
  Function train;  ///< of "index": one step of gradient descent on a minibatch; returns the cost before it
  std::function<std::vector<double>()> valid_score;  ///< the error of each whole minibatch, a fraction
  std::function<std::vector<double>()> test_score;
};

/// Functions over the minibatches of three data sets. Throws Error if the batch size is below 1 or above the
/// size of one of the sets.
TrainingFunctions training_functions(const Classifier& classifier, const Datasets& datasets, int batch_size,
                                     double learning_rate);

/// The classifier's errors on each whole minibatch of a data set. `name` is the function's. Throws Error as
/// training_functions.
std::function<std::vector<double>()> score_function(const Classifier& classifier, const SharedDataset& data,
                                                    int batch_size, const std::string& name);

}  // namespace damo
