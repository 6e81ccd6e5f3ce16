#include <map>

#include "core/plan.h"

namespace damo {
namespace {

std::string describe(const Slot& s) {
  std::string text = label(s.var);
  const Node& node = s.var.node();
  if (node.kind == Node::Kind::apply) {
    text = node.op->name();
    if (node.types.size() > 1) text += fmt::format(".{}", s.var.output());
    if (!node.name.empty()) text += " '" + node.name + "'";
  }
  return fmt::format("{}, {}", text, Type(s.type.dtype, s.view.shape));
}

/// 0 in a branch that has never run.
std::int64_t bytes_of(const Slot& s) {
  for (const std::int64_t n : s.view.shape)
    if (n < 0) return 0;
  return s.view.size() * size_of(s.view.dtype);
}

std::string place(const Slot& s) {
  const Where& where = s.var.node().where;
  return where.is_set() ? "  " + to_string(where) : "";
}

}  // namespace

std::string Function::memory() const {
  check(is_set(), "an empty Function has no memory");
  const std::vector<Slot>& slots = plan_->slots();
  std::string s =
      fmt::format("function \"{}\": {} bytes of memory of its own\n", name(), plan_->arena_bytes());
  int clock = 0, number = 0;
  for (const Segment& segment : plan_->segments()) {
    std::map<int, int> from, to;
    for (const Step& step : segment.steps) {
      for (const int i : step.allocates) from[i] = clock;
      for (const int i : step.releases) to[i] = clock;
      ++clock;
    }
    s += fmt::format("arena {}: {} bytes, {} used\n", number++, segment.arena_bytes, segment.used_bytes);
    std::multimap<std::int64_t, int> by_place;
    for (const auto& [i, step] : from) by_place.emplace(slots[static_cast<std::size_t>(i)].offset, i);
    for (const auto& [offset, i] : by_place) {
      const Slot& slot = slots[static_cast<std::size_t>(i)];
      const auto end = to.find(i);
      s += fmt::format("  at {}, {} bytes, steps {} to {}: {}{}\n", offset, bytes_of(slot), from[i],
                       end == to.end() ? clock - 1 : end->second, describe(slot), place(slot));
    }
  }
  for (const Slot& slot : slots) {
    if (slot.kind == Slot::Kind::output) s += fmt::format("output: {}{}\n", describe(slot), place(slot));
    if (slot.kind != Slot::Kind::view && slot.kind != Slot::Kind::overwrite) continue;
    s += fmt::format("{}: {} {} {}{}\n", slot.kind == Slot::Kind::view ? "view" : "overwrite", describe(slot),
                     slot.kind == Slot::Kind::view ? "in" : "over",
                     describe(slots[static_cast<std::size_t>(slot.base)]), place(slot));
  }
  return s;
}

}  // namespace damo
