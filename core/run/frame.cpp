#include "core/run/frame.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "core/run/integers.h"
#include "core/run/profile.h"
#include "core/run/watch.h"
#include "core/tensor/bytes.h"
#include "core/tensor/finite.h"

namespace damo {
namespace {

bool overlap(const View& a, const View& b) {
  if (a.size() == 0 || b.size() == 0) return false;
  const auto [a0, a1] = extent(a);
  const auto [b0, b1] = extent(b);
  return a0 < b1 && b0 < a1;
}

bool holds_every(DType to, DType from) { return promote(to, from) == to; }

}  // namespace

Frame::Frame(std::shared_ptr<const Schedule> schedule)
    : schedule_(std::move(schedule)),
      arrays_(schedule_->slots.size()),
      views_(static_cast<std::size_t>(schedule_->n_views)),
      is_idle_(static_cast<std::size_t>(schedule_->n_steps)),
      missed_(static_cast<std::size_t>(schedule_->n_items)),
      arenas_(schedule_->segments.size()),
      inputs_(schedule_->inputs.size()),
      new_memory_(schedule_->commits.size()),
      output_pools_(schedule_->output_slots.size()),
      taken_(static_cast<std::size_t>(schedule_->branches.size())) {
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    const Slot& slot = schedule_->slots[i];
    Array& a = arrays_[i];
    a.view.dtype = slot.type.dtype;
    if (slot.kind == Slot::Kind::integer) {
      a.view.data = &a.value;
    } else if (slot.kind == Slot::Kind::constant) {
      const Tensor& value = slot.var.node().value;
      a.view = value.view();
      a.changed = false;
      a.has_value = slot.is_integer_scalar();
      if (a.has_value) a.value = value.item<std::int64_t>();
    } else {
      a.view.shape = slot.type.shape;
      a.view.strides = row_major(slot.type.shape);
    }
  }
  path_.reserve(taken_.size());
  const auto keep_views = [this](int first, const std::vector<int>& x, const std::vector<int>& y) {
    View** to = views_.data() + first;
    for (const auto* slots : {&x, &y})
      for (const int i : *slots) *to++ = &array(i).view;
  };
  for (const Segment& segment : schedule_->segments) {
    for (const auto* items : {&segment.items, &segment.moving})
      for (const SizeItem& item : *items)
        if (item.kind == SizeItem::Kind::view) keep_views(item.first_view, item.x, {});
    for (const Step& step : segment.steps) keep_views(step.first_view, step.x, step.y);
  }
  for (const auto& body : schedule_->bodies) bodies_.push_back(std::make_unique<Frame>(body));
  if (program().is_inner) {
    body_x_.resize(inputs_.size());
    body_y_.resize(schedule_->output_slots.size());
  }
  if (program().mode == Mode::NanGuardMode) watches_.push_back(nan_guard());
  if (program().mode == Mode::DebugMode) watches_.push_back(debug_checks(program()));
  // Last, so that it measures nothing of the others.
  if (program().profile) watches_.push_back(profiler(*schedule_, profile_));
}

Frame::~Frame() = default;

