#pragma once
#include "../../core/graph/graph.h"

/// For rewrites: what the ops that only move elements are made of.
namespace damo {

/// Whether v's elements are some of its first input's, each as often as the others say: x.T, x[a:b, i],
/// x[rows], x reshaped or stretched.
bool only_moves(const Var& v);

/// Whether all elements of v are the constant 0.
bool is_zero(const Var& v);

/// Zeros of v's type, their sizes computed without v; an empty Var if its op cannot tell them.
Var zeros_instead(const Var& v);

}  // namespace damo
