#pragma once
#include <span>

namespace damo {

/// numpy.mean(values, dtype='float64'), with the sum taken in NumPy's order: two epochs with the same error
/// in a different distribution over the minibatches may differ by rounding, and early stopping compares them.
/// NaN for no values.
double numpy_mean(std::span<const double> values);

}  // namespace damo
