#pragma once
#include "op.h"

/// The two ops that core itself needs: they change no element.
namespace damo {

/// y = x, in memory of its own: what leaves a function, or outlives an update, is copied by it.
struct Copy : OpOf<Copy> {
  std::string name() const override { return "copy"; }
  Types infer(const Types& x) const override { return {x[0]}; }
  Vars L_op(const Vars&, const Vars&, const Vars& gy) const override { return {gy[0]}; }
  void perform(const Views& x, const Views& y) const override { copy_into(y[0], x[0]); }
};

/// y = x, with other axes declared to stretch.
struct Restretch : OpOf<Restretch> {
  std::uint32_t stretch = 0;

  explicit Restretch(std::uint32_t s) : stretch(s) {}
  bool operator==(const Restretch&) const = default;
  std::string name() const override { return "restretch"; }
  Types infer(const Types& x) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  int view_of() const override { return 0; }
  View view(const Views& x) const override;
};

}  // namespace damo
