#pragma once
#include "core/graph.h"

/// For rewrites: products that are added to something.
namespace damo {

/// Whether v is a dot.
bool is_dot(const Var& v);

/// p + alpha a b for matrices and a scalar alpha of one float dtype; the planner may write it over p. Without
/// a gradient: only rewrites make it.
Var add_dot(const Var& p, const Var& alpha, const Var& a, const Var& b);

}  // namespace damo
