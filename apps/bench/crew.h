#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

/// Plain threads for the limits, which share nothing with those of the library.
namespace damo::bench {

/// n threads meet here. Who waits spins for some 50 us, and then lets others run.
class Barrier {
 public:
  explicit Barrier(int n) : n_(n) {}

  void wait() {
    const int round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 1; round_.load(std::memory_order_acquire) == round; ++i)
      if (i % 64 == 0 && std::chrono::steady_clock::now() - begin > std::chrono::microseconds(50))
        std::this_thread::yield();
  }

 private:
  const int n_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> round_{0};
};

/// f(0), f(1) ... f(n - 1) at the same time.
template <class F>
void on_threads(int n, const F& f) {
  std::vector<std::jthread> others;
  for (int t = 1; t < n; ++t) others.emplace_back([&f, t] { f(t); });
  f(0);
}

struct Range {
  std::int64_t begin, end;
};

/// Share t of n of 0 .. size - 1, in blocks of 16.
inline Range share(std::int64_t size, int t, int n) {
  const std::int64_t blocks = (size + 15) / 16;
  return {std::min(size, blocks * t / n * 16), std::min(size, blocks * (t + 1) / n * 16)};
}

}  // namespace damo::bench
