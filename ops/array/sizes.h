#pragma once
#include <cstdint>
#include <string>

#include "../../core/graph/graph.h"

/// Sizes as inputs of a node: of reshape and alloc.
namespace damo {

/// x followed by its new sizes, for `op`.
Vars with_sizes(const std::string& op, const Var& x, const Args& sizes);

/// Which sizes are the literal 1, as bits: along those axes the result stretches.
std::uint32_t literal_ones(const Args& sizes);

}  // namespace damo
