#pragma once
#include <array>
#include <vector>

#include "hidden_layer.h"
#include "logistic_regression.h"

namespace damo {

/// A convolution, the maximum of each window of its output, and tanh units with one bias per filter (tutorial
/// "Convolutional Neural Networks (LeNet)").
struct LeNetConvPoolLayer {
  struct Args {
    RandomState& rng;
    Var input = {};                        ///< floats of image_shape
    std::array<int, 4> filter_shape = {};  ///< filters, channels, filter rows, filter columns
    std::array<int, 4> image_shape = {};   ///< batch size, channels, rows, columns
    RowsCols poolsize = 2;
    Shared W =
        {};  ///< of filter_shape; if empty, drawn from rng, uniform over +-sqrt(6 / (fan_in + fan_out))
    Shared b = {};  ///< (filters,); if empty, zeros
  };

  LeNetConvPoolLayer() = default;  ///< empty

  /// Throws Error if the input is not set or has not image_shape, a size is below 1, the numbers of channels
  /// differ, or W or b has another shape.
  explicit LeNetConvPoolLayer(Args args);

  NamedParams named_params() const { return {{"W", W}, {"b", b}}; }

  Var input;
  Shared W;
  Shared b;
  Var output;  ///< (batch size, filters, pooled rows, pooled columns)
  std::vector<Shared> params;
};

/// The tutorial's network: two such layers with filters of 5 x 5 over images of 28 x 28, 500 tanh units, and
/// a logistic regression over ten classes.
struct LeNet {
  struct Args {
    RandomState& rng;
    Var input = {};  ///< floats (batch_size, 28 * 28)
    int batch_size = 0;
    std::array<int, 2> nkerns = {20, 50};  ///< filters of the two layers
  };

  /// Throws Error if the input is not set or a size is below 1.
  explicit LeNet(Args args);

  Var negative_log_likelihood(const Arg& y) const { return layer3.negative_log_likelihood(y); }
  Var errors(const Arg& y) const { return layer3.errors(y); }

  NamedParams named_params() const;

  Var input;
  LeNetConvPoolLayer layer0, layer1;
  HiddenLayer layer2;
  LogisticRegression layer3;
  std::vector<Shared> params;  ///< of layers 3, 2, 1 and 0
};

}  // namespace damo
