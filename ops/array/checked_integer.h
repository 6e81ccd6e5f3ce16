#pragma once
#include <array>

#include "../../core/graph/op.h"

namespace damo {

/// An integer that is computed from two others by Self::integer, which throws where they do not go together.
template <class Self>
struct CheckedInteger : OpOf<Self> {
  Types infer(const Types& x) const override {
    Type y(DType::int64, {});
    y.has_value = x[0].has_value && x[1].has_value;
    if (y.has_value) y.value = this->integer(std::array{x[0].value, x[1].value});
    return {y};
  }
  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(2); }
  bool has_integer_form() const override { return true; }
  bool can_fail() const override { return true; }
  void perform(const Views& x, const Views& y) const override {
    *y[0].ptr<std::int64_t>() =
        this->integer(std::array{*x[0].ptr<std::int64_t>(), *x[1].ptr<std::int64_t>()});
  }
};

}  // namespace damo
