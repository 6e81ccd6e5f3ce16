#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../tensor/error.h"
#include "../tensor/tensor.h"
#include "../tensor/type.h"

/// The expression graph: immutable nodes, and handles to them. Rewriting makes a new graph.
namespace damo {

class Op;
class Node;
class Index;
class Arg;
class Cell;
class Shape;
using OpPtr = std::shared_ptr<const Op>;
using NodePtr = std::shared_ptr<const Node>;

/// The line of the caller, as a defaulted parameter.
struct Here : Where {
  Here(const char* file_ = __builtin_FILE(), int line_ = __builtin_LINE()) : Where{file_, line_} {}
};

/// Why a node exists.
struct Origin {
  enum class Kind { user, gradient, rule };
  Kind kind = Kind::user;
  std::string of;  ///< the op whose gradient it belongs to, or the rule that made it
};

/// A symbolic value: a handle to one output of a node. Copies share the node; a default Var is empty.
///
/// There is no == (`eq(x, y)` compares elements, `same(a, b)` asks for identity) and no conversion to bool
/// (`is_set()` asks whether the handle is empty).
class Var {
 public:
  Var() = default;
  explicit Var(NodePtr node, int output = 0) : node_(std::move(node)), output_(output) {}

  bool is_set() const { return node_ != nullptr; }
  const Node& node() const;  ///< throws Error if the handle is empty
  const NodePtr& node_ptr() const { return node_; }
  int output() const { return output_; }
  const Type& type() const;
  DType dtype() const { return type().dtype; }
  int ndim() const { return type().ndim(); }

  /// The name that the user gave, or "".
  const std::string& name() const;
  /// Gives the node a name, for printing and for keyword arguments; returns the Var itself.
  const Var& named(std::string name) const;

  bool operator==(const Var&) const = delete;

  // Defined in ops, with the functions they stand for.

  Var T(Here at = {}) const;  ///< the axes in reverse order
  /// The axes in a new order; 'x' adds an axis of size 1 that elementwise operations may stretch. An axis
  /// that is left out must be declared to have size 1.
  Var dimshuffle(const std::vector<int>& pattern, Here at = {}) const;
  Var reshape(const Shape& shape, Here at = {}) const;  ///< one size may be -1
  Var flatten(int ndim = 1, Here at = {}) const;
  Var shape(Here at = {}) const;  ///< int64 vector of the sizes
  Var shape(int axis,
            Here at = {}) const;  ///< int64 scalar: the size of one axis, counted from the end if negative
  Var astype(DType dtype, Here at = {}) const;
  /// Basic indexing by integers, `slice(a, b, step)` and symbolic scalars gives a view; arrays of integers
  /// and masks pick elements: `p[{arange(n), y}]`, `x[x > 0]`. See ops/index.h.
  Var operator[](const Index& index) const;
  Var operator[](std::initializer_list<Index> index) const;
  /// The value, computed now, by a function made for it, where these Vars have these values. Random variables
  /// are drawn. Throws Error as `function` and its call do.
  Tensor eval(const std::vector<std::pair<Var, Tensor>>& values = {}, Here at = {}) const;

  // h += x is h = h + x: the handle then stands for the sum, and the graph it stood for is as it was.

  Var& operator+=(const Arg& x);
  Var& operator-=(const Arg& x);
  Var& operator*=(const Arg& x);
  Var& operator/=(const Arg& x);

 private:
  NodePtr node_;
  int output_ = 0;
};

/// A list of variables: a vector that other lists of variables (of Shareds, of Args) convert to.
class Vars : public std::vector<Var> {
 public:
  using std::vector<Var>::vector;
  Vars() = default;
  template <class T>
  requires std::convertible_to<const T&, Var> Vars(const std::vector<T>& list)
      : std::vector<Var>(list.begin(), list.end()) {}
  Vars(std::vector<Var> list) : std::vector<Var>(std::move(list)) {}
  Vars(const std::vector<Arg>& list);  ///< numbers become constants
};

/// Whether both are the same output of the same node.
inline bool same(const Var& a, const Var& b) {
  return a.node_ptr() == b.node_ptr() && a.output() == b.output();
}

struct VarHash {
  std::size_t operator()(const Var& v) const {
    return std::hash<const void*>()(v.node_ptr().get()) * 31 + static_cast<std::size_t>(v.output());
  }
};
struct VarSame {
  bool operator()(const Var& a, const Var& b) const { return same(a, b); }
};
template <class T>
using VarMap = std::unordered_map<Var, T, VarHash, VarSame>;

/// One step of a computation, or a leaf.
class Node {
 public:
  enum class Kind { input, constant, shared, apply };

  Kind kind = Kind::input;
  OpPtr op;                    ///< of an apply node
  Vars inputs;                 ///< of an apply node
  Types types;                 ///< one per output
  Tensor value;                ///< of a constant
  bool weak = false;           ///< a constant that was a literal: it takes its neighbour's dtype
  std::shared_ptr<Cell> cell;  ///< of a shared variable
  Where where;                 ///< the user's line
  Origin origin;
  std::uint64_t id = 0;  ///< in the order of creation
  mutable std::string name;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();  ///< a loop, for a chain may be 100 000 nodes long; allocates nothing

