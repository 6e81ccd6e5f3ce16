#pragma once
#include <optional>
#include <vector>

#include "core/graph.h"

/// For rewrites: what the ops that only move elements are made of.
namespace damo {

/// The pattern of a dimshuffle (-1 for a new axis), or none.
std::optional<std::vector<int>> dimshuffle_pattern(const Var& v);

/// Whether v is an alloc: its first input stretched.
bool is_alloc(const Var& v);

/// Whether v is a basic index, x[a:b, i].
bool is_basic_index(const Var& v);

}  // namespace damo
