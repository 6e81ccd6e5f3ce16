#pragma once
#include <cstdint>
#include <span>
#include <utility>

#include "mt19937.h"

/// What NumPy's legacy RandomState draws of more than one number, number for number, on the bare generator:
/// RandomState and compiled functions share it. The checks are apart, so that a call can make them all before
/// it draws.
namespace damo {

/// Throws Error unless a Poisson distribution can have this mean.
void check_poisson(double lambda);
std::int64_t draw_poisson(MT19937State& state, double lambda);

/// Throws Error unless n >= 0 and the probabilities lie in [0, 1], all but the last with a sum of at most 1.
void check_multinomial(std::int64_t n, std::span<const double> pvals);
/// How many of n trials fall on each outcome; the last one takes what the others leave.
void draw_multinomial(MT19937State& state, std::int64_t n, std::span<const double> pvals,
                      std::span<std::int64_t> counts);

/// Throws Error unless `count` elements can be taken of 0 .. n-1, with the probabilities p, whose sum is 1 up
/// to `tolerance`; if p is empty, they are equal.
void check_choice(std::int64_t n, std::int64_t count, bool replace, std::span<const double> p,
                  double tolerance);
/// Elements of 0 .. n-1, with or without repetition.
void draw_choice(MT19937State& state, std::int64_t n, bool replace, std::span<const double> p,
                 std::span<std::int64_t> out);

/// Permutes the values in place.
template <class T>
void draw_shuffle(MT19937State& state, std::span<T> values) {
  for (std::size_t i = values.size(); i-- > 1;) std::swap(values[i], values[state.interval(i)]);
}

}  // namespace damo
