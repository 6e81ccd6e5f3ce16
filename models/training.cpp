#include "models/training.h"

#include "models/sizes.h"

namespace damo {

TrainingFunctions training_functions(const Classifier& classifier, const Datasets& datasets, int batch_size,
                                     double learning_rate) {
  n_minibatches(datasets.train.x, batch_size);
  const Var index = lscalar("index");
  const auto givens = [&](const SharedDataset& data) {
    return Givens{{classifier.x, minibatch(data.x, index, batch_size)},
                  {classifier.y, minibatch(data.y, index, batch_size)}};
  };
  const auto score = [&](const SharedDataset& data,
                         const char* name) -> std::function<std::vector<double>()> {
    const std::int64_t n = n_minibatches(data.x, batch_size);
    const Function f =
        function({.inputs = {index}, .outputs = classifier.errors, .givens = givens(data), .name = name});
    return [f, n] {
      std::vector<double> losses;
      for (std::int64_t i = 0; i < n; ++i) losses.push_back(f(i).item());
      return losses;
    };
  };
  return {.train = function({.inputs = {index},
                             .outputs = classifier.cost,
                             .updates = sgd(classifier.cost, classifier.params, learning_rate),
                             .givens = givens(datasets.train),
                             .name = "train"}),
          .valid_score = score(datasets.valid, "valid"),
          .test_score = score(datasets.test, "test")};
}

}  // namespace damo
