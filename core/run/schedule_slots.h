#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "../graph/walk.h"
#include "schedule.h"

/// The first half of building a schedule: an array for each Var, the branches in which it is needed, and the
/// segments in which its sizes and its elements become known.
namespace damo {

class ScheduleSlots {
 protected:
  static constexpr int nowhere = Branches::nowhere;

  /// In which branch of the program what of a slot is needed.
  struct Need {
    int data = nowhere, size = nowhere, value = nowhere;
  };

  explicit ScheduleSlots(Schedule& made)
      : made_(made), program_(*made.program), order_(toposort(roots_of(program_))) {}

  static Vars roots_of(const Program& program) {
    Vars roots = program.checked;
    roots.insert(roots.end(), program.outputs.begin(), program.outputs.end());
    return roots;
  }

  void make_slots();
  void mark_needs();
  /// False if that cannot be: a size in a branch, and the branch's condition, wait for each other.
  bool assign_segments();
  void forget_branches();  ///< from here on all branches run

  Slot& slot(int i) { return made_.slots[static_cast<std::size_t>(i)]; }
  Need& need(int i) { return needs_[static_cast<std::size_t>(i)]; }
  int slot_of(const Var& v) const { return slot_of_.at(v); }
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
  bool is_known_early(int i) { return slot(i).is_known_early(); }
  /// The slot that owns the memory of slot i.
  int root(int i) {
    while (slot(i).root != i) {
      slot(i).root = slot(slot(i).root).root;
      i = slot(i).root;
    }
    return i;
  }

  int anything(const Need& n) const {
    const Branches& b = made_.branches;
    return b.common(b.common(n.data, n.size), n.value);
  }
  /// Whether the node chooses among arrays of one known size.
  bool is_sized_choice(const Node& node) const;
  bool uses_value(const Node& node, std::size_t k) const {
    return node.op->needs_value(static_cast<int>(k)) && !is_sized_choice(node);
  }
  /// Where the sizes of the node's outputs are inferred.
  int size_branch(const NodePtr& node);
  int data_branch(const NodePtr& node) { return std::max(0, need(slot_of(Var(node, 0))).data); }

  /// known[branch], which is own(known[parent], condition) along the way from the root.
  template <class F>
  int along(int branch, std::vector<int>& known, F own) const {
    const Branches& all = made_.branches;
    known.resize(static_cast<std::size_t>(all.size()), -1);
    std::vector<int> path;
    for (int b = branch; known[static_cast<std::size_t>(b)] < 0; b = all[b].parent) path.push_back(b);
    for (; !path.empty(); path.pop_back())
      known[static_cast<std::size_t>(path.back())] =
          own(known[static_cast<std::size_t>(all[path.back()].parent)], all[path.back()].condition);
    return known[static_cast<std::size_t>(branch)];
  }

  Schedule& made_;
  const Program& program_;
  std::vector<NodePtr> order_;
  VarTable<int> slot_of_;
  std::vector<Need> needs_;
  std::vector<int> data_segment_, size_segment_;
  std::vector<int> persistent_;  ///< slots whose memory is kept to the end of the call

 private:
  void want(int& branch, int in) const { branch = made_.branches.common(branch, in); }
  /// Where `node` is needed if its result is needed `in` that branch, for the sake of input k.
  int branch_of(const Node& node, std::size_t k, int in);
  /// Whether all about the sizes was checked when the graph was built.
  bool is_sized(const NodePtr& node);
  void classify(const Node& node, int i);
  void assign_segments_once();

  bool lazy_ = true;  ///< whether a branch that is not taken is left out
};

}  // namespace damo
