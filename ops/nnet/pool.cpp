#include "ops/pool.h"

#include "core/graph/op.h"
#include "core/tensor/size.h"
#include "ops/array/zeros.h"
#include "ops/elemwise.h"
#include "ops/kernels/pooling.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// The windows over the last two axes; the four ops that share them.
struct Windows {
  RowsCols ws, stride, pad;
  bool ignore_border;
  PoolMode mode;

  Windows(const RowsCols& size, const PoolArgs& args)
      : ws(size),
        stride(args.stride.value_or(size)),
        pad(args.pad),
        ignore_border(args.ignore_border),
        mode(args.mode) {}
  bool operator==(const Windows&) const = default;

  void check_numbers() const {
    const auto text = [](RowsCols n) { return fmt::format("({}, {})", n.rows, n.cols); };
    check(ws.rows > 0 && ws.cols > 0, "ws is {}, and must be at least 1", text(ws));
    check(stride.rows > 0 && stride.cols > 0, "stride is {}, and must be at least 1", text(stride));
    check(pad.rows >= 0 && pad.cols >= 0, "pad is {}, and must not be negative", text(pad));
    check(pad == RowsCols(0) || ignore_border, "pad is {}, which needs ignore_border", text(pad));
    check(pad.rows < ws.rows && pad.cols < ws.cols, "pad is {}, and must be smaller than ws, {}", text(pad),
          text(ws));
  }

  std::string text() const {
    static constexpr const char* modes[] = {"max", "sum", "average_inc_pad", "average_exc_pad"};
    std::string s = fmt::format("{}, ws ({}, {})", modes[static_cast<int>(mode)], ws.rows, ws.cols);
    if (!(stride == ws)) s += fmt::format(", stride ({}, {})", stride.rows, stride.cols);
    if (!(pad == RowsCols(0))) s += fmt::format(", pad ({}, {})", pad.rows, pad.cols);
    return s + (ignore_border ? ", ignore_border" : "");
  }

  /// How many windows there are along an axis of n elements; -1 if n is not known.
  std::int64_t out_size(std::int64_t n, std::int64_t size, std::int64_t step, std::int64_t padding) const {
    if (n <= 0) return n;
    const std::int64_t padded = plus(n, 2 * padding);
    if (ignore_border) return padded < size ? 0 : (padded - size) / step + 1;
    if (step >= size) return (padded - 1) / step + 1;
    return std::max<std::int64_t>(0, padded - 1 - size + step) / step + 1;
  }
  std::int64_t out_rows(std::int64_t n) const { return out_size(n, ws.rows, stride.rows, pad.rows); }
  std::int64_t out_cols(std::int64_t n) const { return out_size(n, ws.cols, stride.cols, pad.cols); }

  Type out_type(const Type& x) const {
    check(x.ndim() >= 2, "x must have at least two axes, not {}", x.ndim());
    check(x.is_float(), "x must hold floats, not {}", x.dtype);
    check_numbers();
    const int rows = x.ndim() - 2, cols = x.ndim() - 1;
    Type y = x;
    y.stretch &= (1U << rows) - 1U;
    y.shape[rows] = out_rows(x.shape[rows]);
    y.shape[cols] = out_cols(x.shape[cols]);
    return y;
  }

  PoolGeometry geometry(const View& x, const View& y) const {
    const int r = x.ndim() - 2, c = x.ndim() - 1;
    return {.rows = {x.shape[r], y.shape[r], ws.rows, stride.rows, pad.rows},
            .cols = {x.shape[c], y.shape[c], ws.cols, stride.cols, pad.cols},
            .mode = mode,
            .counts_padding = mode == PoolMode::average_inc_pad && ignore_border};
  }
};

/// Throws Error unless y has as many windows as x.
void check_pooled(const Windows& windows, const Type& x, const Type& y) {
  const Type expected = windows.out_type(x);
  invariant(expected.ndim() == y.ndim(), "a pool's output has other axes than its input");
  for (int i = 0; i < y.ndim(); ++i)
    check(expected.shape[i] < 0 || y.shape[i] < 0 || expected.shape[i] == y.shape[i],
          "the windows have shape {}, not {}", expected.shape, y.shape);
}

// The maximum of each window, y, as a function of x, has these two linear maps as its derivatives.
Var max_unpooled(const Windows& windows, const Var& x, const Var& y, const Var& gy);
Var max_picked(const Windows& windows, const Var& x, const Var& y, const Var& v);
Var unpooled(const Windows& windows, const Var& x, const Var& gy);

// y_ij = the maximum, sum or average of window (i, j) of x.
struct Pool : OpOf<Pool>, Chooses {
  Windows windows;

