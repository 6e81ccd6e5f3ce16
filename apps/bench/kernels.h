#pragma once
#include <cstdint>

#include "apps/bench/crew.h"

/// The inner loops of the steps written by hand. Matrices are row-major without gaps, `rows` are those to be
/// worked on, and a vector with one element per row is indexed by the row.
namespace damo::bench {

struct Matrix {
  float* data;
  std::int64_t rows, cols;
  float* operator[](std::int64_t i) const { return data + i * cols; }
};

/// y_i = <w_i, x>.
void dots(const Matrix& w, Range rows, const float* x, float* y);
/// y += sum_i c_i w_i; rows with c_i = 0 are not read.
void add_rows(const Matrix& w, Range rows, const float* c, float* y);
/// w_i += a_i x; rows with a_i = 0 are not touched.
void update(const Matrix& w, Range rows, const float* a, const float* x);
/// w_i = scale w_i + a_i x + b_i y.
void update(const Matrix& w, Range rows, float scale, const float* a, const float* x, const float* b,
            const float* y);
/// y_i = <w_i, x>, and then w_i += a_i x.
void dots_and_update(const Matrix& w, Range rows, const float* x, float* y, const float* a);
/// The sum of the squares.
double squares(const Matrix& w, Range rows);

/// Elementwise over [begin, end).
void sigmoid(const float* x, float* y, Range range);
void tanh(const float* x, float* y, Range range);
/// sum_i log(1 + exp(z_i)) - x_i z_i: the cross-entropy of x and sigmoid(z).
double cross_entropy(const float* x, const float* z, Range range);

}  // namespace damo::bench
