#pragma once

/// What conv.h and pool.h share.
namespace damo {

/// Two numbers, for the rows and for the columns of an image; one number stands for both.
struct RowsCols {
  int rows = 1, cols = 1;

  RowsCols(int both) : rows(both), cols(both) {}
  RowsCols(int for_rows, int for_cols) : rows(for_rows), cols(for_cols) {}
  bool operator==(const RowsCols&) const = default;
};

}  // namespace damo
