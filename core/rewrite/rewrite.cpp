#include "core/rewrite/rewrite.h"

#include <algorithm>
#include <limits>

#include "core/graph/op.h"
#include "core/graph/print.h"
#include "core/graph/walk.h"
#include "core/rewrite/fixed.h"
#include "core/rewrite/twins.h"

namespace damo {
namespace {

/// What each wildcard of a pattern, of which there are few, stands for.
using Bindings = std::vector<std::pair<Var, Var>>;

/// What the wildcard stands for; null if that is open.
const Var* bound_to(const Bindings& bound, const Var& wild) {
  const auto found =
      std::find_if(bound.begin(), bound.end(), [&](const auto& entry) { return same(entry.first, wild); });
  return found == bound.end() ? nullptr : &found->second;
}

bool is_wild(const Node& node) { return node.kind == Node::Kind::input; }

bool same_number(const Tensor& pattern, const Tensor& actual) {
  return actual.size() == 1 && pattern.item<double>() == actual.item<double>();
}

class Matcher {
 public:
  explicit Matcher(const NodeSet& fixed) : fixed_(fixed) {}

  bool match(const Var& pattern, const Var& v, Bindings& bound) const {
    const Node& p = pattern.node();
    if (is_wild(p)) {
      if (const Var* before = bound_to(bound, pattern)) return same(*before, v);
      bound.emplace_back(pattern, v);
      return true;
    }
    const Node& n = v.node();
    if (p.kind == Node::Kind::constant)
      return n.kind == Node::Kind::constant && same_number(p.value, n.value);
    if (n.kind != Node::Kind::apply || pattern.output() != v.output() || fixed_.contains(&n) ||
        !p.op->same_as(*n.op) || p.inputs.size() != n.inputs.size())
      return false;
    const auto before = static_cast<std::ptrdiff_t>(bound.size());
    if (match_inputs(p, n, false, bound)) return true;
    bound.erase(bound.begin() + before, bound.end());
    if (p.inputs.size() == 2 && p.op->commutes() && match_inputs(p, n, true, bound)) return true;
    bound.erase(bound.begin() + before, bound.end());
    return false;
  }

 private:
  bool match_inputs(const Node& p, const Node& n, bool swapped, Bindings& bound) const {
    for (std::size_t i = 0; i < p.inputs.size(); ++i)
      if (!match(p.inputs[i], n.inputs[swapped ? 1 - i : i], bound)) return false;
    return true;
  }

  const NodeSet& fixed_;
};

/// `after` over the bound expressions; its literals take the dtype of the operand beside them.
Var instantiate(const Var& after, const Bindings& bound, DType dtype) {
  const Node& node = after.node();
  if (is_wild(node)) return *bound_to(bound, after);
  if (node.kind == Node::Kind::constant) {
    const Type& t = after.type();
    const DType to = node.weak && t.is_float() == is_float(dtype) ? dtype : t.dtype;
    return constant(node.value.astype(to));
  }
  Vars inputs;
  for (const Var& v : node.inputs)
    inputs.push_back(v.node().kind == Node::Kind::constant ? Var() : instantiate(v, bound, dtype));
  // Of the operands beside it, one of its kind: a condition tells nothing of the numbers to choose from.
  const auto beside = [&](bool is_float_literal) {
    const auto operand = std::find_if(inputs.begin(), inputs.end(), [&](const Var& v) {
      return v.is_set() && v.type().is_float() == is_float_literal;
    });
    return operand == inputs.end() ? dtype : operand->dtype();
  };
  Vars literals(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].is_set())
      literals[i] = instantiate(node.inputs[i], bound, beside(node.inputs[i].type().is_float()));
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].is_set()) inputs[i] = literals[i];
  return apply_all(node.op, std::move(inputs))[static_cast<std::size_t>(after.output())];
}

bool same_kind(const Var& a, const Var& b) {
  return a.dtype() == b.dtype() && a.ndim() == b.ndim() && a.type().stretch == b.type().stretch;
}

/// What the rule makes of v; an empty Var if it does not fire. A side that does not exist for these types is
/// no replacement.
Var fire(const Rule& r, const Var& v, const Matcher& matcher) {
  Bindings bound;
  if (!r.replace && !matcher.match(r.before, v, bound)) return {};
  const Scope here(v.node(), {Origin::Kind::rule, r.name});
  Var result;
  try {
    result = r.replace ? r.replace(v) : instantiate(r.after, bound, v.dtype());
  } catch (const Error&) {
    return {};
  } catch (const Bug&) {
    if (r.replace) throw;
    return {};  // operands of a pattern's side that are not of one type
  }
  if (!result.is_set() || same(result, v)) return {};
  return same_kind(result, v) ? result : Var();
}

