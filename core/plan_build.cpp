#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "core/plan_slots.h"
#include "core/profile.h"
#include "core/watch.h"

/// The second half of building a plan: which arrays share memory, and in what order steps run.
namespace damo {

class PlanBuilder : PlanSlots {
 public:
  explicit PlanBuilder(Plan& plan) : PlanSlots(plan) {}

  void build() {
    make_slots();
    mark_needs();
    if (!assign_segments()) {
      forget_branches();
      mark_needs();
      invariant(assign_segments(), "the sizes of a plan wait for each other");
    }
    make_size_items();
    make_steps();
    claim_variables();
    schedule();
    reuse_memory();
    finish();
  }

 private:
  static constexpr int forever = 1 << 30;

  /// A step before it has a place in the order.
  struct Draft {
    Step step;
    int segment = 0;
    std::vector<int> after;  ///< drafts that run before this one
    std::vector<int> then;   ///< the same from the other end
  };

  Draft& draft(int i) { return drafts_[static_cast<std::size_t>(i)]; }

  void make_size_items() {
    std::vector<bool> is_read(plan_.slots_.size(), false);
    for (const NodePtr& node : order_) {
      if (node->kind != Node::Kind::apply) continue;
      const std::vector<int> x = inputs_of(*node), y = outputs_of(node);
      const bool wanted =
          std::any_of(y.begin(), y.end(), [&](int i) { return anything(need(i)) != nowhere; });
      if (!wanted) continue;
      const auto at = static_cast<std::size_t>(size_segment_[static_cast<std::size_t>(y[0])]);
      Segment& segment = plan_.segments_[at];
      // Values that kernels computed are read before the first item that wants them.
      for (std::size_t k = 0; k < x.size(); ++k) {
        const auto j = static_cast<std::size_t>(x[k]);
        if (!uses_value(*node, k) || is_known_early(x[k]) || is_read[j]) continue;
        is_read[j] = true;
        plan_.segments_[static_cast<std::size_t>(data_segment_[j]) + 1].items.push_back(
            {SizeItem::Kind::read, slot(x[k]).var.node_ptr(), {}, {x[k]}, {}, slot(x[k]).branch});
        persistent_.push_back(x[k]);
      }
      SizeItem item{SizeItem::Kind::infer, node, x, y, {}, size_branch(node)};
      if (is_integer(y[0]) && node->op->has_integer_form()) item.kind = SizeItem::Kind::integer;
      if (slot(y[0]).kind == Slot::Kind::view) {
        item.kind = SizeItem::Kind::view;
        const Slot::Kind owner = slot(root(y[0])).kind;
        const auto data = static_cast<std::size_t>(data_segment_[static_cast<std::size_t>(y[0])]);
        if (owner == Slot::Kind::arena || data != at) plan_.segments_[data].moving.push_back(item);
      }
      segment.items.push_back(std::move(item));
    }
  }

