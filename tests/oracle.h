#pragma once
#include <vector>

#include "core/graph/graph.h"

namespace damo::test {

/// The values of `outputs`, node by node as the graph is written, with loops over indices in double and
/// int64; each node's elements are then rounded to its dtype. Shares no kernel with ops: it knows an op by
/// its name alone. Throws std::logic_error on an op that it does not know.
std::vector<Tensor> oracle(const Vars& outputs, const VarMap<Tensor>& inputs);

}  // namespace damo::test
