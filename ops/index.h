#pragma once
#include <optional>

#include "core/graph.h"

namespace damo {

/// a:b:step; an empty Arg stands for an end left out.
struct Slice {
  std::optional<Arg> start, stop, step;
};

inline constexpr std::nullopt_t none = std::nullopt;  ///< slice(none, 3) is :3

Slice slice(std::optional<Arg> start, std::optional<Arg> stop, std::optional<Arg> step = std::nullopt);

/// One place in the brackets of `x[...]`: an integer, a slice, or a vector of integers.
class Index {
 public:
  Index(const Slice& s, Here at = {}) : where(at), slice_(s) {}
  Index(const Var& v, Here at = {}) : where(at), arg_(Arg(v, at)) {}
  template <class T>
  requires std::is_integral_v<T> Index(T i, Here at = {}) : where(at), arg_(Arg(i, at)) {}
  const std::optional<Slice>& slice() const { return slice_; }
  const std::optional<Arg>& arg() const { return arg_; }

  Where where;

 private:
  std::optional<Slice> slice_;
  std::optional<Arg> arg_;
};

/// x[index...], as Var::operator[] writes it.
Var subtensor(const Arg& x, const std::vector<Index>& index);

/// x with x[...] replaced by y: set_subtensor(x[slice(0, 2)], y). Throws Error unless the first argument is
/// an indexed expression.
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
