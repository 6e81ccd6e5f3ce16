#include "core/run/schedule_order.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

namespace damo {

void StepOrder::make_steps() {
  producer_.assign(made_.slots.size(), -1);
  for (const NodePtr& node : order_) {
    if (node->kind != Node::Kind::apply) continue;
    const std::vector<int> y = outputs_of(node);
    if (is_integer(y[0]) || slot(y[0]).kind == Slot::Kind::view) continue;
    if (std::none_of(y.begin(), y.end(), [&](int i) { return need(i).data != nowhere; })) continue;
    Draft d;
    d.step.node = node;
    d.step.op = node->op.get();
    d.step.x = inputs_of(*node);
    d.step.y = y;
    d.segment = data_segment_[static_cast<std::size_t>(y[0])];
    d.step.branch = data_branch(node);
    for (const int i : y) producer_[static_cast<std::size_t>(i)] = static_cast<int>(drafts_.size());
    drafts_.push_back(std::move(d));
  }
  // What each runs after, when all are known: a condition may come behind a node of its branch.
  std::vector<int> last_effect(made_.segments.size(), -1);
  const int n_steps = static_cast<int>(drafts_.size());
  for (int me = 0; me < n_steps; ++me) {
    std::vector<int> after;
    if (const int branch = draft(me).step.branch; branch > 0) after.push_back(conditions_of(branch));
    const Draft& d = draft(me);
    for (std::size_t k = 0; k < d.step.x.size(); ++k)
      if (d.step.op->reads(static_cast<int>(k))) read(after, me, d.step.x[k]);
    if (d.step.op->has_effect()) {
      int& last = last_effect[static_cast<std::size_t>(d.segment)];
      if (last >= 0) after.push_back(last);
      last = me;
    }
    draft(me).after = std::move(after);
  }
}

void StepOrder::read(std::vector<int>& after, int me, int i) {
  const int owner = root(i), by = producer_[static_cast<std::size_t>(owner)];
  if (by >= 0) after.push_back(by);
  readers_[owner].push_back(me);
}

int StepOrder::conditions_of(int branch) {
  if (branch_drafts_.empty()) {
    branch_drafts_.push_back(static_cast<int>(drafts_.size()));
    drafts_.emplace_back();
  }
  return along(branch, branch_drafts_, [&](int before, int condition) {
    Draft d;
    const int me = static_cast<int>(drafts_.size());
    d.after.push_back(before);
    if (!is_known_early(condition)) read(d.after, me, condition);
    drafts_.push_back(std::move(d));
    return me;
  });
}

std::vector<int> StepOrder::then_up_to(int from, std::int64_t most) {
  std::vector<int> found{from};
  std::unordered_set<int> seen{from};
  for (std::size_t k = 0; k < found.size(); ++k)
    for (const int d : draft(found[k]).then)
      if (rank(d) <= most && seen.insert(d).second) found.push_back(d);
  return found;
}

bool StepOrder::let_run_after(int first, const std::vector<int>& before) {
  std::int64_t highest = -1;
  for (const int d : before) highest = std::max(highest, rank(d));
  if (highest > rank(first)) {
    const std::vector<int> reached = then_up_to(first, highest);
    const std::unordered_set<int> all(reached.begin(), reached.end());
    if (std::any_of(before.begin(), before.end(), [&](int d) { return all.contains(d); })) return false;
    std::vector<int> moved = then_up_to(first, next_rank_);
    std::sort(moved.begin(), moved.end(), [&](int a, int b) { return rank(a) < rank(b); });
    for (const int d : moved) rank(d) = next_rank_++;
  }
  for (const int d : before) add_edge(d, first);
  return true;
}

void StepOrder::rank_drafts() {
  next_rank_ = 0;
  ranks_.assign(drafts_.size(), -1);
  std::vector<std::pair<int, std::size_t>> stack;
  const auto visit = [&](int root) {
    if (rank(root) < 0) stack.emplace_back(root, 0);
    while (!stack.empty()) {
      auto& [d, next] = stack.back();
      if (rank(d) >= 0) {
        stack.pop_back();
      } else if (next < draft(d).after.size()) {
        if (const int before = draft(d).after[next++]; rank(before) < 0) stack.emplace_back(before, 0);
      } else {
        rank(d) = next_rank_++;
        stack.pop_back();
      }
    }
  };
  visit(after_failures_);
  for (int d = 0; d < static_cast<int>(drafts_.size()); ++d) visit(d);
}

void StepOrder::mark_before(std::vector<int> drafts) {
  while (!drafts.empty()) {
    const int d = drafts.back();
    drafts.pop_back();
    for (const int before : draft(d).after) {
      if (leads_to_failure_[static_cast<std::size_t>(before)]) continue;
      leads_to_failure_[static_cast<std::size_t>(before)] = true;
      drafts.push_back(before);
    }
  }
}

std::vector<int> StepOrder::better_checked(const std::vector<int>& firsts) {
  std::vector<bool> below(drafts_.size(), false);
  for (std::vector<int> down = firsts; !down.empty();) {
    const int d = down.back();
    down.pop_back();
    for (const int next : draft(d).then) {
      if (below[static_cast<std::size_t>(next)]) continue;
      below[static_cast<std::size_t>(next)] = true;
      down.push_back(next);
    }
  }
  if (std::count_if(firsts.begin(), firsts.end(), [&](int d) { return can_fail(d); }) > 1)
    for (const int d : firsts) below[static_cast<std::size_t>(d)] = true;
  std::vector<int> found;
  std::copy_if(failing_.begin(), failing_.end(), std::back_inserter(found),
               [&](int d) { return below[static_cast<std::size_t>(d)]; });
  return found;
}

void StepOrder::gather_failures(const std::vector<int>& firsts) {
  for (int d = 0; d < static_cast<int>(drafts_.size()); ++d) {
    for (const int before : draft(d).after) draft(before).then.push_back(d);
    can_fail_.push_back(draft(d).step.op != nullptr && draft(d).step.op->can_fail());
    if (can_fail(d)) failing_.push_back(d);
  }
  for (const int d : better_checked(firsts)) {
    Draft check = check_of(d);
    if (check.step.op == nullptr) continue;
    const int me = static_cast<int>(drafts_.size());
    const std::vector<int> after = std::exchange(check.after, {});
    drafts_.push_back(std::move(check));
    for (const int before : after) add_edge(before, me);
    add_edge(me, d);
    can_fail_[static_cast<std::size_t>(d)] = false;
    can_fail_.resize(drafts_.size());
    can_fail_.back() = true;
    failing_.push_back(me);
  }
  std::erase_if(failing_, [&](int d) { return !can_fail(d); });
  after_failures_ = static_cast<int>(drafts_.size());
  drafts_.emplace_back();
  can_fail_.resize(drafts_.size());
  leads_to_failure_.assign(drafts_.size(), false);
  mark_before(failing_);
  for (const int d : failing_) add_edge(d, after_failures_);
  rank_drafts();
}

bool StepOrder::runs_last(int first, std::vector<int> before) {
  if (leads_to_failure_[static_cast<std::size_t>(first)]) return false;
  if (can_fail(first))
    std::copy_if(failing_.begin(), failing_.end(), std::back_inserter(before),
                 [&](int d) { return d != first; });
  else
    before.push_back(after_failures_);
  if (!let_run_after(first, before)) return false;
  if (can_fail(first)) mark_before({first});
  return true;
}

StepOrder::Draft StepOrder::check_of(int d) {
  Draft check;
  const Step& step = draft(d).step;
  check.step.checks = step.op->checks();
  if (check.step.checks == nullptr) return check;
  check.step.op = check.step.checks.get();
  check.step.node = step.node;
  check.step.x = step.x;
  check.step.branch = step.branch;
  check.segment = draft(d).segment;
  if (step.branch > 0) check.after.push_back(conditions_of(step.branch));
  for (std::size_t k = 0; k < check.step.x.size(); ++k) {
    if (!check.step.op->reads(static_cast<int>(k))) continue;
    int i = check.step.x[k];
    while (slot(i).kind == Slot::Kind::view) i = slot(i).base;
    if (const int by = producer_[static_cast<std::size_t>(i)]; by >= 0) check.after.push_back(by);
  }
  return check;
}

}  // namespace damo
