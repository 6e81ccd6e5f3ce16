#pragma once
#include "../../core/graph/node_set.h"
#include "../../core/rewrite/rewrite.h"

/// Rewrites that a pattern cannot say. A rule's function returns the replacement of one Var, or an empty Var.
namespace damo {

/// dimshuffle(dimshuffle(x)) as one, and none where nothing moves.
Var join_dimshuffles(const Var& v);
/// An elementwise operand that was stretched in memory, beside one that has the full shape: its value will
/// do.
Var drop_alloc_beside_full_operand(const Var& v);
/// 0 x = 0, also where x is NaN or Inf.
Var drop_product_with_zero(const Var& v);
/// The size of an expression from its operands' sizes (Op::size).
Var size_instead(const Var& v);
/// ifelse of a known condition.
Var drop_choice(const Var& v);
/// f(leaf)[a:b] = f(leaf[a:b]) for elementwise f: labels cast from shared memory cost a slice.
Var lift_slice(const Var& v);

/// An OpFromGraph as its graph, unless it has a gradient of its own, or draws.
Var graph_inlined(const Var& v);

/// log sum exp(x), also of a mean, over any axes: nothing overflows.
Var log_of_sum_exp(const Var& v);
/// exp(x) / sum exp(x), over any axes, is a softmax.
Var softmax_instead(const Var& v);
/// A product with exp(x) and sigmoid(-x) among its factors has sigmoid(x) in their place.
Var join_exp_and_sigmoid(const Var& v);
/// f(x[...]), f(x^T), f(x reshaped), for an elementwise f that a stabilizing rule knows with what x is, as
/// f(x)[...] and so on with that rule applied.
Var lift_function(const Var& v);

/// 1 - sigmoid(x) = sigmoid(-x), which keeps its digits, where nothing else reads sigmoid(x).
Vars subtract_from_one(const Vars& outputs, Trace& trace);

/// (a b)^T = b^T a^T where nothing else reads the product: it takes transposed operands at no cost.
Vars transpose_operands(const Vars& outputs, Trace& trace);

/// ifelse of one value on both sides.
Vars drop_equal_choices(const Vars& outputs, Trace& trace);

/// p - lr (a b + c d) as products added to p where it lies, if nothing else reads them.
Vars accumulate_products(const Vars& outputs, Trace& trace);

/// The cross-entropy of softmax(x) at given labels and its gradient as one op.
Vars share_cross_entropy(const Vars& outputs, Trace& trace);

/// Chains of elementwise operations as tile programs.
Vars fuse_elementwise(const Vars& outputs, Trace& trace);

/// The scalars that need nothing but leaves and each other as one tile program: a step costs more than they
/// do. Not in a graph with branches (Op::needed_if).
Vars fuse_scalars(const Vars& outputs, Trace& trace);

/// Sums of elementwise results that nothing else reads, without storing these.
Vars fuse_sums(const Vars& outputs, Trace& trace);

/// x w^T and f(x w^T) w, or x w^T and w + alpha a b, as one sweep over w.
Vars fuse_sweeps(const Vars& outputs, Trace& trace);

/// How often each Var is read, outputs included.
VarTable<int> count_uses(const Vars& outputs);

}  // namespace damo
