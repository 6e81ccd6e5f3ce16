#pragma once
#include "../core/graph/graph.h"
#include "../core/tensor/rows_cols.h"

/// Convolutions of images with filters, and their gradients (Theano's tensor.nnet.conv2d and abstract_conv).
///
/// Images are floats (batch, channels, rows, columns), filters floats (filters, channels, filter rows, filter
/// columns). Two dtypes are promoted to one.
namespace damo {

/// How far the images are continued by zeros on each side, where f is the size of a (dilated) filter.
enum class Border {
  valid,  ///< not at all: rows - f + 1 rows of output
  full,   ///< by f - 1: rows + f - 1
  half,   ///< by f / 2, rounded down: as many as there are rows if f is odd, else one more
};

/// A Border, or the numbers of rows and columns of zeros.
class BorderMode {
 public:
  BorderMode(Border border = Border::valid) : border_(border) {}
  BorderMode(std::int64_t pad) : BorderMode(pad, pad) {}
  BorderMode(std::int64_t pad_rows, std::int64_t pad_cols) : is_pad_(true), pad_(pad_rows, pad_cols) {}
  bool operator==(const BorderMode&) const = default;

  bool is_pad() const { return is_pad_; }
  Border border() const { return border_; }  ///< if it is not numbers
  RowsCols pad() const { return pad_; }      ///< if it is

 private:
  bool is_pad_ = false;
  Border border_ = Border::valid;
  RowsCols pad_ = 0;
};

struct ConvArgs {
  BorderMode border_mode = Border::valid;
  RowsCols subsample = 1;        ///< of the output only every so many-th row and column is computed
  bool filter_flip = true;       ///< a convolution; false: a correlation
  Sizes input_shape = {};        ///< the images' sizes, -1 where unknown; empty: all are
  Sizes filter_shape = {};       ///< the filters' sizes, likewise
  RowsCols filter_dilation = 1;  ///< between neighbours in a filter there are so many rows and columns
};

/// y_bfij = sum_cpq w_fcpq x_bc(i + P - 1 - p)(j + Q - 1 - q), for images x and filters w of P rows and Q
/// columns (without a flip x_bc(i + p)(j + q)): (batch, filters, output rows, output columns). Throws Error
/// if an operand has not 4 axes or no floats, if the numbers of channels differ, a filter is empty or larger
/// than the padded images, a border negative, or a step below 1; or if input_shape or filter_shape are wrong.
Var conv2d(const Arg& input, const Arg& filters, const ConvArgs& args = {});

/// The gradient of a cost with respect to the images of conv2d(images, filters, args), from its gradient with
/// respect to the output. `input_shape` are the images' four sizes, integers or integer scalars; the first
/// two may be -1, since the others tell them. Throws Error as conv2d, or if the output would have other
/// sizes.
Var conv2d_grad_wrt_inputs(const Arg& output_grad, const Arg& filters, const Shape& input_shape,
                           const ConvArgs& args = {});

/// The same with respect to the filters, whose four sizes are `filter_shape`.
Var conv2d_grad_wrt_weights(const Arg& input, const Arg& output_grad, const Shape& filter_shape,
                            const ConvArgs& args = {});

}  // namespace damo
