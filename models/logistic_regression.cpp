#include "models/logistic_regression.h"

#include "core/tensor/check.h"
#include "models/sizes.h"

namespace damo {

LogisticRegression::LogisticRegression(Args args) : input(args.input) {
  check_layer("LogisticRegression", args.input, args.n_in, args.n_out);
  W = shared(Tensor::zeros({args.n_in, args.n_out}, floatX()), "W", {.borrow = true});
  b = shared(Tensor::zeros({args.n_out}, floatX()), "b", {.borrow = true});
  p_y_given_x = softmax(dot(input, W) + b);
  y_pred = argmax(p_y_given_x, {.axis = 1});
  params = {W, b};
}

Var negative_log_likelihood(const Var& p_y_given_x, const Arg& y) {
  const Var labels = y.var();
  // log p is a matrix with a row per example; [0..n-1, y] picks the log-probability of each one's own label.
  return -mean(log(p_y_given_x)[{arange(labels.shape(0)), labels}]);
}

Var error_rate(const Var& y_pred, const Arg& y) {
  const Var labels = y.var();
  check(labels.ndim() == y_pred.ndim() && labels.type().is_int(),
        "errors: y must be a vector of integers, one label per example\n  {}   {}\n  {}", labels.type(),
        label(labels), to_string(y.where));
  return mean(neq(y_pred, labels));
}

Var LogisticRegression::negative_log_likelihood(const Arg& y) const {
  return damo::negative_log_likelihood(p_y_given_x, y);
}

Var LogisticRegression::errors(const Arg& y) const { return damo::error_rate(y_pred, y); }

}  // namespace damo
