#include "core/plan.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "core/finite.h"
#include "core/layout.h"
#include "core/profile.h"
#include "core/watch.h"

namespace damo {
namespace {

constexpr std::int64_t alignment = 64;

std::int64_t rounded(std::int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::int64_t bytes_of(const View& v) {
  // What lies in a branch that has never run has no size yet.
  for (const std::int64_t n : v.shape)
    if (n < 0) return 0;
  return v.size() * size_of(v.dtype);
}

/// The lowest and the highest address of a view's elements.
std::pair<std::uintptr_t, std::uintptr_t> extent(const View& v) {
  std::int64_t low = 0, high = 0;
  for (int i = 0; i < v.ndim(); ++i) {
    const std::int64_t reach = (v.shape[i] - 1) * v.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  return {reinterpret_cast<std::uintptr_t>(advance(v.data, v.dtype, low)),
          reinterpret_cast<std::uintptr_t>(advance(v.data, v.dtype, high + 1))};
}

bool overlap(const View& a, const View& b) {
  if (a.size() == 0 || b.size() == 0) return false;
  const auto [a0, a1] = extent(a);
  const auto [b0, b1] = extent(b);
  return a0 < b1 && b0 < a1;
}

std::int64_t wrapped(DType dtype, std::int64_t v) {
  switch (dtype) {
    case DType::bool_: return v != 0;
    case DType::int8: return static_cast<std::int8_t>(v);
    case DType::int16: return static_cast<std::int16_t>(v);
    case DType::int32: return static_cast<std::int32_t>(v);
    case DType::uint8: return static_cast<std::uint8_t>(v);
    default: return v;
  }
}

std::int64_t read_integer(const View& v) {
  switch (v.dtype) {
    case DType::bool_: return *v.ptr<bool>() ? 1 : 0;
    case DType::int8: return *v.ptr<std::int8_t>();
    case DType::int16: return *v.ptr<std::int16_t>();
    case DType::int32: return *v.ptr<std::int32_t>();
    case DType::uint8: return *v.ptr<std::uint8_t>();
    case DType::int64: return *v.ptr<std::int64_t>();
    default: throw Bug("a size is not an integer");
  }
}

bool holds_every(DType to, DType from) { return promote(to, from) == to; }

}  // namespace

std::int64_t Plan::arena_bytes() const {
  std::int64_t bytes = 0;
  for (const Segment& s : segments_) bytes += s.arena_bytes;
  return bytes;
}

/// One call at a time; a call that fails leaves sizes behind that the next one must not trust.
class Plan::Running {
 public:
  explicit Running(Plan& plan) : plan_(plan) {
    check(!plan.busy_.test_and_set(),
          "function \"{}\" is running already: give each thread its own by copy()", plan.program_->name);
  }
  ~Running() {
    if (!done) plan_.stale_ = true;
    plan_.busy_.clear();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  bool done = false;

 private:
  Plan& plan_;
};

Values Plan::call(const Tensor* values, std::size_t n) {
  check(n <= inputs_.size(), "function \"{}\" takes {} inputs, not {}", program_->name, inputs_.size(), n);
  Running running(*this);
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    bind(inputs_[i], i < n ? values[i] : inputs_[i].default_value);
  Values result = run();
  running.done = true;
  return result;
}

Values Plan::call(std::initializer_list<Keyword> args) {
  Running running(*this);
  for (BoundInput& in : inputs_) in.given = nullptr;
  for (const Keyword& k : args) {
    const auto at =
        std::find_if(inputs_.begin(), inputs_.end(), [&](const BoundInput& in) { return in.name == k.name; });
    if (at == inputs_.end()) {
      std::string known;
      for (const BoundInput& in : inputs_) known += (known.empty() ? "" : ", ") + in.name;
      fail("function \"{}\" has no input {}: its inputs are {}", program_->name, std::string(k.name),
           known.empty() ? "none" : known);
    }
    check(at->given == nullptr, "function \"{}\": input {} is given twice", program_->name, at->name);
    at->given = &k.value;
  }
  for (BoundInput& in : inputs_) bind(in, in.given != nullptr ? *in.given : in.default_value);
  Values result = run();
  running.done = true;
  return result;
}

void Plan::bind(BoundInput& input, const Tensor& value) {
  const Type& type = input.type;
  check(value.is_set(), "function \"{}\": input {} is missing", program_->name, input.name);
  const auto reject = [&](const std::string& why) {
    fail("function \"{}\": input {} is {}, the value is {}{}", program_->name, input.name, type,
         Type(value.dtype(), value.shape()), why);
  };
  if (value.ndim() != type.ndim()) reject("");
  for (int i = 0; i < type.ndim(); ++i)
    if (type.shape[i] >= 0 && value.shape(i) != type.shape[i]) reject("");
  if (value.dtype() != type.dtype && !holds_every(type.dtype, value.dtype())) {
    if (!value.is_weak()) reject(": convert it with astype");
    // A literal: floats round to the input's dtype, integers must keep their value.
    if (!type.is_float()) {
      if (is_float(value.dtype())) reject(": a float does not convert to an integer");
      if (!identical(value.astype(type.dtype).astype(value.dtype()), value))
        reject(": the value does not fit");
    }
  }
  if (!watches_.empty()) input.value = value;
  if (input.slot < 0) return;
  Slot& slot = slots_[static_cast<std::size_t>(input.slot)];
  if (type.ndim() == 0) {
    // Copied, so that a number costs no allocation.
    copy_into(View{type.dtype, {}, {}, &input.scalar}, value.view());
    slot.view.data = &input.scalar;
    return;
  }
  input.held = value.astype(type.dtype);
  for (const Shared& s : program_->updated)
    if (overlap(input.held.view(), s.node().cell->value.view())) input.held = input.held.copy();
  const View& v = input.held.view();
  slot.changed = !(v.shape == slot.view.shape);
  slot.view = v;
}

void Plan::begin() {
  for (const int i : shared_slots_) {
    Slot& slot = slots_[static_cast<std::size_t>(i)];
    Cell& cell = *slot.var.node().cell;
    const View& v = cell.value.view();
    slot.changed = !(v.shape == slot.view.shape);
    slot.view = v;
    slot.view.finite = cell.value.use_count() == 1 ? &cell.finite : nullptr;
  }
  for (const int i : scalar_slots_) {
    Slot& slot = slots_[static_cast<std::size_t>(i)];
    const std::int64_t v = read_integer(slot.view);
    slot.changed = !slot.has_value || v != slot.value;
    slot.has_value = true;
    slot.value = v;
  }
  std::fill(taken_.begin(), taken_.end(), Taken::unknown);
  taken_[0] = Taken::yes;
}

bool Plan::takes(int branch) const {
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  for (int b = branch; taken_[at(b)] == Taken::unknown; b = branches_[b].parent) path_.push_back(b);
  for (; !path_.empty(); path_.pop_back()) {
    const int b = path_.back();
    const Branches::Branch& here = branches_[b];
    bool taken = taken_[at(here.parent)] == Taken::yes;
    if (taken) {
      // A shared variable may have been written since the call began.
      const Slot& c = slots_[at(here.condition)];
      const bool is_early = c.kind == Slot::Kind::integer || c.kind == Slot::Kind::input ||
                            c.kind == Slot::Kind::constant || c.kind == Slot::Kind::shared;
      taken = ((is_early ? c.value : read_integer(c.view)) != 0) == here.side;
    }
    taken_[at(b)] = taken ? Taken::yes : Taken::no;
  }
  return taken_[at(branch)] == Taken::yes;
}

Values Plan::run() {
  begin();
  outputs_.assign(output_slots_.size(), Tensor());
  sizes_changed_ = stale_;
  if (!watches_.empty()) watch();
  for (Segment& segment : segments_) {
    resolve(segment);
    // Shared variables are written in the last segment only: after this nothing fails that could have been
    // checked.
    if (&segment == &segments_.back()) check_updates();
    if (watches_.empty()) {
      for (const Step& step : segment.steps)
        if (runs(step.branch)) perform(step);
      continue;
    }
    for (const Step& step : segment.steps) {
      if (!runs(step.branch)) {
        for (const auto& w : watches_) w->skipped(*this, step);
        continue;
      }
      for (const auto& w : watches_) w->before(*this, step);
      perform(step);
      for (auto w = watches_.rbegin(); w != watches_.rend(); ++w) (*w)->after(*this, step);
    }
  }
  for (auto w = watches_.rbegin(); w != watches_.rend(); ++w) (*w)->end(*this);
  write_back();
  for (BoundInput& in : inputs_) in.held = Tensor();
  stale_ = false;
  if (outputs_.size() == 1) return Values(std::exchange(outputs_[0], Tensor()));
  return Values(std::move(outputs_));
}

void Plan::perform(const Step& step) const {
  std::optional<Overwriting> overwriting;
  if (step.overwritten >= 0) overwriting.emplace(*step.yv[static_cast<std::size_t>(step.overwritten)]);
  try {
    step.op->perform(Views(step.xv.data(), static_cast<int>(step.xv.size())),
                     Views(step.yv.data(), static_cast<int>(step.yv.size())));
  } catch (const Error& e) {
    blame(*step.node, step.x, e.what());
  }
}

void Plan::watch() {
  std::vector<Tensor> inputs;
  for (BoundInput& in : inputs_) inputs.push_back(std::exchange(in.value, Tensor()));
  for (const auto& w : watches_) w->begin(*this, inputs);
}

const View& Plan::root(std::size_t i) const {
  const int slot = i < program_->n_outputs ? output_slots_[i] : commits_[i - program_->n_outputs].slot;
  return slots_[static_cast<std::size_t>(slot)].view;
}

void Plan::write_back() {
  for (const Commit& c : commits_) {
    if (c.in_place) continue;
    Cell& cell = *program_->updated[c.updated].node().cell;
    const View& v = slots_[static_cast<std::size_t>(c.slot)].view;
    if (!(cell.value.shape() == v.shape)) cell.value = Tensor::empty(v.shape, v.dtype);
    copy_into(cell.value.view(), v);
    cell.finite = Finite::unknown;
  }
}

void Plan::resolve(Segment& segment) {
  for (SizeItem& item : segment.items) {
    if (!runs(item.branch)) {
      item.missed = true;
      for (const int i : item.y) slots_[static_cast<std::size_t>(i)].changed = false;
      continue;
    }
    switch (item.kind) {
      case SizeItem::Kind::integer: {
        std::array<std::int64_t, 8> x{};
        for (std::size_t i = 0; i < item.x.size(); ++i)
          x[i] = slots_[static_cast<std::size_t>(item.x[i])].value;
        Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
        std::int64_t v = 0;
        try {
          v = wrapped(y.type.dtype, item.node->op->integer({x.data(), item.x.size()}));
        } catch (const Error& e) {
          blame(*item.node, item.x, e.what());
        }
        y.changed = !y.has_value || v != y.value;
        y.has_value = true;
        y.value = v;
        break;
      }
      case SizeItem::Kind::read: {
        Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
        const std::int64_t v = read_integer(y.view);
        y.changed = !y.has_value || v != y.value;
        y.has_value = true;
        y.value = v;
        break;
      }
      case SizeItem::Kind::view: {
        Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
        const Sizes before = y.view.shape;
        place_view(item);
        y.changed = stale_ || !(y.view.shape == before);
        break;
      }
      case SizeItem::Kind::infer: {
        bool dirty = stale_ || item.missed;
        for (std::size_t i = 0; i < item.x.size(); ++i) {
          const Slot& x = slots_[static_cast<std::size_t>(item.x[i])];
          dirty |= x.changed && (x.view.ndim() > 0 || item.node->op->needs_value(static_cast<int>(i)));
        }
        for (const int i : item.y) slots_[static_cast<std::size_t>(i)].changed = false;
        if (!dirty) break;
        infer(item);
        break;
      }
    }
    item.missed = false;
  }
  if (sizes_changed_) lay_out(segment);
  take_output_buffers(segment);
  if (!sizes_changed_ && segment.outputs.empty() && segments_.size() == 1) return;
  for (const Step& step : segment.steps)
    for (const int i : step.y) {
      Slot& y = slots_[static_cast<std::size_t>(i)];
      if (y.kind != Slot::Kind::overwrite) continue;
      const View& base = slots_[static_cast<std::size_t>(y.base)].view;
      y.view.data = base.data;
      y.view.finite = base.finite;
    }
  for (const SizeItem& item : segment.moving)
    if (runs(item.branch)) place_view(item);
}

void Plan::take_output_buffers(const Segment& segment) {
  for (const std::size_t i : segment.outputs) {
    Slot& slot = slots_[static_cast<std::size_t>(output_slots_[i])];
    auto& pool = output_pools_[i];
    const auto free = std::find_if(pool.begin(), pool.end(), [&](const Tensor& t) {
      return t.use_count() == 1 && t.shape() == slot.view.shape;
    });
    if (free != pool.end()) {
      outputs_[i] = *free;
    } else {
      constexpr std::size_t enough = 4;
      std::erase_if(pool, [](const Tensor& t) { return t.use_count() == 1; });
      outputs_[i] = Tensor::empty(slot.view.shape, slot.view.dtype);
      if (pool.size() < enough) pool.push_back(outputs_[i]);
    }
    slot.view = outputs_[i].view();
  }
}

void Plan::infer(const SizeItem& item) {
  Types x;
  x.reserve(item.x.size());
  for (const int i : item.x) {
    const Slot& s = slots_[static_cast<std::size_t>(i)];
    Type t(s.type.dtype, s.view.shape, s.type.stretch);
    t.has_value = s.has_value;
    t.value = s.value;
    x.push_back(t);
  }
  Types types;
  try {
    types = item.node->op->infer(x);
  } catch (const Error& e) {
    blame(*item.node, item.x, e.what());
  }
  for (std::size_t i = 0; i < item.y.size(); ++i) {
    Slot& y = slots_[static_cast<std::size_t>(item.y[i])];
    const Type& t = types[i];
    if (y.kind == Slot::Kind::integer) {
      y.changed = !y.has_value || y.value != t.value;
      y.has_value = true;
      y.value = t.value;
      continue;
    }
    y.changed = stale_ || !(y.view.shape == t.shape);
    sizes_changed_ |= y.changed;
    y.view.dtype = t.dtype;
    y.view.shape = t.shape;
    y.view.strides = row_major(t.shape);
  }
}

void Plan::place_view(const SizeItem& item) {
  Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
  try {
    y.view = item.node->op->view(Views(item.xv.data(), static_cast<int>(item.xv.size())));
    y.view.finite = nullptr;  // a part is written where nobody would tell
  } catch (const Error& e) {
    blame(*item.node, item.x, e.what());
  }
}

void Plan::lay_out(Segment& segment) {
  Layout layout;
  const auto bytes = [&](int i) { return rounded(bytes_of(slots_[static_cast<std::size_t>(i)].view)); };
  for (const Step& step : segment.steps) {
    for (const int i : step.allocates) {
      Slot& s = slots_[static_cast<std::size_t>(i)];
      s.offset = bytes(i) > 0 ? layout.allocate(bytes(i)) : 0;
    }
    for (const int i : step.releases)
      if (bytes(i) > 0) layout.release(slots_[static_cast<std::size_t>(i)].offset, bytes(i));
  }
  segment.used_bytes = layout.end();
  if (segment.arena == nullptr || layout.end() > segment.arena_bytes) {
    segment.arena.reset();
    const Tensor memory = Tensor::empty({layout.end()}, DType::int8);
    segment.arena = std::make_shared<Tensor>(memory);
    segment.arena_bytes = layout.end();
  }
  void* const start = static_cast<Tensor*>(segment.arena.get())->data();
  for (const Step& step : segment.steps)
    for (const int i : step.allocates) {
      Slot& s = slots_[static_cast<std::size_t>(i)];
      s.view.data = advance(start, DType::int8, s.offset);
    }
}

void Plan::check_updates() const {
  for (const Commit& c : commits_) {
    const Shared& s = program_->updated[c.updated];
    const Cell& cell = *s.node().cell;
    const Slot& slot = slots_[static_cast<std::size_t>(c.slot)];
    if (cell.resizable || slot.view.shape == cell.value.shape()) continue;
    fail("function \"{}\": the update of {} has another size\n  {}   {}\n  {}   its new value\n  {}",
         program_->name, label(s), Type(cell.value.dtype(), cell.value.shape()), label(s),
         Type(slot.view.dtype, slot.view.shape), to_string(slot.var.node().where));
  }
}

void Plan::blame(const Node& node, const std::vector<int>& x, const std::string& reason) const {
  Types types;
  for (const int i : x) {
    const Slot& s = slots_[static_cast<std::size_t>(i)];
    types.emplace_back(s.type.dtype, s.view.shape);
  }
  throw Error(explain(node.op->name(), node.inputs, types, node.where, reason, program_->name));
}

}  // namespace damo
