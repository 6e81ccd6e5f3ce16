#include "core/plan_slots.h"

#include <algorithm>
#include <optional>

namespace damo {
namespace {

bool is_integer_scalar(const Type& t) { return t.ndim() == 0 && !t.is_float(); }

bool are_known(const Type& t) {
  return std::all_of(t.shape.begin(), t.shape.end(), [](std::int64_t n) { return n >= 0; });
}

}  // namespace

bool PlanSlots::is_known_early(int i) {
  const Slot& s = slot(i);
  return is_integer_scalar(s.type) && (s.kind == Slot::Kind::integer || s.kind == Slot::Kind::input ||
                                       s.kind == Slot::Kind::constant || s.kind == Slot::Kind::shared);
}

bool PlanSlots::is_sized_choice(const Node& node) const {
  return node.op->needed_if(static_cast<int>(node.inputs.size()) - 1) &&
         std::all_of(node.types.begin(), node.types.end(), are_known);
}

bool PlanSlots::is_sized(const NodePtr& node) {
  if (is_integer(slot_of(Var(node, 0))) || node->op->view_of() >= 0 ||
      !std::all_of(node->types.begin(), node->types.end(), are_known))
    return false;
  for (std::size_t k = 0; k < node->inputs.size(); ++k)
    if (uses_value(*node, k) || !are_known(node->inputs[k].type())) return false;
  return true;
}

int PlanSlots::size_branch(const NodePtr& node) {
  if (is_sized(node)) return 0;
  int branch = nowhere;
  for (const int y : outputs_of(node)) want(branch, anything(need(y)));
  return branch;
}

int PlanSlots::branch_of(const Node& node, std::size_t k, int in) {
  const std::optional<bool> side = lazy_ ? node.op->needed_if(static_cast<int>(k)) : std::nullopt;
  return side && in != nowhere ? plan_.branches_.child(in, slot_of(node.inputs[0]), *side) : in;
}

void PlanSlots::make_slots() {
  for (const NodePtr& node : order_)
    for (int o = 0; o < static_cast<int>(node->types.size()); ++o) {
      const int i = static_cast<int>(plan_.slots_.size());
      slot_of_.emplace(Var(node, o), i);
      Slot s;
      s.var = Var(node, o);
      s.type = node->types[static_cast<std::size_t>(o)];
      s.view.dtype = s.type.dtype;
      s.view.shape = s.type.shape;
      s.view.strides = row_major(s.type.shape);
      s.root = i;
      plan_.slots_.push_back(s);
      Slot& made = plan_.slots_.back();
      switch (node->kind) {
        case Node::Kind::input: made.kind = Slot::Kind::input; break;
        case Node::Kind::shared:
          made.kind = Slot::Kind::shared;
          plan_.shared_slots_.push_back(i);
          break;
        case Node::Kind::constant:
          made.kind = Slot::Kind::constant;
          made.view = node->value.view();
          made.changed = false;
          if (is_integer_scalar(made.type)) {
            made.has_value = true;
            made.value = node->value.item<std::int64_t>();
          }
          break;
        case Node::Kind::apply: classify(*node, i); break;
      }
      if ((made.kind == Slot::Kind::input || made.kind == Slot::Kind::shared) && is_integer_scalar(made.type))
        plan_.scalar_slots_.push_back(i);
    }
  needs_.resize(plan_.slots_.size());
}

void PlanSlots::classify(const Node& node, int i) {
  Slot& s = slot(i);
  const std::vector<int> x = inputs_of(node);
  if (node.types.size() == 1 && is_integer_scalar(s.type)) {
    bool early = true;
    for (std::size_t k = 0; k < x.size(); ++k)
      early &= is_known_early(x[k]) || (!node.op->has_integer_form() && !node.op->reads(static_cast<int>(k)));
    constexpr std::size_t most_inputs = 8;
    if (early && !x.empty() && x.size() <= most_inputs &&
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

void PlanSlots::mark_needs() {
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
    const int runs = integer ? nowhere : plan_.branches_.common(wanted.data, wanted.value);
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
    plan_.slots_[i].branch = std::max(0, branch);
  }
}

bool PlanSlots::assign_segments() {
  data_segment_.assign(plan_.slots_.size(), 0);
  size_segment_.assign(plan_.slots_.size(), 0);
  // A node may come before the condition of its branch: then the next pass knows that condition's segment.
  bool settled = false;
  for (int pass = 0; !settled && pass < plan_.branches_.size() + 2; ++pass) {
    const std::vector<int> data_before = data_segment_, size_before = size_segment_;
    assign_segments_once();
    settled = data_segment_ == data_before && size_segment_ == size_before;
  }
  if (!settled) return false;
  int last = 0;
  for (std::size_t i = 0; i < plan_.slots_.size(); ++i)
    if (anything(needs_[i]) != nowhere) last = std::max({last, data_segment_[i], size_segment_[i]});
  plan_.segments_.resize(static_cast<std::size_t>(last) + 1);
  for (int b = 1; b < plan_.branches_.size(); ++b) persistent_.push_back(plan_.branches_[b].condition);
  return true;
}

void PlanSlots::assign_segments_once() {
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

void PlanSlots::forget_branches() {
  lazy_ = false;
  plan_.branches_ = {};
  std::fill(needs_.begin(), needs_.end(), Need());
}

}  // namespace damo
