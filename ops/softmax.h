#pragma once
#include "../core/graph/graph.h"

namespace damo {

/// exp(x_i) / sum_j exp(x_j), along the last axis.
Var softmax(const Arg& x);
/// log(softmax(x)), computed as x_i - max - log(sum_j exp(x_j - max)).
Var log_softmax(const Arg& x);
/// log(sum_j exp(x_j)), along the last axis, which is gone: -Inf if it is empty, and nothing overflows.
Var log_sum_exp(const Arg& x);

}  // namespace damo
