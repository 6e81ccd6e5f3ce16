#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "apps/session.h"
#include "models/training.h"

namespace damo::apps {

struct FitArgs {
  std::string phase = {};  ///< what the log calls it
  int n_epochs = 0;
  std::int64_t n_train_batches = 0;
  std::int64_t patience = 0;              ///< minibatches to look at, whatever happens
  std::function<void()> on_best = [] {};  ///< called when the validation error is the lowest so far
};

struct FitResult {
  double best_validation_loss = 0;  ///< a fraction
  double test_score = 0;            ///< of the model with that validation error
  std::int64_t best_iter = 0;
  std::int64_t epoch = 0;  ///< the last one that was begun
  double seconds = 0;
};

/// The tutorials' training loop, with early stopping: prints their lines, and logs.
FitResult fit(const TrainingFunctions& functions, const FitArgs& args, Session& session);

}  // namespace damo::apps