  void make_steps() {
    producer_.assign(plan_.slots_.size(), -1);
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
    std::vector<int> last_effect(plan_.segments_.size(), -1);
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

  /// Draft `me`, which runs `after` others, reads slot i.
  void read(std::vector<int>& after, int me, int i) {
    const int owner = root(i), by = producer_[static_cast<std::size_t>(owner)];
    if (by >= 0) after.push_back(by);
    readers_[owner].push_back(me);
  }

  /// A draft without a step, after which all conditions of a branch are known.
  int conditions_of(int branch) {
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

  void add_edge(int before, int after) {
    draft(after).after.push_back(before);
    draft(before).then.push_back(after);
  }

  std::int64_t& rank(int d) { return ranks_[static_cast<std::size_t>(d)]; }

  /// All drafts that run after `from`, itself among them, up to some rank.
  std::vector<int> then_up_to(int from, std::int64_t most) {
    std::vector<int> found{from};
    std::unordered_set<int> seen{from};
    for (std::size_t k = 0; k < found.size(); ++k)
      for (const int d : draft(found[k]).then)
        if (rank(d) <= most && seen.insert(d).second) found.push_back(d);
    return found;
  }

  /// Lets draft `first` run after these; false if one of them waits for it. Ranks grow along all edges, so
  /// only those of a higher rank can; `first`, and what runs after it, is then ranked behind all others.
  bool let_run_after(int first, const std::vector<int>& before) {
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

  /// Ranks in an order in which the drafts can run: first what can fail, and what it needs.
  void rank_drafts() {
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

  /// Marks what these drafts run after.
  void mark_before(std::vector<int> drafts) {
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

  /// What can fail, and a draft without a step that runs after all of it.
  void gather_failures() {
    const int n = static_cast<int>(drafts_.size());
    for (int d = 0; d < n; ++d) {
      for (const int before : draft(d).after) draft(before).then.push_back(d);
      if (draft(d).step.op != nullptr && draft(d).step.op->can_fail()) can_fail_.push_back(d);
    }
    after_failures_ = n;
    drafts_.emplace_back();
    leads_to_failure_.assign(drafts_.size(), false);
    mark_before(can_fail_);
    for (const int d : can_fail_) add_edge(d, n);
    rank_drafts();
  }

  /// Lets draft `first`, which begins to write a variable, run after these and all others that can fail;
  /// false if they wait for it.
  bool runs_last(int first, std::vector<int> before) {
    if (leads_to_failure_[static_cast<std::size_t>(first)] && !fails_earlier(first)) return false;
    const bool fails = draft(first).step.op->can_fail();
    if (fails)
      std::copy_if(can_fail_.begin(), can_fail_.end(), std::back_inserter(before),
                   [&](int d) { return d != first; });
    else
      before.push_back(after_failures_);
    if (!let_run_after(first, before)) return false;
    if (fails) mark_before({first});
    return true;
  }

  /// Lets what runs after draft `first` fail before it, by checks that are drafts of their own; false if that
  /// cannot be.
  bool fails_earlier(int first) {
    std::vector<std::pair<int, Draft>> checks;
    std::unordered_set<int> below{first};
    for (std::vector<int> down{first}; !down.empty();) {
      const int d = down.back();
      down.pop_back();
      for (const int next : draft(d).then)
        if (below.insert(next).second) down.push_back(next);
      if (d == first || std::count(can_fail_.begin(), can_fail_.end(), d) == 0) continue;
      checks.emplace_back(d, check_of(d));
      if (checks.back().second.step.op == nullptr) return false;
    }
    for (const auto& [d, check] : checks)
      for (const int before : check.after)
        if (below.contains(before)) return false;
    for (auto& [d, check] : checks) {
      const int me = static_cast<int>(drafts_.size());
      const std::vector<int> after = std::exchange(check.after, {});
      drafts_.push_back(std::move(check));
      for (const int before : after) add_edge(before, me);
      std::erase(draft(after_failures_).after, d);
      std::erase(draft(d).then, after_failures_);
      add_edge(me, d);
      add_edge(me, after_failures_);
      std::replace(can_fail_.begin(), can_fail_.end(), d, me);
    }
    leads_to_failure_.assign(drafts_.size(), false);
    mark_before(can_fail_);
    rank_drafts();
    return true;
  }

  /// Whether the step may write its output over input k as far as types tell.
  bool may_overwrite(const Step& step, int output, std::size_t k) {
    const Slot &y = slot(step.y[static_cast<std::size_t>(output)]), &x = slot(step.x[k]);
    if (!step.op->overwrites(output, static_cast<int>(k))) return false;
    if (y.type.dtype != x.type.dtype || y.type.ndim() != x.type.ndim()) return false;
    if ((x.type.stretch & ~y.type.stretch) != 0) return false;
    // Another input in the same memory is harmless only if it is read at the same place at the same time.
    for (std::size_t j = 0; j < step.x.size(); ++j) {
      if (j == k || !step.op->reads(static_cast<int>(j)) || root(step.x[j]) != root(step.x[k])) continue;
      if (step.x[j] != step.x[k] || !step.op->is_elementwise()) return false;
    }
    return true;
  }

  /// The steps, first to last, that turn the variable's memory into its new value, each writing over the last
  /// one's.
  std::vector<int> chain_to(int variable, int value) {
    std::vector<int> chain;
    int wanted = value;
    while (true) {
      const int d = producer_[static_cast<std::size_t>(wanted)];
      if (d < 0) return {};
      const Step& step = draft(d).step;
      const auto output = static_cast<int>(std::find(step.y.begin(), step.y.end(), wanted) - step.y.begin());
      int next = -1;
      for (std::size_t k = 0; k < step.x.size() && next < 0; ++k) {
        if (!may_overwrite(step, output, k)) continue;
        const int x = step.x[k];
        const bool intermediate = slot(x).kind == Slot::Kind::arena && readers_[x].size() == 1 &&
                                  !is_root_[static_cast<std::size_t>(x)];
        if (x == variable || (intermediate && reaches(x, variable))) next = x;
      }
      if (next < 0) return {};
      chain.push_back(d);
      if (next == variable) {
        std::reverse(chain.begin(), chain.end());
        return chain;
      }
      wanted = next;
    }
  }

  /// Whether `value` can be computed in `variable`'s memory through steps that write over an input.
  bool reaches(int value, int variable) {
    constexpr int enough = 64;
    for (int length = 0; length < enough; ++length) {
      const int d = producer_[static_cast<std::size_t>(value)];
      if (d < 0) return false;
      const Step& step = draft(d).step;
      const auto output = static_cast<int>(std::find(step.y.begin(), step.y.end(), value) - step.y.begin());
      int next = -1;
      for (std::size_t k = 0; k < step.x.size(); ++k) {
        if (!may_overwrite(step, output, k)) continue;
        const int x = step.x[k];
        if (x == variable) return true;
        if (next < 0 && slot(x).kind == Slot::Kind::arena && readers_[x].size() == 1 &&
            !is_root_[static_cast<std::size_t>(x)])
          next = x;
      }
      if (next < 0) return false;
      value = next;
    }
    return false;
  }

  void claim_variables() {
    is_root_.assign(plan_.slots_.size(), false);
    for (std::size_t i = 0; i < program_.outputs.size(); ++i) {
      const int y = slot_of(program_.outputs[i]);
      is_root_[static_cast<std::size_t>(y)] = true;
      if (i >= program_.n_outputs) continue;
      slot(y).kind = Slot::Kind::output;
      plan_.output_slots_.push_back(y);
      plan_.segments_[static_cast<std::size_t>(data_segment_[static_cast<std::size_t>(y)])].outputs.push_back(
          i);
    }
    if (!program_.updated.empty()) gather_failures();
    for (std::size_t i = 0; i < program_.updated.size(); ++i) {
      const int value = slot_of(program_.outputs[program_.n_outputs + i]);
      plan_.commits_.push_back({i, value, claim(program_.updated[i], value)});
    }
    // Views of what is now an output's memory move with it.
    for (Segment& segment : plan_.segments_)
      for (const SizeItem& item : segment.items) {
        if (item.kind != SizeItem::Kind::view || slot(root(item.y[0])).kind != Slot::Kind::output) continue;
        plan_.segments_[static_cast<std::size_t>(data_segment_[static_cast<std::size_t>(item.y[0])])]
            .moving.push_back(item);
      }
  }

  /// Lets the steps that compute `value` write into the variable's memory, after everything that reads its
  /// old value, and after everything that can fail, or a check of it; false if no such order exists.
  bool claim(const Shared& variable, int value) {
    if (!program_.overwrites || variable.node().cell->resizable) return false;
    const auto leaf = slot_of_.find(variable);
    const int s = leaf == slot_of_.end() ? add_variable(variable) : leaf->second;
    std::vector<int> chain = chain_to(s, value);
    if (chain.empty()) {
      const int d = producer_[static_cast<std::size_t>(value)];
      if (d < 0 || std::count(readers_[s].begin(), readers_[s].end(), d) > 0) return false;
      chain = {d};
    }
    const int first = chain.front();
    const int last_segment = static_cast<int>(plan_.segments_.size()) - 1;
    for (const int d : chain)
      if (draft(d).segment != last_segment) return false;
    std::vector<int> before;
    for (const int reader : readers_[s]) {
      // A condition is looked at whenever the first step of its branch runs.
      if (draft(reader).step.op == nullptr) return false;
      if (reader != first) before.push_back(reader);
    }
    if (!runs_last(first, std::move(before))) return false;
    int base = s;
    for (std::size_t k = 0; k < chain.size(); ++k) {
      Step& step = draft(chain[k]).step;
      // Of an op with several outputs, the one that leads on.
      int y = value;
      if (k + 1 < chain.size()) {
        const Step& next = draft(chain[k + 1]).step;
        for (const int x : next.x)
          if (std::find(step.y.begin(), step.y.end(), x) != step.y.end()) y = x;
      }
      slot(y).kind = Slot::Kind::overwrite;
      slot(y).base = base;
      slot(y).root = s;
      step.overwritten = static_cast<int>(std::find(step.y.begin(), step.y.end(), y) - step.y.begin());
      base = y;
    }
    return true;
  }

  /// What the draft may throw, as a draft of its own, which can run earlier; one without a step if that
  /// cannot be.
  Draft check_of(int d) {
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

  /// A variable that is written, but not read.
  int add_variable(const Shared& variable) {
    const int i = static_cast<int>(plan_.slots_.size());
    Slot s;
    s.kind = Slot::Kind::shared;
    s.var = variable;
    s.type = variable.type();
    s.view = variable.node().cell->value.view();
    s.root = i;
    plan_.slots_.push_back(s);
    slot_of_.emplace(variable, i);
    plan_.shared_slots_.push_back(i);
    needs_.emplace_back();
    producer_.push_back(-1);
    is_root_.push_back(false);
    data_segment_.push_back(0);
    size_segment_.push_back(0);
    return i;
  }

  void schedule() {
    std::vector<int> placed;
    std::vector<char> state(drafts_.size(), 0);
    const auto visit = [&](int root) {
      std::vector<std::pair<int, std::size_t>> stack;
      if (state[static_cast<std::size_t>(root)] == 0) stack.emplace_back(root, 0);
      while (!stack.empty()) {
        auto& [d, next] = stack.back();
        state[static_cast<std::size_t>(d)] = 1;
        if (next < draft(d).after.size()) {
          const int before = draft(d).after[next++];
          if (state[static_cast<std::size_t>(before)] == 0)
            stack.emplace_back(before, 0);
          else
            invariant(state[static_cast<std::size_t>(before)] == 2, "a plan's steps wait for each other");
        } else {
          state[static_cast<std::size_t>(d)] = 2;
          placed.push_back(d);
          stack.pop_back();
        }
      }
    };
    for (const Var& v : program_.outputs)
      if (const int d = producer_[static_cast<std::size_t>(slot_of(v))]; d >= 0) visit(d);
    for (int d = 0; d < static_cast<int>(drafts_.size()); ++d) visit(d);
    std::stable_sort(placed.begin(), placed.end(),
                     [&](int a, int b) { return draft(a).segment < draft(b).segment; });
    for (const int d : placed)
      if (draft(d).step.op != nullptr)
        plan_.segments_[static_cast<std::size_t>(draft(d).segment)].steps.push_back(draft(d).step);
  }

  /// When each slot's memory is read or written for the last time, by a number that counts the steps of all
  /// segments; memory that outlives its segment is kept for ever.
  std::vector<int> last_uses() {
    std::vector<int> last(plan_.slots_.size(), -1), made_in(plan_.slots_.size(), -1);
    int clock = 0, s = 0;
    const auto use = [&](int i) {
      const auto r = static_cast<std::size_t>(root(i));
      if (made_in[r] < 0) made_in[r] = s;
      last[r] = made_in[r] == s ? std::max(last[r], clock) : forever;
    };
    for (const Segment& segment : plan_.segments_) {
      for (const Step& step : segment.steps) {
        for (const int i : step.x) use(i);
        for (const int i : step.y) use(i);
        ++clock;
      }
      ++s;
    }
    for (const Plan::Commit& c : plan_.commits_) last[static_cast<std::size_t>(root(c.slot))] = forever;
    for (const int i : persistent_) last[static_cast<std::size_t>(root(i))] = forever;
    return last;
  }

  void reuse_memory() {
    std::vector<int> last = last_uses();
    int clock = 0;
    for (Segment& segment : plan_.segments_)
      for (Step& step : segment.steps) {
        for (int o = 0; o < static_cast<int>(step.y.size()); ++o) {
          const int y = step.y[static_cast<std::size_t>(o)];
          if (slot(y).kind == Slot::Kind::arena && !take_over(step, o, y, clock, last))
            step.allocates.push_back(y);
        }
        ++clock;
      }
    last = last_uses();
    std::vector<Step*> steps;
    for (Segment& segment : plan_.segments_)
      for (Step& step : segment.steps) steps.push_back(&step);
    for (const Step* step : steps)
      for (const int y : step->allocates)
        if (const int end = last[static_cast<std::size_t>(y)]; end != forever)
          steps[static_cast<std::size_t>(end)]->releases.push_back(y);
  }

  /// Writes output y over an arena input that dies at this step.
  bool take_over(const Step& step, int output, int y, int clock, std::vector<int>& last) {
    if (!program_.overwrites) return false;
    for (std::size_t k = 0; k < step.x.size(); ++k) {
      const int x = step.x[k], r = root(x);
      if (slot(x).kind != Slot::Kind::arena && slot(x).kind != Slot::Kind::overwrite) continue;
      if (slot(r).kind != Slot::Kind::arena || last[static_cast<std::size_t>(r)] != clock || r == y) continue;
      if (!may_overwrite(step, output, k)) continue;
      last[static_cast<std::size_t>(r)] = last[static_cast<std::size_t>(y)];
      slot(y).kind = Slot::Kind::overwrite;
      slot(y).base = x;
      slot(y).root = r;
      return true;
    }
    return false;
  }

  void finish() {
    for (Slot& s : plan_.slots_)
      if (s.kind == Slot::Kind::integer) {
        s.view.data = &s.value;
        s.view.shape = {};
      }
    const auto views = [&](const std::vector<int>& slots) {
      std::vector<View*> v;
      for (const int i : slots) v.push_back(&slot(i).view);
      return v;
    };
    for (Segment& segment : plan_.segments_) {
      for (SizeItem& item : segment.items) item.xv = views(item.x);
      for (SizeItem& item : segment.moving) item.xv = views(item.x);
      for (Step& step : segment.steps) {
        step.xv = views(step.x);
        step.yv = views(step.y);
      }
    }
    for (const In& in : program_.inputs) {
      Plan::BoundInput bound;
      const auto at = slot_of_.find(in.variable);
      bound.slot = at == slot_of_.end() ? -1 : at->second;
      bound.type = in.variable.type();
      bound.name = in.name;
      bound.default_value = in.value;
      plan_.inputs_.push_back(std::move(bound));
    }
    plan_.output_pools_.resize(plan_.output_slots_.size());
    plan_.taken_.resize(static_cast<std::size_t>(plan_.branches_.size()));
    plan_.path_.reserve(plan_.taken_.size());
  }

  std::vector<Draft> drafts_;
  std::vector<int> branch_drafts_;  ///< by branch
  std::vector<int> producer_;
  std::unordered_map<int, std::vector<int>> readers_;
  std::vector<bool> is_root_;
  std::vector<std::int64_t> ranks_;  ///< by draft
  std::int64_t next_rank_ = 0;
  std::vector<int> can_fail_;           ///< drafts
  int after_failures_ = -1;             ///< a draft that runs after these
  std::vector<bool> leads_to_failure_;  ///< by draft: whether one of them runs after it
};

Plan::Plan(std::shared_ptr<const Program> program) : program_(std::move(program)) {
  PlanBuilder(*this).build();
  find_uses();
  if (program_->mode == Mode::NanGuardMode) watches_.push_back(nan_guard());
  if (program_->mode == Mode::DebugMode) watches_.push_back(debug_checks(*program_));
  // Last, so that it measures nothing of the others.
  if (program_->profile) watches_.push_back(profiler(*this, profile_));
}

Plan::~Plan() = default;

}  // namespace damo