  explicit Pool(const Windows& w) : windows(w) {}
  bool operator==(const Pool&) const = default;

  std::string name() const override { return "pool_2d{" + windows.text() + "}"; }
  Types infer(const Types& x) const override { return {windows.out_type(x[0])}; }

  Var size(const Vars& x, int, int axis) const override {
    return axis < x[0].ndim() - 2 ? shape(x[0], axis) : Var();
  }

  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    if (windows.mode == PoolMode::max) return {max_unpooled(windows, x[0], y[0], gy[0])};
    return {unpooled(windows, x[0], gy[0])};
  }

  bool chooses() const override { return windows.mode == PoolMode::max; }

  void perform(const Views& x, const Views& y) const override {
    pool(windows.geometry(x[0], y[0]), x[0], y[0]);
  }
};

// gx_rc = the sum of gy_ij, for an average divided as that is, over the windows (i, j) that hold (r, c)
// (inputs: gy, and x for its sizes).
struct Unpool : OpOf<Unpool> {
  Windows windows;

  explicit Unpool(const Windows& w) : windows(w) {}
  bool operator==(const Unpool&) const = default;

  std::string name() const override { return "unpool_2d{" + windows.text() + "}"; }

  Types infer(const Types& x) const override {
    check_pooled(windows, x[1], x[0]);
    return {x[1]};
  }

  bool reads(int input) const override { return input == 0; }
  Var size(const Vars& x, int, int axis) const override { return shape(x[1], axis); }

  Vars L_op(const Vars&, const Vars&, const Vars& ggx) const override {
    return {apply(make_op(Pool(windows)), Vars{ggx[0]}), Var()};
  }

  void perform(const Views& x, const Views& y) const override {
    unpool(windows.geometry(y[0], x[0]), x[0], y[0]);
  }
};

// gx_rc = the sum of gy_ij over the windows (i, j) that hold (r, c) where x_rc = y_ij (inputs: x, y, gy).
struct MaxUnpool : OpOf<MaxUnpool> {
  Windows windows;

  explicit MaxUnpool(const Windows& w) : windows(w) {}
  bool operator==(const MaxUnpool&) const = default;

  std::string name() const override { return "max_unpool_2d{" + windows.text() + "}"; }

  Types infer(const Types& x) const override {
    check_pooled(windows, x[0], x[1]);
    check_pooled(windows, x[0], x[2]);
    return {x[0]};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  // Which element is the largest does not change with x, until it jumps.
  Vars L_op(const Vars& x, const Vars&, const Vars& ggx) const override {
    return {zeros_like(x[0]), zeros_like(x[1]), max_picked(windows, x[0], x[1], ggx[0])};
  }

  void perform(const Views& x, const Views& y) const override {
    max_unpool(windows.geometry(y[0], x[1]), x[0], x[1], x[2], y[0]);
  }
};

// z_ij = the sum of v_rc over window (i, j) where x_rc = y_ij (inputs: x, y, v).
struct MaxPick : OpOf<MaxPick> {
  Windows windows;

  explicit MaxPick(const Windows& w) : windows(w) {}
  bool operator==(const MaxPick&) const = default;

  std::string name() const override { return "max_pick_2d{" + windows.text() + "}"; }

  Types infer(const Types& x) const override {
    check_pooled(windows, x[0], x[1]);
    check_pooled(windows, x[2], x[1]);
    return {x[1]};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[1], axis); }

  Vars L_op(const Vars& x, const Vars&, const Vars& gz) const override {
    return {zeros_like(x[0]), zeros_like(x[1]), max_unpooled(windows, x[0], x[1], gz[0])};
  }

  void perform(const Views& x, const Views& y) const override {
    max_pick(windows.geometry(x[0], y[0]), x[0], x[1], x[2], y[0]);
  }
};

Var max_unpooled(const Windows& windows, const Var& x, const Var& y, const Var& gy) {
  return apply(make_op(MaxUnpool(windows)), Vars{x, y, gy});
}
Var max_picked(const Windows& windows, const Var& x, const Var& y, const Var& v) {
  return apply(make_op(MaxPick(windows)), Vars{x, y, v});
}
Var unpooled(const Windows& windows, const Var& x, const Var& gy) {
  return apply(make_op(Unpool(windows)), Vars{gy, x});
}

}  // namespace

Var pool_2d(const Arg& input, const RowsCols& ws, const PoolArgs& args) {
  const Scope here(input);
  return apply(make_op(Pool(Windows(ws, args))), Vars{input.var()});
}

}  // namespace damo
