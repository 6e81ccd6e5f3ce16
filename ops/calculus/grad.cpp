#include "ops/grad.h"

#include <algorithm>
#include <map>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/run/branches.h"
#include "ops/array/zeros.h"
#include "ops/calculus/stabilized.h"
#include "ops/elemwise.h"
#include "ops/ifelse.h"
#include "ops/kernels/scalar_op.h"
#include "ops/reduce.h"
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

/// Whether gx is 0 wherever g is, also where the slope is infinite or NaN.
bool keeps_zeros(const Var& gx, const Var& g) {
  const Vars* x = operands_of<mul_no_nan>(gx);
  return x != nullptr && same(x->front(), g);
}

/// The gradient of an elementwise node, where it does.
Vars gradient_or_zero(const Node& node, const Vars& y, const Var& g) {
  Vars gx = node.op->L_op(node.inputs, y, {g});
  const Vars slopes = node.op->L_op(node.inputs, y, {constant(Tensor::full({}, g.dtype(), 1))});
  for (std::size_t i = 0; i < gx.size(); ++i)
    if (gx[i].is_set() && !keeps_zeros(gx[i], g)) gx[i] = mul_no_nan(g, slopes[i]);
  return gx;
}

/// Whether the zeros in a gradient stand for values that the op has not chosen.
bool is_choice(const Var& y) {
  if (const ScalarOp* f = scalar_op(y)) return f->slope == Slope::choice;
  const auto* op = op_as<Chooses>(y);
  return op != nullptr && op->chooses();
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

  void run(const Stabilized& graph, const Vars& wrt) {
    const NodeSet above = graph.above(wrt);
    NodeSet on_the_way = above;
    for (const Var& v : wrt) on_the_way.insert(v.node_ptr().get());

    for (auto at = graph.order.rbegin(); at != graph.order.rend(); ++at) {
      const NodePtr& node = *at;
      if (node->kind != Node::Kind::apply || !above.contains(node.get())) continue;
      const Vars y = outputs_of(node);
      int branch = Branches::nowhere;
      for (const Var& v : y)
        if (!stops_.contains(v)) branch = branches_.common(branch, branch_of(v));
      if (branch == Branches::nowhere) continue;
      if (const auto found = graph.instead.find(node.get()); found != graph.instead.end()) {
        pass_on(y, found->second);
        continue;
      }
      Vars gy;
      for (const Var& v : y) gy.push_back(stops_.contains(v) ? Var() : gradient(v, branch));
      const Scope here(*node, {Origin::Kind::gradient, node->op->name()});
      for (std::size_t i = 0; i < y.size(); ++i)
        if (!gy[i].is_set()) gy[i] = zeros_like(y[i]);
      const ScalarOp* f = scalar_op(y[0]);
      const bool below_gradient =
          node->origin.kind == Origin::Kind::gradient || below_gradient_.contains(node.get());
      const bool chooses = is_choice(y[0]), below_choice = below_choice_.contains(node.get()),
                 may_be_infinite = f != nullptr && f->grad && f->slope == Slope::any;
      const Vars gx = below_choice && may_be_infinite ? gradient_or_zero(*node, y, gy[0])
                                                      : node->op->L_op(node->inputs, y, gy);
      invariant(gx.size() == node->inputs.size(), "the gradient of {} has {} parts for {} inputs",
                node->op->name(), gx.size(), node->inputs.size());
      for (std::size_t i = 0; i < gx.size(); ++i) {
        const Var& x = node->inputs[i];
        if (!gx[i].is_set() || !on_the_way.contains(x.node_ptr().get())) continue;
        if ((below_choice && op_as<Mixes>(*node) == nullptr) || chooses)
          below_choice_.insert(x.node_ptr().get());
        if (below_gradient) below_gradient_.insert(x.node_ptr().get());
        // What is computed in integers does not change with the inputs, until it jumps: no way for a
        // gradient. But the choices that a gradient makes, of max(x, 0) by x > 0, are constant in its own
        // gradient.
        if (!x.type().is_float() && !below_gradient) continue;
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
  /// What has come to `y` goes on to their stabilized forms.
  void pass_on(const Vars& y, const Vars& instead) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto found = sums_.find(y[i]);
      if (found == sums_.end() || stops_.contains(y[i])) continue;
      const std::map<int, Var> parts = found->second;
      for (const auto& [branch, g] : parts) add(instead[i], branch, g);
      if (below_choice_.contains(y[i].node_ptr().get())) below_choice_.insert(instead[i].node_ptr().get());
    }
  }

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
  VarTable<std::map<int, Var>> sums_;  ///< by branch
  VarMap<bool> stops_;
  /// Nodes whose result a switch, an index or their like may not have chosen: exp in switch(x < 9, exp(x),
  /// 0).
  NodeSet below_choice_;
  NodeSet below_gradient_;  ///< nodes that a gradient's node uses
};

/// The variables that the message is about, the line of the last, and that of the call of grad.
[[noreturn]] void reject(const Vars& of, const std::string& why) {
  Types types;
  for (const Var& v : of) types.push_back(v.type());
  const std::string made = to_string(of.back().node().where), asked = to_string(Scope::where());
  std::string message = explain("grad", of, types, of.back().node().where, why, {});
  if (!asked.empty() && asked != made) message += (made.empty() ? "\n  " : ", grad ") + asked;
  throw Error(message);
}

/// What was computed in integers, last on the way from v to the cost, sizes apart; an empty Var if nothing
/// was.
Var last_integer(const Var& cost, const Var& v) {
  NodeSet on_the_way{&v.node()};
  Var last;
  for (const NodePtr& node : toposort({cost}))
    for (std::size_t i = 0; i < node->inputs.size(); ++i) {
      const Var& x = node->inputs[i];
      if (!on_the_way.contains(x.node_ptr().get()) || !node->op->reads(static_cast<int>(i))) continue;
      on_the_way.insert(node.get());
      if (!x.type().is_float()) last = x;
    }
  return last;
}

[[noreturn]] void reject_disconnected(const Var& cost, const Var& v) {
  if (!cost.is_set())
    reject({v}, fmt::format("what has a known gradient does not depend on {}, or not through anything with a "
                            "gradient: if that is meant, say .disconnected_inputs = Disconnected::zero",
                            label(v)));
  if (const Var jumps = last_integer(cost, v); jumps.is_set())
    reject({v, cost},
           fmt::format("the cost {} depends on {} only through {}, which is computed in {} and has no "
                       "slope: take a smooth cost, or for zeros say .disconnected_inputs = "
                       "Disconnected::zero",
                       label(cost), label(v), label(jumps), jumps.dtype()));
  reject({v, cost},
         fmt::format("the cost {} does not depend on {}, or not through anything with a gradient: if "
                     "that is meant, say .disconnected_inputs = Disconnected::zero",
                     label(cost), label(v)));
}

/// `given` is the cost before it was stabilized.
Vars gradients(const Stabilized& graph, const Var& given, const Vars& wrt, const GradArgs& args) {
  Backpropagation back(args);
  const Var& cost = graph.cost;
  if (cost.is_set()) {
    const Scope here(cost.node(), {Origin::Kind::gradient, "cost"});
    back.start(cost, ones_like(cost));
  }
  for (const auto& [v, g] : args.known_grads) {
    if (v.ndim() != g.ndim()) reject({v}, fmt::format("the known gradient has another rank, {}", g.ndim()));
    back.start(v, cast(g, v.dtype()));
  }
  back.run(graph, wrt);
  Vars result;
  for (const Var& v : wrt) {
    Var g = back.gradient(v);
    if (!g.is_set()) {
      if (args.disconnected_inputs == Disconnected::raise) reject_disconnected(given, v);
      if (args.disconnected_inputs == Disconnected::zero) g = zeros_like(v);
    }
    result.push_back(g);
  }
  return result;
}

void check_arguments(const Var& cost, const Vars& wrt) {
  if (cost.is_set() && cost.ndim() != 0) reject({cost}, "the cost must be a scalar: take its sum or mean");
  if (cost.is_set() && !cost.type().is_float()) reject({cost}, "the cost must be a float");
  for (const Var& v : wrt) {
    check(v.is_set(), "grad: one of the variables to differentiate with respect to is an empty Var\n  {}",
          to_string(Scope::where()));
    if (!v.type().is_float()) reject({v}, "there is no gradient with respect to integers");
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
  const Stabilized graph = stabilized(given, wrt, args);
  return {graph.cost, gradients(graph, given, wrt, args)};
}

}  // namespace damo
