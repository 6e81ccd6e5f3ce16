#include "core/graph/walk.h"
#include "ops/control/ifelse_op.h"
#include "ops/rewrite/passes.h"

/// Choices that are none.
namespace damo {

Var drop_choice(const Var& v) {
  const auto* op = op_as<IfElse>(v);
  if (op == nullptr) return {};
  const Vars& x = v.node().inputs;
  const auto i = static_cast<std::size_t>(v.output()), n = static_cast<std::size_t>(op->n);
  const Type& c = x[0].type();
  if (!c.has_value) return {};
  return c.value != 0 ? x[1 + i] : x[1 + n + i];
}

Vars drop_equal_choices(const Vars& outputs, Trace& trace) {
  return transform(outputs, [&](const NodePtr& node, const Current& now) -> Var {
    const Var v(node);
    if (op_as<IfElse>(v) == nullptr || node->types.size() != 1 || !same(node->inputs[1], node->inputs[2]))
      return {};
    const Var result = now(node->inputs[1]);
    trace.push_back({"equal_choice", v, result, node->where});
    return result;
  });
}

}  // namespace damo
