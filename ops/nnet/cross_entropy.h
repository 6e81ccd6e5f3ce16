#pragma once
#include <string>

#include "../../core/graph/op.h"

namespace damo {

// y_0_i = log sum_j exp(x_ij) - x_i,label_i and y_1 = v_i (1[j = label_i] - softmax(x)_ij), which is minus
// its gradient times v_i; rows of x beyond the labels have zeros (inputs: x, labels, their number, v).
struct CrossEntropy : OpOf<CrossEntropy> {
  std::string name() const override { return "cross_entropy"; }

  Types infer(const Types& x) const override;

  bool needs_value(int input) const override { return input == 2; }
  bool reads(int input) const override { return input != 2; }
  bool overwrites(int output, int input) const override { return output == 1 && input == 0; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override;
};

}  // namespace damo
