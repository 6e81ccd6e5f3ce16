#pragma once
#include "op.h"

namespace damo {

/// The op applied to tensors, once: for constants known when a function is built.
std::vector<Tensor> evaluate(const Op& op, const std::vector<Tensor>& x, const Types& types);

}  // namespace damo
