#include "ops/optimizers.h"

#include "core/tensor/check.h"
#include "ops/elemwise.h"
#include "ops/grad.h"

namespace damo {
namespace {

/// Throws Error unless they are shared variables.
std::vector<Shared> variables(const std::string& name, const Vars& params) {
  std::vector<Shared> all;
  for (const Var& p : params) {
    const std::string place = to_string(Scope::where());
    check(p.is_set(), "{}: a parameter is an empty Var\n  {}", name, place);
    check(p.node().kind == Node::Kind::shared, "{}: {} is not a shared variable\n  {}", name, label(p),
          place);
    all.emplace_back(p);
  }
  return all;
}

Shared zeros_beside(const Shared& p, const std::string& suffix) {
  const Tensor& value = p.get_value({.borrow = true});
  return shared(Tensor::zeros(value.shape(), value.dtype()), p.name() + suffix, {.borrow = true});
}

}  // namespace

Updates sgd(const Arg& cost, const Vars& wrt, const Arg& learning_rate) {
  const Scope here(cost);
  const std::vector<Shared> params = variables("sgd", wrt);
  const Vars g = grad(cost, wrt);
  Updates updates;
  for (std::size_t i = 0; i < params.size(); ++i)
    updates.emplace_back(params[i], params[i] - learning_rate * g[i]);
  return updates;
}

Updates momentum(const Arg& cost, const Vars& wrt, const Arg& learning_rate, const Arg& momentum) {
  const Scope here(cost);
  const std::vector<Shared> params = variables("momentum", wrt);
  const Vars g = grad(cost, wrt);
  Updates updates;
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Shared v = zeros_beside(params[i], "_velocity");
    const Var next = momentum * v - learning_rate * g[i];
    updates.emplace_back(v, next);
    updates.emplace_back(params[i], params[i] + next);
  }
  return updates;
}

Updates adam(const Arg& cost, const Vars& wrt, const Arg& learning_rate, const AdamArgs& args) {
  const Scope here(cost);
  const std::vector<Shared> params = variables("adam", wrt);
  const Vars g = grad(cost, wrt);
  Updates updates;
  if (params.empty()) return updates;
  const DType dtype = params[0].dtype();
  const Shared t = shared(Tensor::zeros({}, dtype), "adam_step");
  const Var step = t + 1;
  updates.emplace_back(t, step);
  // Step size with both moments' bias corrected, as at the end of the paper's section 2.
  const Var rate = learning_rate * sqrt(1 - pow(args.beta2, step)) / (1 - pow(args.beta1, step));
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Shared m = zeros_beside(params[i], "_m"), v = zeros_beside(params[i], "_v");
    const Var m_next = args.beta1 * m + (1 - args.beta1) * g[i];
    const Var v_next = args.beta2 * v + (1 - args.beta2) * sqr(g[i]);
    // epsilon is the paper's epsilon-hat times sqrt(1 - beta2^t): algorithm 1 adds it to the corrected root.
    const Var root = sqrt(v_next) + args.epsilon * sqrt(1 - pow(args.beta2, step));
    updates.emplace_back(m, m_next);
    updates.emplace_back(v, v_next);
    updates.emplace_back(params[i], params[i] - rate * m_next / root);
  }
  return updates;
}

}  // namespace damo
