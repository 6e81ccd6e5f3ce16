#include "core/run/function.h"

namespace damo {

Tensor Var::eval(const std::vector<std::pair<Var, Tensor>>& values, Here at) const {
  FunctionArgs args;
  args.outputs = *this;
  args.name = "eval";
  std::vector<Tensor> x;
  for (const auto& [v, value] : values) {
    // What is computed from other variables gives way to an input.
    const bool is_input = v.node().kind == Node::Kind::input;
    const Var input = is_input ? v : variable(v.type(), v.name(), at);
    args.inputs.emplace_back(input);
    if (!is_input) args.givens.emplace_back(v, input);
    x.push_back(value);
  }
  return function(args, at).call(x.data(), x.size());
}

}  // namespace damo
