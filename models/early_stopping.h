#pragma once
#include <cstdint>
#include <functional>
#include <limits>

namespace damo {

/// Where the early-stopping loop is. Plain data: saved between two minibatches and given back later, it makes
/// the loop go on as if it had never stopped.
struct EarlyStoppingState {
  std::int64_t epoch = 0;      ///< epochs begun, so the current one counted from 1
  std::int64_t minibatch = 0;  ///< within the epoch, from 0: the one in work, or between two the next one
  std::int64_t iter = 0;       ///< the same over all epochs
  double patience = 0;         ///< at which iter training ends
  double best_validation = std::numeric_limits<double>::infinity();
  std::int64_t best_iter = 0;
  double test_score = 0;  ///< at the best validation
  double cost_sum = 0;    ///< over the minibatches of this epoch
  bool done = false;      ///< whether the patience is used up
};

/// The settings by the tutorials' names, and what the loop calls.
struct EarlyStoppingArgs {
  std::int64_t n_epochs = 1000;
  std::int64_t n_train_batches = 0;
  double patience = 5000;  ///< at least 2
  double patience_increase = 2;
  double improvement_threshold = 0.995;

  /// Trains on the minibatch of this index, returns its cost.
  std::function<double(std::int64_t)> train = {};
  /// The errors over the whole validation and test sets.
  std::function<double()> validate = {};
  std::function<double()> test = {};

  /// After each validation, with its error, and then, if it is the best so far, after the test.
  std::function<void(const EarlyStoppingState&, double)> on_validation = {};
  std::function<void(const EarlyStoppingState&)> on_best = {};
  /// After the last minibatch of an epoch, with the mean of its costs.
  std::function<void(const EarlyStoppingState&, double)> on_epoch = {};
  /// After each minibatch: the state may be saved; false leaves the loop.
  std::function<bool(const EarlyStoppingState&)> keep_going = {};
};

/// Every how many minibatches to validate: min(n_train_batches, patience // 2).
std::int64_t validation_frequency(const EarlyStoppingArgs& args);

/// Trains with early stopping, as every tutorial does (Deep Learning Tutorials, "Getting Started:
/// Early-Stopping"; logistic_sgd.py, mlp.py, SdA.py): until n_epochs are over or patience <= iter, patience
/// growing to iter * patience_increase whenever a validation error falls below improvement_threshold times
/// the best one. Starts at `state` and returns where it ended. Throws Error if there are no minibatches, the
/// patience is below 2 or one of train, validate and test is missing.
EarlyStoppingState early_stopping(const EarlyStoppingArgs& args, EarlyStoppingState state = {});

}  // namespace damo
