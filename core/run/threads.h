#pragma once
#include <cstdint>
#include <utility>

/// Damo's threads. Work is cut into parts by its size and the number of threads alone: for each number of
/// threads results are the same run after run. Part t runs on thread t, so that each core finds its share of
/// a matrix in its own cache, unless that thread sleeps or its core is in use: then the caller runs it.
namespace damo {

inline constexpr int most_threads = 64;

/// At most so many threads compute, this one included; 0 for the default: the processors that this process
/// may use, within the quota of its control group. With 1 no thread is started, and if the system gives fewer
/// than are asked for, the caller does their work, to the same result. A forked child computes with one,
/// until it asks for more. Waits for steps that are running; throws Error within one.
void set_threads(int n);
int threads();

/// Part t of n.
struct Part {
  int t, n;
  /// Its share of 0 .. size - 1 in whole blocks, the last of which may be short.
  std::pair<std::int64_t, std::int64_t> range(std::int64_t size, std::int64_t block = 1) const;
};

namespace detail {
void run_parts(int n, void (*run)(void* work, int t), void* work);
/// Who runs the parts that this thread asks for: whoever is free, this thread, or each thread its own. A
/// thread that has run a part keeps the memory that it took.
enum class Sharing { as_it_comes, caller_runs_all, each_its_own };
void share(Sharing how);
/// Changes with the threads that run parts.
std::uint64_t thread_epoch();
/// Whether this thread has run other threads' parts since it was asked.
bool ran_alone_since_asked();
}  // namespace detail

/// f(Part{t, n}) for each t, at the same time; n = 1 where the work is small. What the first part that throws
/// has thrown is thrown when all have ended. Where all threads are busy with another function's parts, the
/// caller runs them one after the other, to the same result.
template <class F>
void parallel(int n, F&& f) {
  if (n <= 1) return f(Part{0, 1});
  struct Work {
    F& f;
    int n;
  } work{f, n};
  detail::run_parts(
      n,
      [](void* w, int t) {
        auto& mine = *static_cast<Work*>(w);
        mine.f(Part{t, mine.n});
      },
      &work);
}

/// How many threads work of so many steps deserves, if each is to have at least `least`.
int threads_for(std::int64_t steps, std::int64_t least);

}  // namespace damo
