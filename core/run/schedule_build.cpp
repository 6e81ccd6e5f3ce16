#include <algorithm>
#include <utility>

#include "core/graph/body.h"
#include "core/run/schedule_order.h"

/// The last part of building a schedule: which arrays share memory, and the order in which the steps run.
namespace damo {
namespace {

class ScheduleBuilder : StepOrder {
 public:
  explicit ScheduleBuilder(Schedule& made) : StepOrder(made) {}

  void build() {
    make_slots();
    mark_needs();
    if (!assign_segments()) {
      forget_branches();
      mark_needs();
      invariant(assign_segments(), "the sizes of a schedule wait for each other");
    }
    make_size_items();
    make_steps();
    claim_variables();
    put_in_order();
    reuse_memory();
    number_all();
    bind_inputs();
    find_uses();
  }

 private:
  static constexpr int forever = 1 << 30;

  /// The nodes, each behind its inputs and behind the conditions of the branch in which its sizes are wanted.
  std::vector<NodePtr> in_order_of_sizes() {
    if (made_.branches.size() == 1) return order_;
    struct Visit {
      NodePtr node;
      Vars before;
    };
    std::vector<NodePtr> placed;
    NodeSet met;
    std::vector<Visit> stack;
    const auto visit = [&](const NodePtr& node) {
      if (!met.insert(node.get())) return;
      Visit v{node, node->inputs};
      if (node->kind == Node::Kind::apply)
        for (int b = size_branch(node); b > 0; b = made_.branches[b].parent)
          v.before.push_back(slot(made_.branches[b].condition).var);
      stack.push_back(std::move(v));
    };
    for (const NodePtr& node : order_)
      for (visit(node); !stack.empty();) {
        Visit& top = stack.back();
        if (top.before.empty()) {
          placed.push_back(top.node);
          stack.pop_back();
        } else {
          const Var next = top.before.back();
          top.before.pop_back();
          visit(next.node_ptr());
        }
      }
    return placed;
  }

  void make_size_items() {
    std::vector<bool> is_read(made_.slots.size(), false);
    for (const NodePtr& node : in_order_of_sizes()) {
      if (node->kind != Node::Kind::apply) continue;
      const std::vector<int> x = inputs_of(*node), y = outputs_of(node);
      const bool wanted =
          std::any_of(y.begin(), y.end(), [&](int i) { return anything(need(i)) != nowhere; });
      if (!wanted) continue;
      const auto at = static_cast<std::size_t>(size_segment_[static_cast<std::size_t>(y[0])]);
      Segment& segment = made_.segments[at];
      // Values that kernels computed are read before the first item that wants them.
      for (std::size_t k = 0; k < x.size(); ++k) {
        const auto j = static_cast<std::size_t>(x[k]);
        if (!uses_value(*node, k) || is_known_early(x[k]) || is_read[j]) continue;
        is_read[j] = true;
        made_.segments[static_cast<std::size_t>(data_segment_[j]) + 1].items.push_back(
            {SizeItem::Kind::read, slot(x[k]).var.node_ptr(), {}, {x[k]}, slot(x[k]).branch});
        persistent_.push_back(x[k]);
      }
      SizeItem item{SizeItem::Kind::infer, node, x, y, size_branch(node)};
      if (is_integer(y[0]) && node->op->has_integer_form()) item.kind = SizeItem::Kind::integer;
      if (slot(y[0]).kind == Slot::Kind::view) {
        item.kind = SizeItem::Kind::view;
        const Slot::Kind owner = slot(root(y[0])).kind;
        const auto data = static_cast<std::size_t>(data_segment_[static_cast<std::size_t>(y[0])]);
        if (owner == Slot::Kind::arena || data != at) made_.segments[data].moving.push_back(item);
      }
      segment.items.push_back(std::move(item));
    }
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
    is_root_.assign(made_.slots.size(), false);
    for (std::size_t i = 0; i < program_.outputs.size(); ++i) {
      const int y = slot_of(program_.outputs[i]);
      is_root_[static_cast<std::size_t>(y)] = true;
      if (i >= program_.n_outputs) continue;
      slot(y).kind = Slot::Kind::output;
      made_.output_slots.push_back(y);
      made_.segments[static_cast<std::size_t>(data_segment_[static_cast<std::size_t>(y)])].outputs.push_back(
          i);
    }
    const std::size_t n_updated = program_.updated.size();
    const auto value = [&](std::size_t i) { return slot_of(program_.outputs[program_.n_outputs + i]); };
    std::vector<int> firsts;
    for (std::size_t i = 0; i < n_updated; ++i)
      if (const std::vector<int> chain = chain_of(program_.updated[i], value(i)); !chain.empty())
        firsts.push_back(chain.front());
    if (n_updated > 0) gather_failures(firsts);
    for (std::size_t i = 0; i < n_updated; ++i)
      made_.commits.push_back({i, value(i), claim(program_.updated[i], value(i))});
    // Views of what is now an output's memory move with it.
    for (Segment& segment : made_.segments)
      for (const SizeItem& item : segment.items) {
        if (item.kind != SizeItem::Kind::view || slot(root(item.y[0])).kind != Slot::Kind::output) continue;
        made_.segments[static_cast<std::size_t>(data_segment_[static_cast<std::size_t>(item.y[0])])]
            .moving.push_back(item);
      }
  }

  /// The slot of a variable that is written, if not read, too.
  int memory_of(const Shared& variable) {
    const auto leaf = slot_of_.find(variable);
    return leaf == slot_of_.end() ? add_variable(variable) : leaf->second;
  }

