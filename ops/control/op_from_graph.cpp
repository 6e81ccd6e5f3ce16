#include "ops/op_from_graph.h"

#include "core/graph/walk.h"
#include "ops/array/structure.h"
#include "ops/control/graph_op.h"
#include "ops/grad.h"

namespace damo {
Types GraphOp::infer(const Types& x) const {
  const Vars& inputs = f->body.inputs;
  const std::size_t n_outside = inputs.size() - f->n_inputs;
  check(x.size() == inputs.size(), "it takes {} inputs, not {}", f->n_inputs, x.size() - n_outside);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Type& t = inputs[i].type();
    check(x[i].dtype == t.dtype && x[i].ndim() == t.ndim(), "input {} is {}, not {}", i, t, x[i]);
  }
  return infer_body(f->body, x);
}

// That of the graph, or what its author says.
Vars GraphOp::L_op(const Vars& x, const Vars& y, const Vars& gy) const {
  const std::size_t n = f->args.grad_overrides ? f->n_inputs : 0;
  Vars gx(n);
  if (n > 0) {
    const auto first = [](const Vars& v, std::size_t k) {
      return Vars(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(k));
    };
    gx = f->args.grad_overrides(first(x, n), first(y, f->n_outputs), first(gy, f->n_outputs));
    check(gx.size() == n, "{}: the given gradient has {} parts for {} inputs", name(), gx.size(), n);
  }
  const Vars rest = gradient_of_graph(n, x, y, gy);
  gx.insert(gx.end(), rest.begin(), rest.end());
  return gx;
}

Vars GraphOp::gradient_of_graph(std::size_t first, const Vars& x, const Vars& y, const Vars& gy) const {
  const Body& body = f->body;
  VarMap<Var> by;
  Vars floats;
  for (std::size_t i = 0; i < x.size(); ++i) {
    by.emplace(body.inputs[i], x[i]);
    if (i >= first && x[i].type().is_float()) floats.push_back(body.inputs[i]);
  }
  // What was drawn is read, not drawn again.
  for (std::size_t i = f->n_outputs; i < y.size(); ++i)
    if (body.next_of[i] < 0) by.emplace(body.outputs[i], y[i]);

  const auto is_used = [&](std::size_t i) { return y[i].type().is_float() && !is_zero(gy[i]); };
  bool all_zero = true;
  for (std::size_t i = 0; i < y.size(); ++i) all_zero = all_zero && !is_used(i);
  GradArgs args{.disconnected_inputs = Disconnected::ignore};
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!is_used(i) && !(all_zero && i < f->n_outputs && y[i].type().is_float())) continue;
    const Var& output = body.outputs[i];
    args.known_grads.emplace_back(output, variable(output.type(), "g" + std::to_string(i)));
    by.emplace(args.known_grads.back().second, gy[i]);
  }
  Vars inner(floats.size());
  if (!floats.empty() && !args.known_grads.empty()) inner = grad(Var(), floats, args);
  Vars gx(x.size() - first);
  for (std::size_t i = first, next = 0; i < x.size(); ++i)
    if (x[i].type().is_float()) gx[i - first] = inner[next++];
  return substitute(gx, by);
}

OpFromGraph::OpFromGraph(const Vars& inputs, const Vars& outputs, OpFromGraphArgs args, Here at) {
  const Scope here(at);
  try {
    Closed graph = closed(inputs, outputs, args.name);
    op_ = make_op(GraphOp(std::make_shared<GraphOp::Definition>(GraphOp::Definition{
        std::move(graph.body), inputs.size(), outputs.size(), std::move(graph.outside), std::move(args)})));
  } catch (const Error& e) {
    fail("{}\n  {}", e.what(), to_string(Scope::where()));
  }
}

Vars OpFromGraph::all(const Args& args) const {
  const GraphOp::Definition& f = *static_cast<const GraphOp&>(*op_).f;
  const Vars& inputs = f.body.inputs;
  Where where;
  for (const Arg& a : args)
    if (!where.is_set()) where = a.where;
  const Scope here(where);
  Vars x;
  for (std::size_t i = 0; i < args.size(); ++i) {
    // A literal takes the input's dtype.
    const bool known = i < f.n_inputs;
    x.push_back(known && args[i].is_literal() ? args[i].var(inputs[i].dtype()) : args[i].var());
    if (known && x[i].ndim() == inputs[i].ndim()) x[i] = with_stretch(x[i], inputs[i].type());
  }
  x.insert(x.end(), f.outside.begin(), f.outside.end());
  Vars y = apply_all(op_, std::move(x));
  y.resize(f.n_outputs);
  return y;
}

}  // namespace damo
