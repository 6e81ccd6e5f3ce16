#include <algorithm>

#include "core/plan.h"
#include "core/threads.h"

/// How a call holds and writes the variables: all new values, or, if it fails, none.
namespace damo {
namespace {

/// A number that no other thread has, or has had.
std::uint64_t this_thread() {
  static std::atomic<std::uint64_t> n_threads{0};
  thread_local const std::uint64_t number = ++n_threads;
  return number;
}

}  // namespace

void Plan::find_uses() {
  const std::vector<Step>& steps = segments_.back().steps;
  const auto is_variable = [&](int i) {
    return slots_[static_cast<std::size_t>(slots_[static_cast<std::size_t>(i)].root)].kind ==
           Slot::Kind::shared;
  };
  const auto writes = [&](const Step& s) { return std::any_of(s.y.begin(), s.y.end(), is_variable); };
  first_write_ = static_cast<std::size_t>(std::find_if(steps.begin(), steps.end(), writes) - steps.begin());
  if (program_->is_inner) return;
  for (const Shared& s : program_->updated) uses_.push_back({s, true});
  for (const int i : shared_slots_) {
    const Shared s(slots_[static_cast<std::size_t>(i)].var);
    const auto is_s = [&](const Use& use) { return same(use.variable, s); };
    if (std::none_of(uses_.begin(), uses_.end(), is_s)) uses_.push_back({s, false});
  }
}

void Plan::hold_variables() {
  for (std::size_t i = 0; i < uses_.size(); ++i) {
    const Use& use = uses_[i];
    Cell& cell = *use.variable.node().cell;
    if (use.writes ? cell.try_write() : cell.try_read()) continue;
    let_go(i);
    fail("function \"{}\": {}, which it {}{}", program_->name, label(use.variable),
         use.writes ? "updates, is used by another call at this moment"
                    : "uses, is written by another call at this moment",
         program_->where.is_set() ? "\n  " + to_string(program_->where) : "");
  }
}

void Plan::let_go(std::size_t n_uses) const {
  for (std::size_t i = 0; i < n_uses; ++i) {
    Cell& cell = *uses_[i].variable.node().cell;
    uses_[i].writes ? cell.end_write() : cell.end_read();
  }
}

/// A call that fails leaves sizes behind that the next one must not trust, and nothing else.
void Plan::abandon() {
  stale_ = true;
  for (BoundInput& in : inputs_) in.held = in.value = Tensor();
  for (Commit& c : commits_) c.memory = Tensor();
  outputs_.clear();
}

Plan::Undo::Undo(const Plan& plan) {
  for (const Commit& c : plan.commits_) {
    if (!c.in_place) continue;
    Cell& cell = *plan.program_->updated[c.updated].node().cell;
    saved_.emplace_back(&cell, cell.value.copy());
  }
}

Plan::Undo::~Undo() {
  if (done) return;
  for (const auto& [cell, before] : saved_) {
    copy_into(cell->value.view(), before.view());
    cell->finite = Finite::unknown;
  }
}

/// How often a call with these arrays has got through. Once the caller has run all parts, and then each
/// thread its own, all have the memory that kernels need once a variable may be written: then nothing can
/// fail any more.
int Plan::calls_before() {
  const Segment& segment = segments_.back();
  if (first_write_ == segment.steps.size()) return enough_calls;
  arrays_ = 0;
  const auto add = [this](std::int64_t v) {
    arrays_ = (arrays_ ^ static_cast<std::uint64_t>(v)) * 0x9e3779b97f4a7c15U;
    arrays_ ^= arrays_ >> 29;
  };
  for (std::size_t i = first_write_; i < segment.steps.size(); ++i) {
    const Step& step = segment.steps[i];
    add(runs(step.branch) ? 1 : 0);
    if (!runs(step.branch)) continue;
    for (const auto* views : {&step.xv, &step.yv})
      for (const View* v : *views)
        for (int axis = 0; axis < v->ndim(); ++axis) {
          add(v->shape[axis]);
          add(v->strides[axis]);
        }
  }
  const std::uint64_t thread = this_thread(), epoch = detail::thread_epoch();
  if (known_.thread != thread || known_.epoch != epoch) known_ = {thread, epoch, {}};
  const auto known = find_arrays();
  if (known != known_.arrays.end()) return known->second;
  constexpr std::size_t enough = 64;
  if (known_.arrays.size() == enough) known_.arrays.clear();
  known_.arrays.reserve(known_.arrays.size() + 1);
  return 0;
}

std::vector<std::pair<std::uint64_t, int>>::iterator Plan::find_arrays() {
  return std::find_if(known_.arrays.begin(), known_.arrays.end(),
                      [this](const auto& known) { return known.first == arrays_; });
}

Plan::Sharing::Sharing(int calls_before) {
  detail::ran_alone_since_asked();
  detail::share(calls_before == 0 ? detail::Sharing::caller_runs_all : detail::Sharing::each_its_own);
}
Plan::Sharing::~Sharing() { detail::share(detail::Sharing::as_it_comes); }

void Plan::remember() {
  const auto known = find_arrays();
  if (known == known_.arrays.end())
    known_.arrays.emplace_back(arrays_, threads() == 1 ? enough_calls : 1);
  else if (!detail::ran_alone_since_asked())  // as while others use the threads
    ++known->second;
}

/// Checks the new values' sizes, and gets memory for those that have others than before.
void Plan::prepare_updates() {
  for (Commit& c : commits_) {
    const Shared& s = program_->updated[c.updated];
    const Cell& cell = *s.node().cell;
    const Slot& slot = slots_[static_cast<std::size_t>(c.slot)];
    if (slot.view.shape == cell.value.shape()) continue;
    if (!cell.resizable)
      fail("function \"{}\": the update of {} has another size\n  {}   {}\n  {}   its new value\n  {}",
           program_->name, label(s), Type(cell.value.dtype(), cell.value.shape()), label(s),
           Type(slot.view.dtype, slot.view.shape), to_string(slot.var.node().where));
    c.memory = memory_for(c.slot, slot.view.shape, slot.view.dtype);
  }
}

void Plan::write_back() {
  for (Commit& c : commits_) {
    if (c.in_place) continue;
    Cell& cell = *program_->updated[c.updated].node().cell;
    if (c.memory.is_set()) cell.value = std::exchange(c.memory, Tensor());
    copy_into(cell.value.view(), slots_[static_cast<std::size_t>(c.slot)].view);
    cell.finite = Finite::unknown;
  }
}

}  // namespace damo
