#pragma once
#include "core/graph.h"

namespace damo {

/// What a Shared holds.
struct Cell {
  Tensor value;
  bool resizable = false;
  Finite finite = Finite::unknown;  ///< whether the value is known to be; see core/finite.h
};

struct GetValueArgs {
  bool borrow = false;
};

struct SharedArgs {
  bool borrow = false;                   ///< keep the tensor itself instead of a copy
  std::vector<bool> broadcastable = {};  ///< axes of size 1 that elementwise operations may stretch
  bool resizable = false;                ///< the sizes may change
};

/// A Var with a value that functions read and update. Copies are the same variable.
class Shared : public Var {
 public:
  Shared() = default;
  explicit Shared(const Var& v);  ///< throws Error unless v is a shared variable's node

  /// A copy of the value; with `.borrow = true` the live memory, to be read only.
  Tensor get_value(GetValueArgs args = {}) const;
  /// Copies `value` into the variable's memory, whose address stays. Throws Error if dtype, rank or (unless
  /// the variable is resizable) a size differ.
  void set_value(const Tensor& value) const;
};

/// A shared variable with the tensor's dtype, rank and sizes.
Shared shared(const Tensor& value, std::string name = {}, SharedArgs args = {}, Here at = {});

}  // namespace damo
