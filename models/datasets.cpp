#include "models/datasets.h"

#include "core/tensor/check.h"
#include "ops/elemwise.h"

namespace damo {

SharedDataset shared_dataset(const std::string& name, const Tensor& x, const Tensor& y) {
  check(x.ndim() == 2 && y.ndim() == 1 && x.shape(0) == y.shape(0),
        "{}: x has shape {} and y {}, and they must be (n, n_in) and (n,)", name, x.shape(), y.shape());
  const Shared shared_x = shared(x.astype(floatX()), name + "_x", {.borrow = true});
  const Shared shared_y = shared(y.astype(floatX()), name + "_y", {.borrow = true});
  return {shared_x, cast(shared_y, int32)};
}

Datasets shared_datasets(const Dataset& data) {
  return {shared_dataset("train_set", data.train_x, data.train_y),
          shared_dataset("valid_set", data.valid_x, data.valid_y),
          shared_dataset("test_set", data.test_x, data.test_y)};
}

Datasets load_data(const std::string& folder, const MnistLimits& limits) {
  return shared_datasets(load_mnist(find_mnist(folder), limits));
}

}  // namespace damo
