#include "models/logistic_cg.h"

#include "models/logistic_regression.h"
#include "models/numpy_mean.h"
#include "models/sizes.h"
#include "models/training.h"

namespace damo::logistic_cg {

LogisticRegression::LogisticRegression(Args args) : input(args.input) {
  check_layer("LogisticRegression", args.input, args.n_in, args.n_out);
  const std::int64_t n_W = std::int64_t{args.n_in} * args.n_out;
  theta = shared(Tensor::zeros({n_W + args.n_out}, floatX()), "theta", {.borrow = true});
  W = theta[slice(0, n_W)].reshape({args.n_in, args.n_out});
  b = theta[slice(n_W, n_W + args.n_out)];
  p_y_given_x = softmax(dot(input, W) + b);
  y_pred = argmax(p_y_given_x, {.axis = 1});
}

Var LogisticRegression::negative_log_likelihood(const Arg& y) const {
  return damo::negative_log_likelihood(p_y_given_x, y);
}

Var LogisticRegression::errors(const Arg& y) const { return damo::error_rate(y_pred, y); }

Functions functions(const LogisticRegression& classifier, const Datasets& datasets, int batch_size,
                    const std::function<void(std::int64_t, double)>& on_minibatch) {
  const std::int64_t n = n_minibatches(datasets.train.x, batch_size);
  const Var index = lscalar("index");
  const Var y = ivector("y");
  const Var cost = classifier.negative_log_likelihood(y);
  const auto of_minibatch = [&](const Var& output, const char* name) {
    return function({.inputs = {index},
                     .outputs = output,
                     .givens = {{classifier.input, minibatch(datasets.train.x, index, batch_size)},
                                {y, minibatch(datasets.train.y, index, batch_size)}},
                     .name = name});
  };
  const Function batch_cost = of_minibatch(cost, "batch_cost");
  const Function batch_grad = of_minibatch(grad(cost, classifier.theta), "batch_grad");
  const Shared theta = classifier.theta;
  const auto set_theta = [theta](const Theta& value) {
    theta.set_value(Tensor(value).astype(theta.dtype()));
  };
  const Classifier scored{classifier.input, y, cost, classifier.errors(y), {theta}};
  return {.train_fn =
              [=](const Theta& value) {
                set_theta(value);
                std::vector<double> costs;
                for (std::int64_t i = 0; i < n; ++i) {
                  costs.push_back(batch_cost(i));
                  if (on_minibatch) on_minibatch(i, costs.back());
                }
                return numpy_mean(costs);
              },
          .train_fn_grad =
              [=](const Theta& value) {
                set_theta(value);
                Theta sum(value.size(), 0);
                for (std::int64_t i = 0; i < n; ++i) {
                  const Theta part = Tensor(batch_grad(i)).to_vector<double>();
                  for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += part[k];
                }
                for (double& v : sum) v /= static_cast<double>(n);
                return sum;
              },
          .valid_score = score_function(scored, datasets.valid, batch_size, "validate"),
          .test_score = score_function(scored, datasets.test, batch_size, "test")};
}

}  // namespace damo::logistic_cg
