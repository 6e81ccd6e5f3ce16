#pragma once
#include <cstdint>

#include "rows.h"

/// The inner loops of products of a large matrix with a few vectors (a minibatch of twenty, ten classes),
/// where BLAS is far from what the processor can do. Registers hold a block of results; a block of rows of
/// the matrix stays in the first-level cache while all vectors use it.
namespace damo {

inline constexpr std::int64_t most_few = 32;

/// What each of the chosen rows of a matrix is multiplied by: m factors, one per vector, side by side.
template <class T>
struct Factors {
  const std::int64_t* rows;  ///< which rows of the matrix
  const T* values;           ///< those of rows[i] begin at i m
  std::int64_t begin, end;   ///< the range of i
};

/// y_r += sum_i values_ir w_i for r < m; the rows of y are `ldy` apart.
template <class T>
void few_sums(const T* w, std::int64_t ldw, std::int64_t cols, const Factors<T>& c, std::int64_t m, T* y,
              std::int64_t ldy);

/// w_i = scale w_i + sum_r values_ir x_r, for the chosen rows. Whether all that it has written is finite.
template <class T>
bool few_updates(T scale, T* w, std::int64_t ldw, std::int64_t cols, const Factors<T>& a, std::int64_t m,
                 const T* x, std::int64_t ldx);

/// y_ri = alpha <x_r, w_i> + beta y_ri for r < m; y_ri lies at r step_r + i step_i. beta = 0: y is not read.
template <class T>
struct FewDots {
  T alpha, beta;
  T* y;
  std::int64_t step_r, step_i;
};
template <class T>
void few_dots(const Rows<const T>& w, const T* x, std::int64_t ldx, std::int64_t m, const FewDots<T>& to);

}  // namespace damo
