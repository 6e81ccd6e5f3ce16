#pragma once
#include <span>

#include "../../core/tensor/tensor.h"

namespace damo {

/// c = alpha a b + beta c for matrices: a (m, k), b (k, n), c (m, n) row-major. float32 or float64, any
/// strides of a and b. Whether c is known to be finite if it was before.
bool gemm(double alpha, const View& a, const View& b, double beta, const View& c);

/// alpha a b, which is added to something.
struct Term {
  double alpha;
  View a, b;
};
/// c = beta c + the terms: those with few inner elements in one pass over c. Whether c is known to be finite
/// if it was before.
bool add_products(std::span<const Term> terms, double beta, const View& c);

/// A matrix in row-major memory, rows at distances of `ld`; or the transpose of one.
template <class T>
struct Panel {
  const T* data = nullptr;
  std::int64_t ld = 0;
  bool transposed = false;
};

struct ProductSizes {
  std::int64_t m = 0, n = 0, k = 0;
};

/// c = a b + beta c on this thread alone, for what runs inside `parallel`: a (m, k), b (k, n), c (m, n) with
/// rows at distances of `ldc`, float or double; no size is 0.
template <class T>
void gemm_alone(const ProductSizes& sizes, const Panel<T>& a, const Panel<T>& b, T beta, T* c,
                std::int64_t ldc);

/// The additions and multiplications of a product a b.
inline double product_flops(const View& a, const View& b) {
  return 2 * static_cast<double>(a.size()) * static_cast<double>(b.shape[1]);
}

}  // namespace damo
