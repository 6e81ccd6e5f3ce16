#include "models/early_stopping.h"

#include <algorithm>
#include <cmath>

#include "core/tensor/check.h"

namespace damo {
namespace {

void validate(const EarlyStoppingArgs& args, EarlyStoppingState& state) {
  const double error = args.validate();
  if (args.on_validation) args.on_validation(state, error);
  if (!(error < state.best_validation)) return;
  if (error < state.best_validation * args.improvement_threshold)
    state.patience = std::max(state.patience, static_cast<double>(state.iter) * args.patience_increase);
  state.best_validation = error;
  state.best_iter = state.iter;
  state.test_score = args.test();
  if (args.on_best) args.on_best(state);
}

}  // namespace

std::int64_t validation_frequency(const EarlyStoppingArgs& args) {
  check(args.n_train_batches > 0, "early stopping needs at least one minibatch, not {}",
        args.n_train_batches);
  check(args.patience >= 2, "early stopping needs a patience of at least 2, not {}", args.patience);
  const auto batches = static_cast<double>(args.n_train_batches);
  return static_cast<std::int64_t>(std::min(batches, std::floor(args.patience / 2)));
}

EarlyStoppingState early_stopping(const EarlyStoppingArgs& args, EarlyStoppingState state) {
  const std::int64_t frequency = validation_frequency(args);
  check(args.train && args.validate && args.test, "early stopping needs train, validate and test");
  if (state.epoch == 0) {
    state.patience = args.patience;
    state.minibatch = args.n_train_batches;
  }
  while (!state.done) {
    if (state.minibatch == args.n_train_batches) {
      if (state.epoch >= args.n_epochs) break;
      ++state.epoch;
      state.minibatch = 0;
      state.cost_sum = 0;
    }
    state.cost_sum += args.train(state.minibatch);
    if ((state.iter + 1) % frequency == 0) validate(args, state);
    state.done = state.patience <= static_cast<double>(state.iter);
    ++state.minibatch;
    ++state.iter;
    if (state.minibatch == args.n_train_batches && args.on_epoch)
      args.on_epoch(state, state.cost_sum / static_cast<double>(args.n_train_batches));
    if (args.keep_going && !args.keep_going(state)) break;
  }
  return state;
}

}  // namespace damo
