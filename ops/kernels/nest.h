#pragma once
#include <array>
#include <cstdint>

#include "../../core/graph/op.h"
#include "scalar_op.h"

namespace damo {

inline constexpr int max_operands = 32;

/// A loop nest over arrays: shapes and strides with neighbouring axes joined where every operand allows it.
struct Nest {
  int rank = 0;
  int n_first = 0;                ///< of its axes, those that come from the first part of the array's axes
  std::int64_t tile = tile_size;  ///< elements of the last axis at a time
  std::int64_t period = 0;        ///< after so many elements of the last axis some operands begin again, or 0
  std::array<bool, max_operands> periodic;  ///< which, if there is a period
  // Filled up to the rank and the number of operands: clearing the rest would take longer than a small
  // program.
  std::array<std::int64_t, max_rank> shape;
  std::array<std::array<std::int64_t, max_rank>, max_operands> strides;
};

/// No axis before `second` is joined with one from there on.
Nest make_nest(const Views& x, const Sizes& shape, int second = 0);

/// A nest whose last axis is one of the second part's.
Nest make_nest_of_parts(const Views& x, const Sizes& shape, int second);

/// Joins the last axis, if it is short, with the one before it: a tile takes several rows then, also of
/// operands that are the same in each row.
void join_short_rows(Nest& nest, int n_operands);

/// The product of the nest's sizes from one axis to before another.
std::int64_t product(const Nest& nest, int from, int to);
std::int64_t inner_size(const Nest& nest);

}  // namespace damo
