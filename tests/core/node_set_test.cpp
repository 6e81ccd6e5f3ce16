#include "core/graph/node_set.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/support.h"

using namespace damo;

namespace {

Vars variables(int n) {
  Vars all;
  for (int i = 0; i < n; ++i) all.push_back(scalar("v" + std::to_string(i)));
  return all;
}

}  // namespace

TEST_CASE("a map keeps the order in which entries came, and each at its place") {
  const Vars keys = variables(1000);
  VarTable<int> map;
  CHECK(map.empty());
  CHECK(map.find(keys[0]) == map.end());
  int* const first = &map[keys[7]];
  *first = 7;
  for (int i = 0; i < 1000; ++i) {
    const auto [at, fresh] = map.emplace(keys[static_cast<std::size_t>(i)], i);
    CHECK(fresh == (i != 7));
    CHECK(at->second == i);
  }
  CHECK(&map.at(keys[7]) == first);
  CHECK(map.size() == 1000);
  CHECK(same(map.begin()->first, keys[7]));
  int n = 0;
  for (const auto& [key, value] : map) {
    CHECK(same(key, keys[static_cast<std::size_t>(value)]));
    n += value;
  }
  CHECK(n == 999 * 1000 / 2);
  CHECK_FALSE(map.contains(scalar("another")));
  CHECK_THROWS_AS(map.at(scalar("another")), std::out_of_range);
  CHECK_FALSE(map.emplace(keys[3], -1).second);
  CHECK(map.at(keys[3]) == 3);
  CHECK_FALSE(map.insert_or_assign(keys[3], -1).second);
  CHECK(map.at(keys[3]) == -1);
}

TEST_CASE("a copy of a map is apart, and what is moved is the same") {
  const Vars keys = variables(50);
  VarTable<std::vector<int>> map;
  for (int i = 0; i < 50; ++i) map[keys[static_cast<std::size_t>(i)]].push_back(i);
  VarTable<std::vector<int>> copy = map;
  copy[keys[5]].push_back(100);
  for (int i = 0; i < 100; ++i) copy[scalar("more")];
  CHECK(map.size() == 50);
  CHECK(map.at(keys[5]) == std::vector<int>{5});
  CHECK(copy.size() == 150);
  CHECK(copy.at(keys[5]) == std::vector<int>{5, 100});
  const auto* const place = &map.at(keys[5]);
  const VarTable<std::vector<int>> moved = std::move(map);
  CHECK(&moved.at(keys[5]) == place);
  map = copy;
  CHECK(map.size() == 150);
}

TEST_CASE("outputs of one node are keys of their own, an empty Var is one, too") {
  const Var x = scalar("x");
  VarTable<int> map;
  for (int o = 0; o < 100; ++o) map.emplace(Var(x.node_ptr(), o), o);
  map.emplace(Var(), -1);
  CHECK(map.size() == 101);
  for (int o = 0; o < 100; ++o) CHECK(map.at(Var(x.node_ptr(), o)) == o);
  CHECK(map.at(Var()) == -1);
}

TEST_CASE("maps and sets agree with the standard library's for nodes far apart and near") {
  std::vector<NodePtr> nodes;
  std::uint64_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    const NodePtr node = scalar("x").node_ptr();
    state = state * 6364136223846793005U + 1442695040888963407U;
    if (i < 500 || state >> 60 == 0) nodes.push_back(node);
  }
  NodeMap<std::size_t> map;
  std::map<const Node*, std::size_t> expected;
  NodeSet set;
  for (std::size_t i = 0; i < nodes.size(); i += 2) {
    const Node* const node = nodes[i].get();
    CHECK(map.emplace(node, i).second == expected.emplace(node, i).second);
    CHECK(set.insert(node));
    CHECK_FALSE(set.insert(node));
  }
  CHECK(map.size() == expected.size());
  for (const NodePtr& node : nodes) {
    CHECK(set.contains(node.get()) == expected.contains(node.get()));
    CHECK(map.contains(node.get()) == expected.contains(node.get()));
    if (map.contains(node.get())) CHECK(map.at(node.get()) == expected.at(node.get()));
  }
}