 private:
  mutable NodePtr next_dying_;  ///< of those that a dying node takes with it
};

/// What public functions take: a Var, a Shared, a Tensor (a constant) or a number, with the user's line.
///
/// Numbers are weak: a float literal takes the dtype of the operand beside it if that is a float, an integer
/// literal the smallest integer type that holds it.
class Arg {
 public:
  Arg(const Var& v, Here at = {}) : where(at), var_(v) {}
  Arg(const Tensor& value, Here at = {});
  template <class T>
  requires std::is_arithmetic_v<T> Arg(T number, Here at = {})
      : where(at),
        literal_(std::is_same_v<T, bool>       ? Literal::boolean
                 : std::is_floating_point_v<T> ? Literal::floating
                                               : Literal::integer) {
    if constexpr (std::is_floating_point_v<T>)
      number_ = static_cast<double>(number);
    else
      whole_ = static_cast<std::int64_t>(number);
  }

  bool is_set() const { return is_literal() || var_.is_set(); }
  bool is_literal() const { return literal_ != Literal::none; }
  bool is_float_literal() const { return literal_ == Literal::floating; }
  /// The Var; a literal becomes a constant of its own dtype: floatX, or the smallest integer type that holds
  /// it.
  Var var() const;
  /// The Var; a literal becomes a constant of `dtype`. Throws Error if it is not whole and `dtype` is an
  /// integer.
  Var var(DType dtype) const;
  /// The dtype of var().
  DType dtype() const;

  Where where;

 private:
  enum class Literal { none, boolean, integer, floating };
  Var var_;
  Literal literal_ = Literal::none;
  double number_ = 0;
  std::int64_t whole_ = 0;
};

/// A list of what public functions take; lists of variables and of numbers convert to it.
class Args : public std::vector<Arg> {
 public:
  using std::vector<Arg>::vector;
  Args() = default;
  template <class T>
  requires std::convertible_to<const T&, Arg> Args(const std::vector<T>& list, Here at = {}) {
    reserve(list.size());
    for (const T& x : list) emplace_back(x, at);
  }
  Args(std::vector<Arg> list) : std::vector<Arg>(std::move(list)) {}
};

/// A list of sizes, integers and integer scalars: {n, 3}. A vector of integers of known length stands for its
/// elements: zeros(x.shape()).
class Shape : public Args {
 public:
  Shape() = default;
  Shape(std::initializer_list<Arg> sizes) : Shape(Args(sizes)) {}
  Shape(const Args& sizes);  ///< throws Error if a vector's length is not known
  template <class T>
  requires std::convertible_to<const T&, Arg> Shape(const T& sizes, Here at = {}) : Shape({Arg(sizes, at)}) {}
  template <class T>
  requires std::convertible_to<const T&, Arg> Shape(const std::vector<T>& sizes, Here at = {})
      : Shape(Args(sizes, at)) {}
  Shape(const Sizes& sizes, Here at = {}) : Args(std::vector<std::int64_t>(sizes.begin(), sizes.end()), at) {}
};

/// While the outermost public function runs, new nodes belong to the line that called it.
class Scope {
 public:
  explicit Scope(const Where& where);  ///< has no effect inside another Scope
  explicit Scope(const Arg& arg) : Scope(arg.where) {}
  /// For grad and rewriting: new nodes belong to the line of `node`.
  Scope(const Node& node, Origin origin);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  static const Where& where();
  static const Origin& origin();

 private:
  Where where_before_;
  Origin origin_before_;
  bool open_before_;
};

/// Makes a node and returns its outputs. The inputs' types are checked by the op's `infer`; what it throws is
/// completed with the op, the inputs and the user's line.
Vars apply_all(OpPtr op, const Args& args);
Vars apply_all(OpPtr op, Vars inputs);
Var apply(OpPtr op, const Args& args);
Var apply(OpPtr op, Vars inputs);

/// A free symbolic variable of the given type: an input of functions.
Var variable(const Type& type, std::string name = {}, Here at = {});
/// A constant; the tensor is copied.
Var constant(const Tensor& value, std::string name = {}, Here at = {});

/// Variables by rank; the dtype is floatX unless given. -1 sizes are unknown; `row` and `col` may be
/// stretched.
Var scalar(std::string name = {}, DType dtype = floatX(), Here at = {});
Var vector(std::string name = {}, DType dtype = floatX(), Here at = {});
Var matrix(std::string name = {}, DType dtype = floatX(), Here at = {});
Var row(std::string name = {}, DType dtype = floatX(), Here at = {});  ///< (1, n)
Var col(std::string name = {}, DType dtype = floatX(), Here at = {});  ///< (n, 1)
Var tensor3(std::string name = {}, DType dtype = floatX(), Here at = {});
Var tensor4(std::string name = {}, DType dtype = floatX(), Here at = {});

// Theano's prefixes: b int8, i int32, l int64, f float32, d float64.
Var bscalar(std::string name = {}, Here at = {});
Var iscalar(std::string name = {}, Here at = {});
Var lscalar(std::string name = {}, Here at = {});
Var fscalar(std::string name = {}, Here at = {});
Var dscalar(std::string name = {}, Here at = {});
Var bvector(std::string name = {}, Here at = {});
Var ivector(std::string name = {}, Here at = {});
Var lvector(std::string name = {}, Here at = {});
Var fvector(std::string name = {}, Here at = {});
Var dvector(std::string name = {}, Here at = {});
Var bmatrix(std::string name = {}, Here at = {});
Var imatrix(std::string name = {}, Here at = {});
Var lmatrix(std::string name = {}, Here at = {});
Var fmatrix(std::string name = {}, Here at = {});
Var dmatrix(std::string name = {}, Here at = {});

/// What a message calls a Var: its name, the value of a scalar constant, or its op.
std::string label(const Var& v);

/// "at models/logistic_regression.cpp:14", or "".
std::string to_string(const Where& where);

}  // namespace damo
