// Trains a logistic regression on MNIST by conjugate gradients (the tutorials' logistic_cg.py).
#include "models/logistic_cg.h"

#include <limits>

#include "apps/command_line.h"
#include "apps/session.h"
#include "core/tensor/check.h"
#include "models/fmin_cg.h"
#include "models/numpy_mean.h"
#include "models/sizes.h"

namespace damo::apps {
namespace {

struct Options {
  // No random number is drawn: the parameters start at zero.
  CommonOptions common = {};
  int n_epochs = 50;
  int batch_size = 600;
};

// What the search changes from one iteration to the next.
struct State {
  CgState cg;
  double best_validation = std::numeric_limits<double>::infinity();
  double test_score = 0;
  bool done = false;  // for another reason than the limit of iterations
  double seconds = 0;

  void keep(Checkpoint& checkpoint) {
    constexpr double any = std::numeric_limits<double>::infinity(),
                     finite = std::numeric_limits<double>::max();
    const std::size_t n = cg.x.size();
    const auto check_size = [&](const std::string& name, std::size_t size) {
      checkpoint.check_kept(size == n, name, fmt::format("{} numbers, not {}", n, size));
    };
    checkpoint.keep("x", cg.x);
    check_size("x", cg.x.size());
    checkpoint.keep("gradient", cg.gradient);
    checkpoint.keep("direction", cg.direction);
    if (!cg.gradient.empty() || !cg.direction.empty()) {
      check_size("gradient", cg.gradient.size());
      check_size("direction", cg.direction.size());
    }
    checkpoint.keep("f", cg.f);
    checkpoint.keep("f_before", cg.f_before);
    checkpoint.keep("iteration", cg.iteration, 0, std::numeric_limits<int>::max());
    checkpoint.keep("n_f", cg.n_f);
    checkpoint.keep("n_fprime", cg.n_fprime);
    checkpoint.keep("best_validation", best_validation, 0, any);
    checkpoint.keep("test_score", test_score, 0, any);
    checkpoint.keep("done", done);
    checkpoint.keep("seconds", seconds, 0, finite);
  }
};

// The script's callback: validates after an iteration, and tests what is best so far.
void validate(const logistic_cg::Functions& functions, const logistic_cg::LogisticRegression& classifier,
              State& state, Session& session) {
  const double error = numpy_mean(functions.valid_score());
  session.say("validation error {:f} %", error * 100);
  std::vector<Field> line = {
      {"phase", "train"}, {"epoch", state.cg.iteration}, {"cost", state.cg.f}, {"valid_error", error}};
  if (error < state.best_validation) {
    state.best_validation = error;
    state.test_score = numpy_mean(functions.test_score());
    line.push_back({"test_error", state.test_score});
    session.save(classifier.named_params());
  }
  session.log.write(line);
}

void program(int argc, const char* const* argv) {
  Options options;
  CommandLine line("logistic_cg", "Trains a logistic regression on MNIST by conjugate gradients.");
  line.whole("--n-epochs", options.n_epochs, 1, "at most so many iterations");
  line.whole("--batch-size", options.batch_size, 1, "examples in a minibatch");
  if (!options.common.read(line, argc, argv)) return;

  Session session(options.common);
  const Datasets datasets = session.load_datasets();
  session.check_batch_size(options.batch_size, {datasets.train.x, datasets.valid.x, datasets.test.x});

  session.say("... building the model");
  const Var x = matrix("x");
  const logistic_cg::LogisticRegression classifier({.input = x, .n_in = 28 * 28, .n_out = 10});
  session.load(classifier.named_params());
  State state;
  state.cg.x = classifier.theta.get_value().to_vector<double>();
  state.keep(session.checkpoint);
  const std::int64_t n_train_batches = n_minibatches(datasets.train.x, options.batch_size);
  const auto on_minibatch = [&](std::int64_t minibatch, double cost) {
    const std::int64_t epoch = state.cg.iteration + 1;
    if (minibatch == 0) session.terminal.begin(fmt::format("epoch {}", epoch), n_train_batches);
    session.terminal.step(cost);
    if (session.log.minibatches())
      session.log.write({{"phase", "train"}, {"epoch", epoch}, {"minibatch", minibatch}, {"cost", cost}});
  };
  const logistic_cg::Functions functions =
      logistic_cg::functions(classifier, datasets, options.batch_size, on_minibatch);

  session.say("Optimizing using fmin_cg...");
  const Clock clock;
  const double seconds_before = state.seconds;
  const auto callback = [&](const CgState& now) {
    state.cg = now;
    classifier.theta.set_value(Tensor(now.x).astype(floatX()));
    validate(functions, classifier, state, session);
    state.seconds = seconds_before + clock.seconds();
    session.pause();
  };
  if (!state.done) {
    const auto [last, end] = fmin_cg({.f = functions.train_fn,
                                      .fprime = functions.train_fn_grad,
                                      .callback = callback,
                                      .maxiter = options.n_epochs},
                                     state.cg);
    state.done = end != CgEnd::iteration_limit;
    if (state.done) session.say("Stopped after {} epochs: {}", last.iteration, to_string(end));
  }
  session.checkpoint.write(session.log);
  session.say("Optimization complete with best validation score of {:f} %, with test performance {:f} %",
              state.best_validation * 100, state.test_score * 100);
  session.say("The code for file logistic_cg.cpp ran for {:.1f}s", state.seconds);
}

}  // namespace
}  // namespace damo::apps

int main(int argc, char** argv) { return damo::apps::run("logistic_cg", argc, argv, damo::apps::program); }
