#include "ops/grad.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "core/branches.h"
#include "core/op.h"
#include "core/walk.h"
#include "ops/elemwise.h"
#include "ops/ifelse.h"
#include "ops/reduce.h"
#include "ops/rules.h"
#include "ops/scalar_op.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// g summed over the axes that were stretched from `x`'s type to g's, with x's dtype: broadcasting undone.
Var unbroadcast(const Var& g, const Var& x) {
  const int added = g.ndim() - x.ndim();
  std::vector<int> axes, back;
  for (int i = 0, next = 0; i < g.ndim(); ++i) {
    const bool stretched = i < added || (x.type().stretches(i - added) && !g.type().stretches(i));
    if (stretched) axes.push_back(i);
    if (i >= added) back.push_back(stretched ? 'x' : next);
    if (!stretched) ++next;
  }
  const Var summed = axes.empty() ? g : dimshuffle(sum(g, {.axis = axes}), back);
  return cast(with_stretch(summed, x.type()), x.dtype());
}

/// The gradient of an elementwise node that is 0 where g is 0, also where the slope is infinite or NaN there.
Vars gradient_or_zero(const Node& node, const Vars& y, const Var& g) {
  Vars gx;
  for (const Var& slope : node.op->L_op(node.inputs, y, {constant(Tensor::full({}, g.dtype(), 1))}))
    gx.push_back(slope.is_set() ? mul_no_nan(g, slope) : Var());
  return gx;
}

/// The gradient of the cost with respect to every Var on the way from it to `wrt`, in reverse order of
/// computation. What comes through one branch alone is kept apart as long as it can be, for it is zero, and
/// need not be computed, if another branch is taken.
class Backpropagation {
 public:
  explicit Backpropagation(const GradArgs& args) {
    for (const Var& v : args.consider_constant) stops_.emplace(v, true);
  }

  void start(const Var& v, const Var& g) { add(v, 0, g); }

  void run(const Vars& roots, const Vars& wrt) {
    const std::vector<NodePtr> order = toposort(roots);
    std::unordered_set<const Node*> on_the_way;
    for (const Var& v : wrt) on_the_way.insert(v.node_ptr().get());
    for (const NodePtr& node : order)
      for (const Var& x : node->inputs)
        if (on_the_way.contains(x.node_ptr().get())) on_the_way.insert(node.get());

    for (auto at = order.rbegin(); at != order.rend(); ++at) {
      const NodePtr& node = *at;
      if (node->kind != Node::Kind::apply || !on_the_way.contains(node.get())) continue;
      Vars y, gy;
      int branch = Branches::nowhere;
      for (int i = 0; i < static_cast<int>(node->types.size()); ++i) {
        y.emplace_back(node, i);
        if (!stops_.contains(y.back())) branch = branches_.common(branch, branch_of(y.back()));
      }
      if (branch == Branches::nowhere) continue;
      for (const Var& v : y) gy.push_back(stops_.contains(v) ? Var() : gradient(v, branch));
      const Scope here(*node, {Origin::Kind::gradient, node->op->name()});
      for (std::size_t i = 0; i < y.size(); ++i)
        if (!gy[i].is_set()) gy[i] = zeros_like(y[i]);
      const ScalarOp* f = scalar_op(y[0]);
      const bool below_choice = below_choice_.contains(node.get()),
                 may_be_infinite = f != nullptr && f->grad && f->slope == Slope::any;
      const Vars gx = below_choice && may_be_infinite ? gradient_or_zero(*node, y, gy[0])
                                                      : node->op->L_op(node->inputs, y, gy);
      invariant(gx.size() == node->inputs.size(), "the gradient of {} has {} parts for {} inputs",
                node->op->name(), gx.size(), node->inputs.size());
      for (std::size_t i = 0; i < gx.size(); ++i) {
        const Var& x = node->inputs[i];
        if (!gx[i].is_set() || !on_the_way.contains(x.node_ptr().get())) continue;
        if (below_choice || (f != nullptr && f->slope == Slope::choice))
          below_choice_.insert(x.node_ptr().get());
        // What is computed in integers does not change with the inputs, until it jumps: connected, but zero.
        add(x, branch_of(*node, i, branch),
            x.type().is_float() ? unbroadcast(gx[i], x) : cast(zeros_like(x), floatX()));
      }
    }
  }

  /// The sum of all contributions, as seen from a branch that holds them all; or an empty Var.
  Var gradient(const Var& v, int branch = 0) {
    const auto found = sums_.find(v);
    if (found == sums_.end()) return {};
    // Innermost first: by depth, then in a fixed order.
    std::map<std::pair<int, int>, Var> parts;
    for (const auto& [b, g] : found->second) parts.emplace(std::pair(-branches_[b].depth, b), g);
    while (parts.begin()->first.second != branch) {
      const int inner = parts.begin()->first.second;
      const Var g = parts.begin()->second;
      parts.erase(parts.begin());
      const auto [parent, condition, side, depth, jump] = branches_[inner];
      Var other;
      if (const int b = branches_.find(parent, condition, !side); b != Branches::nowhere)
        if (const auto part = parts.extract({-depth, b})) other = part.mapped();
      const Scope here(v.node(), {Origin::Kind::gradient, "ifelse"});
      if (!other.is_set()) other = cast(zeros_like(v), g.dtype());
      const Var& c = conditions_[static_cast<std::size_t>(condition)];
      add(parts[{-branches_[parent].depth, parent}], side ? ifelse(c, g, other) : ifelse(c, other, g));
    }
    return parts.begin()->second;
  }

