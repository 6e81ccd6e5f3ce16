#include "ops/conv.h"

#include <algorithm>

#include "core/graph/op.h"
#include "core/tensor/size.h"
#include "ops/array/zeros.h"
#include "ops/elemwise.h"
#include "ops/kernels/convolution.h"
#include "ops/shape.h"

namespace damo {
namespace {

std::string to_text(RowsCols n) { return fmt::format("({}, {})", n.rows, n.cols); }

/// How the filters move over the images: what is the same for the three ops, which are the derivatives of one
/// trilinear form, sum_bfij gy_bfij conv2d(x, w)_bfij.
struct Move {
  BorderMode border;
  RowsCols step, dilation;
  bool flip;

  explicit Move(const ConvArgs& args)
      : border(args.border_mode),
        step(args.subsample),
        dilation(args.filter_dilation),
        flip(args.filter_flip) {}
  bool operator==(const Move&) const = default;

  ConvArgs args() const {
    return {.border_mode = border, .subsample = step, .filter_flip = flip, .filter_dilation = dilation};
  }

  void check_numbers() const {
    check(!border.is_pad() || (border.pad().rows >= 0 && border.pad().cols >= 0),
          "border_mode is {}, and must not be negative", to_text(border.pad()));
    check(step.rows > 0 && step.cols > 0, "subsample is {}, and must be at least 1", to_text(step));
    check(dilation.rows > 0 && dilation.cols > 0, "filter_dilation is {}, and must be at least 1",
          to_text(dilation));
  }

  std::string text() const {
    std::string s = "valid";
    if (border.is_pad())
      s = "pad " + to_text(border.pad());
    else if (border.border() != Border::valid)
      s = border.border() == Border::full ? "full" : "half";
    if (!(step == RowsCols(1))) s += ", step " + to_text(step);
    if (!(dilation == RowsCols(1))) s += ", dilation " + to_text(dilation);
    if (!flip) s += ", no flip";
    return s;
  }

  static std::int64_t dilated(std::int64_t filter, std::int64_t apart) {
    return plus(times(filter - 1, apart), 1);
  }

  std::int64_t pad_for(std::int64_t pad, std::int64_t span) const {
    if (border.is_pad()) return pad;
    if (border.border() == Border::valid) return 0;
    return border.border() == Border::full ? span - 1 : span / 2;
  }
  std::int64_t pad_rows(std::int64_t filter_rows) const {
    return pad_for(border.pad().rows, dilated(filter_rows, dilation.rows));
  }
  std::int64_t pad_cols(std::int64_t filter_cols) const {
    return pad_for(border.pad().cols, dilated(filter_cols, dilation.cols));
  }

  std::int64_t padded_size(std::int64_t image, std::int64_t pad, std::int64_t span) const {
    return plus(image, times(2, pad_for(pad, span)));
  }

  /// The output's size along one axis; -1 if it is not known.
  std::int64_t out_size(const char* axis, std::int64_t image, std::int64_t filter, std::int64_t pad,
                        std::int64_t filter_step, std::int64_t apart) const {
    check(filter != 0, "the filters have no {}", axis);
    if (image < 0 || filter < 0) return -1;
    const std::int64_t span = dilated(filter, apart), padded = padded_size(image, pad, span);
    check(span <= padded, "the filters have {} {}, which do not fit into {} {} of the padded images", span,
          axis, padded, axis);
    return (padded - span) / filter_step + 1;
  }

  /// The shape of the output.
  Sizes out_shape(const Sizes& x, const Sizes& w) const {
    check(x[1] < 0 || w[1] < 0 || x[1] == w[1], "the images have {} channels, and the filters {}", x[1],
          w[1]);
    const Sizes y = {x[0], w[0], out_size("rows", x[2], w[2], border.pad().rows, step.rows, dilation.rows),
                     out_size("columns", x[3], w[3], border.pad().cols, step.cols, dilation.cols)};
    if (y[2] >= 0 && y[3] >= 0) {
      // Each image is padded in memory of its own.
      const std::int64_t rows = padded_size(x[2], border.pad().rows, dilated(w[2], dilation.rows)),
                         cols = padded_size(x[3], border.pad().cols, dilated(w[3], dilation.cols));
      check_size(Type(DType::float64, {x[1], rows, cols}));
    }
    return y;
  }

