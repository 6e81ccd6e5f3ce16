#pragma once
#include <optional>
#include <string>

#include "../../core/graph/op.h"

/// The op that ifelse makes.
namespace damo {

/// y_i = a_i if c is not 0, else b_i (inputs: c, a_0, a_1, ..., b_0, b_1, ...).
struct IfElse : OpOf<IfElse> {
  int n;

  explicit IfElse(int n_) : n(n_) {}
  bool operator==(const IfElse&) const = default;
  std::string name() const override { return n == 1 ? "ifelse" : fmt::format("ifelse{{{}}}", n); }

  Types infer(const Types& x) const override;

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override;
  std::optional<bool> needed_if(int input) const override;
  bool needs_value(int input) const override { return input == 0; }
  bool has_integer_form() const override { return n == 1; }
  std::int64_t integer(std::span<const std::int64_t> x) const override { return x[0] != 0 ? x[1] : x[2]; }

  void perform(const Views& x, const Views& y) const override;
};

}  // namespace damo
