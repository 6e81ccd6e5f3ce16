#include <algorithm>

#include "core/run/frame.h"
#include "core/run/threads.h"

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

void Frame::hold_variables() {
  for (std::size_t i = 0; i < schedule_->uses.size(); ++i) {
    const Schedule::Use& use = schedule_->uses[i];
    Cell& cell = *use.variable.node().cell;
    if (use.writes ? cell.try_write() : cell.try_read()) continue;
    let_go(i);
    fail("function \"{}\": {}, which it {}{}", program().name, label(use.variable),
         use.writes ? "updates, is used by another call at this moment"
                    : "uses, is written by another call at this moment",
         program().where.is_set() ? "\n  " + to_string(program().where) : "");
  }
}

void Frame::let_go(std::size_t n_uses) const {
  for (std::size_t i = 0; i < n_uses; ++i) {
    Cell& cell = *schedule_->uses[i].variable.node().cell;
    schedule_->uses[i].writes ? cell.end_write() : cell.end_read();
  }
}

/// A call that fails leaves sizes behind that the next one must not trust, and nothing else.
void Frame::abandon() {
  stale_ = true;
  for (Bound& in : inputs_) in.held = in.value = Tensor();
  std::fill(new_memory_.begin(), new_memory_.end(), Tensor());
  outputs_.clear();
}

Frame::Undo::Undo(const Schedule& schedule) {
  for (const Schedule::Commit& c : schedule.commits) {
    if (!c.in_place) continue;
    Cell& cell = *schedule.program->updated[c.updated].node().cell;
    saved_.emplace_back(&cell, cell.value.copy());
  }
}

Frame::Undo::~Undo() {
  if (done) return;
  for (const auto& [cell, before] : saved_) {
    copy_into(cell->value.view(), before.view());
    cell->finite = Finite::unknown;
  }
}

/// How often a call with these arrays has got through. Once the caller has run all parts, and then each
/// thread its own, all have the memory that kernels need once a variable may be written: then nothing can
/// fail any more.
int Frame::calls_before() {
  const Segment& segment = schedule_->segments.back();
  if (schedule_->first_write == segment.steps.size()) return enough_calls;
  used_ = 0;
  const auto add = [this](std::int64_t v) {
    used_ = (used_ ^ static_cast<std::uint64_t>(v)) * 0x9e3779b97f4a7c15U;
    used_ ^= used_ >> 29;
  };
  for (std::size_t i = schedule_->first_write; i < segment.steps.size(); ++i) {
    const Step& step = segment.steps[i];
    add(runs(step.branch) ? 1 : 0);
    if (!runs(step.branch)) continue;
    const Views used = views(step.first_view, step.x.size() + step.y.size());
    for (int k = 0; k < used.size(); ++k)
      for (int axis = 0; axis < used[k].ndim(); ++axis) {
        add(used[k].shape[axis]);
        add(used[k].strides[axis]);
      }
  }
  const std::uint64_t thread = this_thread(), epoch = detail::thread_epoch();
  if (known_.thread != thread || known_.epoch != epoch) known_ = {thread, epoch, {}};
  const auto known = find_known();
  if (known != known_.arrays.end()) return known->second;
  constexpr std::size_t enough = 64;
  if (known_.arrays.size() == enough) known_.arrays.clear();
  known_.arrays.reserve(known_.arrays.size() + 1);
  return 0;
}

std::vector<std::pair<std::uint64_t, int>>::iterator Frame::find_known() {
  return std::find_if(known_.arrays.begin(), known_.arrays.end(),
                      [this](const auto& known) { return known.first == used_; });
}

Frame::Sharing::Sharing(int calls_before) {
  detail::ran_alone_since_asked();
  detail::share(calls_before == 0 ? detail::Sharing::caller_runs_all : detail::Sharing::each_its_own);
}
Frame::Sharing::~Sharing() { detail::share(detail::Sharing::as_it_comes); }

void Frame::remember() {
  const auto known = find_known();
  if (known == known_.arrays.end())
    known_.arrays.emplace_back(used_, threads() == 1 ? enough_calls : 1);
  else if (!detail::ran_alone_since_asked())  // as while others use the threads
    ++known->second;
}

/// Checks the new values' sizes, and gets memory for those that have others than before.
void Frame::prepare_updates() {
  for (std::size_t i = 0; i < schedule_->commits.size(); ++i) {
    const Schedule::Commit& c = schedule_->commits[i];
    const Shared& s = program().updated[c.updated];
    const Cell& cell = *s.node().cell;
    const View& view = (*this)[c.slot].view;
    if (view.shape == cell.value.shape()) continue;
    if (!cell.resizable)
      fail("function \"{}\": the update of {} has another size\n  {}   {}\n  {}   its new value\n  {}",
           program().name, label(s), Type(cell.value.dtype(), cell.value.shape()), label(s),
           Type(view.dtype, view.shape), to_string(slot(c.slot).var.node().where));
    new_memory_[i] = memory_for(c.slot, view.shape, view.dtype);
  }
}

void Frame::write_back() {
  for (std::size_t i = 0; i < schedule_->commits.size(); ++i) {
    const Schedule::Commit& c = schedule_->commits[i];
    if (c.in_place) continue;
    Cell& cell = *program().updated[c.updated].node().cell;
    if (new_memory_[i].is_set()) cell.value = std::exchange(new_memory_[i], Tensor());
    copy_into(cell.value.view(), (*this)[c.slot].view);
    cell.finite = Finite::unknown;
  }
}

}  // namespace damo
