#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <unordered_map>

#include "graph.h"
#include "ordered_map.h"

/// Sets and maps for passes over whole graphs.
namespace damo {

/// As VarMap, for an entry per node.
template <class T>
using VarTable = OrderedMap<Var, T, VarHash, VarSame>;
template <class T>
using NodeMap = OrderedMap<const Node*, T, std::hash<const Node*>, std::equal_to<const Node*>>;

/// A set of nodes, as bits by their numbers: nodes made one after the other are met near each other.
class NodeSet {
 public:
  NodeSet() = default;
  NodeSet(std::initializer_list<const Node*> nodes) {
    for (const Node* node : nodes) insert(node);
  }

  /// False if it was there.
  bool insert(const Node* node) {
    std::uint64_t& word = pages_[node->id / page_bits][node->id % page_bits / 64];
    const bool fresh = (word & bit(node)) == 0;
    word |= bit(node);
    return fresh;
  }

  bool empty() const { return pages_.empty(); }
  bool contains(const Node* node) const {
    const auto page = pages_.find(node->id / page_bits);
    return page != pages_.end() && (page->second[node->id % page_bits / 64] & bit(node)) != 0;
  }

 private:
  static constexpr std::uint64_t page_bits = 512;
  static std::uint64_t bit(const Node* node) { return std::uint64_t{1} << node->id % 64; }

  std::unordered_map<std::uint64_t, std::array<std::uint64_t, page_bits / 64>> pages_;
};

}  // namespace damo
