#include "models/lenet.h"

#include <algorithm>
#include <cmath>

#include "core/random/random_state.h"
#include "core/tensor/check.h"
#include "models/sizes.h"

namespace damo {
namespace {

Sizes sizes(const std::array<int, 4>& shape) { return {shape[0], shape[1], shape[2], shape[3]}; }

void check_sizes(const Var& input, const Sizes& filters, const Sizes& images, RowsCols poolsize) {
  const auto positive = [](std::int64_t n) { return n > 0; };
  check(input.is_set(), "LeNetConvPoolLayer: the input is not set");
  check(std::all_of(filters.begin(), filters.end(), positive) &&
            std::all_of(images.begin(), images.end(), positive) && poolsize.rows > 0 && poolsize.cols > 0,
        "LeNetConvPoolLayer: filters {} on images {}, pooled by ({}, {}), and each size must be at least 1",
        filters, images, poolsize.rows, poolsize.cols);
  check(filters[1] == images[1], "LeNetConvPoolLayer: the images have {} channels, and the filters {}",
        images[1], filters[1]);
}

constexpr int image_side = 28, filter_side = 5;
/// The side of a layer's output over images of this side.
constexpr int output_side(int side) { return (side - filter_side + 1) / 2; }

}  // namespace

LeNetConvPoolLayer::LeNetConvPoolLayer(Args args) : input(args.input), W(args.W), b(args.b) {
  const Sizes filters = sizes(args.filter_shape), images = sizes(args.image_shape);
  check_sizes(input, filters, images, args.poolsize);
  if (!W.is_set()) {
    // Each unit has as many inputs as a filter has weights, and a unit below passes its gradient to as many
    // as there are weights of all filters, divided by the pool's size.
    const std::int64_t fan_in = filters[1] * filters[2] * filters[3];
    const std::int64_t fan_out =
        filters[0] * filters[2] * filters[3] / (std::int64_t{args.poolsize.rows} * args.poolsize.cols);
    const double W_bound = std::sqrt(6. / static_cast<double>(fan_in + fan_out));
    W = shared(args.rng.uniform(-W_bound, W_bound, filters, floatX()), "W", {.borrow = true});
  }
  if (!b.is_set()) b = shared(Tensor::zeros({filters[0]}, floatX()), "b", {.borrow = true});
  check_shape("LeNetConvPoolLayer", "W", W, filters);
  check_shape("LeNetConvPoolLayer", "b", b, {filters[0]});
  const Var conv_out = conv2d(input, W, {.input_shape = images, .filter_shape = filters});
  // Bias and tanh come after the pool, which they would not change: there are fewer elements.
  const Var pooled_out = pool_2d(conv_out, args.poolsize, {.ignore_border = true});
  output = tanh(pooled_out + b.dimshuffle({'x', 0, 'x', 'x'}));
  params = {W, b};
}

LeNet::LeNet(Args args)
    : input(args.input),
      layer0({.rng = args.rng,
              .input = input.is_set() ? input.reshape({args.batch_size, 1, image_side, image_side}) : Var(),
              .filter_shape = {args.nkerns[0], 1, filter_side, filter_side},
              .image_shape = {args.batch_size, 1, image_side, image_side}}),
      layer1({.rng = args.rng,
              .input = layer0.output,
              .filter_shape = {args.nkerns[1], args.nkerns[0], filter_side, filter_side},
              .image_shape = {args.batch_size, args.nkerns[0], output_side(image_side),
                              output_side(image_side)}}),
      layer2({.rng = args.rng,
              .input = layer1.output.flatten(2),
              .n_in = args.nkerns[1] * output_side(output_side(image_side)) *
                      output_side(output_side(image_side)),
              .n_out = 500}),
      layer3({.input = layer2.output, .n_in = 500, .n_out = 10}) {
  for (const auto& layer : {layer3.params, layer2.params, layer1.params, layer0.params})
    params.insert(params.end(), layer.begin(), layer.end());
}

NamedParams LeNet::named_params() const {
  NamedParams named;
  const auto add = [&](const std::string& name, const NamedParams& layer) {
    for (auto& param : prefixed(name + ".", layer)) named.push_back(param);
  };
  add("layer0", layer0.named_params());
  add("layer1", layer1.named_params());
  add("layer2", layer2.named_params());
  add("layer3", layer3.named_params());
  return named;
}

}  // namespace damo
