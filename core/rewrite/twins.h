#pragma once
#include "../graph/node_set.h"

/// Equal computations.
namespace damo {

/// Whether both compute the same: one op on the same inputs, or equal constants.
bool are_twins(const Node& a, const Node& b);

/// Nodes of which each can be found by what it computes: the same op on the same inputs, or an equal
/// constant.
class Twins {
 public:
  /// The node that was put and equals this one; if there is none, `node` itself is put. Nodes with effects,
  /// large constants and leaves have no twins.
  NodePtr of(const NodePtr& node);

 private:
  struct Hash {
    std::size_t operator()(const NodePtr& node) const;
  };
  struct Same {
    bool operator()(const NodePtr& a, const NodePtr& b) const { return are_twins(*a, *b); }
  };
  OrderedMap<NodePtr, bool, Hash, Same> seen_;
};

}  // namespace damo
