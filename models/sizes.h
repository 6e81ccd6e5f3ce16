#pragma once
#include <string>

#include "../core/graph/graph.h"
#include "../core/graph/shared.h"

/// What the models check of the sizes they are given.
namespace damo {

/// Throws Error, which begins with the model's name, unless the input is set and both sizes are at least 1.
void check_layer(const std::string& model, const Var& input, int n_in, int n_out);

/// Throws Error, which begins with the model's name, unless the parameter called `name` has this shape.
void check_shape(const std::string& model, const std::string& name, const Shared& param, const Sizes& shape);

/// The number of whole minibatches in the rows of x. Throws Error if batch_size is below 1 or above their
/// number.
std::int64_t n_minibatches(const Shared& x, int batch_size);

}  // namespace damo
