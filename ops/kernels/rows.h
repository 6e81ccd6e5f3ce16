#pragma once
#include <cstdint>

/// The inner loops of products with few vectors, over the rows of a row-major matrix: each reads (and writes)
/// every row once. Vectorized; a row's result does not depend on the rows beside it.
namespace damo {

/// Rows `begin` to `end` of a matrix with `cols` columns, `stride` elements apart.
template <class T>
struct Rows {
  T* data;
  std::int64_t stride, cols, begin, end;
  T* operator[](std::int64_t i) const { return data + i * stride; }
};

/// y_i = <w_i, x>.
template <class T>
void row_dots(const Rows<const T>& w, const T* x, T* y);

/// y += sum_i c_i w_i; if all of w is known to be finite, rows with c_i = 0 are not read.
template <class T>
void row_sums(const Rows<const T>& w, const T* c, T* y, bool is_finite);

/// w_i = scale w_i + a_i x; for scale = 1 and a finite x rows with a_i = 0 are not touched. Whether all that
/// it has written is finite.
template <class T>
bool row_updates(const Rows<T>& w, T scale, const T* a, const T* x);

/// w_i = scale w_i + a_i x + b_i y, likewise.
template <class T>
bool row_updates(const Rows<T>& w, T scale, const T* a, const T* x, const T* b, const T* y);

/// y_i = <w_i, x>, and then w_i = scale w_i + a_i b, likewise.
template <class T>
bool row_dots_and_updates(const Rows<T>& w, const T* x, T* y, T scale, const T* a, const T* b);

}  // namespace damo
