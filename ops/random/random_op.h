#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "../../core/graph/op.h"
#include "../../core/graph/shared.h"
#include "../../core/random/mt19937.h"

/// For the random variables: what their ops share, and what draws with them.
namespace damo {

/// The sizes that a sample is asked to have: none if its parameters say them.
struct SampleSizes {
  Vars sizes;                            ///< int64 scalars
  std::uint32_t ones = 0;                ///< axes whose size is the literal 1: they may be stretched
  std::optional<Sizes> known = Sizes();  ///< if all are literals

  /// Throws Error unless all are integer scalars.
  SampleSizes(const std::string& law, const Args& size);
};

/// The type of a sample of the given sizes (which may be none) whose parameters broadcast to `parameters`.
/// Throws Error if they do not agree.
Type sample_type(DType dtype, std::span<const Type> sizes, std::uint32_t ones, const Type& parameters);

/// The elements of v, stretched to `shape` and converted.
template <class T>
void stretch_into(std::vector<T>& values, const View& v, const Sizes& shape) {
  View x{v.dtype, shape, Sizes(shape.size(), 0), v.data};
  for (int i = 0; i < v.ndim(); ++i)
    if (v.shape[i] != 1) x.strides[i + shape.size() - v.ndim()] = v.strides[i];
  values.resize(static_cast<std::size_t>(shape.product()));
  copy_into(View{dtype_of<T>(), shape, row_major(shape), values.data()}, x);
}

/// Calls fill(pointer) with memory for the elements of y, of y's own dtype if that is F, else to be
/// converted.
template <class F, class Fill>
void fill_as(const View& y, Fill fill) {
  if (y.dtype == dtype_of<F>()) return fill(y.ptr<F>());
  thread_local std::vector<F> scratch;
  scratch.resize(static_cast<std::size_t>(y.size()) + 1);
  fill(scratch.data());
  copy_into(y, View{dtype_of<F>(), y.shape, row_major(y.shape), scratch.data()});
}

/// (sample, next state) of (state, Self::n_parameters parameters, sizes).
template <class Self>
struct RandomOp : OpOf<Self> {
  DType dtype;
  std::uint32_t ones;

  RandomOp(DType d, std::uint32_t o) : dtype(d), ones(o) {}
  bool operator==(const RandomOp&) const = default;

  static constexpr int first_size() { return 1 + Self::n_parameters; }
  static std::span<const Type> sizes(const Types& x) {
    return std::span(x).subspan(static_cast<std::size_t>(first_size()));
  }

  Var size(const Vars& x, int output, int axis) const override {
    const int input = first_size() + axis;
    return output == 0 && input < static_cast<int>(x.size()) ? x[static_cast<std::size_t>(input)] : Var();
  }
  // The numbers do not change with the parameters in a way that has a derivative.
  Vars L_op(const Vars& x, const Vars&, const Vars&) const override { return Vars(x.size()); }
  bool needs_value(int input) const override { return input >= first_size(); }
  bool reads(int input) const override { return input < first_size(); }
  bool overwrites(int output, int input) const override { return output == 1 && input == 0; }
  int next_of(int output) const override { return output == 1 ? 0 : -1; }
  bool can_fail() const override { return true; }

  /// The state to draw from: the next one, that so far is the old one. To be called when all is checked.
  static View begin(const Views& x, const Views& y) {
    if (y[1].data != x[0].data) copy_into(y[1], x[0]);
    return y[1];
  }
  static MT19937State& begin_numpy(const Views& x, const Views& y) {
    return *static_cast<MT19937State*>(begin(x, y).data);
  }
};

enum class Law { binomial, uniform, normal, integers, poisson };
enum class Generator { numpy, mrg };

/// A sample of a law with two parameters, for each element, of the given generator's state: (n, p), (low,
/// high), (mean, standard deviation), (low, high), (0, mean).
Var draw(Law law, Generator generator, DType dtype, const Shared& state, const Arg& a, const Arg& b,
         const SampleSizes& size);

// NumPy's draws of several numbers. n are int64, p and pvals floats.
Var draw_permutations(DType dtype, const Shared& state, const Var& n, const SampleSizes& size);
Var draw_choices(DType dtype, const Shared& state, const Var& n, bool replace, const Var& p,
                 const SampleSizes& size);
Var draw_multinomials(DType dtype, const Shared& state, const Var& n, const Var& pvals,
                      const SampleSizes& size);

// The same of uniform numbers u, for each row of a matrix p of probabilities.
Var multinomial_from_uniform(DType dtype, const Var& p, const Var& u);
Var choice_from_uniform(DType dtype, const Var& p, const Var& u, const Var& n);

}  // namespace damo
