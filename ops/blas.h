#pragma once
#include "core/tensor.h"

namespace damo {

/// c = alpha a b + beta c for matrices: a (m, k), b (k, n), c (m, n) row-major. float32 or float64, any
/// strides of a and b.
void gemm(double alpha, const View& a, const View& b, double beta, const View& c);

}  // namespace damo