  ConvGeometry geometry(const Sizes& x, const Sizes& w, const Sizes& y) const {
    return {.batch = x[0],
            .channels = x[1],
            .rows = x[2],
            .cols = x[3],
            .n_filters = w[0],
            .filter_rows = w[2],
            .filter_cols = w[3],
            .out_rows = y[2],
            .out_cols = y[3],
            .pad_rows = pad_rows(w[2]),
            .pad_cols = pad_cols(w[3]),
            .step_rows = step.rows,
            .step_cols = step.cols,
            .dilation_rows = dilation.rows,
            .dilation_cols = dilation.cols,
            .flip = flip};
  }
};

void check_four_axes(const char* what, const Type& x, const char* axes) {
  check(x.ndim() == 4, "{} have 4 axes, {}, not {}", what, axes, x.ndim());
}
void check_images(const Type& x) { check_four_axes("the images", x, "(batch, channels, rows, columns)"); }
void check_filters(const Type& w) { check_four_axes("the filters", w, "(filters, channels, rows, columns)"); }
void check_gradient(const Type& gy) {
  check_four_axes("the output's gradients", gy, "(batch, filters, rows, columns)");
}

/// Sizes that are known by both or one of them. Throws Error if they differ.
Sizes both(const char* what, const Sizes& known, const char* whose, const Sizes& given) {
  if (given.empty()) return known;
  check(given.size() == 4, "{} has 4 sizes, not {}", whose, given.size());
  Sizes sizes = known;
  for (int i = 0; i < 4; ++i) {
    check(given[i] < 0 || sizes[i] < 0 || given[i] == sizes[i], "axis {} of {} has size {}, and {} says {}",
          i, what, sizes[i], whose, given[i]);
    if (sizes[i] < 0) sizes[i] = given[i];
  }
  return sizes;
}

/// Of inputs 2 to 5; -1 where unknown.
Sizes sizes_of(const Types& x) {
  Sizes sizes;
  for (std::size_t i = 2; i < x.size(); ++i) sizes.push_back(x[i].has_value ? x[i].value : -1);
  return sizes;
}

void check_same_output(const Sizes& expected, const Sizes& gy) {
  for (int i = 0; i < 4; ++i)
    check(expected[i] < 0 || gy[i] < 0 || expected[i] == gy[i],
          "the output's gradient has shape {}, and the output {}", gy, expected);
}

/// The operands followed by four sizes.
Vars with_sizes(const Vars& operands, const char* whose, const Args& sizes) {
  check(sizes.size() == 4, "{} has 4 sizes, not {}", whose, sizes.size());
  Vars inputs = operands;
  for (const Arg& size : sizes) {
    const Var n = size.var();
    check(n.ndim() == 0 && !n.type().is_float(), "a size is an integer scalar, not {}", n.type());
    inputs.push_back(cast(n, DType::int64));
  }
  return inputs;
}

Args shape_of(const Var& x) {
  Args sizes;
  for (int i = 0; i < 4; ++i) sizes.emplace_back(shape(x, i));
  return sizes;
}

Type result(const Types& x, const Sizes& shape, bool stretch0, bool stretch1) {
  return Type(x[0].dtype, shape, (stretch0 ? 1U : 0U) | (stretch1 ? 2U : 0U));
}

// y_bfij = sum_cpq w_fcpq x_bc(i + P - 1 - p)(j + Q - 1 - q), for images x[0] and filters w = x[1].
struct Conv2d : OpOf<Conv2d>, Mixes {
  Move move;
  Sizes input_shape, filter_shape;

  explicit Conv2d(const ConvArgs& args)
      : move(args), input_shape(args.input_shape), filter_shape(args.filter_shape) {}
  bool operator==(const Conv2d&) const = default;

  std::string name() const override { return "conv2d{" + move.text() + "}"; }

  Types infer(const Types& x) const override {
    check_images(x[0]);
    check_filters(x[1]);
    move.check_numbers();
    const Sizes images = both("the images", x[0].shape, "input_shape", input_shape);
    const Sizes filters = both("the filters", x[1].shape, "filter_shape", filter_shape);
    return {result(x, move.out_shape(images, filters), x[0].stretches(0), x[1].stretches(0))};
  }

  Var size(const Vars& x, int, int axis) const override {
    return axis < 2 ? shape(x[static_cast<std::size_t>(axis)], 0) : Var();
  }

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    return {conv2d_grad_wrt_inputs(gy[0], x[1], shape_of(x[0]), move.args()),
            conv2d_grad_wrt_weights(x[0], gy[0], shape_of(x[1]), move.args())};
  }

  void perform(const Views& x, const Views& y) const override {
    convolve(move.geometry(x[0].shape, x[1].shape, y[0].shape), x[0], x[1], y[0]);
  }

  double flops(const Views& x, const Views& y) const override {
    return move.geometry(x[0].shape, x[1].shape, y[0].shape).flops();
  }
};

// gx_bcrs = sum of gy_bfij w_fcpq over all f, i, j, p, q where y_bfij has the term w_fcpq x_bcrs (inputs: gy,
// w, and the four sizes of x).
struct ConvGradInputs : OpOf<ConvGradInputs> {
  Move move;

  explicit ConvGradInputs(const ConvArgs& args) : move(args) {}
  bool operator==(const ConvGradInputs&) const = default;