/// Rules by the op at the root of their pattern, so that a node is tried against few.
class RuleIndex {
 public:
  RuleIndex(const std::vector<Rule>& rules, const std::vector<std::string>& exclude) {
    for (const Rule& r : rules) {
      if (std::find(exclude.begin(), exclude.end(), r.name) != exclude.end()) continue;
      if (r.replace)
        functions_.push_back(&r);
      else
        patterns_[r.before.node().op->name()].push_back(&r);
    }
  }

  template <class F>
  bool try_each(const Node& node, F f) const {
    const auto found = patterns_.find(node.op->name());
    if (found != patterns_.end())
      for (const Rule* r : found->second)
        if (f(*r)) return true;
    for (const Rule* r : functions_)
      if (f(*r)) return true;
    return false;
  }

 private:
  std::unordered_map<std::string, std::vector<const Rule*>> patterns_;
  std::vector<const Rule*> functions_;
};

/// Brings expressions into the form in which no rule fires, inputs before readers, each replacement at once.
/// Equal expressions that rules make are one, so each is brought into that form once; an expression that
/// comes up again while that is being done shows that the rules do not come to an end.
class Rewriter {
 public:
  Rewriter(const std::vector<Rule>& rules, const RewriteArgs& args)
      : rules_(rules),
        args_(args),
        fixed_(nodes_of(args.fixed)),
        matcher_(fixed_),
        index_(rules, args.exclude) {}

  Vars run(const Vars& outputs) {
    const Fixed left_alone(fixed_);
    const std::vector<NodePtr> order = toposort(outputs, fixed_);
    for (const NodePtr& node : order) newest_given_ = std::max(newest_given_, node->id);
    // What was given is done in its order, so that only what rules make is nested.
    for (const NodePtr& node : order)
      for (int i = 0; i < static_cast<int>(node->types.size()); ++i) settle(Var(node, i));
    Vars results;
    for (const Var& v : outputs) results.push_back(settled(v));
    return results;
  }

  /// The rules that lead from an expression to one that has its form, so that they fire on it again: their
  /// names, in turn. None if `v` comes to an end, or goes on for long without such a repetition.
  std::vector<std::string> loop_from(const Var& v) {
    looks_for_loops_ = true;
    settle(v);
    return std::move(loop_);
  }

 private:
  /// An expression on its way.
  struct Frame {
    Var v;                 ///< as it was met
    std::size_t next = 0;  ///< the input that is looked at
    Var now;               ///< over inputs that are done
    Var by;                ///< what a rule has made of it
    const Rule* rule = nullptr;
  };

  static NodeSet nodes_of(const Vars& vars) {
    NodeSet nodes;
    for (const Var& v : vars) nodes.insert(v.node_ptr().get());
    return nodes;
  }

  /// Whether v stays what it is.
  bool is_leaf(const Var& v) const {
    return v.node().kind != Node::Kind::apply || fixed_.contains(v.node_ptr().get());
  }

  /// What has become of v, which is done.
  Var settled(const Var& v) const {
    const auto found = done_.find(v);
    return found == done_.end() ? v : found->second;
  }

  /// True if v is done; else it is put on the stack.
  bool is_done(const Var& v) {
    if (is_leaf(v)) return true;
    const auto [at, fresh] = done_.emplace(v, Var());
    if (!fresh && at->second.is_set()) return true;
    if (!fresh) found_loop(v);
    stack_.push_back({v, 0, {}, {}, nullptr});
    return false;
  }

  void settle(const Var& v) {
    if (is_done(v)) return;
    while (!stack_.empty() && loop_.empty()) {
      if (stack_.size() > deepest_ && !goes_deeper()) return;
      advance();
    }
  }

  /// One step with the topmost frame. The stack moves when something is put on it.
  void advance() {
    const std::size_t top = stack_.size() - 1;
    if (!stack_[top].now.is_set()) {
      const NodePtr node = stack_[top].v.node_ptr();
      NodePtr& made = made_of_[node.get()];
      while (made == nullptr && stack_[top].next < node->inputs.size())
        if (!is_done(node->inputs[stack_[top].next++])) return;
      if (made == nullptr) made = over_inputs(node);
      const Var now(made, stack_[top].v.output());
      stack_[top].now = now;
      if (!same(now, stack_[top].v)) {
        const auto [at, fresh] = done_.emplace(now, Var());
        if (!fresh && at->second.is_set()) return finish(at->second);
        if (!fresh) return found_loop(now);
      }
      if (looks_for_loops_ && repeats(now)) return;
    }
    Frame& frame = stack_[top];
    if (frame.rule == nullptr) {
      frame.by = replaced(frame.now, frame.rule);
      if (frame.rule == nullptr) return finish(frame.now);
      if (!is_done(frame.by)) return;
    }
    finish(settled(stack_[top].by));
  }

  void finish(const Var& result) {
    const Frame& frame = stack_.back();
    done_[frame.v] = result;
    done_[frame.now] = result;
    stack_.pop_back();
  }