/// One call at a time, which holds the variables.
class Frame::Running {
 public:
  explicit Running(Frame& frame) : frame_(frame) {
    check(!frame.busy_.test_and_set(std::memory_order_acquire),
          "function \"{}\" is running already: give each thread its own by copy()", frame.program().name);
    try {
      frame.hold_variables();
    } catch (...) {
      frame.busy_.clear(std::memory_order_release);
      throw;
    }
  }
  ~Running() {
    if (!done) frame_.abandon();
    frame_.let_go(frame_.schedule_->uses.size());
    frame_.busy_.clear(std::memory_order_release);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  bool done = false;

 private:
  Frame& frame_;
};

Values Frame::call(const Tensor* values, std::size_t n) {
  check(n <= inputs_.size(), "function \"{}\" takes {} inputs, not {}", program().name, inputs_.size(), n);
  Running running(*this);
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    bind(i, i < n ? values[i] : schedule_->inputs[i].default_value);
  Values result = run();
  running.done = true;
  return result;
}

Values Frame::call(std::initializer_list<Keyword> args) {
  Running running(*this);
  const std::vector<Schedule::Input>& all = schedule_->inputs;
  for (Bound& in : inputs_) in.given = nullptr;
  for (const Keyword& k : args) {
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& in) { return in.name == k.name; });
    if (at == all.end()) {
      std::string known;
      for (const Schedule::Input& in : all) known += (known.empty() ? "" : ", ") + in.name;
      fail("function \"{}\" has no input {}: its inputs are {}", program().name, std::string(k.name),
           known.empty() ? "none" : known);
    }
    Bound& in = inputs_[static_cast<std::size_t>(at - all.begin())];
    check(in.given == nullptr, "function \"{}\": input {} is given twice", program().name, at->name);
    in.given = &k.value;
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    bind(i, inputs_[i].given != nullptr ? *inputs_[i].given : all[i].default_value);
  Values result = run();
  running.done = true;
  return result;
}

void Frame::bind(std::size_t i, const Tensor& value) {
  const Schedule::Input& input = schedule_->inputs[i];
  Bound& bound = inputs_[i];
  const Type& type = input.type;
  check(value.is_set(), "function \"{}\": input {} is missing", program().name, input.name);
  const auto reject = [&](const std::string& why) {
    fail("function \"{}\": input {} is {}, the value is {}{}", program().name, input.name, type,
         Type(value.dtype(), value.shape()), why);
  };
  if (value.ndim() != type.ndim()) reject("");
  for (int axis = 0; axis < type.ndim(); ++axis)
    if (type.shape[axis] >= 0 && value.shape(axis) != type.shape[axis]) reject("");
  if (value.dtype() != type.dtype && !holds_every(type.dtype, value.dtype())) {
    if (!value.is_weak()) reject(": convert it with astype");
    // A literal: floats round to the input's dtype, integers must keep their value.
    if (!type.is_float()) {
      if (is_float(value.dtype())) reject(": a float does not convert to an integer");
      if (!identical(value.astype(type.dtype).astype(value.dtype()), value))
        reject(": the value does not fit");
    }
  }
  if (!watches_.empty()) bound.value = value;
  if (input.slot < 0) return;
  Array& array = arrays_[static_cast<std::size_t>(input.slot)];
  if (type.ndim() == 0) {
    // Copied, so that a number costs no allocation.
    copy_into(View{type.dtype, {}, {}, &bound.scalar}, value.view());
    array.view.data = &bound.scalar;
    return;
  }
  bound.held = value.astype(type.dtype);
  for (const Shared& s : program().updated)
    if (overlap(bound.held.view(), s.node().cell->value.view())) bound.held = bound.held.copy();
  const View& v = bound.held.view();
  array.changed = !(v.shape == array.view.shape);
  array.view = v;
}

void Frame::begin() {
  for (const int i : schedule_->shared_slots) {
    Array& a = array(i);
    Cell& cell = *slot(i).var.node().cell;
    const View& v = cell.value.view();
    a.changed = !(v.shape == a.view.shape);
    a.view = v;
    a.view.finite = cell.value.is_alone() ? &cell.finite : nullptr;
  }
  for (const int i : schedule_->scalar_slots) set_value(i, read_integer((*this)[i].view));
  std::fill(taken_.begin(), taken_.end(), Taken::unknown);
  taken_[0] = Taken::yes;
}

bool Frame::takes(int branch) const {
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  for (int b = branch; taken_[at(b)] == Taken::unknown; b = schedule_->branches[b].parent) path_.push_back(b);
  for (; !path_.empty(); path_.pop_back()) {
    const int b = path_.back();
    const Branches::Branch& here = schedule_->branches[b];
    bool taken = taken_[at(here.parent)] == Taken::yes;
    if (taken) {
      // A shared variable may have been written since the call began.
      const Array& c = (*this)[here.condition];
      taken = ((slot(here.condition).is_known_early() ? c.value : read_integer(c.view)) != 0) == here.side;
    }
    taken_[at(b)] = taken ? Taken::yes : Taken::no;
  }
  return taken_[at(branch)] == Taken::yes;
}

