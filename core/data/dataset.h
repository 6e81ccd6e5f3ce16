#pragma once
#include "../tensor/tensor.h"

namespace damo {

/// Labelled examples in three parts, as the tutorials' load_data() returns them: x of shape (n, 784), a row
/// per image, and y of shape (n,), the labels, in the same float type.
struct Dataset {
  Tensor train_x, train_y;
  Tensor valid_x, valid_y;
  Tensor test_x, test_y;
};

}  // namespace damo