  /// The node over what its inputs have become. Among equal ones that rules have made, the first.
  NodePtr over_inputs(const NodePtr& node) {
    Vars inputs;
    bool changed = false;
    for (const Var& x : node->inputs) {
      inputs.push_back(one_constant(settled(x)));
      changed |= !same(inputs.back(), x);
    }
    const NodePtr made = changed ? rebuild(*node, std::move(inputs))[0].node_ptr() : node;
    const NodePtr twin = twins_.of(made);
    return made->id > newest_given_ ? twin : made;
  }

  /// v, or the first constant that is equal to one that a rule has made.
  Var one_constant(const Var& v) {
    if (v.node().kind != Node::Kind::constant) return v;
    const NodePtr twin = twins_.of(v.node_ptr());
    return v.node().id > newest_given_ ? Var(twin) : v;
  }

  /// What the first rule that fires makes of v.
  Var replaced(const Var& v, const Rule*& rule) const {
    Var result;
    index_.try_each(v.node(), [&](const Rule& r) {
      result = fire(r, v, matcher_);
      const bool is_v =
          result.is_set() && result.output() == v.output() && are_twins(result.node(), v.node());
      if (!result.is_set() || is_v) return false;
      rule = &r;
      if (args_.trace != nullptr) args_.trace->push_back({r.name, v, result, v.node().where});
      // A node that was there before belongs to somebody else.
      const Node& node = result.node();
      if (node.id > v.node().id && node.kind == Node::Kind::apply && node.name.empty())
        result.named(v.name());
      return true;
    });
    return result;
  }

  // Rules that do not come to an end.

  /// The names of the rules that fired between the frame of v and the top, v being met there again.
  void found_loop(const Var& v) {
    const auto from = std::find_if(stack_.begin(), stack_.end(), [&](const Frame& f) {
      return same(f.v, v) || (f.now.is_set() && same(f.now, v));
    });
    found_loop(static_cast<std::size_t>(from - stack_.begin()));
  }

  void found_loop(std::size_t from) {
    for (std::size_t i = from; i < stack_.size(); ++i)
      if (stack_[i].rule != nullptr) loop_.push_back(stack_[i].rule->name);
    if (!looks_for_loops_) complain(loop_);
  }

  /// Whether the new form of the topmost frame is an instance of one that it was made of.
  bool repeats(const Var& v) {
    for (std::size_t i = 0; i + 1 < stack_.size(); ++i) {
      Bindings bound;
      if (stack_[i].rule == nullptr || !matcher_.match(stack_[i].now, v, bound)) continue;
      found_loop(i);
      return true;
    }
    return false;
  }

  [[noreturn]] static void complain(const std::vector<std::string>& loop) {
    std::vector<std::string> names;
    for (const std::string& name : loop)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    throw Bug(fmt::format("the rules do not come to an end: {} {} again and again", fmt::join(names, ", "),
                          names.size() == 1 ? "fires" : "fire"));
  }

  /// Replacements are nested deep: the graph is, or an expression grows for ever, always another one. The
  /// rules alone tell which.
  bool goes_deeper() {
    if (looks_for_loops_) return false;
    deepest_ = std::numeric_limits<std::size_t>::max();
    if (const std::vector<std::string> loop = loop_in(rules_, args_.exclude); !loop.empty()) complain(loop);
    return true;
  }

  const std::vector<Rule>& rules_;
  const RewriteArgs& args_;
  NodeSet fixed_;
  Matcher matcher_;
  RuleIndex index_;
  std::uint64_t newest_given_ = 0;
  VarTable<Var> done_;  ///< an empty Var: on its way
  NodeMap<NodePtr> made_of_;
  Twins twins_;
  std::vector<Frame> stack_;
  std::size_t deepest_ = 100;
  bool looks_for_loops_ = false;
  std::vector<std::string> loop_;
};

}  // namespace

Var wild(std::string name) { return matrix(std::move(name), DType::float32); }

Rule rule(std::string name, const Arg& before, const Arg& after, Rule::Kind kind) {
  return {std::move(name), before.var(), after.var(), kind, {}};
}

Rule rule(std::string name, std::function<Var(const Var&)> replace, Rule::Kind kind) {
  return {std::move(name), {}, {}, kind, std::move(replace)};
}

std::string to_string(const Trace& trace) {
  std::string s;
  for (const Firing& f : trace) {
    s += f.rule + ": " + pp(f.before) + " -> " + pp(f.after);
    if (f.where.is_set()) s += ", " + to_string(f.where);
    s += '\n';
  }
  return s;
}

std::vector<std::string> loop_in(const std::vector<Rule>& rules, const std::vector<std::string>& exclude) {
  const RewriteArgs args = {.exclude = exclude};
  for (const Rule& r : rules) {
    if (!r.before.is_set()) continue;
    std::vector<std::string> loop = Rewriter(rules, args).loop_from(r.before);
    if (!loop.empty()) return loop;
  }
  return {};
}

Vars rewrite(const Vars& outputs, const std::vector<Rule>& rules, const RewriteArgs& args) {
  return Rewriter(rules, args).run(outputs);
}

}  // namespace damo
