#include "core/plan.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "core/finite.h"
#include "core/watch.h"

namespace damo {
namespace {

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

bool holds_every(DType to, DType from) { return promote(to, from) == to; }

}  // namespace

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

/// One call at a time, which holds the variables.
class Plan::Running {
 public:
  explicit Running(Plan& plan) : plan_(plan) {
    check(!plan.busy_.test_and_set(std::memory_order_acquire),
          "function \"{}\" is running already: give each thread its own by copy()", plan.program_->name);
    try {
      plan.hold_variables();
    } catch (...) {
      plan.busy_.clear(std::memory_order_release);
      throw;
    }
  }
  ~Running() {
    if (!done) plan_.abandon();
    plan_.let_go(plan_.uses_.size());
    plan_.busy_.clear(std::memory_order_release);
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
    slot.view.finite = cell.value.is_alone() ? &cell.finite : nullptr;
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
  std::optional<Undo> undo;
  std::optional<Sharing> sharing;
  for (Segment& segment : segments_) {
    resolve(segment);
    // Shared variables are written in the last segment only: after this nothing fails that could have been
    // checked, or allocated.
    if (&segment == &segments_.back()) {
      prepare_updates();
      if (const int before = calls_before(); before < enough_calls) {
        undo.emplace(*this);
        sharing.emplace(before);
      }
    }
    if (watches_.empty()) {
      for (const Step& step : segment.steps)
        if (!step.is_idle && runs(step.branch)) perform(step);
      continue;
    }
    for (const Step& step : segment.steps) {
      if (!runs(step.branch)) {
        for (const auto& w : watches_) w->skipped(*this, step);
        continue;
      }
      for (const auto& w : watches_) w->before(*this, step);
      if (!step.is_idle) perform(step);
      for (auto w = watches_.rbegin(); w != watches_.rend(); ++w) (*w)->after(*this, step);
    }
  }
  for (auto w = watches_.rbegin(); w != watches_.rend(); ++w) (*w)->end(*this);
  write_back();
  if (undo) {
    undo->done = true;
    remember();
  }
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
  } catch (const std::bad_alloc&) {
    blame(*step.node, step.x, "there is not enough memory to compute it");
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

void Plan::blame(const Node& node, const std::vector<int>& x, const std::string& reason) const {
  Types types;
  for (const int i : x) {
    const Slot& s = slots_[static_cast<std::size_t>(i)];
    types.emplace_back(s.type.dtype, s.view.shape);
  }
  throw Error(explain(node.op->name(), node.inputs, types, node.where, reason, program_->name));
}

}  // namespace damo
