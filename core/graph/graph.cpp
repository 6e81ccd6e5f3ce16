#include "core/graph/graph.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <utility>

#include "core/graph/op.h"
#include "core/tensor/size.h"

namespace damo {
namespace {

struct ScopeState {
  Where where;
  Origin origin;
  bool open = false;
};

ScopeState& scope() {
  thread_local ScopeState state;
  return state;
}

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> id{0};
  return ++id;
}

std::shared_ptr<Node> new_node(Node::Kind kind, const Where& where) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->where = scope().open ? scope().where : where;
  node->origin = scope().origin;
  node->id = next_id();
  return node;
}

DType smallest_int(std::int64_t v) {
  const auto fits = [v](auto t) {
    using T = decltype(t);
    return v >= std::numeric_limits<T>::min() && v <= std::numeric_limits<T>::max();
  };
  if (fits(std::int8_t{})) return DType::int8;
  if (fits(std::int16_t{})) return DType::int16;
  return fits(std::int32_t{}) ? DType::int32 : DType::int64;
}

Var make_constant(const Tensor& value, const Where& where, bool weak) {
  const auto node = new_node(Node::Kind::constant, where);
  node->value = value;
  node->weak = weak;
  Type type(value.dtype(), value.shape());
  for (int i = 0; i < value.ndim(); ++i)
    if (value.shape(i) == 1) type.stretch |= 1U << i;
  if (value.ndim() == 0 && !type.is_float()) {
    type.has_value = true;
    type.value = value.item<std::int64_t>();
  }
  node->types = {type};
  return Var(node);
}

Var of_rank(int ndim, std::string name, DType dtype, const Here& at, std::uint32_t stretch = 0) {
  Type type(dtype, Sizes(ndim, -1), stretch);
  for (int i = 0; i < ndim; ++i)
    if (type.stretches(i)) type.shape[i] = 1;
  return variable(type, std::move(name), at);
}

}  // namespace

Node::~Node() {
  // Nodes whose last handle dies with this one wait in a list of their own.
  NodePtr dying;
  const auto let_go = [&dying](const Vars& vars) {
    for (const Var& v : vars) {
      NodePtr node = v.node_ptr();
      const_cast<Var&>(v) = Var();
      if (node.use_count() != 1 || node->inputs.empty()) continue;
      const NodePtr seen =
          node;  // after what other threads did with it: the count alone is read without order
      node->next_dying_ = std::move(dying);
      dying = std::move(node);
    }
  };
  let_go(inputs);
  while (dying != nullptr) {
    const NodePtr node = std::move(dying);
    dying = std::move(node->next_dying_);
    let_go(node->inputs);
  }
}

const Node& Var::node() const {
  check(is_set(), "an empty Var was used: it was declared but never given an expression");
  return *node_;
}

const Type& Var::type() const { return node().types[static_cast<std::size_t>(output_)]; }
const std::string& Var::name() const { return node().name; }

const Var& Var::named(std::string name) const {
  node().name = std::move(name);
  return *this;
}

Arg::Arg(const Tensor& value, Here at) : where(at) {
  check(value.is_set(), "an empty Tensor cannot stand in an expression");
  var_ = make_constant(value.copy(), at, false);
}

DType Arg::dtype() const {
  switch (literal_) {
    case Literal::none: return var().dtype();
    case Literal::boolean: return DType::bool_;
    case Literal::integer: return smallest_int(whole_);
    case Literal::floating: return floatX();
  }
  return DType::float32;
}

Var Arg::var() const {
  if (literal_ != Literal::none) return var(dtype());
  check(var_.is_set(), "an input is an empty Var: it was declared but never given an expression\n  {}",
        to_string(where));
  return var_;
}

Var Arg::var(DType dtype) const {
  if (literal_ == Literal::none) return var();
  Tensor value;
  if (literal_ == Literal::floating && damo::is_float(dtype)) {
    value = Tensor::full({}, dtype, number_);
  } else {
    constexpr double end = 0x1p63;
    const bool is_whole =
        literal_ != Literal::floating || (number_ == std::floor(number_) && number_ >= -end && number_ < end);
    check(is_whole, "{} cannot stand where {} is expected\n  {}", number_, dtype, to_string(where));
    const std::int64_t whole = literal_ == Literal::floating ? static_cast<std::int64_t>(number_) : whole_;
    value = Tensor(whole).astype(dtype);
    check(damo::is_float(dtype) || value.item<std::int64_t>() == whole, "{} does not fit {}\n  {}", whole,
          dtype, to_string(where));
  }
  return make_constant(value, where, true);
}

Scope::Scope(const Where& where)
    : where_before_(scope().where), origin_before_(scope().origin), open_before_(scope().open) {
  if (scope().open || !where.is_set()) return;
  scope().where = where;
  scope().open = true;
}

Scope::Scope(const Node& node, Origin origin)
    : where_before_(scope().where), origin_before_(scope().origin), open_before_(scope().open) {
  scope() = {node.where, std::move(origin), true};
}

Scope::~Scope() { scope() = {where_before_, std::move(origin_before_), open_before_}; }

const Where& Scope::where() { return scope().where; }
const Origin& Scope::origin() { return scope().origin; }