  /// The steps, one at least, that can compute `value` in the variable's memory; none if that cannot be.
  std::vector<int> chain_of(const Shared& variable, int value) {
    if (!program_.overwrites || variable.node().cell->resizable) return {};
    const int s = memory_of(variable);
    std::vector<int> chain = chain_to(s, value);
    if (!chain.empty()) return chain;
    const int d = producer_[static_cast<std::size_t>(value)];
    if (d < 0 || std::count(readers_[s].begin(), readers_[s].end(), d) > 0) return {};
    return {d};
  }

  /// Lets the steps that compute `value` write into the variable's memory, after everything that reads its
  /// old value, and after everything that can fail, or a check of it; false if no such order exists.
  bool claim(const Shared& variable, int value) {
    const std::vector<int> chain = chain_of(variable, value);
    if (chain.empty()) return false;
    const int s = memory_of(variable);
    const int first = chain.front();
    const int last_segment = static_cast<int>(made_.segments.size()) - 1;
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

  /// A variable that is written, but not read.
  int add_variable(const Shared& variable) {
    const int i = static_cast<int>(made_.slots.size());
    Slot s;
    s.kind = Slot::Kind::shared;
    s.var = variable;
    s.type = variable.type();
    s.root = i;
    made_.slots.push_back(s);
    slot_of_.emplace(variable, i);
    made_.shared_slots.push_back(i);
    needs_.emplace_back();
    producer_.push_back(-1);
    is_root_.push_back(false);
    data_segment_.push_back(0);
    size_segment_.push_back(0);
    return i;
  }

  void put_in_order() {
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
            invariant(state[static_cast<std::size_t>(before)] == 2, "a schedule's steps wait for each other");
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
        made_.segments[static_cast<std::size_t>(draft(d).segment)].steps.push_back(draft(d).step);
  }

  /// When each slot's memory is read or written for the last time, by a number that counts the steps of all
  /// segments; memory that outlives its segment is kept for ever.
  std::vector<int> last_uses() {
    std::vector<int> last(made_.slots.size(), -1), made_in(made_.slots.size(), -1);
    int clock = 0, s = 0;
    const auto use = [&](int i) {
      const auto r = static_cast<std::size_t>(root(i));
      if (made_in[r] < 0) made_in[r] = s;
      last[r] = made_in[r] == s ? std::max(last[r], clock) : forever;
    };
    for (const Segment& segment : made_.segments) {
      for (const Step& step : segment.steps) {
        for (const int i : step.x) use(i);
        for (const int i : step.y) use(i);
        ++clock;
      }
      ++s;
    }
    for (const Schedule::Commit& c : made_.commits) last[static_cast<std::size_t>(root(c.slot))] = forever;
    for (const int i : persistent_) last[static_cast<std::size_t>(root(i))] = forever;
    return last;
  }

  void reuse_memory() {
    std::vector<int> last = last_uses();
    int clock = 0;
    for (Segment& segment : made_.segments)
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
    for (Segment& segment : made_.segments)
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

  /// Where frames keep what belongs to a step or an item.
  void number_all() {
    for (Segment& segment : made_.segments) {
      for (auto* items : {&segment.items, &segment.moving})
        for (SizeItem& item : *items) {
          item.number = made_.n_items++;
          if (item.kind == SizeItem::Kind::view) item.first_view = keep_views(item.x.size());
        }
      for (Step& step : segment.steps) {
        step.number = made_.n_steps++;
        if (step.checks == nullptr && step.op->body() != nullptr) {
          step.body = static_cast<int>(made_.bodies.size());
          made_.bodies.push_back(schedule_of_body(step));
        }
        step.first_view = keep_views(step.x.size() + step.y.size());
      }
    }
  }

  std::shared_ptr<const Schedule> schedule_of_body(const Step& step) const {
    const Body& body = *step.op->body();
    const auto inner = std::make_shared<Program>();
    inner->name = step.op->name();
    for (const Var& v : body.inputs) inner->inputs.emplace_back(v);
    inner->outputs = body.outputs;
    inner->n_outputs = body.outputs.size();
    inner->checked = body.checked;
    inner->mode = program_.mode;
    inner->overwrites = program_.overwrites;
    inner->is_inner = true;
    return make_schedule(inner);
  }

  int keep_views(std::size_t n) { return std::exchange(made_.n_views, made_.n_views + static_cast<int>(n)); }

  void bind_inputs() {
    for (const In& in : program_.inputs) {
      const auto at = slot_of_.find(in.variable);
      made_.inputs.push_back({at == slot_of_.end() ? -1 : at->second, in.variable.type(), in.name, in.value});
    }
  }

  void find_uses() {
    const std::vector<Step>& steps = made_.segments.back().steps;
    const auto is_variable = [&](int i) { return slot(slot(i).root).kind == Slot::Kind::shared; };
    const auto writes = [&](const Step& s) { return std::any_of(s.y.begin(), s.y.end(), is_variable); };
    made_.first_write =
        static_cast<std::size_t>(std::find_if(steps.begin(), steps.end(), writes) - steps.begin());
    if (program_.is_inner) return;
    for (const Shared& s : program_.updated) made_.uses.push_back({s, true});
    for (const int i : made_.shared_slots) {
      const Shared s(slot(i).var);
      const auto is_s = [&](const Schedule::Use& use) { return same(use.variable, s); };
      if (std::none_of(made_.uses.begin(), made_.uses.end(), is_s)) made_.uses.push_back({s, false});
    }
  }

  std::vector<bool> is_root_;
};

}  // namespace

std::shared_ptr<const Schedule> make_schedule(std::shared_ptr<const Program> program) {
  const auto made = std::make_shared<Schedule>();
  made->program = std::move(program);
  ScheduleBuilder(*made).build();
  return made;
}

}  // namespace damo
