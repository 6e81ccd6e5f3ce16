#include "core/threads.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/expect.h"

using namespace damo;

namespace {

/// Sets the number of threads, and the default again at the end.
struct Threads {
  explicit Threads(int n) { set_threads(n); }
  ~Threads() { set_threads(0); }
};

}  // namespace

TEST_CASE("each part runs once, on the number of threads that is asked for") {
  for (const int n : {1, 2, 3, 8}) {
    const Threads scope(n);
    CHECK(threads() == n);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
      parallel(n, [&](Part part) {
        CHECK(part.n == n);
        ++seen[static_cast<std::size_t>(part.t)];
      });
      for (const auto& times : seen) REQUIRE(times == 1);
    }
  }
}

TEST_CASE("parts cover a range without gaps, in whole blocks") {
  for (const std::int64_t size : {0, 1, 15, 16, 17, 784, 1000})
    for (const int n : {1, 2, 3, 7})
      for (const std::int64_t block : {1, 4, 16}) {
        std::int64_t at = 0;
        for (int t = 0; t < n; ++t) {
          const auto [begin, end] = Part{t, n}.range(size, block);
          CHECK(begin == at);
          CHECK(end >= begin);
          if (end < size) CHECK(end % block == 0);
          at = end;
        }
        CHECK(at == size);
      }
}

TEST_CASE("small work stays on one thread") {
  const Threads scope(4);
  CHECK(threads_for(0, 100) == 1);
  CHECK(threads_for(199, 100) == 1);
  CHECK(threads_for(200, 100) == 2);
  CHECK(threads_for(1000000, 100) == 4);
  set_threads(1);
  CHECK(threads_for(1000000, 100) == 1);
}

TEST_CASE("a number of threads that cannot be") {
  CHECK(test::error_of([] { set_threads(-1); }) ==
        "the number of threads is -1, and must lie between 1 and 64, or be 0 for the default");
  CHECK(test::error_of([] { set_threads(65); }).find("the number of threads is 65") == 0);
  CHECK(threads() >= 1);
}

TEST_CASE("functions on several of the user's own threads share the pool") {
  const Threads scope(2);
  std::atomic<int> sum{0};
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u)
    users.emplace_back([&] {
      for (int i = 0; i < 500; ++i) parallel(2, [&](Part part) { sum += part.t + 1; });
    });
  for (std::thread& user : users) user.join();
  CHECK(sum == 4 * 500 * 3);
}

TEST_CASE("an idle pool costs no core") {
  const Threads scope(4);
  parallel(4, [](Part) {});
  const auto used = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  const double before = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  // The threads spin for some 50 us and then sleep: of 0.9 s that three of them could use, next to nothing.
  CHECK(used() - before < 0.1);
}
