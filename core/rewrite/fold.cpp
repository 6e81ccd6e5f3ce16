#include <algorithm>
#include <cstring>
#include <new>

#include "core/graph/evaluate.h"
#include "core/graph/identity.h"
#include "core/graph/walk.h"
#include "core/rewrite/rewrite.h"

namespace damo {
namespace {

/// Whether all elements, one at least, are the same.
bool is_uniform(const Tensor& t) {
  const auto bytes = static_cast<std::size_t>(size_of(t.dtype()));
  const auto* p = static_cast<const char*>(t.data());
  return std::memcmp(p, p + bytes, static_cast<std::size_t>(t.size() - 1) * bytes) == 0;
}

}  // namespace

Var fold_constant(const Var& v) {
  const Node& node = v.node();
  const bool is_cheap_view = op_as<Restretch>(node) != nullptr;
  if (node.op->has_effect() || node.types.size() != 1 || is_cheap_view) return {};
  const Type& type = v.type();
  if (type.has_value) return constant(Tensor(type.value).astype(type.dtype));
  constexpr std::int64_t small = 1024;  // a large constant is cheaper to compute than to keep
  std::int64_t size = 1;
  for (const std::int64_t n : type.shape) {
    if (n < 0) return {};
    size *= n;
  }
  if (size > small || node.op->can_fail()) return {};
  std::vector<Tensor> x;
  Types types;
  for (const Var& input : node.inputs) {
    if (input.node().kind != Node::Kind::constant) return {};
    x.push_back(input.node().value);
    types.push_back(input.type());
  }
  Tensor value;
  try {
    value = evaluate(*node.op, x, types)[0];
  } catch (const std::bad_alloc&) {
    return {};  // the call will say where
  }
  // One number stretched is more to other rules than an array of it.
  const bool from_numbers = std::all_of(x.begin(), x.end(), [](const Tensor& t) { return t.size() <= 1; });
  if (size > 1 && from_numbers && is_uniform(value)) return {};
  return with_stretch(constant(value), type);
}

}  // namespace damo
