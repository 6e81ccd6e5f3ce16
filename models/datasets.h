#pragma once
#include <string>

#include "../core/data/dataset.h"
#include "../core/data/mnist.h"
#include "../core/graph/shared.h"

namespace damo {

/// Examples x (n, n_in) and their labels y (n,). Both are stored as floatX; y is the int32 cast of what is
/// stored (tutorial "Getting Started").
struct SharedDataset {
  Shared x;
  Var y;
};

/// The tensors as shared variables `name`_x and `name`_y, which keep their memory if they hold floatX. Throws
/// Error unless x is a matrix and y a vector of as many elements as x has rows.
SharedDataset shared_dataset(const std::string& name, const Tensor& x, const Tensor& y);

struct Datasets {
  SharedDataset train, valid, test;
};

/// The three parts as train_set, valid_set and test_set.
Datasets shared_datasets(const Dataset& data);

/// MNIST as the tutorial's load_data() gives it: see load_mnist and, for an empty folder, find_mnist.
Datasets load_data(const std::string& folder = {}, const MnistLimits& limits = {});

}  // namespace damo
