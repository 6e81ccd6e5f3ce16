#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <typeinfo>

#include "../tensor/check.h"
#include "graph.h"

/// For authors of ops.
namespace damo {

struct Body;

/// The arrays a kernel reads or writes.
class Views {
 public:
  Views(View* const* views, int n) : views_(views), n_(n) {}
  View& operator[](int i) const { return *views_[i]; }
  int size() const { return n_; }

 private:
  View* const* views_;
  int n_;
};

/// Runs a Body for the op that holds it, in memory that is kept from call to call.
class BodyRunner {
 public:
  virtual ~BodyRunner() = default;
  /// What the next run reads, one for each of the Body's inputs; to be set before the first.
  virtual std::span<View> inputs() = 0;
  /// Where the next run writes, in row-major order, one for each output. Where `data` is null it writes to
  /// memory of its own, of which the view is one afterwards, until the next run.
  virtual std::span<View> outputs() = 0;
  virtual void run_body() = 0;
};

/// An operation: pure, and identified by its fields. In this order: equation, infer, L_op, perform.
class Op {
 public:
  virtual ~Op() = default;

  virtual std::string name() const = 0;

  /// The outputs' types, given the inputs': at build with what is known, before each call of a new shape with
  /// all sizes. The only shape function. Throws Error with the reason alone; op, inputs and place are added
  /// outside.
  virtual Types infer(const Types& x) const = 0;

  /// The size of an axis of an output, as graph code over the inputs' sizes, if it is that simple: what only
  /// a size is asked of need not be computed. An empty Var: it is not.
  virtual Var size(const Vars& x, int output, int axis) const;

  /// The gradient of a cost with respect to each input, as graph code, given the inputs, outputs, and the
  /// cost's gradient with respect to each output (never empty). An empty Var: the cost does not depend on
  /// that input.
  virtual Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const;

  /// Computes the outputs, which have the inferred shapes and are row-major unless `view_of` says otherwise.
  virtual void perform(const Views& x, const Views& y) const;

  /// Additions and multiplications that `perform` does, for profiles; 0: not worth counting.
  virtual double flops(const Views& x, const Views& y) const;

  virtual bool same_as(const Op& other) const = 0;

  /// f(a, b) = f(b, a).
  virtual bool commutes() const { return false; }
  virtual bool is_elementwise() const { return false; }
  /// Output 0 is a view of this input (-1: of none), made by `view` instead of `perform`.
  virtual int view_of() const { return -1; }
  virtual View view(const Views& x) const;
  /// Whether that input must be row-major for it (then the view is, too).
  virtual bool needs_row_major() const { return false; }
  /// Whether `output` may be written over `input` when both have the same size and layout.
  virtual bool overwrites(int output, int input) const;
  /// Whether `infer` or `view` uses the value of this input, an integer scalar.
  virtual bool needs_value(int input) const;
  /// Whether `perform` reads the elements of this input (else only its sizes).
  virtual bool reads(int input) const;
  /// Whether `perform` may throw on bad values, or for want of memory that it does not keep from call to
  /// call; it must do so before it writes anything.
  virtual bool can_fail() const { return false; }
  /// An op without outputs that throws what this one may throw, given the same inputs, but reads only those
  /// that decide it; null if there is none. With it several variables are updated in place: first all is
  /// checked, then all is written.
  virtual OpPtr checks() const;
  /// A node with an effect is never merged, dropped or doubled.
  virtual bool has_effect() const { return false; }
  /// This input is needed only if input 0, an integer scalar, is not 0 (true), or is 0 (false); nothing: it
  /// is needed anyway. What nobody else needs is computed only then, and `L_op` says the gradient for that
  /// case.
  virtual std::optional<bool> needed_if(int input) const;
  /// The graph that it stands for, or runs.
  virtual const Body* body() const { return nullptr; }
  /// Whether a function puts the Body in the node's place; else the op runs it, by `loop`.
  virtual bool inlines() const { return true; }
  /// The same, running another Body of the same inputs and outputs.
  virtual OpPtr with_body(Body body) const;
  /// What `perform` is for other ops.
  virtual void loop(const Views& x, const Views& y, BodyRunner& body) const;
  /// The input whose next value `output` is (random states), or -1.
  virtual int next_of(int output) const;
  /// Integer functions of integer scalars: bounds and lengths are computed by them before any kernel runs.
  virtual bool has_integer_form() const { return false; }
  virtual std::int64_t integer(std::span<const std::int64_t> x) const;
  /// How an infix operator is printed ("+"), or "".
  virtual std::string symbol() const { return {}; }
};

/// Gives an op its identity: the fields, by a defaulted operator==.
template <class Self>
class OpOf : public Op {
 public:
  bool same_as(const Op& other) const override {
    return typeid(other) == typeid(Self) &&
           static_cast<const Self&>(other) == static_cast<const Self&>(*this);
  }
  bool operator==(const OpOf&) const { return true; }
};

template <class T>
OpPtr make_op(T op) {
  return std::make_shared<const T>(std::move(op));
}

/// The op of a node, or of the node that computes v, if it is a T; else null.
template <class T>
const T* op_as(const Node& node) {
  return node.kind == Node::Kind::apply ? dynamic_cast<const T*>(node.op.get()) : nullptr;
}
template <class T>
const T* op_as(const Var& v) {
  return op_as<T>(v.node());
}

/// An axis counted from the end if negative; throws Error if it does not exist.
int checked_axis(int axis, int ndim);

/// A whole message: the op and the reason, each input with its type and label, the user's line, the function.
std::string explain(const std::string& op, const Vars& inputs, const Types& types, const Where& where,
                    const std::string& reason, const std::string& function);

/// An error raised before there is a node, with the op, its inputs and the user's line.
Error completed(const std::string& op, const Vars& inputs, const Error& e);

/// f(), whose errors are completed so.
template <class F>
auto checking(const std::string& op, const Vars& inputs, F f) {
  try {
    return f();
  } catch (const Error& e) {
    throw completed(op, inputs, e);
  }
}

}  // namespace damo
