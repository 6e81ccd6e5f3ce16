#pragma once
#include <string>
#include <vector>

#include "../../core/graph/op.h"

/// The ops of shapes; `shape.h` has the functions that make them.
namespace damo {

/// y = the size of one axis.
struct ShapeOf : OpOf<ShapeOf> {
  int axis;

  explicit ShapeOf(int a) : axis(a) {}
  bool operator==(const ShapeOf&) const = default;

  std::string name() const override { return fmt::format("shape{{{}}}", axis); }
  Types infer(const Types& x) const override;
  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return {Var()}; }
  bool reads(int) const override { return false; }
};

/// y_ij.. = x with its axes in another order; -1 stands for a new axis of size 1.
struct DimShuffle : OpOf<DimShuffle> {
  std::vector<int> pattern;
  int ndim;

  DimShuffle(std::vector<int> p, int n) : pattern(std::move(p)), ndim(n) {}
  bool operator==(const DimShuffle&) const = default;
  std::string name() const override;
  Types infer(const Types& x) const override;
  Var size(const Vars& x, int, int axis) const override;
  Vars L_op(const Vars&, const Vars&, const Vars& gy) const override;

  int view_of() const override { return 0; }
  View view(const Views& x) const override;
};

/// y = x's elements, in row-major order, under another shape (inputs: x, sizes).
struct Reshape : OpOf<Reshape> {
  std::uint32_t stretch;

  explicit Reshape(std::uint32_t s) : stretch(s) {}
  bool operator==(const Reshape&) const = default;

  std::string name() const override { return "reshape"; }

  Types infer(const Types& x) const override;
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override;

  bool needs_value(int input) const override { return input > 0; }
  int view_of() const override { return 0; }
  bool needs_row_major() const override { return true; }
  View view(const Views& x) const override;
};

/// y = x stretched to a shape (inputs: x, sizes).
struct Alloc : OpOf<Alloc> {
  std::uint32_t stretch;

  explicit Alloc(std::uint32_t s) : stretch(s) {}
  bool operator==(const Alloc&) const = default;

  std::string name() const override { return "alloc"; }

  Types infer(const Types& x) const override;
  Var size(const Vars& x, int, int axis) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;

  bool needs_value(int input) const override { return input > 0; }
  bool reads(int input) const override { return input == 0; }

  void perform(const Views& x, const Views& y) const override;
};

/// y = the inputs one behind the other along an axis.
struct Join : OpOf<Join> {
  int axis;

  explicit Join(int a) : axis(a) {}
  bool operator==(const Join&) const = default;

  std::string name() const override { return fmt::format("join{{{}}}", axis); }

  Types infer(const Types& x) const override;
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override;
  void perform(const Views& x, const Views& y) const override;
};

}  // namespace damo
