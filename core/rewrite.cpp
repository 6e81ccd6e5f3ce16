#include "core/rewrite.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/evaluate.h"
#include "core/identity.h"
#include "core/print.h"
#include "core/walk.h"

namespace damo {
namespace {

using Bindings = VarMap<Var>;

bool is_wild(const Node& node) { return node.kind == Node::Kind::input; }

bool same_number(const Tensor& pattern, const Tensor& actual) {
  return actual.size() == 1 && pattern.item<double>() == actual.item<double>();
}

class Matcher {
 public:
  explicit Matcher(const std::unordered_set<const Node*>& fixed) : fixed_(fixed) {}

  bool match(const Var& pattern, const Var& v, Bindings& bound) const {
    const Node& p = pattern.node();
    if (is_wild(p)) {
      const auto [at, fresh] = bound.emplace(pattern, v);
      return fresh || same(at->second, v);
    }
    const Node& n = v.node();
    if (p.kind == Node::Kind::constant)
      return n.kind == Node::Kind::constant && same_number(p.value, n.value);
    if (n.kind != Node::Kind::apply || pattern.output() != v.output() || fixed_.contains(&n) ||
        !p.op->same_as(*n.op) || p.inputs.size() != n.inputs.size())
      return false;
    const Bindings before = bound;
    if (match_inputs(p, n, false, bound)) return true;
    bound = before;
    if (p.inputs.size() == 2 && p.op->commutes() && match_inputs(p, n, true, bound)) return true;
    bound = before;
    return false;
  }

 private:
  bool match_inputs(const Node& p, const Node& n, bool swapped, Bindings& bound) const {
    for (std::size_t i = 0; i < p.inputs.size(); ++i)
      if (!match(p.inputs[i], n.inputs[swapped ? 1 - i : i], bound)) return false;
    return true;
  }

  const std::unordered_set<const Node*>& fixed_;
};

/// `after` over the bound expressions; its literals take the dtype of the operand beside them.
Var instantiate(const Var& after, const Bindings& bound, DType dtype) {
  const Node& node = after.node();
  if (is_wild(node)) return bound.at(after);
  if (node.kind == Node::Kind::constant) {
    const Type& t = after.type();
    const DType to = node.weak && t.is_float() == is_float(dtype) ? dtype : t.dtype;
    return constant(node.value.astype(to));
  }
  Vars inputs;
  for (const Var& v : node.inputs)
    inputs.push_back(v.node().kind == Node::Kind::constant ? Var() : instantiate(v, bound, dtype));
  const auto operand = std::find_if(inputs.begin(), inputs.end(), [](const Var& v) { return v.is_set(); });
  const DType beside = operand == inputs.end() ? dtype : operand->dtype();
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].is_set()) inputs[i] = instantiate(node.inputs[i], bound, beside);
  return apply_all(node.op, std::move(inputs))[static_cast<std::size_t>(after.output())];
}

bool same_kind(const Var& a, const Var& b) {
  return a.dtype() == b.dtype() && a.ndim() == b.ndim() && a.type().stretch == b.type().stretch;
}

