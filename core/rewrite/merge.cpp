#include <algorithm>
#include <string_view>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/rewrite/rewrite.h"
#include "core/rewrite/twins.h"

namespace damo {
namespace {

constexpr std::int64_t largest_constant = 64;

bool can_have_twins(const Node& node) {
  switch (node.kind) {
    case Node::Kind::constant: return node.value.size() <= largest_constant;
    case Node::Kind::apply: return !node.op->has_effect();
    case Node::Kind::input:
    case Node::Kind::shared: return false;
  }
  return false;
}

}  // namespace

std::size_t Twins::Hash::operator()(const NodePtr& one) const {
  const Node& node = *one;
  if (node.kind == Node::Kind::constant) {
    const Tensor value = node.value.contiguous();
    const auto bytes = static_cast<std::size_t>(value.size() * size_of(value.dtype()));
    const std::string_view text(static_cast<const char*>(value.data()), bytes);
    return std::hash<std::string_view>()(text) * 31 + static_cast<std::size_t>(value.dtype());
  }
  std::size_t h = std::hash<std::string>()(node.op->name());
  for (const Var& v : node.inputs) h = h * 1000003U + VarHash()(v);
  return h;
}

bool are_twins(const Node& a, const Node& b) {
  if (&a == &b) return true;
  if (a.kind != b.kind) return false;
  if (a.kind == Node::Kind::constant) return identical(a.value, b.value);
  if (a.kind != Node::Kind::apply) return false;
  return a.op->same_as(*b.op) &&
         std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(), VarSame());
}

NodePtr Twins::of(const NodePtr& node) {
  if (!can_have_twins(*node)) return node;
  return seen_.emplace(node, true).first->first;
}

Vars merge(const Vars& outputs) {
  Current now;
  Twins twins;
  for (const NodePtr& node : toposort(outputs)) {
    const Vars rebuilt = now.rebuilt(*node);
    const NodePtr one = twins.of(rebuilt.empty() ? node : rebuilt[0].node_ptr());
    if (one == node) continue;
    for (int i = 0; i < static_cast<int>(node->types.size()); ++i) now.put(Var(node, i), Var(one, i));
  }
  return now(outputs);
}

}  // namespace damo
