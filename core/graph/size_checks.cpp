#include "core/graph/size_checks.h"

#include <algorithm>
#include <tuple>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/tensor/error.h"

namespace damo {
namespace {

bool equal_sizes(const Types& a, const Types& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Type& s, const Type& t) {
    return s.shape == t.shape && s.has_value == t.has_value && (!s.has_value || s.value == t.value);
  });
}

std::size_t hash_of(const Types& x) {
  std::size_t h = x.size();
  for (const Type& t : x) {
    for (const std::int64_t n : t.shape) h = h * 1000003U + static_cast<std::size_t>(n);
    if (t.has_value) h = h * 1000003U + static_cast<std::size_t>(t.value);
  }
  return h;
}

/// An axis of an operand that is not declared to stretch, and the axis of the result that it stands for if
/// the operands are stretched to one shape.
struct Place {
  std::size_t operand;
  int axis, of_result;
};

std::vector<Place> places_of(const Types& x) {
  int rank = 0;
  for (const Type& t : x) rank = std::max(rank, t.ndim());
  std::vector<Place> places;
  for (std::size_t i = 0; i < x.size(); ++i)
    for (int axis = 0; axis < x[i].ndim(); ++axis)
      if (!x[i].stretches(axis)) places.push_back({i, axis, axis + rank - x[i].ndim()});
  return places;
}

/// Nodes that every call needs.
NodeSet needed_always(const Vars& roots) {
  NodeSet needed;
  for (const Var& v : roots) needed.insert(v.node_ptr().get());
  const std::vector<NodePtr> order = toposort(roots);
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    if (!needed.contains(at->get())) continue;
    for (std::size_t i = 0; i < (*at)->inputs.size(); ++i)
      if (!(*at)->op->needed_if(static_cast<int>(i))) needed.insert((*at)->inputs[i].node_ptr().get());
  }
  return needed;
}

