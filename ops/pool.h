#pragma once
#include <optional>

#include "../core/graph/graph.h"
#include "../core/tensor/rows_cols.h"

namespace damo {

/// What of a window is its result.
enum class PoolMode {
  max,
  sum,
  average_inc_pad,  ///< sum / size, padding included
  average_exc_pad,  ///< sum / number of elements that are not padding
};

struct PoolArgs {
  bool ignore_border = false;           ///< leave out windows that stick out, else cut them off
  std::optional<RowsCols> stride = {};  ///< from one window to the next; if empty, the window's size
  RowsCols pad = 0;                     ///< zeros on each side, which no maximum and no average_exc_pad sees
  PoolMode mode = PoolMode::max;
};

/// The windows of `ws` rows and columns over the last two axes of x, each made one element (Theano's
/// tensor.signal.pool.pool_2d): floats (..., output rows, output columns). With n rows, padding included,
/// there are (n - ws) / stride + 1 rows of output with ignore_border, rounded down, else as many as begin in
/// x and hold something that no earlier one does. A maximum is NaN if an element is; its gradient goes to
/// every element of the window that equals it. Throws Error if x has fewer than two axes or no floats, if a
/// size is below 1, or if pad is negative, not smaller than ws, or given without ignore_border.
Var pool_2d(const Arg& input, const RowsCols& ws, const PoolArgs& args = {});

}  // namespace damo
