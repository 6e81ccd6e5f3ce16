#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "../../core/graph/op.h"
#include "zeros.h"

/// The ops of indexing; `index.h` has the functions that make them.
namespace damo {

/// How each axis is indexed; the bounds themselves are inputs, in the order of the text.
struct Spec {
  struct Axis {
    bool is_slice = true;
    bool has_start = false, has_stop = false, has_step = false;
    bool operator==(const Axis&) const = default;
  };
  std::vector<Axis> axes;
  bool operator==(const Spec&) const = default;

  /// x[:, :]: all of x.
  bool is_full() const {
    return std::all_of(axes.begin(), axes.end(), [](const Axis& a) {
      return a.is_slice && !a.has_start && !a.has_stop && !a.has_step;
    });
  }

  std::string text() const {
    std::string s;
    for (const Axis& a : axes) {
      if (!s.empty()) s += ", ";
      if (!a.is_slice)
        s += "i";
      else
        s += std::string(a.has_start ? "a" : "") + ":" + (a.has_stop ? "b" : "") + (a.has_step ? ":c" : "");
    }
    return s;
  }
};

/// i counted from the end if negative; throws Error unless it lies in [0, n).
std::int64_t checked_position(std::int64_t i, int axis, std::int64_t n);
/// Throws the Error of index i, element `at`, in row-major order, of an index array of that shape.
[[noreturn]] void reject_position(std::int64_t i, int axis, std::int64_t n, const Sizes& shape,
                                  std::int64_t at);

/// Writes y to part of an array, or adds it, y stretched to the part's shape.
void put(const View& part, const View& y, bool adds);

/// Throws Error unless y may be stretched to the indexed part.
void check_fits(const Type& y, const Type& part);

/// y = x[a:b:c, i, ...]: a view (inputs: x, bounds).
struct Subtensor : OpOf<Subtensor>, Chooses {
  Spec spec;

  explicit Subtensor(Spec s) : spec(std::move(s)) {}
  bool operator==(const Subtensor&) const = default;

  std::string name() const override { return "subtensor{" + spec.text() + "}"; }
  Types infer(const Types& x) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  bool needs_value(int input) const override { return input > 0; }
  int view_of() const override { return 0; }
  View view(const Views& x) const override;
};

/// z = x with x[...] set to y, or with y added to it (inputs: x, y, bounds).
struct IncSubtensor : OpOf<IncSubtensor>, Chooses {
  Spec spec;
  bool adds;

  IncSubtensor(Spec s, bool a) : spec(std::move(s)), adds(a) {}
  bool operator==(const IncSubtensor&) const = default;

  std::string name() const override {
    return std::string(adds ? "inc" : "set") + "_subtensor{" + spec.text() + "}";
  }
  Types infer(const Types& x) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  bool chooses() const override { return !adds; }
  bool needs_value(int input) const override { return input > 1; }
  bool overwrites(int, int input) const override { return input == 0; }
  void perform(const Views& x, const Views& y) const override;
};

/// y_p.. = x[i_p, j_p, ...]: elements, or rows, picked by arrays of integers (inputs: x, i, j, ...).
///
/// Of x[1:, i] and the like it is the middle step: slices were taken of x, and axes moved, before it, and
/// axes are moved back behind it. It remembers what was before, for set_subtensor.
struct AdvancedSubtensor : OpOf<AdvancedSubtensor>, Chooses {
  bool sliced = false;
  std::vector<int> order;  ///< of the axes that were moved, if they were

  bool operator==(const AdvancedSubtensor&) const = default;

  std::string name() const override { return "advanced_subtensor"; }
  Types infer(const Types& x) const override;
  Var size(const Vars& x, int output, int axis) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  bool can_fail() const override { return true; }
  OpPtr checks() const override;
  void perform(const Views& x, const Views& y) const override;
};

/// z = x with the picked elements set to y, or with y added to them; one that is picked twice has the last
/// value, or receives both (inputs: x, y, i, j, ...).
struct AdvancedIncSubtensor : OpOf<AdvancedIncSubtensor>, Chooses {
  bool adds;

  explicit AdvancedIncSubtensor(bool a) : adds(a) {}
  bool operator==(const AdvancedIncSubtensor&) const = default;

  std::string name() const override { return adds ? "advanced_inc_subtensor" : "advanced_set_subtensor"; }
  Types infer(const Types& x) const override;
  Vars L_op(const Vars& x, const Vars& y, const Vars& gy) const override;
  bool chooses() const override { return !adds; }
  bool overwrites(int, int input) const override { return input == 0; }
  bool can_fail() const override { return true; }
  OpPtr checks() const override;
  void perform(const Views& x, const Views& y) const override;
};

/// The positions where `mask` holds, along each of its axes; its sizes must be those of x from `axis` on.
Vars mask_positions(const Var& mask, const Var& x, int axis);

/// y_ij.. = x with the position along one axis given by `positions`, of the same rank.
Var along_axis(const Var& x, const Var& positions, int axis);

}  // namespace damo
