#include <algorithm>
#include <functional>
#include <optional>

#include "core/plan.h"
#include "core/profile.h"
#include "core/walk.h"
#include "core/watch.h"

/// From a graph to a plan: which integers are computed first, which arrays share memory, in what order steps
/// run.
namespace damo {
namespace {

bool is_integer_scalar(const Type& t) { return t.ndim() == 0 && !t.is_float(); }

bool are_known(const Type& t) {
  return std::all_of(t.shape.begin(), t.shape.end(), [](std::int64_t n) { return n >= 0; });
}

}  // namespace

class PlanBuilder {
 public:
  PlanBuilder(Plan& plan) : plan_(plan), program_(*plan.program_), order_(toposort(program_.outputs)) {}

  void build() {
    make_slots();
    mark_needs();
    if (!assign_segments()) {
      lazy_ = false;
      plan_.branches_ = {};
      std::fill(needs_.begin(), needs_.end(), Need());
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
  static constexpr int forever = 1 << 30, nowhere = Branches::nowhere;

  /// In which branch of the program what of a slot is needed.
  struct Need {
    int data = nowhere, size = nowhere, value = nowhere;
  };
  /// A step before it has a place in the order.
  struct Draft {
    Step step;
    int segment = 0;
    std::vector<int> after;  ///< drafts that run before this one
  };

  Slot& slot(int i) { return plan_.slots_[static_cast<std::size_t>(i)]; }
  Need& need(int i) { return needs_[static_cast<std::size_t>(i)]; }
  int slot_of(const Var& v) const { return slot_of_.at(v); }
  Draft& draft(int i) { return drafts_[static_cast<std::size_t>(i)]; }

  void want(int& branch, int in) const { branch = plan_.branches_.common(branch, in); }
  int anything(const Need& n) const {
    const Branches& b = plan_.branches_;
    return b.common(b.common(n.data, n.size), n.value);
  }
  /// Where `node` is needed if its result is needed `in` that branch, for the sake of input k.
  int branch_of(const Node& node, std::size_t k, int in) {
    const std::optional<bool> side = lazy_ ? node.op->needed_if(static_cast<int>(k)) : std::nullopt;
    return side && in != nowhere ? plan_.branches_.child(in, slot_of(node.inputs[0]), *side) : in;
  }
  /// Whether the node chooses among arrays of one known size.
  bool is_sized_choice(const Node& node) const {
    return node.op->needed_if(static_cast<int>(node.inputs.size()) - 1) &&
           std::all_of(node.types.begin(), node.types.end(), are_known);
  }
  bool uses_value(const Node& node, std::size_t k) const {
    return node.op->needs_value(static_cast<int>(k)) && !is_sized_choice(node);
  }
  /// Whether all about the sizes was checked when the graph was built.
  bool is_sized(const NodePtr& node) {
    if (is_integer(slot_of(Var(node, 0))) || node->op->view_of() >= 0 ||
        !std::all_of(node->types.begin(), node->types.end(), are_known))
      return false;
    for (std::size_t k = 0; k < node->inputs.size(); ++k)
      if (uses_value(*node, k) || !are_known(node->inputs[k].type())) return false;
    return true;
  }
  /// Where the sizes of the node's outputs are inferred.
  int size_branch(const NodePtr& node) {
    if (is_sized(node)) return 0;
    int branch = nowhere;
    for (const int y : outputs_of(node)) want(branch, anything(need(y)));
    return branch;
  }
  int data_branch(const NodePtr& node) { return std::max(0, need(slot_of(Var(node, 0))).data); }

  /// known[branch], which is own(known[parent], condition) along the way from the root.
  template <class F>
  int along(int branch, std::vector<int>& known, F own) const {
    const Branches& all = plan_.branches_;
    known.resize(static_cast<std::size_t>(all.size()), -1);
    std::vector<int> path;
    for (int b = branch; known[static_cast<std::size_t>(b)] < 0; b = all[b].parent) path.push_back(b);
    for (; !path.empty(); path.pop_back())
      known[static_cast<std::size_t>(path.back())] =
          own(known[static_cast<std::size_t>(all[path.back()].parent)], all[path.back()].condition);
    return known[static_cast<std::size_t>(branch)];
  }

  std::vector<int> inputs_of(const Node& node) const {
    std::vector<int> x;
    for (const Var& v : node.inputs) x.push_back(slot_of(v));
    return x;
  }
  std::vector<int> outputs_of(const NodePtr& node) const {
    std::vector<int> y;
    for (int i = 0; i < static_cast<int>(node->types.size()); ++i) y.push_back(slot_of(Var(node, i)));
    return y;
  }

  bool is_integer(int i) { return slot(i).kind == Slot::Kind::integer; }
  /// An integer scalar whose value is known before any kernel of its segment runs.
  bool is_known_early(int i) {
    const Slot& s = slot(i);
    return is_integer_scalar(s.type) && (s.kind == Slot::Kind::integer || s.kind == Slot::Kind::input ||
                                         s.kind == Slot::Kind::constant || s.kind == Slot::Kind::shared);
  }

  void make_slots() {
    for (const NodePtr& node : order_)
      for (int o = 0; o < static_cast<int>(node->types.size()); ++o) {
        const int i = static_cast<int>(plan_.slots_.size());
        slot_of_.emplace(Var(node, o), i);
        Slot s;
        s.var = Var(node, o);
        s.type = node->types[static_cast<std::size_t>(o)];
        s.view.dtype = s.type.dtype;
        s.view.shape = s.type.shape;
        s.view.strides = row_major(s.type.shape);
        s.root = i;
        plan_.slots_.push_back(s);
        Slot& made = plan_.slots_.back();
        switch (node->kind) {
          case Node::Kind::input: made.kind = Slot::Kind::input; break;
          case Node::Kind::shared:
            made.kind = Slot::Kind::shared;
            plan_.shared_slots_.push_back(i);
            break;
          case Node::Kind::constant:
            made.kind = Slot::Kind::constant;
            made.view = node->value.view();
            made.changed = false;
            if (is_integer_scalar(made.type)) {
              made.has_value = true;
              made.value = node->value.item<std::int64_t>();
            }
            break;
          case Node::Kind::apply: classify(*node, i); break;
        }
        if ((made.kind == Slot::Kind::input || made.kind == Slot::Kind::shared) &&
            is_integer_scalar(made.type))
          plan_.scalar_slots_.push_back(i);
      }
    needs_.resize(plan_.slots_.size());
  }

  void classify(const Node& node, int i) {
    Slot& s = slot(i);
    const std::vector<int> x = inputs_of(node);
    if (node.types.size() == 1 && is_integer_scalar(s.type)) {
      bool early = true;
      for (std::size_t k = 0; k < x.size(); ++k)
        early &=
            is_known_early(x[k]) || (!node.op->has_integer_form() && !node.op->reads(static_cast<int>(k)));
      constexpr std::size_t most_inputs = 8;
      if (early && !x.empty() && x.size() <= most_inputs &&
          (node.op->has_integer_form() || !node.op->reads(0))) {
        s.kind = Slot::Kind::integer;
        return;
      }
    }
    if (node.op->view_of() >= 0) {
      s.kind = Slot::Kind::view;
      s.base = x[static_cast<std::size_t>(node.op->view_of())];
      s.root = root(s.base);
    }
  }

  void mark_needs() {
    for (const Var& v : program_.outputs) want(need(slot_of(v)).data, 0);
    for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
      const Node& node = **at;
      if (node.kind != Node::Kind::apply) continue;
      Need wanted;
      for (const int y : outputs_of(*at)) {
        want(wanted.data, need(y).data);
        want(wanted.size, need(y).size);
        want(wanted.value, need(y).value);
      }
      const int any = anything(wanted);
      if (any == nowhere) continue;
      if (node.op->has_effect()) want(wanted.data, any);
      const int first = slot_of(Var(*at, 0));
      const bool integer = is_integer(first);
      const int runs = integer ? nowhere : plan_.branches_.common(wanted.data, wanted.value);
      want(need(first).data, runs);
      // The sizes of a choice of known sizes depend on nothing.
      const int sizes = is_sized_choice(node) ? runs : any;
      const std::vector<int> x = inputs_of(node);
      for (std::size_t k = 0; k < x.size(); ++k) {
        const int i = static_cast<int>(k);
        Need& n = need(x[k]);
        if (integer && node.op->has_integer_form()) {
          want(n.value, branch_of(node, k, any));
        } else {
          want(n.size, branch_of(node, k, sizes));
          if (uses_value(node, k)) want(n.value, branch_of(node, k, any));
        }
        const bool is_base = node.op->view_of() < 0 || node.op->view_of() == i;
        // view() reads its bounds where they lie.
        if (!is_base || node.op->reads(i)) want(n.data, branch_of(node, k, runs));
      }
    }
    for (std::size_t i = 0; i < needs_.size(); ++i) {
      const int branch = needs_[i].data == nowhere ? anything(needs_[i]) : needs_[i].data;
      plan_.slots_[i].branch = std::max(0, branch);
    }
  }

  /// False if that cannot be: a size in a branch, and the branch's condition, wait for each other.
  bool assign_segments() {
    data_segment_.assign(plan_.slots_.size(), 0);
    size_segment_.assign(plan_.slots_.size(), 0);
    // A node may come before the condition of its branch: then the next pass knows that condition's segment.
    bool settled = false;
    for (int pass = 0; !settled && pass < plan_.branches_.size() + 2; ++pass) {
      const std::vector<int> data_before = data_segment_, size_before = size_segment_;
      assign_segments_once();
      settled = data_segment_ == data_before && size_segment_ == size_before;
    }
    if (!settled) return false;
    int last = 0;
    for (std::size_t i = 0; i < plan_.slots_.size(); ++i)
      if (anything(needs_[i]) != nowhere) last = std::max({last, data_segment_[i], size_segment_[i]});
    plan_.segments_.resize(static_cast<std::size_t>(last) + 1);
    for (int b = 1; b < plan_.branches_.size(); ++b) persistent_.push_back(plan_.branches_[b].condition);
    return true;
  }

  void assign_segments_once() {
    std::vector<int> sized_from{0}, computed_from{0};
    const auto known_from = [&](int i) {
      const auto j = static_cast<std::size_t>(i);
      return is_known_early(i) ? size_segment_[j] : data_segment_[j] + 1;
    };
    for (const NodePtr& node : order_) {
      if (node->kind != Node::Kind::apply) continue;
      const std::vector<int> x = inputs_of(*node);
      int size = 0, data = 0;
      for (std::size_t k = 0; k < x.size(); ++k) {
        const auto j = static_cast<std::size_t>(x[k]);
        if (!is_sized_choice(*node)) size = std::max(size, size_segment_[j]);
        const bool integer = is_integer(slot_of(Var(node, 0))) && node->op->has_integer_form();
        if (integer || uses_value(*node, k)) size = std::max(size, known_from(x[k]));
        if (node->op->reads(static_cast<int>(k))) data = std::max(data, data_segment_[j]);
      }
      if (const int branch = size_branch(node); branch > 0)
        size = std::max(size, along(branch, sized_from, [&](int before, int condition) {
                          return std::max(before, known_from(condition));
                        }));
      if (const int branch = data_branch(node); branch > 0)
        data = std::max(data, along(branch, computed_from, [&](int before, int condition) {
                          const auto j = static_cast<std::size_t>(condition);
                          return std::max(before,
                                          is_known_early(condition) ? size_segment_[j] : data_segment_[j]);
                        }));
      for (const int y : outputs_of(node)) {
        size_segment_[static_cast<std::size_t>(y)] = size;
        data_segment_[static_cast<std::size_t>(y)] = std::max(size, data);
      }
    }
  }

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

  /// Whether draft `from` runs after draft `target` in every order.
  bool depends_on(int from, int target) {
    std::vector<int> stack{from};
    std::vector<bool> seen(drafts_.size(), false);
    while (!stack.empty()) {
      const int d = stack.back();
      stack.pop_back();
      if (d == target) return true;
      if (seen[static_cast<std::size_t>(d)]) continue;
      seen[static_cast<std::size_t>(d)] = true;
      for (const int before : draft(d).after) stack.push_back(before);
    }
    return false;
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
      chain.insert(chain.begin(), d);
      if (next == variable) return chain;
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
  /// old value and everything that can fail; false if no such order exists.
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
    for (int d = 0; d < static_cast<int>(drafts_.size()); ++d) {
      if (draft(d).step.op == nullptr || !draft(d).step.op->can_fail() || d == first) continue;
      before.push_back(d);
    }
    for (const int d : before)
      if (depends_on(d, first)) return false;
    for (const int d : before) draft(first).after.push_back(d);
    int base = s;
    for (const int d : chain) {
      const Step& step = draft(d).step;
      // Of an op with several outputs, the one that leads on.
      int y = value;
      if (d != chain.back()) {
        const Step& next = draft(*(std::find(chain.begin(), chain.end(), d) + 1)).step;
        for (const int x : next.x)
          if (std::find(step.y.begin(), step.y.end(), x) != step.y.end()) y = x;
      }
      slot(y).kind = Slot::Kind::overwrite;
      slot(y).base = base;
      slot(y).root = s;
      base = y;
    }
    return true;
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

  /// The slot that owns the memory of slot i.
  int root(int i) {
    while (slot(i).root != i) {
      slot(i).root = slot(slot(i).root).root;
      i = slot(i).root;
    }
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

  Plan& plan_;
  const Program& program_;
  std::vector<NodePtr> order_;
  VarMap<int> slot_of_;
  std::vector<Need> needs_;
  std::vector<int> data_segment_, size_segment_;
  std::vector<int> persistent_;
  std::vector<Draft> drafts_;
  bool lazy_ = true;                ///< whether a branch that is not taken is left out
  std::vector<int> branch_drafts_;  ///< by branch
  std::vector<int> producer_;
  std::unordered_map<int, std::vector<int>> readers_;
  std::vector<bool> is_root_;
};

Plan::Plan(std::shared_ptr<const Program> program) : program_(std::move(program)) {
  PlanBuilder(*this).build();
  if (program_->mode == Mode::NanGuardMode) watches_.push_back(nan_guard());
  if (program_->mode == Mode::DebugMode) watches_.push_back(debug_checks(*program_));
  // Last, so that it measures nothing of the others.
  if (program_->profile) watches_.push_back(profiler(*this, profile_));
}

Plan::~Plan() = default;

}  // namespace damo
