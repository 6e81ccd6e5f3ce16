#include "core/run/schedule_slots.h"

#include <algorithm>
#include <optional>

namespace damo {
namespace {

bool are_known(const Type& t) {
  return std::all_of(t.shape.begin(), t.shape.end(), [](std::int64_t n) { return n >= 0; });
}

}  // namespace

bool ScheduleSlots::is_sized_choice(const Node& node) const {
  return node.op->needed_if(static_cast<int>(node.inputs.size()) - 1) &&
         std::all_of(node.types.begin(), node.types.end(), are_known);
}

bool ScheduleSlots::is_sized(const NodePtr& node) {
  if (is_integer(slot_of(Var(node, 0))) || node->op->view_of() >= 0 ||
      !std::all_of(node->types.begin(), node->types.end(), are_known))
    return false;
  for (std::size_t k = 0; k < node->inputs.size(); ++k)
    if (uses_value(*node, k) || !are_known(node->inputs[k].type())) return false;
  return true;
}

int ScheduleSlots::size_branch(const NodePtr& node) {
  if (is_sized(node)) return 0;
  int branch = nowhere;
  for (const int y : outputs_of(node)) want(branch, anything(need(y)));
  return branch;
}

int ScheduleSlots::branch_of(const Node& node, std::size_t k, int in) {
  const std::optional<bool> side = lazy_ ? node.op->needed_if(static_cast<int>(k)) : std::nullopt;
  return side && in != nowhere ? made_.branches.child(in, slot_of(node.inputs[0]), *side) : in;
}

void ScheduleSlots::make_slots() {
  for (const NodePtr& node : order_)
    for (int o = 0; o < static_cast<int>(node->types.size()); ++o) {
      const int i = static_cast<int>(made_.slots.size());
      slot_of_.emplace(Var(node, o), i);
      Slot s;
      s.var = Var(node, o);
      s.type = node->types[static_cast<std::size_t>(o)];
      s.root = i;
      made_.slots.push_back(s);
      Slot& made = made_.slots.back();
      switch (node->kind) {
        case Node::Kind::input: made.kind = Slot::Kind::input; break;
        case Node::Kind::shared:
          made.kind = Slot::Kind::shared;
          made_.shared_slots.push_back(i);
          break;
        case Node::Kind::constant: made.kind = Slot::Kind::constant; break;
        case Node::Kind::apply: classify(*node, i); break;
      }
      if ((made.kind == Slot::Kind::input || made.kind == Slot::Kind::shared) && made.is_integer_scalar())
        made_.scalar_slots.push_back(i);
    }
  needs_.resize(made_.slots.size());
}

void ScheduleSlots::classify(const Node& node, int i) {
  Slot& s = slot(i);
  const std::vector<int> x = inputs_of(node);
  if (node.types.size() == 1 && s.is_integer_scalar()) {
    bool early = true;
    for (std::size_t k = 0; k < x.size(); ++k)
      early &= is_known_early(x[k]) || (!node.op->has_integer_form() && !node.op->reads(static_cast<int>(k)));
    if (early && !x.empty() && x.size() <= most_integers &&
        (node.op->has_integer_form() || !node.op->reads(0))) {
      s.kind = Slot::Kind::integer;
      return;
    }
  }
  if (node.op->view_of() >= 0) {
    s.kind = Slot::Kind::view;
    s.base = x[static_cast<std::size_t>(node.op->view_of())];
    s.root = root(s.base);
  }
}

void ScheduleSlots::mark_needs() {
  for (const Var& v : program_.outputs) want(need(slot_of(v)).data, 0);
  for (const Var& v : program_.checked) want(need(slot_of(v)).size, 0);
  for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
    const Node& node = **at;
    if (node.kind != Node::Kind::apply) continue;
    Need wanted;
    for (const int y : outputs_of(*at)) {
      want(wanted.data, need(y).data);
      want(wanted.size, need(y).size);
      want(wanted.value, need(y).value);
    }
    const int any = anything(wanted);
    if (any == nowhere) continue;
    if (node.op->has_effect()) want(wanted.data, any);
    const int first = slot_of(Var(*at, 0));
    const bool integer = is_integer(first);
    const int runs = integer ? nowhere : made_.branches.common(wanted.data, wanted.value);
    want(need(first).data, runs);
    // The sizes of a choice of known sizes depend on nothing.
    const int sizes = is_sized_choice(node) ? runs : any;
    const std::vector<int> x = inputs_of(node);
    for (std::size_t k = 0; k < x.size(); ++k) {
      const int i = static_cast<int>(k);
      Need& n = need(x[k]);
      if (integer && node.op->has_integer_form()) {
        want(n.value, branch_of(node, k, any));
      } else {
        want(n.size, branch_of(node, k, sizes));
        if (uses_value(node, k)) want(n.value, branch_of(node, k, any));
      }
      const bool is_base = node.op->view_of() < 0 || node.op->view_of() == i;
      // view() reads its bounds where they lie.
      if (!is_base || node.op->reads(i)) want(n.data, branch_of(node, k, runs));
    }
  }
  for (std::size_t i = 0; i < needs_.size(); ++i) {
    const int branch = needs_[i].data == nowhere ? anything(needs_[i]) : needs_[i].data;
    made_.slots[i].branch = std::max(0, branch);
  }
}