/// Whether the op takes 0 in the place of each number of a call, too.
bool takes_small(const Op& op, Types x) {
  if (op.is_elementwise()) return true;
  bool any = false;
  const auto make_small = [&](std::int64_t& n) {
    if (n < first_number) return;
    n = 0;
    any = true;
  };
  for (Type& t : x) {
    for (std::int64_t& n : t.shape) make_small(n);
    if (t.has_value) make_small(t.value);
  }
  if (!any) return true;
  try {
    op.infer(x);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool is_open(const Type& t) {
  return (t.ndim() == 0 && !t.is_float() && !t.has_value) ||
         std::any_of(t.shape.begin(), t.shape.end(), [](std::int64_t n) { return n < 0; });
}

}  // namespace

Type CallNumbers::filled(const Var& v, Type type) {
  if (!is_open(type)) return type;
  std::vector<std::int64_t>& numbers = numbers_[v];
  while (static_cast<int>(numbers.size()) <= type.ndim()) {
    numbers.push_back(next_);
    next_ += 210;
  }
  for (int i = 0; i < type.ndim(); ++i)
    if (type.shape[i] < 0) type.shape[i] = numbers[static_cast<std::size_t>(i)];
  if (type.ndim() == 0 && !type.has_value) {
    type.has_value = true;
    type.value = numbers[0];
  }
  return type;
}

SizeWalk::SizeWalk(const Vars& roots, CallNumbers& numbers) {
  for (const NodePtr& node : toposort(roots)) {
    Types types = node->types;
    bool is_inferred = false;
    if (node->kind == Node::Kind::apply) {
      Types x;
      for (const Var& v : node->inputs) x.push_back(types_.at(v));
      std::tie(types, is_inferred) = inferred(node, std::move(x));
    }
    for (int i = 0; i < static_cast<int>(types.size()); ++i) {
      const Type& t = types[static_cast<std::size_t>(i)];
      if (is_inferred && is_open(t)) computed_.insert(node.get());
      types_.emplace(Var(node, i), numbers.filled(Var(node, i), t));
    }
  }
  for (std::size_t i = 0; i < others_.size(); ++i) by_hash_.emplace(hash_of(now(others_[i].x)), i);
}

std::pair<Types, bool> SizeWalk::inferred(const NodePtr& node, Types x) {
  const bool has_sizes =
      std::any_of(x.begin(), x.end(), [](const Type& t) { return t.ndim() > 0 || !t.is_float(); });
  if (!has_sizes) return {node->types, true};
  x = now(std::move(x));
  try {
    Types types = node->op->infer(x);
    if (!takes_small(*node->op, x)) {
      checks_.push_back({node, std::move(x), true});
      others_.push_back(checks_.back());
    }
    return {std::move(types), true};
  } catch (const Error&) {
  }
  checks_.push_back({node, x});
  if (unite(checks_.back())) return {node->op->infer(now(std::move(x))), true};
  others_.push_back(checks_.back());
  return {node->types, false};
}

std::int64_t SizeWalk::find(std::int64_t number) const {
  for (auto at = equal_.find(number); at != equal_.end(); at = equal_.find(number)) number = at->second;
  return number;
}

Types SizeWalk::now(Types x) const {
  for (Type& t : x) {
    for (std::int64_t& n : t.shape) n = find(n);
    t.value = find(t.value);
  }
  return x;
}

bool SizeWalk::takes(const Check& check) const {
  try {
    check.node->op->infer(now(check.x));
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Has equal what the op asks to be equal: sizes of operands that are stretched to one shape, or two others.
bool SizeWalk::unite(const Check& check) {
  std::vector<std::int64_t> added;
  const auto undo = [&] {
    for (const std::int64_t number : added) equal_.erase(number);
    added.clear();
  };
  const std::vector<Place> places = places_of(check.x);
  const auto number = [&](const Place& p) { return find(check.x[p.operand].shape[p.axis]); };
  const auto make_equal = [&](std::int64_t a, std::int64_t b) {
    if (a != b && equal_.emplace(std::max(a, b), std::min(a, b)).second) added.push_back(std::max(a, b));
  };
  const auto unite_places = [&](const std::vector<Place>& some) {
    std::unordered_map<int, std::int64_t> of_axis;
    for (const Place& p : some)
      make_equal(number(p), find(of_axis.emplace(p.of_result, number(p)).first->second));
    return takes(check);
  };
  if (unite_places(places)) {
    // A size that may just as well be another one is not asked for.
    std::vector<Place> asked;
    for (const Place& p : places) {
      Check changed{check.node, now(check.x)};
      ++changed.x[p.operand].shape[p.axis];
      if (!takes(changed)) asked.push_back(p);
    }
    undo();
    if (unite_places(asked)) return true;
  }
  undo();
  for (const Place& p : places)
    for (const Place& q : places) {
      if (p.operand >= q.operand || number(p) == number(q)) continue;
      make_equal(number(p), number(q));
      if (takes(check)) return true;
      undo();
    }
  return false;
}

bool SizeWalk::implies(const Check& check) const {
  if (!check.is_bound && takes(check)) return true;
  const Types x = now(check.x);
  const auto [begin, end] = by_hash_.equal_range(hash_of(x));
  return std::any_of(begin, end, [&](const auto& entry) {
    const Check& other = others_[entry.second];
    return other.node->op->same_as(*check.node->op) && equal_sizes(now(other.x), x);
  });
}

Vars lost_size_checks(const Vars& written, const Vars& rewritten) {
  CallNumbers numbers;
  const SizeWalk before(written, numbers);
  if (before.checks().empty()) return {};
  const SizeWalk after(rewritten, numbers);
  const NodeSet needed = needed_always(written);
  NodeSet kept, costly;
  for (const NodePtr& node : toposort(rewritten)) kept.insert(node.get());
  for (const NodePtr& node : toposort(written)) {
    const bool prints = node->kind == Node::Kind::apply && node->op->has_effect();
    if (!kept.contains(node.get()) &&
        (prints || before.computed().contains(node.get()) ||
         std::any_of(node->inputs.begin(), node->inputs.end(),
                     [&](const Var& v) { return costly.contains(v.node_ptr().get()); })))
      costly.insert(node.get());
  }
  Vars lost;
  for (const SizeWalk::Check& check : before.checks())
    if (needed.contains(check.node.get()) && !costly.contains(check.node.get()) && !after.implies(check))
      lost.emplace_back(check.node);
  return lost;
}

}  // namespace damo