 private:
  static void add(Var& total, const Var& g) { total = total.is_set() ? total + g : g; }

  void add(const Var& v, int branch, const Var& g) { add(sums_[v][branch], g); }

  /// The innermost branch that holds all that the cost's gradient with respect to v is made of.
  int branch_of(const Var& v) const {
    int branch = Branches::nowhere;
    if (const auto found = sums_.find(v); found != sums_.end())
      for (const auto& [b, g] : found->second) branch = branches_.common(branch, b);
    return branch;
  }

  /// The branch through which a gradient passes from the node's outputs to input k.
  int branch_of(const Node& node, std::size_t k, int branch) {
    const std::optional<bool> side = node.op->needed_if(static_cast<int>(k));
    if (!side) return branch;
    const auto [at, fresh] = number_of_.emplace(node.inputs[0], static_cast<int>(conditions_.size()));
    if (fresh) conditions_.push_back(node.inputs[0]);
    return branches_.child(branch, at->second, *side);
  }

  Branches branches_;
  Vars conditions_;
  VarMap<int> number_of_;
  VarMap<std::map<int, Var>> sums_;  ///< by branch
  VarMap<bool> stops_;
  /// Nodes whose result a switch or its like may not have chosen: sqrt in switch(x > 0, sqrt(x), 0).
  std::unordered_set<const Node*> below_choice_;
};

[[noreturn]] void reject(const Var& v, const std::string& why) {
  const std::string place = to_string(v.node().where);
  fail("grad: {}\n  {}   {}{}", why, v.type(), label(v), place.empty() ? "" : "\n  " + place);
}

Vars gradients(const Var& cost, const Vars& wrt, const GradArgs& args) {
  Backpropagation back(args);
  Vars roots;
  if (cost.is_set()) {
    roots.push_back(cost);
    const Scope here(cost.node(), {Origin::Kind::gradient, "cost"});
    back.start(cost, ones_like(cost));
  }
  for (const auto& [v, g] : args.known_grads) {
    if (v.ndim() != g.ndim()) reject(v, fmt::format("the known gradient has another rank, {}", g.ndim()));
    roots.push_back(v);
    back.start(v, cast(g, v.dtype()));
  }
  back.run(roots, wrt);
  Vars result;
  for (const Var& v : wrt) {
    Var g = back.gradient(v);
    if (!g.is_set()) {
      if (args.disconnected_inputs == Disconnected::raise)
        reject(v, fmt::format("{} does not depend on {}, or not through anything with a gradient: "
                              "if that is meant, "
                              "say .disconnected_inputs = Disconnected::zero",
                              cost.is_set() ? "the cost " + label(cost) : "what has a known gradient",
                              label(v)));
      if (args.disconnected_inputs == Disconnected::zero) g = zeros_like(v);
    }
    result.push_back(g);
  }
  return result;
}

/// The cost after the stabilizing rules, with everything that the user named left as it is.
Var stabilized(const Var& cost, const Vars& wrt, const GradArgs& args) {
  RewriteArgs rewriting;
  rewriting.fixed = wrt;
  rewriting.fixed.insert(rewriting.fixed.end(), args.consider_constant.begin(), args.consider_constant.end());
  for (const auto& [v, g] : args.known_grads) rewriting.fixed.push_back(v);
  // A draw over rewritten sizes would be a second draw, and what is printed would be printed twice.
  for (const NodePtr& node : toposort({cost}))
    for (int i = 0; i < static_cast<int>(node->types.size()); ++i)
      if (node->kind == Node::Kind::apply && (node->op->next_of(i) >= 0 || node->op->has_effect()))
        rewriting.fixed.emplace_back(node, i);
  return rewrite({cost}, stabilizing_rules(), rewriting)[0];
}

void check_arguments(const Var& cost, const Vars& wrt) {
  if (cost.is_set() && cost.ndim() != 0) reject(cost, "the cost must be a scalar: take its sum or mean");
  if (cost.is_set() && !cost.type().is_float()) reject(cost, "the cost must be a float");
  for (const Var& v : wrt) {
    check(v.is_set(), "grad: one of the variables to differentiate with respect to is an empty Var");
    if (!v.type().is_float()) reject(v, "there is no gradient with respect to integers");
  }
}

}  // namespace

Vars grad(const Arg& cost, const Vars& wrt, const GradArgs& args) {
  return value_and_grad(cost, wrt, args).grads;
}

Var grad(const Arg& cost, const Var& wrt, const GradArgs& args) { return grad(cost, Vars{wrt}, args)[0]; }

ValueAndGrad value_and_grad(const Arg& arg, const Vars& wrt, const GradArgs& args) {
  const Scope here(arg);
  check(arg.is_set() || !args.known_grads.empty(), "grad: the cost is an empty Var\n  {}",
        to_string(arg.where));
  const Var given = arg.is_set() ? arg.var() : Var();
  check_arguments(given, wrt);
  const Var cost = given.is_set() ? stabilized(given, wrt, args) : given;
  return {cost, gradients(cost, wrt, args)};
}

}  // namespace damo