bool ScheduleSlots::assign_segments() {
  data_segment_.assign(made_.slots.size(), 0);
  size_segment_.assign(made_.slots.size(), 0);
  // A node may come before the condition of its branch: then the next pass knows that condition's segment.
  bool settled = false;
  for (int pass = 0; !settled && pass < made_.branches.size() + 2; ++pass) {
    const std::vector<int> data_before = data_segment_, size_before = size_segment_;
    assign_segments_once();
    settled = data_segment_ == data_before && size_segment_ == size_before;
  }
  if (!settled) return false;
  int last = 0;
  for (std::size_t i = 0; i < made_.slots.size(); ++i)
    if (anything(needs_[i]) != nowhere) last = std::max({last, data_segment_[i], size_segment_[i]});
  made_.segments.resize(static_cast<std::size_t>(last) + 1);
  for (int b = 1; b < made_.branches.size(); ++b) persistent_.push_back(made_.branches[b].condition);
  return true;
}

void ScheduleSlots::assign_segments_once() {
  std::vector<int> sized_from{0}, computed_from{0};
  const auto known_from = [&](int i) {
    const auto j = static_cast<std::size_t>(i);
    return is_known_early(i) ? size_segment_[j] : data_segment_[j] + 1;
  };
  for (const NodePtr& node : order_) {
    if (node->kind != Node::Kind::apply) continue;
    const std::vector<int> x = inputs_of(*node);
    int size = 0, data = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      const auto j = static_cast<std::size_t>(x[k]);
      if (!is_sized_choice(*node)) size = std::max(size, size_segment_[j]);
      const bool integer = is_integer(slot_of(Var(node, 0))) && node->op->has_integer_form();
      if (integer || uses_value(*node, k)) size = std::max(size, known_from(x[k]));
      if (node->op->reads(static_cast<int>(k))) data = std::max(data, data_segment_[j]);
    }
    if (const int branch = size_branch(node); branch > 0)
      size = std::max(size, along(branch, sized_from, [&](int before, int condition) {
                        return std::max(before, known_from(condition));
                      }));
    if (const int branch = data_branch(node); branch > 0)
      data =
          std::max(data, along(branch, computed_from, [&](int before, int condition) {
                     const auto j = static_cast<std::size_t>(condition);
                     return std::max(before, is_known_early(condition) ? size_segment_[j] : data_segment_[j]);
                   }));
    for (const int y : outputs_of(node)) {
      size_segment_[static_cast<std::size_t>(y)] = size;
      data_segment_[static_cast<std::size_t>(y)] = std::max(size, data);
    }
  }
}

void ScheduleSlots::forget_branches() {
  lazy_ = false;
  made_.branches = {};
  std::fill(needs_.begin(), needs_.end(), Need());
}

}  // namespace damo
