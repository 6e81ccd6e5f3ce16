#include "core/run/threads.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/tensor/check.h"

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
  return std::clamp(std::min(cores, quota()), 1, most_threads);
}

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

using Time = std::chrono::steady_clock;

/// Spins for a while, then sleeps: work that follows soon is taken up at once, and an idle thread costs no
/// core.
constexpr auto spinning = std::chrono::microseconds(50);

thread_local bool is_inside = false;  // whether this thread runs parts

/// n - 1 threads that wait for work; fewer if the system does not give so many. Part t is thread t's, unless
/// that thread has not begun it when the caller has ended its own: then the caller runs it as well. So nobody
/// waits for a thread that sleeps, or whose core others use. Where threads stop in the middle of a part,
/// because others use their cores, the caller runs all parts for a while.
class Pool {
 public:
  explicit Pool(int n) : n_(n) {
    try {
      workers_.reserve(static_cast<std::size_t>(n - 1));
      for (int t = 1; t < n; ++t) workers_.emplace_back([this, t] { serve(t); });
    } catch (const std::exception&) {
      // What has no thread of its own runs on the caller's.
    }
  }
  ~Pool() {
    stopping_ = true;
    publish();
    for (std::thread& worker : workers_) worker.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// The threads that were asked for.
  int size() const { return n_; }

  /// Whether the caller has run parts of other threads, which it may.
  bool run(int n, void (*f)(void*, int), void* work, bool may_take) {
    f_ = f;
    work_ = work;
    bool took = false;
    if (may_take && rests_ && Time::now() < rest_until_) {
      for (int t = 0; t < n; ++t) attempt(t);
      took = true;
    } else {
      rests_ = false;
      const int n_workers = static_cast<int>(workers_.size());
      const std::uint64_t round = round_.load(std::memory_order_relaxed) + 1;
      for (int t = n; t <= n_workers; ++t) part(t).begun.store(round, std::memory_order_relaxed);
      const auto begin = Time::now();
      publish();
      attempt(0);
      for (int t = n_workers + 1; t < n; ++t) attempt(t);
      const auto end = Time::now();
      const int last = std::min(n - 1, n_workers);
      for (int t = 1; t <= last; ++t)
        if (may_take && part(t).is_mine(round)) {
          attempt(t);
          part(t).ended.store(round, std::memory_order_relaxed);
          took = true;
        }
      // They use what the caller holds, so it waits for them also if its own part has failed.
      for (int t = 1; t <= last; ++t) wait_for(part(t), round);
      if (may_take && !took) look_at(Time::now(), end - begin, Time::now() - end);
    }
    if (!failed_.exchange(false, std::memory_order_relaxed)) return took;
    std::exception_ptr first;
    for (std::exception_ptr& failure : failures_) {
      if (failure && !first) first = failure;
      failure = nullptr;
    }
    std::rethrow_exception(first);
  }

 private:
  /// The rounds in which part t was begun and ended last.
  struct alignas(64) PartState {
    std::atomic<std::uint64_t> begun{0}, ended{0};

    /// Whether the asking thread is the one that runs this part in this round.
    bool is_mine(std::uint64_t round) {
      std::uint64_t before = begun.load(std::memory_order_relaxed);
      return before < round && begun.compare_exchange_strong(before, round, std::memory_order_acq_rel);
    }
  };
  PartState& part(int t) { return parts_[static_cast<std::size_t>(t)]; }

  void attempt(int t) noexcept {
    try {
      f_(work_, t);
    } catch (...) {
      failures_[static_cast<std::size_t>(t)] = std::current_exception();
      failed_.store(true, std::memory_order_relaxed);
    }
  }

  static void wait_for(PartState& part, std::uint64_t round) {
    const auto begin = Time::now();
    do {
      for (int i = 0; i < 64; ++i) {
        if (part.ended.load(std::memory_order_acquire) == round) return;
        relax();
      }
    } while (Time::now() - begin < spinning);
    for (std::uint64_t now; (now = part.ended.load(std::memory_order_acquire)) != round;)
      part.ended.wait(now);
  }

  /// Parts are of one size: who waits much longer than its own part took waits for a thread that has lost its
  /// core. Once may be chance; if it happens again soon, twenty times what was lost is a small price.
  void look_at(Time::time_point now, Time::duration own, Time::duration waited) {
    constexpr Time::duration chance = std::chrono::microseconds(300), soon = std::chrono::milliseconds(200);
    if (waited < chance + own) return;
    if (now - last_loss_ < soon) {
      rests_ = true;
      rest_until_ = now + 20 * waited;
    }
    last_loss_ = std::max(now, rest_until_);
  }

  void publish() {
    round_.fetch_add(1);
    if (asleep_.load() == 0) return;
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }

  void serve(int t) {
    is_inside = true;
    std::uint64_t round = 0;
    while (true) {
      round = wait_for_round(round);
      if (stopping_) return;
      if (!part(t).is_mine(round)) continue;
      attempt(t);
      part(t).ended.store(round, std::memory_order_release);
      part(t).ended.notify_one();
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
  std::atomic<int> asleep_{0};
  std::atomic<bool> stopping_{false}, failed_{false};
  void (*f_)(void*, int) = nullptr;
  void* work_ = nullptr;
  std::array<PartState, most_threads> parts_;
  std::array<std::exception_ptr, most_threads> failures_;
  bool rests_ = false;  ///< whether rest_until_ may lie ahead
  Time::time_point rest_until_{}, last_loss_{};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

std::atomic<int> wanted{0};  // 0: the default
std::mutex using_pool;       // held while parts run, and while the pool is replaced
std::atomic<std::uint64_t> epoch{0};
thread_local bool ran_alone = false;
thread_local detail::Sharing sharing = detail::Sharing::as_it_comes;

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> p;
  return p;
}

/// The threads stay in the parent: their child has the one that forked.
void begin_child() {
  [[maybe_unused]] static Pool* without_threads = nullptr;  // it can be neither used nor destroyed
  without_threads = pool().release();
  new (&using_pool) std::mutex;
  wanted = 1;
  ++epoch;
}

/// The pool with as many threads as are wanted; null if there is no memory for it.
Pool* current_pool() {
  if (pool() != nullptr && pool()->size() == threads()) return pool().get();
  static const bool is_registered = ::pthread_atfork(nullptr, nullptr, begin_child) == 0;
  static_cast<void>(is_registered);
  pool().reset();
  try {
    pool() = std::make_unique<Pool>(threads());
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return pool().get();
}

}  // namespace

void set_threads(int n) {
  check(n >= 0 && n <= most_threads,
        "the number of threads is {}, and must lie between 1 and 64, or be 0 for the default", n);
  check(!is_inside, "set_threads was called by a part of a parallel step, which needs the threads that are");
  const std::lock_guard lock(using_pool);
  wanted = n;
  ++epoch;
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
  std::unique_lock<std::mutex> lock;
  if (!is_inside && sharing != Sharing::caller_runs_all)
    lock = std::unique_lock(using_pool, std::try_to_lock);
  Pool* const free = lock.owns_lock() ? current_pool() : nullptr;
  if (free == nullptr || n > free->size()) {
    ran_alone = ran_alone || !is_inside;
    for (int t = 0; t < n; ++t) run(work, t);
    return;
  }
  struct Inside {
    Inside() { is_inside = true; }
    ~Inside() { is_inside = false; }
  } const inside;
  if (free->run(n, run, work, sharing == Sharing::as_it_comes)) ran_alone = true;
}

std::uint64_t detail::thread_epoch() { return epoch.load(std::memory_order_relaxed); }

void detail::share(Sharing how) { sharing = how; }

bool detail::ran_alone_since_asked() { return std::exchange(ran_alone, false); }

}  // namespace damo
