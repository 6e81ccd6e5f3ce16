#pragma once
#include <atomic>

#include "tensor.h"

/// 0 * NaN and 0 * Inf are NaN: what is multiplied by exactly 0 may be left out only where it is known to be
/// finite. A shared variable that nobody else can write keeps that knowledge in a byte of its own, to which
/// View::finite points; kernels that read all of it find out, those that update it keep it.
namespace damo {

/// Whether all numbers of the array are known to be finite.
inline bool known_finite(const View& v) {
  return v.finite != nullptr && std::atomic_ref(*v.finite).load(std::memory_order_relaxed) == Finite::known;
}

/// For a kernel whose result shows it: a NaN or an infinity among x would have reached it.
inline void found_finite(const View& x) {
  if (x.finite != nullptr) std::atomic_ref(*x.finite).store(Finite::known, std::memory_order_relaxed);
}

/// For a kernel that writes over an array all of which was finite, and has seen that what it writes is.
inline void stays_finite(const View& y) {
  if (y.finite == nullptr) return;
  const std::atomic_ref state(*y.finite);
  if (state.load(std::memory_order_relaxed) == Finite::until_written)
    state.store(Finite::known, std::memory_order_relaxed);
}

/// While a kernel writes over an array: what it does not say by stays_finite is unknown afterwards.
class Overwriting {
 public:
  explicit Overwriting(const View& y) : finite_(y.finite) {
    if (finite_ != nullptr && *finite_ == Finite::known) set(Finite::until_written);
  }
  ~Overwriting() {
    if (finite_ != nullptr && *finite_ != Finite::known) set(Finite::unknown);
  }
  Overwriting(const Overwriting&) = delete;
  Overwriting& operator=(const Overwriting&) = delete;

 private:
  void set(Finite f) const { std::atomic_ref(*finite_).store(f, std::memory_order_relaxed); }
  Finite* finite_;
};

template <class T>
bool all_finite(const T* x, std::int64_t n) {
  // 0 times a finite number is 0. Several sums, so that they can be vectorized in this order.
  constexpr int lanes = 16;
  T sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int k = 0; k < lanes; ++k) sums[k] += x[i + k] * T(0);
  for (; i < n; ++i) sums[0] += x[i] * T(0);
  T sum = 0;
  for (const T s : sums) sum += s;
  return sum == T(0);
}

}  // namespace damo