  std::string name() const override { return "conv2d_grad_wrt_inputs{" + move.text() + "}"; }

  Types infer(const Types& x) const override {
    const Type &gy = x[0], &w = x[1];
    check_gradient(gy);
    check_filters(w);
    move.check_numbers();
    const Sizes shape = both("the images", {gy.shape[0], w.shape[1], -1, -1}, "input_shape", sizes_of(x));
    for (const std::size_t i : {4U, 5U})
      check(!x[i].has_value || x[i].value >= 0, "input_shape must tell the rows and columns of the images");
    check_same_output(move.out_shape(shape, w.shape), gy.shape);
    return {result(x, shape, gy.stretches(0), w.stretches(1))};
  }

  bool needs_value(int input) const override { return input >= 2; }

  Vars L_op(const Vars& x, const Vars&, const Vars& ggx) const override {
    Vars gx(x.size());
    gx[0] = conv2d(ggx[0], x[1], move.args());
    gx[1] = conv2d_grad_wrt_weights(ggx[0], x[0], shape_of(x[1]), move.args());
    return gx;
  }

  void perform(const Views& x, const Views& y) const override {
    convolve_grad_inputs(move.geometry(y[0].shape, x[1].shape, x[0].shape), x[0], x[1], y[0]);
  }

  double flops(const Views& x, const Views& y) const override {
    return move.geometry(y[0].shape, x[1].shape, x[0].shape).flops();
  }
};

// gw_fcpq = sum of gy_bfij x_bcrs over all b, i, j, r, s where y_bfij has the term w_fcpq x_bcrs (inputs: x,
// gy, and the four sizes of w).
struct ConvGradWeights : OpOf<ConvGradWeights> {
  Move move;

  explicit ConvGradWeights(const ConvArgs& args) : move(args) {}
  bool operator==(const ConvGradWeights&) const = default;

  std::string name() const override { return "conv2d_grad_wrt_weights{" + move.text() + "}"; }

  Types infer(const Types& x) const override {
    const Type &images = x[0], &gy = x[1];
    check_images(images);
    check_gradient(gy);
    move.check_numbers();
    const Sizes shape =
        both("the filters", {gy.shape[1], images.shape[1], -1, -1}, "filter_shape", sizes_of(x));
    for (const std::size_t i : {4U, 5U})
      check(!x[i].has_value || x[i].value >= 0, "filter_shape must tell the rows and columns of the filters");
    check_same_output(move.out_shape(images.shape, shape), gy.shape);
    return {result(x, shape, gy.stretches(1), images.stretches(1))};
  }

  bool needs_value(int input) const override { return input >= 2; }

  Vars L_op(const Vars& x, const Vars&, const Vars& ggw) const override {
    Vars gx(x.size());
    gx[0] = conv2d_grad_wrt_inputs(x[1], ggw[0], shape_of(x[0]), move.args());
    gx[1] = conv2d(x[0], ggw[0], move.args());
    return gx;
  }

  void perform(const Views& x, const Views& y) const override {
    convolve_grad_weights(move.geometry(x[0].shape, y[0].shape, x[1].shape), x[0], x[1], y[0]);
  }

  double flops(const Views& x, const Views& y) const override {
    return move.geometry(x[0].shape, y[0].shape, x[1].shape).flops();
  }
};

/// Both operands with one dtype, a float.
Vars promoted(const std::string& op, const Arg& a, const Arg& b) {
  const DType dtype = promote(a.dtype(), b.dtype());
  const Vars given{a.var(), b.var()};
  return checking(op, given, [&] {
    check(is_float(dtype), "one operand at least must hold floats, not {} and {}", a.dtype(), b.dtype());
    return Vars{cast(given[0], dtype), cast(given[1], dtype)};
  });
}

/// A convolution's gradient with respect to something of these sizes.
Var gradient(const OpPtr& op, const Arg& a, const Arg& b, const char* name, const Args& sizes) {
  const Scope here(a);
  const Vars x = promoted(op->name(), a, b);
  return apply(op, checking(op->name(), x, [&] { return with_sizes(x, name, sizes); }));
}

}  // namespace

Var conv2d(const Arg& input, const Arg& filters, const ConvArgs& args) {
  const Scope here(input);
  const OpPtr op = make_op(Conv2d(args));
  return apply(op, promoted(op->name(), input, filters));
}

Var conv2d_grad_wrt_inputs(const Arg& output_grad, const Arg& filters, const Shape& input_shape,
                           const ConvArgs& args) {
  return gradient(make_op(ConvGradInputs(args)), output_grad, filters, "input_shape", input_shape);
}

Var conv2d_grad_wrt_weights(const Arg& input, const Arg& output_grad, const Shape& filter_shape,
                            const ConvArgs& args) {
  return gradient(make_op(ConvGradWeights(args)), input, output_grad, "filter_shape", filter_shape);
}

}  // namespace damo
