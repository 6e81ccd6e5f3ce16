#include "apps/fit.h"

#include <optional>

#include "core/early_stopping.h"
#include "models/numpy_mean.h"

namespace damo::apps {
namespace {

// What the log says of an epoch: errors that were measured in it, the last ones if it was validated several
// times.
struct Errors {
  std::optional<double> valid, test;
};

void log_epoch(Log& log, const std::string& phase, std::int64_t epoch, double cost, Errors& errors) {
  std::vector<Field> line = {{"phase", phase}, {"epoch", epoch}, {"cost", cost}};
  if (errors.valid) line.push_back({"valid_error", *errors.valid});
  if (errors.test) line.push_back({"test_error", *errors.test});
  log.write(line);
  errors = {};
}

}  // namespace

FitResult fit(const TrainingFunctions& functions, const FitArgs& args, Session& session) {
  const Clock clock;
  Errors errors;
  std::int64_t epoch = 0;
  const auto train = [&](std::int64_t minibatch) {
    if (minibatch == 0) {
      ++epoch;
      session.terminal.begin(fmt::format("epoch {}", epoch), args.n_train_batches);
    }
    const double cost = functions.train(minibatch).item();
    session.terminal.step(cost);
    if (session.log.minibatches())
      session.log.write({{"phase", args.phase}, {"epoch", epoch}, {"minibatch", minibatch}, {"cost", cost}});
    return cost;
  };
  const EarlyStoppingState end = early_stopping(
      {.n_epochs = args.n_epochs,
       .n_train_batches = args.n_train_batches,
       .patience = static_cast<double>(args.patience),
       .train = train,
       .validate = [&] { return numpy_mean(functions.valid_score()); },
       .test = [&] { return numpy_mean(functions.test_score()); },
       .on_validation =
           [&](const EarlyStoppingState& state, double error) {
             session.say("epoch {}, minibatch {}/{}, validation error {:f} %", state.epoch,
                         state.minibatch + 1, args.n_train_batches, error * 100);
             errors.valid = error;
           },
       .on_best =
           [&](const EarlyStoppingState& state) {
             session.say("     epoch {}, minibatch {}/{}, test error of best model {:f} %", state.epoch,
                         state.minibatch + 1, args.n_train_batches, state.test_score * 100);
             errors.test = state.test_score;
             args.on_best();
           },
       .on_epoch = [&](const EarlyStoppingState& state,
                       double cost) { log_epoch(session.log, args.phase, state.epoch, cost, errors); }});
  // The patience may end within an epoch.
  if (end.minibatch < args.n_train_batches)
    log_epoch(session.log, args.phase, end.epoch, end.cost_sum / static_cast<double>(end.minibatch), errors);
  return {end.best_validation, end.test_score, end.best_iter, end.epoch, clock.seconds()};
}

}  // namespace damo::apps
