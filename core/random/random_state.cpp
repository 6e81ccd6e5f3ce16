#include "core/random/random_state.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/random/binomial.h"
#include "core/random/draws.h"
#include "core/tensor/check.h"

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
  check_poisson(lambda);
  return draw_poisson(state_, lambda);
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
  check_multinomial(n, pvals);
  std::vector<std::int64_t> counts(pvals.size());
  draw_multinomial(state_, n, pvals, counts);
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

Tensor RandomState::choice(std::int64_t n, const Sizes& size, bool replace, const std::vector<double>& p) {
  // The square root of a double's epsilon, as in NumPy.
  check_choice(n, size.product(), replace, p, 0x1p-26);
  const Tensor t = Tensor::empty(size, int64);
  draw_choice(state_, n, replace, p, t.span<std::int64_t>());
  return t;
}

}  // namespace damo
