#pragma once
#include <vector>

#include "../ops/ops.h"
#include "params.h"

namespace damo {

/// -mean_i log p[i, y_i], a scalar, for the probabilities p (n, n_out) of the classes and the labels y,
/// integers (n,). A mean, not a sum: the learning rate then depends less on the batch size. A label outside
/// [0, n_out) is an Error of the call.
Var negative_log_likelihood(const Var& p_y_given_x, const Arg& y);

/// The fraction of predictions, integers (n,), that are not y, a scalar. Throws Error unless y is a vector of
/// integers.
Var error_rate(const Var& y_pred, const Arg& y);

/// Multi-class logistic regression: p(y = i | x) = softmax(x W + b)_i, and the class predicted is the most
/// probable one (tutorial "Classifying MNIST digits using Logistic Regression").
struct LogisticRegression {
  struct Args {
    Var input = {};  ///< floats (n, n_in), one example a row
    int n_in = 0;
    int n_out = 0;  ///< how many classes
  };

  LogisticRegression() = default;  ///< empty

  /// W (n_in, n_out) and b (n_out,) start at zero. Throws Error if the input is not set or a size is below 1.
  explicit LogisticRegression(Args args);

  /// Those of p_y_given_x and y_pred.
  Var negative_log_likelihood(const Arg& y) const;
  Var errors(const Arg& y) const;

  NamedParams named_params() const { return {{"W", W}, {"b", b}}; }

  Shared W;
  Shared b;
  Var p_y_given_x;  ///< (n, n_out)
  Var y_pred;       ///< int64 (n,)
  std::vector<Shared> params;
  Var input;
};

}  // namespace damo
