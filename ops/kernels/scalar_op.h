#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "../../core/graph/op.h"

/// For authors of elementwise operations: a table whose rows are functions, value and derivative side by
/// side.
namespace damo {

/// n elements, a multiple of tile_lanes, at addresses that are multiples of 64 bytes; y may be one of x.
using TileKernel = void (*)(void* y, const void* const* x, int n);

inline constexpr int tile_lanes = 16;  ///< every kernel call covers whole packets, so that no element is
                                       ///< computed by other code because of where it stands
inline constexpr int tile_size = 512;  ///< elements at a time: a few tiles fit the first-level cache
inline constexpr int max_arity = 3;

/// How the dtypes of the operands become one.
enum class Promote {
  common,    ///< the smallest that holds all
  floating,  ///< the same, and integers become floats
  division,  ///< the same, and if all are integers, floatX
  power,     ///< common, and bool becomes int8
  numbers,   ///< common, and bool is refused
  branches,  ///< the first operand is a condition
};

/// The gradient of an operand divided by the gradient of the result.
enum class Slope {
  any,       ///< a function of the operands: it may be infinite or NaN
  constant,  ///< the same number everywhere
  choice,    ///< 1 where the operand is chosen, 0 elsewhere: the operand may have no value there
};

struct ScalarOp {
  std::string name;
  std::string symbol = {};
  int arity = 1;
  Promote promote = Promote::common;
  bool commutes = false;
  bool gives_bool = false;
  Slope slope = Slope::any;
  /// The result's dtype if it is always the same (cast).
  std::optional<DType> gives = {};
  TileKernel kernels[n_dtypes] = {};  ///< by the (last) operand's dtype
  /// The same for integers, computed in 64 bits; none if the operation is not defined for them.
  std::int64_t (*integer)(const std::int64_t* x) = nullptr;
  /// The gradients of a cost with respect to the operands, from its gradient g with respect to y.
  std::function<Vars(const Var& g, const Vars& x, const Var& y)> grad = {};
};

/// y_i = f(x_i, ...), with broadcasting.
class Elemwise : public OpOf<Elemwise> {
 public:
  explicit Elemwise(std::shared_ptr<const ScalarOp> f) : f_(std::move(f)) {}
  bool operator==(const Elemwise& other) const { return f_ == other.f_; }

  const ScalarOp& scalar() const { return *f_; }
  std::string name() const override { return f_->name; }
  std::string symbol() const override { return f_->symbol; }
  Types infer(const Types& x) const override;
  Var size(const Vars& x, int output, int axis) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  void perform(const Views& x, const Views& y) const override;
  bool commutes() const override { return f_->commutes; }
  bool is_elementwise() const override { return true; }
  bool overwrites(int, int) const override { return true; }
  bool has_integer_form() const override { return f_->integer != nullptr; }
  std::int64_t integer(std::span<const std::int64_t> x) const override { return f_->integer(x.data()); }

 private:
  std::shared_ptr<const ScalarOp> f_;
};

/// The dtype of functions of floats: that of a float; float32 holds the integers of up to 16 bits, float64
/// the others.
DType floating(DType dtype);
/// x as floats; `op` is what a warning about float64 names.
Var as_floats(const std::string& op, const Arg& x);

/// Promotes the operands' dtypes and applies `op`, an Elemwise.
Var elementwise(const OpPtr& op, const Args& args);

/// The row of an elementwise node, or null.
const ScalarOp* scalar_op(const Var& v);

/// The operands of v if it is f of them, as in operands_of<mul>(v); else null.
template <Var (*f)(const Arg&)>
const Vars* operands_of(const Var& v) {
  static const ScalarOp* const row = scalar_op(f(variable(Type(DType::float32, {}))));
  return scalar_op(v) == row ? &v.node().inputs : nullptr;
}
template <Var (*f)(const Arg&, const Arg&)>
const Vars* operands_of(const Var& v) {
  static const ScalarOp* const row =
      scalar_op(f(variable(Type(DType::float32, {})), variable(Type(DType::float32, {}))));
  return scalar_op(v) == row ? &v.node().inputs : nullptr;
}

/// Sizes and stretched axes of an elementwise result; the dtype is left alone.
Type broadcast(const Types& x);

/// The size of an axis of such a result: that of an operand that is not stretched there, or an empty Var.
Var size_of_broadcast(const Vars& x, int axis);

}  // namespace damo
