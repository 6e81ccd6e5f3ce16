#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "../tensor/tensor.h"
#include "draws.h"
#include "mt19937.h"

namespace damo {

/// NumPy's legacy `numpy.random.RandomState`, number for number: the same seed gives the same draws, in the
/// same order. Each method with a size returns a tensor of that shape, filled in row-major order, and draws
/// exactly what as many calls without a size draw. Bad parameters throw Error.
class RandomState {
 public:
  /// From an integer. Throws Error unless 0 <= seed < 2^32.
  explicit RandomState(std::int64_t seed);

  /// From a list of integers. Throws Error if it is empty or an element is not in [0, 2^32).
  explicit RandomState(const std::vector<std::int64_t>& seed);

  /// The generator itself, to be saved, copied or handed to an op.
  MT19937State& state() { return state_; }
  const MT19937State& state() const { return state_; }

  /// low + (high - low) u with u in [0, 1), computed in double and then converted to `dtype`, a float type.
  double uniform(double low = 0, double high = 1);
  Tensor uniform(double low, double high, const Sizes& size, DType dtype = float64);

  /// uniform(0, 1).
  double random_sample() { return state_.uniform(); }
  Tensor random_sample(const Sizes& size, DType dtype = float64) { return uniform(0, 1, size, dtype); }

  /// An integer in [low, high), in [0, high) if only one number is given; tensors are int64. Needs low <
  /// high.
  std::int64_t randint(std::int64_t high) { return randint(0, high); }
  std::int64_t randint(std::int64_t low, std::int64_t high);
  Tensor randint(std::int64_t low, std::int64_t high, const Sizes& size);

  /// An integer in [low, high], both ends included.
  std::int64_t random_integers(std::int64_t low, std::int64_t high);
  Tensor random_integers(std::int64_t low, std::int64_t high, const Sizes& size);

  /// mean + sd z with z standard normal (polar method), computed in double. Needs sd >= 0.
  double normal(double mean = 0, double sd = 1);
  Tensor normal(double mean, double sd, const Sizes& size, DType dtype = float64);

  /// The number of successes in n trials of probability p; tensors are int64. Needs n >= 0 and 0 <= p <= 1.
  std::int64_t binomial(std::int64_t n, double p);
  Tensor binomial(std::int64_t n, double p, const Sizes& size);

  /// Poisson draws of mean `lambda`, in [0, 9.2e18]; tensors are int64. Needs lambda >= 0.
  std::int64_t poisson(double lambda);
  Tensor poisson(double lambda, const Sizes& size);

  /// Exponential draws of mean `scale`. Needs scale >= 0.
  double exponential(double scale = 1);
  Tensor exponential(double scale, const Sizes& size, DType dtype = float64);

  /// How many of n trials fall on each of the outcomes with probabilities `pvals`; the last one takes what
  /// the others leave. Needs n >= 0, probabilities in [0, 1] and a sum of all but the last of at most 1.
  std::vector<std::int64_t> multinomial(std::int64_t n, const std::vector<double>& pvals);
  /// As many such rows as `size` says: int64, of shape size + (number of outcomes,).
  Tensor multinomial(std::int64_t n, const std::vector<double>& pvals, const Sizes& size);

  /// The integers 0 .. n-1 in random order, int64 of shape (n,).
  Tensor permutation(std::int64_t n);

  /// Permutes the values in place.
  template <class T>
  void shuffle(std::span<T> values) {
    draw_shuffle(state_, values);
  }

  /// Elements of 0 .. n-1, with or without repetition, int64; with the probabilities p, if they are given.
  /// Without, needs at most n of them.
  Tensor choice(std::int64_t n, const Sizes& size, bool replace = true, const std::vector<double>& p = {});

 private:
  MT19937State state_;
};

}  // namespace damo
