#pragma once
#include <atomic>
#include <utility>

#include "graph.h"

namespace damo {

/// What a Shared holds, and who uses it: one writer, or any number of readers. Nobody waits.
class Cell {
 public:
  Cell(Tensor v, bool is_resizable) : value(std::move(v)), resizable(is_resizable) {}

  Tensor value;
  const bool resizable;
  Finite finite = Finite::unknown;  ///< whether the value is known to be; see core/tensor/finite.h

  bool try_read();
  bool try_write();
  void end_read() { users_.fetch_sub(1, std::memory_order_release); }
  void end_write() { users_.store(0, std::memory_order_release); }

 private:
  static constexpr int writing = -1;
  std::atomic<int> users_{0};
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

  /// A copy of the value; with `.borrow = true` the live memory, to be read only. Throws Error while a
  /// function that updates the variable runs.
  Tensor get_value(GetValueArgs args = {}, Here at = {}) const;
  /// Copies `value` into the variable's memory, whose address stays. Throws Error if dtype, rank or (unless
  /// the variable is resizable) a size differ, and while a function that uses the variable runs.
  void set_value(const Tensor& value, Here at = {}) const;

  // W -= step would make W an expression: a new value comes by set_value, or by a function's updates.

  Var& operator+=(const Arg&) = delete;
  Var& operator-=(const Arg&) = delete;
  Var& operator*=(const Arg&) = delete;
  Var& operator/=(const Arg&) = delete;
};

/// A shared variable with the tensor's dtype, rank and sizes.
Shared shared(const Tensor& value, std::string name = {}, SharedArgs args = {}, Here at = {});

}  // namespace damo
