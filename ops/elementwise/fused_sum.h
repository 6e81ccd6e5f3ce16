#pragma once
#include <string>

#include "../array/reduction.h"
#include "fused.h"

namespace damo {

/// y = the sum of what a tile program computes, along the first or the last axes.
struct FusedSum : OpOf<FusedSum> {
  Fused fused;
  Reduce sum;

  FusedSum(Fused f, const Reduce& s) : fused(std::move(f)), sum(s) {}
  bool operator==(const FusedSum&) const = default;

  std::string name() const override { return sum.name() + " of " + fused.name(); }
  Types infer(const Types& x) const override { return sum.infer(fused.infer(x)); }

  void perform(const Views& x, const Views& y) const override;
};

}  // namespace damo
