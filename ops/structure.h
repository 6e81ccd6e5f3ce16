#pragma once
#include <optional>
#include <vector>

#include "../core/graph.h"
#include "../core/walk.h"

/// For rewrites: what the ops that only move elements are made of.
namespace damo {

/// The pattern of a dimshuffle (-1 for a new axis), or none.
std::optional<std::vector<int>> dimshuffle_pattern(const Var& v);

/// Whether v is an alloc: its first input stretched.
bool is_alloc(const Var& v);
/// Whether v is a reshape, or a join.
bool is_reshape(const Var& v);
bool is_join(const Var& v);

/// The axes that are gone from v, a sum of floats, as bits; or none.
std::optional<std::uint32_t> sum_mask(const Var& v);

/// Whether v's elements are some of its first input's, each as often as the others say: x.T, x[a:b, i],
/// x[rows], x reshaped or stretched.
bool only_moves(const Var& v);

/// Whether all elements of v are the constant 0.
bool is_zero(const Var& v);

/// Whether v is a basic index, x[a:b, i].
bool is_basic_index(const Var& v);

/// A sum of elementwise results as one pass over the operands; an empty Var if v is none.
Var fused_sum(const Var& v, const Current& now);

/// Zeros of v's type, their sizes computed without v; an empty Var if its op cannot tell them.
Var zeros_instead(const Var& v);

}  // namespace damo