void Frame::run_body() {
  for (std::size_t i = 0; i < body_x_.size(); ++i) {
    const int at = schedule_->inputs[i].slot;
    if (at < 0) continue;
    Array& a = array(at);
    a.changed = !(body_x_[i].shape == a.view.shape);
    a.view = body_x_[i];
  }
  try {
    run_steps();
  } catch (...) {
    abandon();
    throw;
  }
  for (std::size_t i = 0; i < body_y_.size(); ++i) body_y_[i] = root(i);
  stale_ = false;
}

Values Frame::run() {
  run_steps();
  for (Bound& in : inputs_) in.held = Tensor();
  stale_ = false;
  if (outputs_.size() == 1) return Values(std::exchange(outputs_[0], Tensor()));
  return Values(std::move(outputs_));
}

void Frame::run_steps() {
  begin();
  outputs_.assign(schedule_->output_slots.size(), Tensor());
  sizes_changed_ = stale_;
  if (!watches_.empty()) watch();
  std::optional<Undo> undo;
  std::optional<Sharing> sharing;
  for (std::size_t s = 0; s < schedule_->segments.size(); ++s) {
    resolve(s);
    // Shared variables are written in the last segment only: after this nothing fails that could have been
    // checked, or allocated.
    if (s + 1 == schedule_->segments.size()) {
      prepare_updates();
      if (const int before = calls_before(); before < enough_calls) {
        undo.emplace(*schedule_);
        sharing.emplace(before);
      }
    }
    const std::vector<Step>& steps = schedule_->segments[s].steps;
    const auto is_idle = [this](const Step& step) {
      return is_idle_[static_cast<std::size_t>(step.number)] != 0;
    };
    if (watches_.empty()) {
      for (const Step& step : steps)
        if (!is_idle(step) && runs(step.branch)) perform(step);
      continue;
    }
    for (const Step& step : steps) {
      if (!runs(step.branch)) {
        for (const auto& w : watches_) w->skipped(*this, step);
        continue;
      }
      for (const auto& w : watches_) w->before(*this, step);
      if (!is_idle(step)) perform(step);
      for (auto w = watches_.rbegin(); w != watches_.rend(); ++w) (*w)->after(*this, step);
    }
  }
  for (auto w = watches_.rbegin(); w != watches_.rend(); ++w) (*w)->end(*this);
  write_back();
  if (undo) {
    undo->done = true;
    remember();
  }
}

void Frame::perform(const Step& step) const {
  std::optional<Overwriting> overwriting;
  if (step.overwritten >= 0) overwriting.emplace(y(step)[step.overwritten]);
  try {
    if (step.body >= 0)
      step.op->loop(x(step), y(step), *bodies_[static_cast<std::size_t>(step.body)]);
    else
      step.op->perform(x(step), y(step));
  } catch (const Error& e) {
    blame(*step.node, step.x, e.what());
  } catch (const std::bad_alloc&) {
    blame(*step.node, step.x, "there is not enough memory to compute it");
  }
}

void Frame::watch() {
  std::vector<Tensor> inputs;
  for (Bound& in : inputs_) inputs.push_back(std::exchange(in.value, Tensor()));
  for (const auto& w : watches_) w->begin(*this, inputs);
}

const View& Frame::root(std::size_t i) const {
  const std::size_t n = program().n_outputs;
  return (*this)[i < n ? schedule_->output_slots[i] : schedule_->commits[i - n].slot].view;
}

void Frame::blame(const Node& node, const std::vector<int>& x, const std::string& reason) const {
  Types types;
  for (const int i : x) types.emplace_back(slot(i).type.dtype, (*this)[i].view.shape);
  throw Error(explain(node.op->name(), node.inputs, types, node.where, reason, program().name));
}

}  // namespace damo
