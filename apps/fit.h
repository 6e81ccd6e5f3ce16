#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "apps/session.h"
#include "models/early_stopping.h"
#include "models/training.h"

/// The tutorials' training loops: they print, log, and can be stopped and resumed between two minibatches.
namespace damo::apps {

/// Where training by epochs is, for a model that is trained in parts, one after the other.
struct Position {
  std::int64_t part = 0;
  std::int64_t epoch = 0;
  std::vector<double> costs = {};  ///< of the minibatches of this epoch
  double seconds = 0;              ///< spent so far

  /// For a model of so many parts, and so many minibatches in an epoch. Throws Error as Checkpoint::keep.
  void keep(Checkpoint& checkpoint, std::int64_t n_parts, std::int64_t n_train_batches);
};

struct EpochsArgs {
  std::string task = {};        ///< what the progress line calls it
  std::vector<Field> log = {};  ///< begins every line of the log
  std::int64_t n_epochs = 0;
  std::int64_t n_train_batches = 0;
  std::function<double(std::int64_t)> train = {};                      ///< of a minibatch; returns its cost
  std::function<void(std::int64_t epoch, double cost)> on_epoch = {};  ///< with the mean cost
};

/// Trains the part where `position` is, from there to its last epoch; then `position` is at the next part.
void train_epochs(const EpochsArgs& args, Position& position, Session& session);

/// Where training with early stopping is.
struct FitState {
  EarlyStoppingState early = {};
  /// Measured in this epoch, the last ones if there were several; else NaN.
  double valid_error = std::numeric_limits<double>::quiet_NaN();
  double test_error = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0;

  /// For so many minibatches in an epoch. Throws Error as Checkpoint::keep.
  void keep(Checkpoint& checkpoint, std::int64_t n_train_batches);
};

struct FitArgs {
  std::string phase = {};  ///< what the log calls it
  std::int64_t n_epochs = 0;
  std::int64_t n_train_batches = 0;
  std::int64_t patience = 0;  ///< minibatches to look at, whatever happens
  std::function<void(std::int64_t iter)> on_iter = [](std::int64_t) {};  ///< called before each minibatch
  std::function<void()> on_best = [] {};  ///< called when the validation error is the lowest so far
};

/// Trains with early stopping, from where `state` is to the end.
void fit(const TrainingFunctions& functions, const FitArgs& args, FitState& state, Session& session);

}  // namespace damo::apps
