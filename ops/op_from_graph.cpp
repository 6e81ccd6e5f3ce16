#include "ops/op_from_graph.h"

#include "core/body.h"
#include "core/op.h"
#include "core/walk.h"
#include "ops/grad.h"

namespace damo {
namespace {

/// y = f(x), f a graph.
struct GraphOp : OpOf<GraphOp> {
  struct Definition {
    Body body;
    OpFromGraphArgs args;
  };
  std::shared_ptr<const Definition> f;

  explicit GraphOp(std::shared_ptr<const Definition> f_) : f(std::move(f_)) {}
  bool operator==(const GraphOp&) const = default;
  std::string name() const override { return f->args.name; }
  const Body* body() const override { return &f->body; }

  Types infer(const Types& x) const override {
    const Vars& inputs = f->body.inputs;
    check(x.size() == inputs.size(), "it takes {} inputs, not {}", inputs.size(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Type& t = inputs[i].type();
      check(x[i].dtype == t.dtype && x[i].ndim() == t.ndim(), "input {} is {}, not {}", i, t, x[i]);
    }
    return infer_body(f->body, x);
  }

  // That of the graph, or what its author says.
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override {
    if (f->args.grad_overrides) {
      const Vars gx = f->args.grad_overrides(x, y, gy);
      check(gx.size() == x.size(), "{}: the given gradient has {} parts for {} inputs", name(), gx.size(),
            x.size());
      return gx;
    }
    VarMap<Var> by;
    Vars floats;
    GradArgs args{.disconnected_inputs = Disconnected::ignore};
    for (std::size_t i = 0; i < x.size(); ++i) {
      by.emplace(f->body.inputs[i], x[i]);
      if (x[i].type().is_float()) floats.push_back(f->body.inputs[i]);
    }
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!y[i].type().is_float()) continue;
      const Var& output = f->body.outputs[i];
      args.known_grads.emplace_back(output, variable(output.type(), "g" + std::to_string(i)));
      by.emplace(args.known_grads.back().second, gy[i]);
    }
    const Vars inner = grad(Var(), floats, args);
    Vars gx(x.size());
    for (std::size_t i = 0, next = 0; i < x.size(); ++i)
      if (x[i].type().is_float()) gx[i] = inner[next++];
    return substitute(gx, by);
  }
};

}  // namespace

OpFromGraph::OpFromGraph(const Vars& inputs, const Vars& outputs, OpFromGraphArgs args, Here at) {
  const Scope here(at);
  const Body body{inputs, outputs};
  try {
    check_body(body, args.name);
  } catch (const Error& e) {
    fail("{}\n  {}", e.what(), to_string(Scope::where()));
  }
  op_ = make_op(GraphOp(std::make_shared<GraphOp::Definition>(GraphOp::Definition{body, std::move(args)})));
}

Vars OpFromGraph::all(const Args& args) const {
  const Vars& inputs = op_->body()->inputs;
  Where where;
  for (const Arg& a : args)
    if (!where.is_set()) where = a.where;
  const Scope here(where);
  Vars x;
  for (std::size_t i = 0; i < args.size(); ++i) {
    // A literal takes the input's dtype.
    const bool known = i < inputs.size();
    x.push_back(known && args[i].is_literal() ? args[i].var(inputs[i].dtype()) : args[i].var());
    if (known && x[i].ndim() == inputs[i].ndim()) x[i] = with_stretch(x[i], inputs[i].type());
  }
  return apply_all(op_, std::move(x));
}

}  // namespace damo
