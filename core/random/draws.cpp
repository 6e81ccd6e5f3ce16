#include "core/random/draws.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/random/binomial.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

// Ten standard deviations below 2^63, as in NumPy.
constexpr double largest_poisson = 9223372006484771000.0;

/// log k!, by Stirling's series from k + 1 = 7 on; NumPy's Poisson draws compare with this very sum.
double log_factorial(double k) {
  // Bernoulli number B_2j / (2j (2j - 1))
  constexpr double series[] = {8.333333333333333e-02,  -2.777777777777778e-03, 7.936507936507937e-04,
                               -5.952380952380952e-04, 8.417508417508418e-04,  -1.917526917526918e-03,
                               6.410256410256410e-03,  -2.955065359477124e-02, 1.796443723688307e-01,
                               -1.39243221690590e+00};
  constexpr double log_2pi = 1.8378770664093453;
  if (k < 2) return 0;
  const double shift = k < 6 ? 6 - k : 0;
  double x = k + 1 + shift;
  const double x2 = (1.0 / x) * (1.0 / x);
  double sum = 0;
  for (int i = 9; i >= 0; --i) sum = sum * x2 + series[i];
  double y = sum / x + 0.5 * log_2pi + (x - 0.5) * std::log(x) - x;
  for (double s = shift; s > 0; --s) {
    x -= 1.0;
    y -= std::log(x);
  }
  return y;
}

// Counts uniform draws until their product falls below e^-lambda.
std::int64_t poisson_by_product(MT19937State& state, double lambda) {
  const double limit = std::exp(-lambda);
  std::int64_t k = 0;
  for (double product = state.uniform(); product > limit; product *= state.uniform()) ++k;
  return k;
}

// Transformed rejection with squeeze, PTRS in Hoermann, "The transformed rejection method for generating
// Poisson random variables", Insurance: Mathematics and Economics 12 (1993), for lambda >= 10.
std::int64_t poisson_by_rejection(MT19937State& state, double lambda) {
  const double log_lambda = std::log(lambda);
  const double b = 0.931 + 2.53 * std::sqrt(lambda), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  while (true) {
    const double u = state.uniform() - 0.5, v = state.uniform();
    const double us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + lambda + 0.43);
    if (us >= 0.07 && v <= v_r) return static_cast<std::int64_t>(k);
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b) <=
        -lambda + k * log_lambda - log_factorial(k))
      return static_cast<std::int64_t>(k);
  }
}

/// A sum that keeps what each addition rounds off (Kahan), as NumPy checks probabilities.
double careful_sum(std::span<const double> x) {
  double sum = 0, rest = 0;
  for (const double v : x) {
    const double y = v - rest, t = sum + y;
    rest = (t - sum) - y;
    sum = t;
  }
  return sum;
}

/// The cumulated probabilities, divided by their sum.
void cumulate(std::span<const double> p, std::vector<double>& cdf) {
  cdf.resize(p.size());
  std::partial_sum(p.begin(), p.end(), cdf.begin());
  const double sum = cdf.back();
  for (double& v : cdf) v /= sum;
}

/// The first outcome whose cumulated probability exceeds a uniform draw.
std::int64_t outcome(const std::vector<double>& cdf, double u) {
  return std::upper_bound(cdf.begin(), cdf.end(), u) - cdf.begin();
}

// Draws as many as are missing, keeps the first of equals, and takes what was found out of the distribution.
void choose_distinct(MT19937State& state, std::span<const double> p, std::span<std::int64_t> out) {
  thread_local std::vector<double> left, cdf;
  thread_local std::vector<bool> taken;
  left.assign(p.begin(), p.end());
  taken.assign(p.size(), false);
  for (std::size_t n = 0; n < out.size();) {
    cumulate(left, cdf);
    const std::size_t first = n, missing = out.size() - n;
    for (std::size_t i = 0; i < missing; ++i) {
      const std::int64_t v = outcome(cdf, state.uniform());
      if (taken[static_cast<std::size_t>(v)]) continue;
      taken[static_cast<std::size_t>(v)] = true;
      out[n++] = v;
    }
    for (std::size_t i = first; i < n; ++i) left[static_cast<std::size_t>(out[i])] = 0;
  }
}

}  // namespace

void check_poisson(double lambda) {
  check(lambda >= 0 && lambda <= largest_poisson, "poisson needs 0 <= lambda <= {}, not {}", largest_poisson,
        lambda);
}

std::int64_t draw_poisson(MT19937State& state, double lambda) {
  if (lambda == 0) return 0;
  return lambda < 10 ? poisson_by_product(state, lambda) : poisson_by_rejection(state, lambda);
}

void check_multinomial(std::int64_t n, std::span<const double> pvals) {
  check(n >= 0, "multinomial needs n >= 0, not {}", n);
  check(!pvals.empty(), "multinomial needs at least one probability");
  for (const double p : pvals)
    check(p >= 0 && p <= 1, "multinomial needs probabilities in [0, 1], not {}", p);
  const double sum = careful_sum(pvals.first(pvals.size() - 1));
  check(sum <= 1.0 + 1e-12, "the probabilities of multinomial but the last sum to {}, more than 1", sum);
}

void draw_multinomial(MT19937State& state, std::int64_t n, std::span<const double> pvals,
                      std::span<std::int64_t> counts) {
  std::fill(counts.begin(), counts.end(), 0);
  std::int64_t left = n;
  double rest = 1.0;
  for (std::size_t i = 0; i + 1 < pvals.size() && left > 0; ++i) {
    // Rounding may push the quotient above 1, or make it 0/0: min then gives 1. A zero draws nothing.
    const double p = std::min(1.0, pvals[i] / rest);
    counts[i] = p == 0 ? 0 : Binomial(left, p)(state);
    left -= counts[i];
    rest -= pvals[i];
  }
  counts.back() += left;
}

void check_choice(std::int64_t n, std::int64_t count, bool replace, std::span<const double> p,
                  double tolerance) {
  check(n > 0 || count == 0, "choice needs n > 0, not {}", n);
  check(replace || count <= n, "choice without repetition cannot take {} of {} elements", count, n);
  if (p.empty()) return;
  check(static_cast<std::int64_t>(p.size()) == n, "choice has {} probabilities for {} elements", p.size(), n);
  for (const double v : p) check(v >= 0, "choice needs probabilities of at least 0, not {}", v);
  const double sum = careful_sum(p);
  check(std::abs(sum - 1) <= tolerance, "the probabilities of choice sum to {}, and must sum to 1", sum);
  const std::int64_t possible = std::count_if(p.begin(), p.end(), [](double v) { return v > 0; });
  check(replace || count <= possible,
        "choice without repetition cannot take {} elements: only {} have a probability above 0", count,
        possible);
}

void draw_choice(MT19937State& state, std::int64_t n, bool replace, std::span<const double> p,
                 std::span<std::int64_t> out) {
  if (replace && p.empty()) {
    for (std::int64_t& v : out)
      v = static_cast<std::int64_t>(state.interval(static_cast<std::uint64_t>(n) - 1));
  } else if (replace) {
    thread_local std::vector<double> cdf;
    cumulate(p, cdf);
    for (std::int64_t& v : out) v = outcome(cdf, state.uniform());
  } else if (!p.empty()) {
    choose_distinct(state, p, out);
  } else {
    thread_local std::vector<std::int64_t> all;
    all.resize(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    draw_shuffle(state, std::span(all));
    std::copy_n(all.begin(), out.size(), out.begin());
  }
}

}  // namespace damo
