#pragma once
#include "../core/graph/graph.h"

namespace damo {

/// -target log(output) - (1 - target) log(1 - output), elementwise.
Var binary_crossentropy(const Arg& output, const Arg& target);
/// -log(p[i, y_i]) for a matrix p of row-wise probabilities and an integer vector y of labels; or, for a
/// matrix y of probabilities, -sum_j y_ij log(p_ij). The call throws Error unless there is one label for each
/// row, from 0 on and below the number of columns.
Var categorical_crossentropy(const Arg& p, const Arg& y);

}  // namespace damo
