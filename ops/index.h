#pragma once
#include <concepts>
#include <optional>

#include "../core/graph/graph.h"

namespace damo {

/// a:b:step; an empty Arg stands for an end left out.
struct Slice {
  std::optional<Arg> start, stop, step;
};

inline constexpr std::nullopt_t none = std::nullopt;  ///< slice(none, 3) is :3

Slice slice(std::optional<Arg> start, std::optional<Arg> stop, std::optional<Arg> step = std::nullopt);

/// A new axis of size 1, which elementwise operations may stretch: x[{slice(none, none), newaxis}].
struct NewAxis {};
inline constexpr NewAxis newaxis{};

/// As many full slices as there are axes left: x[{ellipsis, 0}].
struct Ellipsis {};
inline constexpr Ellipsis ellipsis{};

/// One place in the brackets of `x[...]`: an integer, a slice, an array of integers, a mask (an array of bool
/// with one or more of x's axes), `newaxis` or `ellipsis`.
class Index {
 public:
  Index(const Slice& s, Here at = {}) : where(at), slice_(s) {}
  Index(NewAxis, Here at = {}) : where(at), is_newaxis_(true) {}
  Index(Ellipsis, Here at = {}) : where(at), is_ellipsis_(true) {}
  Index(const Var& v, Here at = {}) : where(at), arg_(Arg(v, at)) {}
  template <class T>
  requires std::is_integral_v<T> Index(T i, Here at = {}) : where(at), arg_(Arg(i, at)) {}
  const std::optional<Slice>& slice() const { return slice_; }
  const std::optional<Arg>& arg() const { return arg_; }
  bool is_newaxis() const { return is_newaxis_; }
  bool is_ellipsis() const { return is_ellipsis_; }

  Where where;

 private:
  std::optional<Slice> slice_;
  std::optional<Arg> arg_;
  bool is_newaxis_ = false, is_ellipsis_ = false;
};

// x[slice(1, 3), 0] would be x[0]: write x[{slice(1, 3), 0}].

template <class T>
concept IndexPart = std::same_as<T, Slice> || std::same_as<T, NewAxis> || std::same_as<T, Ellipsis> ||
    std::derived_from<T, Var>;
template <class A, class B>
requires(IndexPart<A> || IndexPart<B>) void operator,(const A&, const B&) = delete;

/// x[index...], as Var::operator[] writes it; the axes stand where NumPy puts them. Integers and slices give
/// a view. Arrays of integers pick elements: arrays and integers together are stretched to one shape, whose
/// axes stand where the arrays stood, or first if a slice or a new axis separates them. A mask stands for the
/// arrays of positions where it holds. A position out of range is an Error in the call.
Var subtensor(const Arg& x, const std::vector<Index>& index);

/// x with x[...] replaced by y, which is stretched to it: set_subtensor(x[slice(0, 2)], y). The last of equal
/// positions wins. Throws Error unless the first argument is an indexed expression, whose axes may have been
/// moved.
Var set_subtensor(const Arg& indexed, const Arg& y);
/// x with y added to x[...]; an index that stands twice adds twice.
Var inc_subtensor(const Arg& indexed, const Arg& y);

/// `index`, an integer scalar, checked in the call to lie in [0, n): else an Error that says "index 83 is
/// past the 83 minibatches". `what` names the things counted.
Var checked_index(const Arg& index, const Arg& n, std::string what);

/// Rows [index * batch_size, (index + 1) * batch_size) of x, as the tutorials' givens take them. The call
/// throws Error if the minibatch does not lie within the data.
Var minibatch(const Arg& x, const Arg& index, int batch_size);

}  // namespace damo
