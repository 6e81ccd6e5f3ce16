#include "models/training.h"

#include "models/sizes.h"

namespace damo {

namespace {

Givens minibatch_givens(const Classifier& classifier, const SharedDataset& data, const Var& index,
                        int batch_size) {
  return {{classifier.x, minibatch(data.x, index, batch_size)},
          {classifier.y, minibatch(data.y, index, batch_size)}};
}

}  // namespace

std::function<std::vector<double>()> score_function(const Classifier& classifier, const SharedDataset& data,
                                                    int batch_size, const std::string& name) {
  const std::int64_t n = n_minibatches(data.x, batch_size);
  const Var index = lscalar("index");
  const Function f = function({.inputs = {index},
                               .outputs = classifier.errors,
                               .givens = minibatch_givens(classifier, data, index, batch_size),
                               .name = name});
  return [f, n] {
    std::vector<double> losses;
    for (std::int64_t i = 0; i < n; ++i) losses.push_back(f(i).item());
    return losses;
  };
}

TrainingFunctions training_functions(const Classifier& classifier, const Datasets& datasets, int batch_size,
                                     double learning_rate) {
  n_minibatches(datasets.train.x, batch_size);
  const Var index = lscalar("index");
  return {.train = function({.inputs = {index},
                             .outputs = classifier.cost,
                             .updates = sgd(classifier.cost, classifier.params, learning_rate),
                             .givens = minibatch_givens(classifier, datasets.train, index, batch_size),
                             .name = "train"}),
          .valid_score = score_function(classifier, datasets.valid, batch_size, "valid"),
          .test_score = score_function(classifier, datasets.test, batch_size, "test")};
}

}  // namespace damo
