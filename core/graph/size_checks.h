#pragma once
#include <unordered_map>
#include <utility>
#include <vector>

#include "node_set.h"

/// Which operands of a graph must agree in size though their types do not tell: an op checks that in the
/// call. A rewriting may make do without the op, or without an operand, but the call fails all the same.
namespace damo {

inline constexpr std::int64_t first_number = 1277;

/// Sizes and integers that are known only in the call, each as a number of its own, so that two are equal if
/// and only if they always are.
class CallNumbers {
 public:
  /// The type with numbers for what it leaves open; the same ones each time for the same v.
  Type filled(const Var& v, Type type);

 private:
  VarTable<std::vector<std::int64_t>> numbers_;
  /// 210 further each time: no sum and no product of others is one, and none is a multiple of 2, 3, 5 or 7.
  std::int64_t next_ = first_number;
};

/// A graph whose sizes are inferred from such numbers.
class SizeWalk {
 public:
  /// A node whose op did not take the numbers, or takes them but no small ones, and the types that it saw.
  struct Check {
    NodePtr node;
    Types x;
    bool is_bound = false;  ///< it takes the numbers: an index, or an axis that must not be empty
  };

  SizeWalk(const Vars& roots, CallNumbers& numbers);

  /// Every check that does not hold by itself.
  const std::vector<Check>& checks() const { return checks_; }
  /// Nodes whose sizes, or whose value as a size, only their kernels tell.
  const NodeSet& computed() const { return computed_; }
  /// Whether a call in which all checks of this graph hold makes that one in vain, or makes it.
  bool implies(const Check& check) const;

 private:
  std::int64_t find(std::int64_t number) const;
  Types now(Types x) const;
  bool takes(const Check& check) const;
  bool unite(const Check& check);
  /// Also whether the sizes are known by that.
  std::pair<Types, bool> inferred(const NodePtr& node, Types x);

  VarTable<Type> types_;
  NodeSet computed_;
  std::unordered_map<std::int64_t, std::int64_t> equal_;  ///< a number, and a smaller one that it must equal
  std::vector<Check> checks_, others_;  ///< others: no equality of two sizes tells whether they hold
  std::unordered_multimap<std::size_t, std::size_t> by_hash_;  ///< others_, by their sizes
};

/// Nodes of the graph as it was written whose check the rewritten one does not make: that their sizes are
/// inferred makes it. Those in a branch are left out, and those for whose sizes something would be computed
/// that the rewritten graph does not compute.
Vars lost_size_checks(const Vars& written, const Vars& rewritten);

}  // namespace damo
