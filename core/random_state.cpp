#include "core/random_state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/binomial.h"
#include "core/check.h"

namespace damo {
namespace {

std::uint32_t seed_word(std::int64_t seed) {
  check(seed >= 0 && seed <= 0xffffffffLL, "a seed must be between 0 and 2^32 - 1, not {}", seed);
  return static_cast<std::uint32_t>(seed);
}

void check_uniform(double low, double high) {
  check(std::isfinite(high - low), "uniform needs a finite range, not from {} to {}", low, high);
}

void check_randint(std::int64_t low, std::int64_t high) {
  check(low < high, "randint needs low < high, not {} and {}", low, high);
}

void check_scale(const char* name, double scale) {
  check(scale >= 0, "{} needs a scale >= 0, not {}", name, scale);
}

/// A tensor whose elements are `draw()`, computed in T and converted to `dtype`.
template <class T, class Draw>
Tensor filled(const Sizes& size, DType dtype, Draw draw) {
  const Tensor t = Tensor::empty(size, dtype_of<T>());
  for (T& v : t.span<T>()) v = draw();
  return t.astype(dtype);
}

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

}  // namespace

RandomState::RandomState(std::int64_t seed) { state_.seed(seed_word(seed)); }

RandomState::RandomState(const std::vector<std::int64_t>& seed) {
  check(!seed.empty(), "a seed must not be an empty list");
  std::vector<std::uint32_t> key(seed.size());
  std::transform(seed.begin(), seed.end(), key.begin(), seed_word);
  state_.seed(key);
}

double RandomState::uniform(double low, double high) {
  check_uniform(low, high);
  return low + (high - low) * state_.uniform();
}

Tensor RandomState::uniform(double low, double high, const Sizes& size, DType dtype) {
  check_uniform(low, high);
  check(is_float(dtype), "uniform draws floats, not {}", dtype);
  const Tensor t = Tensor::empty(size, dtype);
  if (dtype == float32)
    state_.fill_uniform(t.span<float>().data(), t.size(), low, high);
  else
    state_.fill_uniform(t.span<double>().data(), t.size(), low, high);
  return t;
}

std::int64_t RandomState::randint(std::int64_t low, std::int64_t high) {
  check_randint(low, high);
  // Unsigned: the range may be wider than int64.
  const auto first = static_cast<std::uint64_t>(low);
  return static_cast<std::int64_t>(first + state_.interval(static_cast<std::uint64_t>(high) - first - 1));
}

Tensor RandomState::randint(std::int64_t low, std::int64_t high, const Sizes& size) {
  check_randint(low, high);
  return filled<std::int64_t>(size, int64, [&] { return randint(low, high); });
}

std::int64_t RandomState::random_integers(std::int64_t low, std::int64_t high) {
  check(low <= high, "random_integers needs low <= high, not {} and {}", low, high);
  const auto first = static_cast<std::uint64_t>(low);
  return static_cast<std::int64_t>(first + state_.interval(static_cast<std::uint64_t>(high) - first));
}

Tensor RandomState::random_integers(std::int64_t low, std::int64_t high, const Sizes& size) {
  check(low <= high, "random_integers needs low <= high, not {} and {}", low, high);
  return filled<std::int64_t>(size, int64, [&] { return random_integers(low, high); });
}

double RandomState::normal(double mean, double sd) {
  check_scale("normal", sd);
  return mean + sd * state_.normal();
}

Tensor RandomState::normal(double mean, double sd, const Sizes& size, DType dtype) {
  check_scale("normal", sd);
  check(is_float(dtype), "normal draws floats, not {}", dtype);
  return filled<double>(size, dtype, [&] { return normal(mean, sd); });
}

std::int64_t RandomState::binomial(std::int64_t n, double p) { return Binomial(n, p)(state_); }

Tensor RandomState::binomial(std::int64_t n, double p, const Sizes& size) {
  const Binomial draw(n, p);
  const Tensor t = Tensor::empty(size, int64);
  draw.fill(state_, t.span<std::int64_t>().data(), t.size());
  return t;
}

std::int64_t RandomState::poisson(double lambda) {
  // Ten standard deviations below 2^63, as in NumPy.
  constexpr double largest = 9223372006484771000.0;
  check(lambda >= 0 && lambda <= largest, "poisson needs 0 <= lambda <= {}, not {}", largest, lambda);
  if (lambda == 0) return 0;
  return lambda < 10 ? poisson_by_product(state_, lambda) : poisson_by_rejection(state_, lambda);
}

Tensor RandomState::poisson(double lambda, const Sizes& size) {
  return filled<std::int64_t>(size, int64, [&] { return poisson(lambda); });
}

double RandomState::exponential(double scale) {
  check_scale("exponential", scale);
  return scale * -std::log(1.0 - state_.uniform());
}

Tensor RandomState::exponential(double scale, const Sizes& size, DType dtype) {
  check_scale("exponential", scale);
  check(is_float(dtype), "exponential draws floats, not {}", dtype);
  return filled<double>(size, dtype, [&] { return exponential(scale); });
}

std::vector<std::int64_t> RandomState::multinomial(std::int64_t n, const std::vector<double>& pvals) {
  check(n >= 0, "multinomial needs n >= 0, not {}", n);
  check(!pvals.empty(), "multinomial needs at least one probability");
  for (const double p : pvals)
    check(p >= 0 && p <= 1, "multinomial needs probabilities in [0, 1], not {}", p);
  const double sum = std::accumulate(pvals.begin(), pvals.end() - 1, 0.0);
  check(sum <= 1.0 + 1e-12, "the probabilities of multinomial but the last sum to {}, more than 1", sum);
  std::vector<std::int64_t> counts(pvals.size(), 0);
  std::int64_t left = n;
  double rest = 1.0;
  for (std::size_t i = 0; i + 1 < pvals.size() && left > 0; ++i) {
    // Rounding may push the quotient above 1, or make it 0/0: min then gives 1. A zero draws nothing.
    const double p = std::min(1.0, pvals[i] / rest);
    counts[i] = p == 0 ? 0 : binomial(left, p);
    left -= counts[i];
    rest -= pvals[i];
  }
  counts.back() += left;
  return counts;
}

Tensor RandomState::multinomial(std::int64_t n, const std::vector<double>& pvals, const Sizes& size) {
  Sizes shape = size;
  const auto outcomes = static_cast<std::int64_t>(pvals.size());
  shape.push_back(outcomes);
  const Tensor t = Tensor::empty(shape, int64);
  for (std::int64_t i = 0; i < size.product(); ++i) {
    const std::vector<std::int64_t> counts = multinomial(n, pvals);
    std::copy(counts.begin(), counts.end(), t.span<std::int64_t>().begin() + i * outcomes);
  }
  return t;
}

Tensor RandomState::permutation(std::int64_t n) {
  check(n >= 0, "a permutation needs n >= 0, not {}", n);
  const Tensor t = Tensor::empty({n}, int64);
  const std::span<std::int64_t> values = t.span<std::int64_t>();
  std::iota(values.begin(), values.end(), 0);
  shuffle(values);
  return t;
}

Tensor RandomState::choice(std::int64_t n, const Sizes& size, bool replace) {
  check(n > 0 || size.product() == 0, "choice needs n > 0, not {}", n);
  if (replace) return size.product() == 0 ? Tensor::empty(size, int64) : randint(0, n, size);
  const std::int64_t count = size.product();
  check(count <= n, "choice without repetition cannot take {} of {} elements", count, n);
  return permutation(n).slice(0, 0, count).copy().reshaped(size);
}

}  // namespace damo
