#include "models/early_stopping.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/error.h"

using damo::early_stopping;
using damo::EarlyStoppingArgs;
using damo::EarlyStoppingState;
using damo::Error;

namespace {

// Validation errors from a list, its last one for ever, with a record of all that the loop does.
struct Script {
  explicit Script(std::vector<double> list) : errors(std::move(list)) {}
  std::vector<double> errors;
  std::size_t n_validations = 0;
  std::vector<std::int64_t> validated_at, tested_at;
  std::vector<double> patience;  // after each improvement
  std::string log;

  EarlyStoppingArgs args(std::int64_t n_epochs, std::int64_t n_train_batches, double first_patience) {
    EarlyStoppingArgs a{.n_epochs = n_epochs, .n_train_batches = n_train_batches, .patience = first_patience};
    a.train = [this](std::int64_t i) {
      log += 't' + std::to_string(i) + ' ';
      return 1. + static_cast<double>(i);
    };
    a.validate = [this] {
      log += "v ";
      const double e = errors[std::min(n_validations, errors.size() - 1)];
      ++n_validations;
      return e;
    };
    a.test = [this] {
      log += "test ";
      return 100. + static_cast<double>(n_validations);
    };
    a.on_validation = [this](const EarlyStoppingState& s, double) { validated_at.push_back(s.iter); };
    a.on_best = [this](const EarlyStoppingState& s) {
      tested_at.push_back(s.iter);
      patience.push_back(s.patience);
    };
    a.on_epoch = [this](const EarlyStoppingState& s, double) { log += 'e' + std::to_string(s.epoch) + ' '; };
    return a;
  }
};

using Iters = std::vector<std::int64_t>;
const double inf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("the order of events, epochs counted from 1 and minibatches from 0") {
  Script s({.5, .6, .4});
  const EarlyStoppingState end = early_stopping(s.args(2, 3, 4));
  CHECK(s.log == "t0 t1 v test t2 e1 t0 v t1 ");
  CHECK(s.validated_at == Iters{1, 3});
  // iter 1 improves on infinity: max(4, 1 * 2) = 4, so that training stops at iter 4
  CHECK(s.patience == std::vector<double>{4});
  CHECK(end.done);
  CHECK(end.epoch == 2);
  CHECK(end.minibatch == 2);
  CHECK(end.iter == 5);
  CHECK(end.best_iter == 1);
  CHECK(end.best_validation == .5);
  CHECK(end.test_score == 101);
  CHECK(end.cost_sum == 1 + 2);
}

TEST_CASE("patience grows to iter * patience_increase on a significant improvement only") {
  // Validated at iter 4, 9, 14, ...; patience // 2 = 5 is below the 100 minibatches of an epoch.
  Script s({1., .9, .8999, .896, .8914, .5, .5});
  const EarlyStoppingState end = early_stopping(s.args(10, 100, 10));
  // 4: max(10, 8); 9: .9 < .995, max(10, 18); 14: .8999 is better, but not by half a percent; 19 is never
  // reached
  CHECK(s.validated_at == Iters{4, 9, 14});
  CHECK(s.tested_at == Iters{4, 9, 14});
  CHECK(s.patience == std::vector<double>{10, 18, 18});
  CHECK(end.iter == 19);
  CHECK(end.best_validation == .8999);
  CHECK(end.best_iter == 14);

  // .896 is below .8999 but not below .995 * .8999 = .8954; .8914 < .995 * .896
  Script slow({1., .9, .8999, .896, .8914, .9});
  EarlyStoppingArgs args = slow.args(10, 100, 10);
  args.patience_increase = 2.5;
  const EarlyStoppingState last = early_stopping(args);
  // 9: 22.5; 24: is not reached, since 22.5 <= 23
  CHECK(slow.validated_at == Iters{4, 9, 14, 19});
  CHECK(slow.patience == std::vector<double>{10, 22.5, 22.5, 22.5});
  CHECK(last.iter == 24);
  CHECK(last.patience == 22.5);
}

TEST_CASE("the threshold is taken against the best error before it is replaced, and strictly") {
  Script equal({.8, .8});
  early_stopping(equal.args(1, 100, 6));
  CHECK(equal.tested_at == Iters{2});  // an equal error is no improvement
  Script edge({1., .995, .994});
  const EarlyStoppingState end = early_stopping(edge.args(1, 100, 6));
  // .995 < 1 * .995 is false, and .994 < .995 * .995 too: tested, but no more patience than max(6, 2 * 2)
  CHECK(edge.tested_at == Iters{2, 5});
  CHECK(edge.patience == std::vector<double>{6, 6});
  CHECK(end.iter == 7);
}

TEST_CASE("a zero error ends improvement, NaN never improves") {
  Script zero({0.});
  CHECK(early_stopping(zero.args(5, 10, 20)).best_validation == 0);
  CHECK(zero.tested_at == Iters{9});
  Script nan({std::nan("")});
  const EarlyStoppingState end = early_stopping(nan.args(50, 10, 20));
  CHECK(end.best_validation == inf);
  CHECK(end.iter == 21);
  CHECK(nan.tested_at.empty());
}

TEST_CASE("validation frequency is min(n_train_batches, patience // 2)") {
  Script s({1});
  CHECK(damo::validation_frequency(s.args(1, 83, 5000)) == 83);
  CHECK(damo::validation_frequency(s.args(1, 2500, 10000)) == 2500);
  CHECK(damo::validation_frequency(s.args(1, 50000, 10000)) == 5000);
  CHECK(damo::validation_frequency(s.args(1, 100, 7)) == 3);
  CHECK(damo::validation_frequency(s.args(1, 100, 2.9)) == 1);
}

// The loop of logistic_sgd.py, mlp.py and SdA.py, literally.
TEST_CASE("any script ends as the tutorials' own loop does") {
  std::uint32_t random = 1;
  const auto next = [&](std::uint32_t n) {
    random = random * 1664525 + 1013904223;
    return (random >> 16) % n;
  };
  for (int trial = 0; trial < 300; ++trial) {
    CAPTURE(trial);
    const std::int64_t n_epochs = 1 + next(12), n_batches = 1 + next(20);
    const double first_patience = 2 + next(60), increase = 1 + next(5) / 2.,
                 threshold = next(2) == 0 ? .995 : .9;
    std::vector<double> errors;
    for (int i = 0; i < 40; ++i) errors.push_back(1. / (1 + i) + next(100) / 150.);

    double patience = first_patience, best = inf, test_score = 0;
    std::int64_t epoch = 0, best_iter = 0, iter = -1;
    std::size_t n_validations = 0;
    const auto frequency =
        static_cast<std::int64_t>(std::min(static_cast<double>(n_batches), std::floor(patience / 2)));
    bool done_looping = false;
    Iters tested_at;
    while (epoch < n_epochs && !done_looping) {
      epoch = epoch + 1;
      for (std::int64_t minibatch_index = 0; minibatch_index < n_batches; ++minibatch_index) {
        iter = (epoch - 1) * n_batches + minibatch_index;
        if ((iter + 1) % frequency == 0) {
          const double this_loss = errors[std::min(n_validations++, errors.size() - 1)];
          if (this_loss < best) {
            if (this_loss < best * threshold)
              patience = std::max(patience, static_cast<double>(iter) * increase);
            best = this_loss;
            best_iter = iter;
            test_score = 100. + static_cast<double>(n_validations);
            tested_at.push_back(iter);
          }
        }
        if (patience <= static_cast<double>(iter)) {
          done_looping = true;
          break;
        }
      }
    }

    Script s(errors);
    EarlyStoppingArgs args = s.args(n_epochs, n_batches, first_patience);
    args.patience_increase = increase;
    args.improvement_threshold = threshold;
    const EarlyStoppingState end = early_stopping(args);
    CHECK(end.epoch == epoch);
    CHECK(end.iter == iter + 1);
    CHECK(end.done == done_looping);
    CHECK(end.patience == patience);
    CHECK(end.best_validation == best);
    CHECK(end.best_iter == best_iter);
    CHECK(end.test_score == test_score);
    CHECK(s.tested_at == tested_at);

    // Left after every possible minibatch, the state copied as bytes, the loop goes on to the same end.
    const std::int64_t stop_at = 1 + next(static_cast<std::uint32_t>(iter + 1));
    Script parts(errors);
    args = parts.args(n_epochs, n_batches, first_patience);
    args.patience_increase = increase;
    args.improvement_threshold = threshold;
    args.keep_going = [&](const EarlyStoppingState& state) { return state.iter != stop_at; };
    const EarlyStoppingState left = early_stopping(args);
    CHECK(left.iter == stop_at);
    EarlyStoppingState saved;
    std::memcpy(&saved, &left, sizeof left);
    const EarlyStoppingState resumed = early_stopping(args, saved);
    CHECK(parts.log == s.log);
    CHECK(resumed.iter == end.iter);
    CHECK(resumed.best_validation == end.best_validation);
    CHECK(resumed.patience == end.patience);
    CHECK(resumed.test_score == end.test_score);
    CHECK(resumed.cost_sum == end.cost_sum);
    CHECK(early_stopping(args, resumed).iter == end.iter);  // nothing is left to do
  }
}

TEST_CASE("epochs report the mean of their costs, and more of them can be added") {
  Script s({1.});
  EarlyStoppingArgs args = s.args(2, 4, 1000);
  std::vector<double> costs;
  args.on_epoch = [&](const EarlyStoppingState&, double cost) { costs.push_back(cost); };
  EarlyStoppingState state = early_stopping(args);
  CHECK(costs == std::vector<double>{2.5, 2.5});
  CHECK(state.epoch == 2);
  CHECK(!state.done);
  args.n_epochs = 5;
  state = early_stopping(args, state);
  CHECK(state.epoch == 5);
  CHECK(costs.size() == 5);
  args.n_epochs = 0;
  CHECK(early_stopping(args).epoch == 0);
}

TEST_CASE("what the loop cannot run on is an error") {
  Script s({1.});
  CHECK_THROWS_WITH_AS(early_stopping(s.args(1, 0, 10)), "early stopping needs at least one minibatch, not 0",
                       Error);
  CHECK_THROWS_WITH_AS(early_stopping(s.args(1, 3, 1)),
                       "early stopping needs a patience of at least 2, not 1", Error);
  EarlyStoppingArgs args = s.args(1, 3, 10);
  args.test = {};
  CHECK_THROWS_WITH_AS(early_stopping(args), "early stopping needs train, validate and test", Error);
}
