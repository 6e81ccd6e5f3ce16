#include "apps/fit.h"

#include <cmath>

#include "core/tensor/check.h"
#include "models/numpy_mean.h"

namespace damo::apps {
namespace {

constexpr std::int64_t most_epochs = std::numeric_limits<int>::max();
constexpr double finite = std::numeric_limits<double>::max();

std::vector<Field> joined(std::vector<Field> fields, std::initializer_list<Field> more) {
  fields.insert(fields.end(), more);
  return fields;
}

void log_epoch(Log& log, const std::string& phase, std::int64_t epoch, double cost, FitState& state) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  std::vector<Field> line = {{"phase", phase}, {"epoch", epoch}, {"cost", cost}};
  if (!std::isnan(state.valid_error)) line.push_back({"valid_error", state.valid_error});
  if (!std::isnan(state.test_error)) line.push_back({"test_error", state.test_error});
  log.write(line);
  state.valid_error = state.test_error = none;
}

}  // namespace

void Position::keep(Checkpoint& checkpoint, std::int64_t n_parts, std::int64_t n_train_batches) {
  checkpoint.keep("part", part, 0, n_parts);
  checkpoint.keep("part_epoch", epoch, 0, most_epochs);
  checkpoint.keep("part_costs", costs);
  const auto n = static_cast<std::int64_t>(costs.size());
  checkpoint.check_kept(n < n_train_batches, "part_costs",
                        fmt::format("fewer than the {} of an epoch, not {}", n_train_batches, n));
  checkpoint.keep("part_seconds", seconds, 0, finite);
}

void train_epochs(const EpochsArgs& args, Position& position, Session& session) {
  const Clock clock;
  const double seconds_before = position.seconds;
  while (position.epoch < args.n_epochs) {
    std::vector<double>& costs = position.costs;
    session.terminal.begin(fmt::format("{}, epoch {}", args.task, position.epoch), args.n_train_batches,
                           static_cast<std::int64_t>(costs.size()));
    const std::vector<Field> of_epoch = joined(args.log, {{"epoch", position.epoch}});
    for (auto minibatch = static_cast<std::int64_t>(costs.size()); minibatch < args.n_train_batches;
         ++minibatch) {
      costs.push_back(args.train(minibatch));
      session.terminal.step(costs.back());
      if (session.log.minibatches())
        session.log.write(joined(of_epoch, {{"minibatch", minibatch}, {"cost", costs.back()}}));
      if (minibatch + 1 == args.n_train_batches) {
        const double cost = numpy_mean(costs);
        args.on_epoch(position.epoch, cost);
        session.log.write(joined(of_epoch, {{"cost", cost}}));
        ++position.epoch;
        costs.clear();
      }
      position.seconds = seconds_before + clock.seconds();
      session.pause();
    }
  }
  ++position.part;
  position.epoch = 0;
}

void FitState::keep(Checkpoint& checkpoint, std::int64_t n_train_batches) {
  constexpr double any = std::numeric_limits<double>::infinity();
  checkpoint.keep("epoch", early.epoch, 0, most_epochs);
  checkpoint.keep("minibatch", early.minibatch, 0, n_train_batches);
  checkpoint.keep("iter", early.iter);
  const std::int64_t iter = early.epoch == 0 ? 0 : (early.epoch - 1) * n_train_batches + early.minibatch;
  checkpoint.check_kept(early.iter == iter, "iter",
                        fmt::format("{} after {} of {} minibatches of epoch {}, not {}", iter,
                                    early.minibatch, n_train_batches, early.epoch, early.iter));
  checkpoint.keep("patience", early.patience, 0, finite);
  checkpoint.keep("best_validation", early.best_validation, 0, any);
  checkpoint.keep("best_iter", early.best_iter, 0, early.iter);
  checkpoint.keep("test_score", early.test_score, 0, any);
  checkpoint.keep("cost_sum", early.cost_sum);
  checkpoint.keep("done", early.done);
  checkpoint.keep("valid_error", valid_error);
  checkpoint.keep("test_error", test_error);
  checkpoint.keep("seconds", seconds, 0, finite);
}

void fit(const TrainingFunctions& functions, const FitArgs& args, FitState& state, Session& session) {
  const Clock clock;
  const double seconds_before = state.seconds;
  std::int64_t epoch = state.early.epoch;
  const auto begin_task = [&](std::int64_t minibatch) {
    session.terminal.begin(fmt::format("epoch {}", epoch), args.n_train_batches, minibatch);
  };
  if (epoch > 0) begin_task(state.early.minibatch);
  const auto train = [&](std::int64_t minibatch) {
    if (minibatch == 0) {
      ++epoch;
      begin_task(0);
    }
    args.on_iter((epoch - 1) * args.n_train_batches + minibatch);
    const double cost = functions.train(minibatch).item();
    session.terminal.step(cost);
    if (session.log.minibatches())
      session.log.write({{"phase", args.phase}, {"epoch", epoch}, {"minibatch", minibatch}, {"cost", cost}});
    return cost;
  };
  const auto keep_going = [&](const EarlyStoppingState& now) {
    state.early = now;
    state.seconds = seconds_before + clock.seconds();
    session.pause();
    return true;
  };
  state.early = early_stopping(
      {.n_epochs = args.n_epochs,
       .n_train_batches = args.n_train_batches,
       .patience = static_cast<double>(args.patience),
       .train = train,
       .validate = [&] { return numpy_mean(functions.valid_score()); },
       .test = [&] { return numpy_mean(functions.test_score()); },
       .on_validation =
           [&](const EarlyStoppingState& now, double error) {
             session.say("epoch {}, minibatch {}/{}, validation error {:f} %", now.epoch, now.minibatch + 1,
                         args.n_train_batches, error * 100);
             state.valid_error = error;
           },
       .on_best =
           [&](const EarlyStoppingState& now) {
             session.say("     epoch {}, minibatch {}/{}, test error of best model {:f} %", now.epoch,
                         now.minibatch + 1, args.n_train_batches, now.test_score * 100);
             state.test_error = now.test_score;
             args.on_best();
           },
       .on_epoch = [&](const EarlyStoppingState& now,
                       double cost) { log_epoch(session.log, args.phase, now.epoch, cost, state); },
       .keep_going = keep_going},
      state.early);
  session.checkpoint.write(session.log);
  // The patience may end within an epoch.
  const EarlyStoppingState& end = state.early;
  if (end.minibatch < args.n_train_batches)
    log_epoch(session.log, args.phase, end.epoch, end.cost_sum / static_cast<double>(end.minibatch), state);
}

}  // namespace damo::apps
