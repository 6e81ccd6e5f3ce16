#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "schedule_slots.h"

/// The second part of building a schedule: the steps, and which of them run before which.
namespace damo {

class StepOrder : protected ScheduleSlots {
 protected:
  using ScheduleSlots::ScheduleSlots;

  /// A step before it has a place in the order.
  struct Draft {
    Step step;
    int segment = 0;
    std::vector<int> after;  ///< drafts that run before this one
    std::vector<int> then;   ///< the same from the other end
  };

  Draft& draft(int i) { return drafts_[static_cast<std::size_t>(i)]; }

  void make_steps();
  /// What can fail, and a draft without a step that runs after all of it; `firsts` are those that may begin
  /// to write a variable.
  void gather_failures(const std::vector<int>& firsts);
  /// Lets draft `first`, which begins to write a variable, run after these and all others that can fail;
  /// false if they wait for it.
  bool runs_last(int first, std::vector<int> before);

  std::vector<Draft> drafts_;
  std::vector<int> producer_;                          ///< by slot: the draft that computes it, or -1
  std::unordered_map<int, std::vector<int>> readers_;  ///< by slot that owns memory: drafts

 private:
  void add_edge(int before, int after) {
    draft(after).after.push_back(before);
    draft(before).then.push_back(after);
  }
  std::int64_t& rank(int d) { return ranks_[static_cast<std::size_t>(d)]; }
  /// Draft `me`, which runs `after` others, reads slot i.
  void read(std::vector<int>& after, int me, int i);
  /// A draft without a step, after which all conditions of a branch are known.
  int conditions_of(int branch);
  /// All drafts that run after `from`, itself among them, up to some rank.
  std::vector<int> then_up_to(int from, std::int64_t most);
  /// Lets draft `first` run after these; false if one of them waits for it. Ranks grow along all edges, so
  /// only those of a higher rank can; `first`, and what runs after it, is then ranked behind all others.
  bool let_run_after(int first, const std::vector<int>& before);
  /// Ranks in an order in which the drafts can run: first what can fail, and what it needs.
  void rank_drafts();
  /// Marks what these drafts run after.
  void mark_before(std::vector<int> drafts);
  bool can_fail(int d) const { return can_fail_[static_cast<std::size_t>(d)]; }
  /// What can fail, but should have done so before one of `firsts` begins: what runs after one of them, and
  /// these themselves if several can fail. They are checked by drafts of their own, where that can be.
  std::vector<int> better_checked(const std::vector<int>& firsts);
  /// What the draft may throw, as a draft of its own, which can run earlier; one without a step if that
  /// cannot be.
  Draft check_of(int d);

  std::vector<int> branch_drafts_;   ///< by branch
  std::vector<std::int64_t> ranks_;  ///< by draft
  std::int64_t next_rank_ = 0;
  std::vector<int> failing_;            ///< drafts that can fail
  std::vector<bool> can_fail_;          ///< by draft: whether it is one of them
  int after_failures_ = -1;             ///< a draft that runs after these
  std::vector<bool> leads_to_failure_;  ///< by draft: whether one of them runs after it
};

}  // namespace damo
