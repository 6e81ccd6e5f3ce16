#include <map>

#include "core/run/frame.h"

namespace damo {
namespace {

std::string describe(const Slot& s, const View& view) {
  std::string text = label(s.var);
  const Node& node = s.var.node();
  if (node.kind == Node::Kind::apply) {
    text = node.op->name();
    if (node.types.size() > 1) text += fmt::format(".{}", s.var.output());
    if (!node.name.empty()) text += " '" + node.name + "'";
  }
  return fmt::format("{}, {}", text, Type(s.type.dtype, view.shape));
}

/// 0 in a branch that has never run.
std::int64_t bytes_of(const View& v) {
  for (const std::int64_t n : v.shape)
    if (n < 0) return 0;
  return v.size() * size_of(v.dtype);
}

std::string place(const Slot& s) {
  const Where& where = s.var.node().where;
  return where.is_set() ? "  " + to_string(where) : "";
}

}  // namespace

std::string Function::memory() const {
  check(is_set(), "an empty Function has no memory");
  const Frame& frame = *frame_;
  const Schedule& schedule = frame.schedule();
  const auto described = [&](int i) { return describe(schedule[i], frame[i].view); };
  std::string s =
      fmt::format("function \"{}\": {} bytes of memory of its own\n", name(), frame.arena_bytes());
  int clock = 0;
  for (std::size_t number = 0; number < schedule.segments.size(); ++number) {
    std::map<int, int> from, to;
    for (const Step& step : schedule.segments[number].steps) {
      for (const int i : step.allocates) from[i] = clock;
      for (const int i : step.releases) to[i] = clock;
      ++clock;
    }
    s += fmt::format("arena {}: {} bytes, {} used\n", number, frame.arena(number).bytes,
                     frame.arena(number).used);
    std::multimap<std::int64_t, int> by_place;
    for (const auto& [i, step] : from) by_place.emplace(frame[i].offset, i);
    for (const auto& [offset, i] : by_place) {
      const auto end = to.find(i);
      s += fmt::format("  at {}, {} bytes, steps {} to {}: {}{}\n", offset, bytes_of(frame[i].view), from[i],
                       end == to.end() ? clock - 1 : end->second, described(i), place(schedule[i]));
    }
    for (const Step& step : schedule.segments[number].steps)
      if (step.body >= 0)
        s += fmt::format("inside {}: {} bytes{}\n", step.op->name(), frame.body(step).arena_bytes(),
                         place(schedule[step.y[0]]));
  }
  for (int i = 0; i < static_cast<int>(schedule.slots.size()); ++i) {
    const Slot& slot = schedule[i];
    if (slot.kind == Slot::Kind::output) s += fmt::format("output: {}{}\n", described(i), place(slot));
    if (slot.kind != Slot::Kind::view && slot.kind != Slot::Kind::overwrite) continue;
    s += fmt::format("{}: {} {} {}{}\n", slot.kind == Slot::Kind::view ? "view" : "overwrite", described(i),
                     slot.kind == Slot::Kind::view ? "in" : "over", described(slot.base), place(slot));
  }
  return s;
}

}  // namespace damo
