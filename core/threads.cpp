#include "core/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace damo {
namespace {

/// The processors that the control group's quota pays for, or a large number.
int quota() {
  constexpr int none = 1 << 20;
  long long limit = 0, period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2) {
    std::string text;
    v2 >> text >> period;
    if (text == "max" || text.empty()) return none;
    limit = std::atoll(text.c_str());
  } else {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> limit;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  return limit > 0 && period > 0 ? static_cast<int>(std::max(1LL, (limit + period / 2) / period)) : none;
}

int default_threads() {
  cpu_set_t allowed;
  const int cores = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0
                        ? CPU_COUNT(&allowed)
                        : static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(std::min(cores, quota()), 1, 64);
}

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

using Time = std::chrono::steady_clock;

/// Spins for a while, then lets others run, then sleeps: work that follows soon is taken up at once, and an
/// idle thread costs no core.
constexpr auto spinning = std::chrono::microseconds(50);

/// n - 1 threads that wait for work.
class Pool {
 public:
  explicit Pool(int n) : n_(n) {
    for (int t = 1; t < n; ++t) workers_.emplace_back([this, t] { serve(t); });
  }
  ~Pool() {
    stopping_ = true;
    publish();
    for (std::thread& worker : workers_) worker.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return n_; }

  void run(int n, void (*f)(void*, int), void* work) {
    f_ = f;
    work_ = work;
    n_parts_ = n;
    left_.store(n_ - 1, std::memory_order_relaxed);
    publish();
    f(work, 0);
    // The others are about to end: their parts are as large as this one.
    const auto begin = Time::now();
    while (left_.load(std::memory_order_acquire) > 0) {
      for (int i = 0; i < 64 && left_.load(std::memory_order_acquire) > 0; ++i) relax();
      if (Time::now() - begin > spinning) std::this_thread::yield();
    }
  }

 private:
  void publish() {
    round_.fetch_add(1);
    if (asleep_.load() == 0) return;
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }

  void serve(int t) {
    std::uint64_t last = 0;
    while (true) {
      last = wait_for_round(last);
      if (stopping_) return;
      if (t < n_parts_) f_(work_, t);
      left_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::uint64_t wait_for_round(std::uint64_t last) {
    const auto begin = Time::now();
    do {
      for (int i = 0; i < 64; ++i) {
        if (const std::uint64_t now = round_.load(std::memory_order_acquire); now != last) return now;
        relax();
      }
    } while (Time::now() - begin < spinning);
    std::unique_lock lock(mutex_);
    ++asleep_;
    wake_.wait(lock, [&] { return round_.load() != last; });
    --asleep_;
    return round_.load(std::memory_order_acquire);
  }

  const int n_;
  std::atomic<std::uint64_t> round_{0};
  std::atomic<int> left_{0}, asleep_{0};
  std::atomic<bool> stopping_{false};
  void (*f_)(void*, int) = nullptr;
  void* work_ = nullptr;
  int n_parts_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

std::atomic<int> wanted{0};  // 0: the default
std::mutex using_pool;       // held while parts run, and while the pool is replaced

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> p;
  return p;
}

}  // namespace

void set_threads(int n) {
  check(n >= 0 && n <= 64,
        "the number of threads is {}, and must lie between 1 and 64, or be 0 for the default", n);
  const std::lock_guard lock(using_pool);
  wanted = n;
  pool().reset();
}

int threads() {
  static const int by_default = default_threads();
  const int n = wanted.load(std::memory_order_relaxed);
  return n == 0 ? by_default : n;
}

int threads_for(std::int64_t steps, std::int64_t least) {
  const int n = threads();
  return n == 1 ? 1 : static_cast<int>(std::clamp<std::int64_t>(steps / least, 1, n));
}

std::pair<std::int64_t, std::int64_t> Part::range(std::int64_t size, std::int64_t block) const {
  if (n == 1) return {0, size};
  const std::int64_t blocks = (size + block - 1) / block;
  const std::int64_t begin = blocks * t / n * block, end = blocks * (t + 1) / n * block;
  return {std::min(begin, size), std::min(end, size)};
}

void detail::run_parts(int n, void (*run)(void*, int), void* work) {
  thread_local bool is_inside = false;  // a part that itself asks for parts
  std::unique_lock<std::mutex> lock;
  if (!is_inside) lock = std::unique_lock(using_pool, std::try_to_lock);
  if (!lock.owns_lock()) {
    for (int t = 0; t < n; ++t) run(work, t);
    return;
  }
  if (pool() == nullptr || pool()->size() != threads()) pool() = std::make_unique<Pool>(threads());
  if (n > pool()->size()) {
    for (int t = 0; t < n; ++t) run(work, t);
    return;
  }
  is_inside = true;
  pool()->run(n, run, work);
  is_inside = false;
}

}  // namespace damo
