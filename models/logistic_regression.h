#pragma once
#include <vector>

#include "models/params.h"
#include "ops/ops.h"

namespace damo {

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

  /// -mean_i log p(y = y_i | x_i), a scalar; y holds the labels, integers (n,). A mean, not a sum: the
  /// learning rate then depends less on the batch size. A label outside [0, n_out) is an Error of the call.
  Var negative_log_likelihood(const Arg& y) const;

  /// The fraction of wrong predictions, a scalar. Throws Error unless y is a vector of integers.
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
