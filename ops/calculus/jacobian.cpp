#include "ops/jacobian.h"

#include "core/graph/op.h"
#include "ops/control/for_rows.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// One v for each variable, of its rank.
void check_directions(const std::string& name, const Vars& wrt, const Vars& v) {
  const std::string place = to_string(Scope::where());
  check(wrt.size() == v.size(), "{}: {} variables, but {} directions\n  {}", name, wrt.size(), v.size(),
        place);
  for (std::size_t i = 0; i < v.size(); ++i)
    check(wrt[i].ndim() == v[i].ndim(), "{}: {} has {} dimensions, its direction {}\n  {}", name,
          label(wrt[i]), wrt[i].ndim(), v[i].ndim(), place);
}

/// sum_k <a_k, b_k>; an empty Var if there is none.
Var inner_product(const Vars& a, const Vars& b) {
  Var total;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Var part = sum(a[i] * b[i]);
    total = total.is_set() ? total + part : part;
  }
  return total;
}

}  // namespace

Vars Lop(const Var& f, const Vars& wrt, const Arg& v) {
  const Scope here(v);
  // A number stands for all elements.
  return Lop(Vars{f}, wrt, Vars{v.is_literal() ? ones_like(f) * v.var(f.dtype()) : v.var()});
}

Vars Lop(const Vars& f, const Vars& wrt, const Vars& v, Here at) {
  const Scope here(at);
  check(f.size() == v.size(), "Lop: {} expressions, but {} factors\n  {}", f.size(), v.size(),
        to_string(Scope::where()));
  GradArgs args;
  for (std::size_t i = 0; i < f.size(); ++i) args.known_grads.emplace_back(f[i], v[i]);
  args.disconnected_inputs = Disconnected::zero;
  return grad(Var(), wrt, args);
}

Var Rop(const Var& f, const Vars& wrt, const Vars& v, Here at) { return Rop(Vars{f}, wrt, v, at)[0]; }

Vars Rop(const Vars& f, const Vars& wrt, const Vars& v, Here at) {
  const Scope here(at);
  check_directions("Rop", wrt, v);
  // u^T J is linear in u: its own Lop gives J v.
  Vars u;
  for (const Var& y : f) u.push_back(zeros_like(y));
  const Var uJv = inner_product(Lop(f, wrt, u), v);
  return grad(uJv, u, {.disconnected_inputs = Disconnected::zero});
}

Vars jacobian(const Arg& arg, const Vars& wrt, const GradArgs& args) {
  const Scope here(arg);
  const Var f = arg.var();
  if (f.ndim() == 0) return grad(f, wrt, args);
  check(f.ndim() == 1, "jacobian: f must be a vector, not of {} dimensions: flatten it\n  {}   {}\n  {}",
        f.ndim(), f.type(), label(f), to_string(Scope::where()));
  const Var i = lscalar("i");
  return for_rows(i, shape(f, 0), grad(f[i].named(label(f)), wrt, args), wrt);
}

Var jacobian(const Arg& f, const Var& wrt, const GradArgs& args) { return jacobian(f, Vars{wrt}, args)[0]; }

Vars hessian(const Arg& cost, const Vars& wrt, const GradArgs& args) {
  const Scope here(cost);
  for (const Var& x : wrt)
    check(x.ndim() == 1, "hessian: {} must be a vector, not of {} dimensions: flatten it\n  {}", label(x),
          x.ndim(), to_string(Scope::where()));
  Vars rows = grad(cost, wrt, args);
  for (std::size_t k = 0; k < wrt.size(); ++k)
    if (rows[k].is_set())
      rows[k] =
          jacobian(rows[k], wrt[k],
                   {.consider_constant = args.consider_constant, .disconnected_inputs = Disconnected::zero});
  return rows;
}

Var hessian(const Arg& cost, const Var& wrt, const GradArgs& args) {
  return hessian(cost, Vars{wrt}, args)[0];
}

Vars hessian_times_vector(const Arg& cost, const Vars& wrt, const Vars& v, const GradArgs& args) {
  const Scope here(cost);
  check_directions("hessian_times_vector", wrt, v);
  GradArgs first = args, second = args;
  if (first.disconnected_inputs == Disconnected::ignore) first.disconnected_inputs = Disconnected::zero;
  second.known_grads.clear();
  second.disconnected_inputs = Disconnected::zero;
  return grad(inner_product(grad(cost, wrt, first), v), wrt, second);
}

Var hessian_times_vector(const Arg& cost, const Var& wrt, const Var& v, const GradArgs& args) {
  return hessian_times_vector(cost, Vars{wrt}, Vars{v}, args)[0];
}

SubgraphGrads subgraph_grad(const Vars& wrt, const Vars& end, const SubgraphArgs& args, Here at) {
  const Scope here(at);
  Vars all = wrt;
  all.insert(all.end(), end.begin(), end.end());
  const Vars g =
      grad(args.cost, all,
           {.consider_constant = end, .known_grads = args.start, .disconnected_inputs = Disconnected::zero});
  const auto middle = g.begin() + static_cast<std::ptrdiff_t>(wrt.size());
  return {Vars(g.begin(), middle), Vars(middle, g.end())};
}

}  // namespace damo
