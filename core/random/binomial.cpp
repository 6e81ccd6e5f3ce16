#include "core/random/binomial.h"

#include <algorithm>
#include <cmath>

#include "core/tensor/check.h"

namespace damo {
namespace {

// The tail of Stirling's series for log x!, with 13680 where the series has 13860: NumPy's draws hang on it.
double stirling_tail(double x) {
  const double x2 = x * x;
  return (13680. - (462. - (132. - (99. - 140. / x2) / x2) / x2) / x2) / x / 166320.;
}

}  // namespace

Binomial::Binomial(std::int64_t n, double p) : n_(n) {
  check(n >= 0, "a binomial needs n >= 0, not {}", n);
  check(p >= 0 && p <= 1, "a binomial needs 0 <= p <= 1, not {}", p);
  flipped_ = p > 0.5;
  p_ = flipped_ ? 1.0 - p : p;
  q_ = 1.0 - p_;
  const auto trials = static_cast<double>(n);
  inverts_ = p_ * trials <= 30.0;
  if (inverts_) {
    q_to_n_ = std::exp(trials * std::log(q_));
    const double mean = trials * p_;
    bound_ = static_cast<std::int64_t>(std::min(trials, mean + 10.0 * std::sqrt(mean * q_ + 1)));
    return;
  }
  const double fm = trials * p_ + p_;
  m_ = static_cast<std::int64_t>(std::floor(fm));
  const auto m = static_cast<double>(m_);
  npq_ = trials * p_ * q_;
  p1_ = std::floor(2.195 * std::sqrt(npq_) - 4.6 * q_) + 0.5;
  xm_ = m + 0.5;
  xl_ = xm_ - p1_;
  xr_ = xm_ + p1_;
  c_ = 0.134 + 20.5 / (15.3 + m);
  const double left = (fm - xl_) / (fm - xl_ * p_), right = (xr_ - fm) / (xr_ * q_);
  laml_ = left * (1.0 + left / 2.0);
  lamr_ = right * (1.0 + right / 2.0);
  p2_ = p1_ * (1.0 + 2.0 * c_);
  p3_ = p2_ + c_ / laml_;
  p4_ = p3_ + c_ / lamr_;
}

std::int64_t Binomial::operator()(MT19937State& state) const {
  const std::int64_t y = inverts_ ? invert(state) : btpe(state);
  return flipped_ ? n_ - y : y;
}

// The smallest x whose cumulated probability reaches a uniform draw; P(x) = P(x-1) (n-x+1) p / (x q).
std::int64_t Binomial::invert(MT19937State& state) const {
  while (true) {
    double u = state.uniform(), px = q_to_n_;
    for (std::int64_t x = 0; x <= bound_; ++x) {
      if (x > 0) px = (static_cast<double>(n_ - x + 1) * p_ * px) / (static_cast<double>(x) * q_);
      if (!(u > px)) return x;
      u -= px;
    }
  }
}

std::int64_t Binomial::btpe(MT19937State& state) const {
  while (true) {
    const double u = state.uniform() * p4_;
    double v = state.uniform(), y = 0;
    if (u <= p1_)
      return static_cast<std::int64_t>(std::floor(xm_ - p1_ * v + u));  // the triangle: no test needed
    if (u <= p2_) {                                                     // the parallelogram
      const double x = xl_ + (u - p1_) / c_;
      v = v * c_ + 1.0 - std::fabs(static_cast<double>(m_) - x + 0.5) / p1_;
      if (v > 1.0) continue;
      y = std::floor(x);
    } else if (v == 0.0) {
      continue;
    } else if (u <= p3_) {  // the left exponential tail
      y = std::floor(xl_ + std::log(v) / laml_);
      if (y < 0) continue;
      v = v * (u - p2_) * laml_;
    } else {  // the right exponential tail
      y = std::floor(xr_ - std::log(v) / lamr_);
      if (y > static_cast<double>(n_)) continue;
      v = v * (u - p3_) * lamr_;
    }
    if (accepts(static_cast<std::int64_t>(y), v)) return static_cast<std::int64_t>(y);
  }
}

// Whether v <= f(y) / f(m): near the mode by the recursion of f, else by squeezing log v, last by Stirling's
// formula.
bool Binomial::accepts(std::int64_t y, double v) const {
  const auto trials = static_cast<double>(n_);
  const auto k = static_cast<double>(std::llabs(y - m_));
  if (k <= 20 || k >= npq_ / 2.0 - 1) {
    const double s = p_ / q_, a = s * (trials + 1);
    double f = 1.0;
    for (std::int64_t i = m_ + 1; i <= y; ++i) f *= a / static_cast<double>(i) - s;
    for (std::int64_t i = y + 1; i <= m_; ++i) f /= a / static_cast<double>(i) - s;
    return !(v > f);
  }
  const double rho = (k / npq_) * ((k * (k / 3.0 + 0.625) + 0.16666666666666666) / npq_ + 0.5);
  const double t = -k * k / (2 * npq_), log_v = std::log(v);
  if (log_v < t - rho) return true;
  if (log_v > t + rho) return false;
  const auto x1 = static_cast<double>(y + 1), f1 = static_cast<double>(m_ + 1);
  const auto z = static_cast<double>(n_ + 1 - m_), w = static_cast<double>(n_ - y + 1);
  const double log_ratio = xm_ * std::log(f1 / x1) + (static_cast<double>(n_ - m_) + 0.5) * std::log(z / w) +
                           static_cast<double>(y - m_) * std::log(w * p_ / (x1 * q_)) + stirling_tail(f1) +
                           stirling_tail(z) + stirling_tail(x1) + stirling_tail(w);
  return !(log_v > log_ratio);
}

template <class T>
void Binomial::fill_with(MT19937State& state, T* out, std::int64_t count) const {
  if (n_ != 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<T>((*this)(state));
    return;
  }
  // One trial: the drawn value is 0 if u <= q, 1 if u - q <= P(1); the rare u beyond both, by rounding, is
  // redrawn.
  const double p1 = (p_ * q_to_n_) / q_;
  const T zero = static_cast<T>(flipped_ ? 1 : 0), one = static_cast<T>(flipped_ ? 0 : 1);
  constexpr std::int64_t block = MT19937State::n / 2;
  double u[block];
  while (count > 0) {
    const std::int64_t m = std::min(count, block);
    state.fill_uniform(u, m);
    std::int64_t redraws = 0;
    for (std::int64_t i = 0; i < m; ++i) redraws += u[i] - q_to_n_ > p1 ? 1 : 0;
    std::int64_t kept = m;
    if (redraws == 0) {
      for (std::int64_t i = 0; i < m; ++i) out[i] = u[i] > q_to_n_ ? one : zero;
    } else {
      kept = 0;
      for (std::int64_t i = 0; i < m; ++i) {
        if (u[i] - q_to_n_ > p1) continue;
        out[kept++] = u[i] > q_to_n_ ? one : zero;
      }
    }
    out += kept;
    count -= kept;
  }
}

void Binomial::fill(MT19937State& state, double* out, std::int64_t count) const {
  fill_with(state, out, count);
}
void Binomial::fill(MT19937State& state, float* out, std::int64_t count) const {
  fill_with(state, out, count);
}
void Binomial::fill(MT19937State& state, std::int64_t* out, std::int64_t count) const {
  fill_with(state, out, count);
}

}  // namespace damo
