#include "models/numpy_mean.h"

#include "core/tensor/numpy_sum.h"

namespace damo {

double numpy_mean(std::span<const double> values) {
  return pairwise_sum(values) / static_cast<double>(values.size());
}

}  // namespace damo
