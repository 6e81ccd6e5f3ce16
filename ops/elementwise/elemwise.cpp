#include "ops/elemwise.h"

#include "core/graph/warn_float64.h"
#include "ops/kernels/tile.h"
#include "ops/shape.h"

namespace damo {

Type broadcast(const Types& x) {
  int rank = 0;
  for (const Type& t : x) rank = std::max(rank, t.ndim());
  Type y(x.back().dtype, Sizes(rank, -1), (1U << rank) - 1U);
  for (int axis = 0; axis < rank; ++axis) {
    bool all_stretch = true;
    std::int64_t size = -1;
    for (const Type& t : x) {
      const int own = axis - (rank - t.ndim());
      if (own < 0 || t.stretches(own)) continue;
      all_stretch = false;
      const std::int64_t n = t.shape[own];
      if (n < 0) continue;
      check(size < 0 || size == n, "the sizes of axis {} differ, {} and {}{}", axis, size, n,
            size == 1 || n == 1
                ? ": a size of 1 is stretched only where it is declared, by row, col, dimshuffle with 'x' "
                  "or addbroadcast"
                : "");
      size = n;
    }
    y.shape[axis] = all_stretch ? 1 : size;
    if (!all_stretch) y.stretch &= ~(1U << axis);
  }
  return y;
}

Types Elemwise::infer(const Types& x) const {
  invariant(static_cast<int>(x.size()) == f_->arity, "{} takes {} operands, not {}", f_->name, f_->arity,
            x.size());
  Type y = broadcast(x);
  const DType operand = x.back().dtype;
  check(f_->kernels[static_cast<int>(operand)] != nullptr, "not defined for {}", operand);
  for (std::size_t i = f_->promote == Promote::branches ? 1 : 0; i < x.size(); ++i)
    invariant(x[i].dtype == operand, "the operands of {} were not promoted", f_->name);
  y.dtype = f_->gives_bool ? DType::bool_ : f_->gives.value_or(operand);
  if (y.ndim() == 0 && !y.is_float() && f_->integer != nullptr) {
    std::int64_t values[max_arity] = {};
    y.has_value = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
      y.has_value = y.has_value && x[i].has_value;
      values[i] = x[i].value;
    }
    if (y.has_value) y.value = Tensor(f_->integer(values)).astype(y.dtype).item<std::int64_t>();
  }
  return {y};
}

// The nearest to a leaf says it soonest.
Var size_of_broadcast(const Vars& x, int axis) {
  Var from;
  int own = 0, rank = 0;
  for (const Var& v : x) rank = std::max(rank, v.ndim());
  for (const Var& v : x) {
    const int at = axis - (rank - v.ndim());
    if (at < 0 || v.type().stretches(at)) continue;
    if (from.is_set() && v.node().kind == Node::Kind::apply) continue;
    from = v;
    own = at;
  }
  return from.is_set() ? shape(from, own) : Var();
}

Var Elemwise::size(const Vars& x, int, int axis) const { return size_of_broadcast(x, axis); }

Vars Elemwise::L_op(const Vars& x, const Vars& y, const Vars& gy) const {
  if (f_->grad) return f_->grad(gy[0], x, y[0]);
  // Comparisons and their like: constant between their steps.
  Vars gx;
  for (const Var& v : x) gx.push_back(zeros_like(v));
  return gx;
}

void Elemwise::perform(const Views& x, const Views& y) const {
  thread_local TileProgram program;
  program.n_inputs = f_->arity;
  program.code.resize(1);
  program.outputs.assign(1, f_->arity);
  TileProgram::Instruction& code = program.code[0];
  code.f = f_.get();
  code.kernel = x[f_->arity - 1].dtype;
  code.result = y[0].dtype;
  for (int a = 0; a < f_->arity; ++a) code.x[a] = a;
  run_tiles(program, x, y);
}

DType floating(DType d) {
  if (is_float(d)) return d;
  return size_of(d) <= 2 ? DType::float32 : DType::float64;
}

Var as_floats(const std::string& op, const Arg& x) {
  const Scope here(x);
  const DType dtype = floating(x.dtype());
  note_float64(op, {x}, dtype);
  return x.is_literal() ? x.var(dtype) : cast(x.var(), dtype);
}

namespace {

bool is_exact_float32(const Arg& a) {
  const double v = a.var(DType::float64).node().value.item<double>();
  return static_cast<double>(static_cast<float>(v)) == v;
}

DType common_dtype(const Args& args, std::size_t from) {
  std::optional<DType> dtype;
  for (std::size_t i = from; i < args.size(); ++i)
    if (!args[i].is_literal()) dtype = dtype ? promote(*dtype, args[i].dtype()) : args[i].dtype();
  for (std::size_t i = from; i < args.size(); ++i) {
    const Arg& a = args[i];
    if (!a.is_literal()) continue;
    if (a.is_float_literal() && dtype && is_float(*dtype)) continue;
    // Beside integers a float literal is as narrow as its value allows, as in Theano.
    const DType own = a.is_float_literal() && dtype && is_exact_float32(a) ? DType::float32 : a.dtype();
    dtype = dtype ? promote(*dtype, own) : own;
  }
  return *dtype;
}

}  // namespace

Var elementwise(const OpPtr& op, const Args& args) {
  const ScalarOp& f = static_cast<const Elemwise&>(*op).scalar();
  Where where;
  for (const Arg& a : args)
    if (!where.is_set()) where = a.where;
  const Scope here(where);
  for (const Arg& a : args)
    check(a.is_set(), "{}: an input is an empty Var: it was declared but never given an expression\n  {}",
          f.name, to_string(where));
  const std::size_t first = f.promote == Promote::branches ? 1 : 0;
  DType dtype = common_dtype(args, first);
  if (f.promote == Promote::floating) dtype = floating(dtype);
  if (f.promote == Promote::division && !is_float(dtype)) dtype = floatX();
  if (f.promote == Promote::power && dtype == DType::bool_) dtype = DType::int8;
  if (!f.gives_bool) note_float64(f.name, args, dtype);
  Vars inputs;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const DType wanted = i < first ? DType::bool_ : dtype;
    inputs.push_back(args[i].is_literal() ? args[i].var(wanted) : cast(args[i].var(), wanted));
  }
  return apply(op, std::move(inputs));
}

const ScalarOp* scalar_op(const Var& v) {
  const auto* op = op_as<Elemwise>(v);
  return op == nullptr ? nullptr : &op->scalar();
}

}  // namespace damo