Vars apply_all(OpPtr op, const Args& args) {
  Where where;
  for (const Arg& a : args)
    if (!where.is_set()) where = a.where;
  const Scope here(where);
  Vars inputs;
  inputs.reserve(args.size());
  for (const Arg& a : args) inputs.push_back(a.var());
  return apply_all(std::move(op), std::move(inputs));
}

Vars apply_all(OpPtr op, Vars inputs) {
  check(op != nullptr, "an empty OpPtr was applied");
  Types types;
  types.reserve(inputs.size());
  for (const Var& v : inputs) {
    check(v.is_set(), "{}: an input is an empty Var: it was declared but never given an expression",
          op->name());
    types.push_back(v.type());
  }
  const auto node = new_node(Node::Kind::apply, {});
  try {
    node->types = op->infer(types);
    for (const Type& t : node->types) check_size(t);
  } catch (const Error& e) {
    throw Error(explain(op->name(), inputs, types, node->where, e.what(), {}));
  }
  node->op = std::move(op);
  node->inputs = std::move(inputs);
  const int n = static_cast<int>(node->types.size());
  const NodePtr done = node;
  Vars outputs;
  outputs.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) outputs.emplace_back(done, i);
  return outputs;
}

Var apply(OpPtr op, const Args& args) { return apply_all(std::move(op), args)[0]; }
Var apply(OpPtr op, Vars inputs) { return apply_all(std::move(op), std::move(inputs))[0]; }

Var variable(const Type& type, std::string name, Here at) {
  try {
    check_size(type);
  } catch (const Error& e) {
    throw Error(explain(name.empty() ? "variable" : name, {}, {}, at, e.what(), {}));
  }
  const auto node = new_node(Node::Kind::input, at);
  node->types = {type};
  node->name = std::move(name);
  return Var(node);
}

Var constant(const Tensor& value, std::string name, Here at) {
  check(value.is_set(), "an empty Tensor cannot be a constant");
  const Var v = make_constant(value.copy(), at, false);
  if (!name.empty()) v.named(std::move(name));
  return v;
}

Var scalar(std::string name, DType dtype, Here at) { return of_rank(0, std::move(name), dtype, at); }
Var vector(std::string name, DType dtype, Here at) { return of_rank(1, std::move(name), dtype, at); }
Var matrix(std::string name, DType dtype, Here at) { return of_rank(2, std::move(name), dtype, at); }
Var row(std::string name, DType dtype, Here at) { return of_rank(2, std::move(name), dtype, at, 1U); }
Var col(std::string name, DType dtype, Here at) { return of_rank(2, std::move(name), dtype, at, 2U); }
Var tensor3(std::string name, DType dtype, Here at) { return of_rank(3, std::move(name), dtype, at); }
Var tensor4(std::string name, DType dtype, Here at) { return of_rank(4, std::move(name), dtype, at); }

Var bscalar(std::string name, Here at) { return of_rank(0, std::move(name), DType::int8, at); }
Var iscalar(std::string name, Here at) { return of_rank(0, std::move(name), DType::int32, at); }
Var lscalar(std::string name, Here at) { return of_rank(0, std::move(name), DType::int64, at); }
Var fscalar(std::string name, Here at) { return of_rank(0, std::move(name), DType::float32, at); }
Var dscalar(std::string name, Here at) { return of_rank(0, std::move(name), DType::float64, at); }
Var bvector(std::string name, Here at) { return of_rank(1, std::move(name), DType::int8, at); }
Var ivector(std::string name, Here at) { return of_rank(1, std::move(name), DType::int32, at); }
Var lvector(std::string name, Here at) { return of_rank(1, std::move(name), DType::int64, at); }
Var fvector(std::string name, Here at) { return of_rank(1, std::move(name), DType::float32, at); }
Var dvector(std::string name, Here at) { return of_rank(1, std::move(name), DType::float64, at); }
Var bmatrix(std::string name, Here at) { return of_rank(2, std::move(name), DType::int8, at); }
Var imatrix(std::string name, Here at) { return of_rank(2, std::move(name), DType::int32, at); }
Var lmatrix(std::string name, Here at) { return of_rank(2, std::move(name), DType::int64, at); }
Var fmatrix(std::string name, Here at) { return of_rank(2, std::move(name), DType::float32, at); }
Var dmatrix(std::string name, Here at) { return of_rank(2, std::move(name), DType::float64, at); }

std::string label(const Var& v) {
  if (!v.is_set()) return "<empty>";
  const Node& node = v.node();
  if (!node.name.empty()) return node.name;
  switch (node.kind) {
    case Node::Kind::constant: return node.value.ndim() == 0 ? to_string(node.value) : "<constant>";
    case Node::Kind::input: return "<unnamed input>";
    case Node::Kind::shared: return "<unnamed shared>";
    case Node::Kind::apply: return node.op->name();
  }
  return {};
}

std::string to_string(const Where& where) {
  return where.is_set() ? fmt::format("at {}:{}", where.file, where.line) : std::string{};
}

Vars::Vars(const std::vector<Arg>& list) {
  reserve(list.size());
  for (const Arg& a : list) push_back(a.var());
}

}  // namespace damo
