#pragma once
#include <functional>
#include <vector>

#include "../ops/ops.h"
#include "datasets.h"
#include "params.h"

/// Multi-class logistic regression, trained by conjugate gradients: the tutorial's module of this name.
namespace damo::logistic_cg {

/// The model of models/logistic_regression.h, with its parameters in one vector, as minimizers want them.
struct LogisticRegression {
  struct Args {
    Var input = {};  ///< floats (n, n_in), one example a row
    int n_in = 0;
    int n_out = 0;  ///< how many classes
  };

  /// theta starts at zero. Throws Error if the input is not set or a size is below 1.
  explicit LogisticRegression(Args args);

  /// See damo::LogisticRegression.
  Var negative_log_likelihood(const Arg& y) const;
  Var errors(const Arg& y) const;

  NamedParams named_params() const { return {{"theta", theta}}; }

  Shared theta;     ///< (n_in n_out + n_out,): W row by row, then b
  Var W;            ///< (n_in, n_out)
  Var b;            ///< (n_out,)
  Var p_y_given_x;  ///< (n, n_out)
  Var y_pred;       ///< int64 (n,)
  Var input;
};

/// Numbers for theta.
using Theta = std::vector<double>;

/// What fmin_cg is given, and what its callback asks. The first two give the model theirs for theta.
struct Functions {
  std::function<double(const Theta&)> train_fn;      ///< the mean of the minibatches' costs
  std::function<Theta(const Theta&)> train_fn_grad;  ///< the mean of their gradients
  std::function<std::vector<double>()> valid_score;  ///< the error of each whole minibatch, a fraction
  std::function<std::vector<double>()> test_score;
};

/// Functions over the minibatches of three data sets; the model's input is x. `on_minibatch` is told of each
/// minibatch of train_fn and its cost. Throws Error if the batch size is below 1 or above the size of one of
/// the sets.
Functions functions(const LogisticRegression& classifier, const Datasets& datasets, int batch_size,
                    const std::function<void(std::int64_t minibatch, double cost)>& on_minibatch = {});

}  // namespace damo::logistic_cg
