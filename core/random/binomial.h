#pragma once
#include <cstdint>

#include "mt19937.h"

namespace damo {

/// Draws from the binomial distribution of n trials with success probability p, number for number NumPy's
/// legacy RandomState.binomial: by inversion while n min(p, 1-p) <= 30, else by BTPE (Kachitvichyanukul and
/// Schmeiser, "Binomial random variate generation", CACM 31(2), 1988). The constants of (n, p) are computed
/// once.
class Binomial {
 public:
  /// Throws Error unless n >= 0 and 0 <= p <= 1.
  Binomial(std::int64_t n, double p);

  /// One draw, in [0, n].
  std::int64_t operator()(MT19937State& state) const;

  /// `count` draws into out; the same numbers as one call each, much faster for n = 1.
  void fill(MT19937State& state, double* out, std::int64_t count) const;
  void fill(MT19937State& state, float* out, std::int64_t count) const;
  void fill(MT19937State& state, std::int64_t* out, std::int64_t count) const;

 private:
  template <class T>
  void fill_with(MT19937State& state, T* out, std::int64_t count) const;
  std::int64_t invert(MT19937State& state) const;
  std::int64_t btpe(MT19937State& state) const;
  bool accepts(std::int64_t y, double v) const;

  std::int64_t n_;
  bool flipped_;  // p > 1/2: failures are drawn instead
  double p_, q_;  // of what is drawn: p <= 1/2, q = 1 - p
  bool inverts_;

  // inversion
  double q_to_n_ = 0;       // P(0) = q^n
  std::int64_t bound_ = 0;  // ten standard deviations above the mean: beyond it only rounding leads

  // BTPE, by the paper's names
  std::int64_t m_ = 0;                                  // the mode
  double npq_ = 0, p1_ = 0, p2_ = 0, p3_ = 0, p4_ = 0;  // areas of the four regions, summed up
  double xm_ = 0, xl_ = 0, xr_ = 0, c_ = 0, laml_ = 0, lamr_ = 0;
};

}  // namespace damo