Var fire(const Rule& r, const Var& v, const Matcher& matcher) {
  const Scope here(v.node(), {Origin::Kind::rule, r.name});
  Var result;
  if (r.replace) {
    result = r.replace(v);
  } else {
    Bindings bound;
    if (matcher.match(r.before, v, bound)) result = instantiate(r.after, bound, v.dtype());
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

std::size_t hash_of(const Node& node) {
  std::size_t h = std::hash<std::string>()(node.op->name());
  for (const Var& v : node.inputs) h = h * 1000003U + VarHash()(v);
  return h;
}

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

Vars rewrite(const Vars& outputs, const std::vector<Rule>& rules, const RewriteArgs& args) {
  std::unordered_set<const Node*> fixed;
  for (const Var& v : args.fixed) fixed.insert(v.node_ptr().get());
  const Matcher matcher(fixed);
  const RuleIndex index(rules, args.exclude);

  Vars roots = outputs;
  std::string last;
  constexpr int enough = 200;
  for (int pass = 0; pass < enough; ++pass) {
    bool fired = false;
    Current now;
    for (const NodePtr& node : toposort(roots, fixed)) {
      if (node->kind != Node::Kind::apply) continue;
      Vars outs = now.rebuilt(*node);
      if (outs.empty())
        for (int i = 0; i < static_cast<int>(node->types.size()); ++i) outs.emplace_back(node, i);
      for (int i = 0; i < static_cast<int>(outs.size()); ++i) {
        Var& v = outs[static_cast<std::size_t>(i)];
        index.try_each(v.node(), [&](const Rule& r) {
          const Var result = fire(r, v, matcher);
          if (!result.is_set()) return false;
          if (args.trace != nullptr) args.trace->push_back({r.name, v, result, v.node().where});
          // A node that was there before belongs to somebody else.
          const bool is_new = result.node().origin.kind == Origin::Kind::rule;
          if (is_new && result.node().kind == Node::Kind::apply && result.name().empty())
            result.named(v.name());
          v = result;
          fired = true;
          last = r.name;
          return true;
        });
        if (!same(v, Var(node, i))) now.put(Var(node, i), v);
      }
    }
    roots = now(roots);
    if (!fired) return roots;
  }
  throw Bug("the rules do not come to an end: " + last + " fires again and again");
}

Vars merge(const Vars& outputs) {
  Current now;
  std::unordered_multimap<std::size_t, NodePtr> seen;
  for (const NodePtr& original : toposort(outputs)) {
    NodePtr node = original;
    std::size_t h = 0;
    const auto replace_by = [&](const NodePtr& by) {
      for (int i = 0; i < static_cast<int>(original->types.size()); ++i)
        if (by != original) now.put(Var(original, i), Var(by, i));
    };
    if (node->kind == Node::Kind::constant) {
      constexpr std::int64_t small = 64;
      if (node->value.size() > small) continue;
      h = std::hash<std::string>()(to_string(node->value));
    } else if (node->kind == Node::Kind::apply) {
      if (const Vars outs = now.rebuilt(*node); !outs.empty()) node = outs[0].node_ptr();
      if (node->op->has_effect()) {
        replace_by(node);
        continue;
      }
      h = hash_of(*node);
    } else {
      continue;
    }
    const auto [begin, end] = seen.equal_range(h);
    const auto twin = std::find_if(begin, end, [&](const auto& entry) {
      const Node& other = *entry.second;
      if (other.kind != node->kind) return false;
      if (node->kind == Node::Kind::constant) return identical(other.value, node->value);
      if (!other.op->same_as(*node->op) || other.inputs.size() != node->inputs.size()) return false;
      for (std::size_t i = 0; i < node->inputs.size(); ++i)
        if (!same(other.inputs[i], node->inputs[i])) return false;
      return true;
    });
    if (twin == end) seen.emplace(h, node);
    replace_by(twin == end ? node : twin->second);
  }
  return now(outputs);
}

namespace {

/// Whether all elements, one at least, are the same.
bool is_uniform(const Tensor& t) {
  const auto bytes = static_cast<std::size_t>(size_of(t.dtype()));
  const auto* p = static_cast<const char*>(t.data());
  return std::memcmp(p, p + bytes, static_cast<std::size_t>(t.size() - 1) * bytes) == 0;
}

}  // namespace

Var fold_constant(const Var& v) {
  const Node& node = v.node();
  const bool is_cheap_view = dynamic_cast<const Restretch*>(node.op.get()) != nullptr;
  if (node.op->has_effect() || node.types.size() != 1 || is_cheap_view) return {};
  const Type& type = v.type();
  if (type.has_value) return constant(Tensor(type.value).astype(type.dtype));
  constexpr std::int64_t small = 1024;  // a large constant is cheaper to compute than to keep
  std::int64_t size = 1;
  for (const std::int64_t n : type.shape) {
    if (n < 0) return {};
    size *= n;
  }
  if (size > small || node.op->can_fail()) return {};
  std::vector<Tensor> x;
  Types types;
  for (const Var& input : node.inputs) {
    if (input.node().kind != Node::Kind::constant) return {};
    x.push_back(input.node().value);
    types.push_back(input.type());
  }
  const Tensor value = evaluate(*node.op, x, types)[0];
  // One number stretched is more to other rules than an array of it.
  const bool from_numbers = std::all_of(x.begin(), x.end(), [](const Tensor& t) { return t.size() <= 1; });
  if (size > 1 && from_numbers && is_uniform(value)) return {};
  return with_stretch(constant(value), type);
}

}  // namespace damo
