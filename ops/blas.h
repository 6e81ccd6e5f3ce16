#pragma once
#include "core/tensor.h"

namespace damo {

/// c = alpha a b + beta c for matrices: a (m, k), b (k, n), c (m, n) row-major. float32 or float64, any
/// strides of a and b.
void gemm(double alpha, const View& a, const View& b, double beta, const View& c);

/// The additions and multiplications of a product a b.
inline double product_flops(const View& a, const View& b) {
  return 2 * static_cast<double>(a.size()) * static_cast<double>(b.shape[1]);
}

}  // namespace damo
