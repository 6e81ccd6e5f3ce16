#pragma once
#include <memory>
#include <string>

#include "../../core/graph/body.h"
#include "../../core/graph/op.h"
#include "../op_from_graph.h"

/// The op that OpFromGraph makes.
namespace damo {

/// y = f(x), f a graph. Inputs and outputs beyond those of the user make it closed.
struct GraphOp : OpOf<GraphOp> {
  struct Definition {
    Body body;
    std::size_t n_inputs, n_outputs;  ///< the user's
    Vars outside;                     ///< what the other inputs stand for
    OpFromGraphArgs args;
  };
  std::shared_ptr<const Definition> f;

  explicit GraphOp(std::shared_ptr<const Definition> f_) : f(std::move(f_)) {}
  bool operator==(const GraphOp& other) const {
    if (f == other.f) return true;
    const bool plain = !f->args.grad_overrides && !other.f->args.grad_overrides;
    return plain && f->args.name == other.f->args.name && f->n_inputs == other.f->n_inputs &&
           f->n_outputs == other.f->n_outputs && f->body == other.f->body;
  }
  std::string name() const override { return f->args.name; }
  const Body* body() const override { return &f->body; }
  int next_of(int output) const override { return f->body.next_of[static_cast<std::size_t>(output)]; }

  Types infer(const Types& x) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;

  /// With respect to the inputs from the first on.
  Vars gradient_of_graph(std::size_t first, const Vars& x, const Vars& y, const Vars& gy) const;
};

}  // namespace damo
