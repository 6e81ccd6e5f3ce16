#pragma once
#include <cstdint>

namespace damo {

/// Two numbers, for the rows and for the columns of an image; one number stands for both.
struct RowsCols {
  std::int64_t rows = 0, cols = 0;

  RowsCols() = default;
  RowsCols(std::int64_t both) : rows(both), cols(both) {}
  RowsCols(std::int64_t for_rows, std::int64_t for_cols) : rows(for_rows), cols(for_cols) {}
  bool operator==(const RowsCols&) const = default;
};

}  // namespace damo
