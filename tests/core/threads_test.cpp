#include "core/run/threads.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;

namespace {

[[maybe_unused]] std::atomic<int> threads_to_start = 1 << 20;  ///< before the system has no more

/// Sets the number of threads, and the default again at the end.
struct Threads {
  explicit Threads(int n) { set_threads(n); }
  ~Threads() { set_threads(0); }
};

/// What body's child returns with, or -1 if it does not end.
template <class F>
int exit_code_of_child(F body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) std::exit(body());
  for (int i = 0; i < 2000; ++i) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return -1;
}

}  // namespace

// The sanitizers start threads in ways of their own.
#if !defined(DAMO_SANITIZED)
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*f)(void*),
                              void* argument) noexcept {
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  if (threads_to_start-- <= 0) return EAGAIN;
  return real(thread, attributes, f, argument);
}

TEST_CASE("where the system gives fewer threads, the caller does their parts") {
  for (const int given : {0, 1, 2}) {
    set_threads(4);
    threads_to_start = given;
    for (int round = 0; round < 3; ++round) {
      std::array<int, 4> by_part{};
      parallel(4, [&](Part part) { by_part[static_cast<std::size_t>(part.t)] += part.t + 1; });
      CHECK(by_part == std::array<int, 4>{1, 2, 3, 4});
    }
    CHECK(threads() == 4);
    threads_to_start = 1 << 20;
    set_threads(0);
  }
}
#endif

TEST_CASE("what a part throws, the caller throws when all have ended") {
  for (const int n : {1, 2, 4}) {
    const Threads scope(n);
    for (int round = 0; round < 50; ++round)
      for (int bad = 0; bad < (1 << n); ++bad) {
        std::atomic<int> ended = 0;
        std::string what;
        try {
          parallel(n, [&](Part part) {
            if (part.t > 0) std::this_thread::yield();
            ++ended;
            if ((bad >> part.t & 1) != 0) throw std::runtime_error(std::to_string(part.t));
          });
        } catch (const std::runtime_error& e) {
          what = e.what();
        }
        CHECK(ended == n);
        CHECK(what == (bad == 0 ? "" : std::to_string(__builtin_ctz(static_cast<unsigned>(bad)))));
      }
    std::atomic<int> sum = 0;
    parallel(n, [&](Part part) { sum += part.t + 1; });
    CHECK(sum == n * (n + 1) / 2);
  }
}

TEST_CASE("a part may not change the number of threads") {
  const Threads scope(2);
  CHECK(test::error_of([] { parallel(2, [](Part) { set_threads(3); }); }) ==
        "set_threads was called by a part of a parallel step, which needs the threads that are");
  CHECK(threads() == 2);
}

TEST_CASE("a forked child computes with one thread, and ends") {
  const Threads scope(4);
  const Tensor a = test::random({300, 300}, float32, 1);
  const Var x = fmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = sum(tanh(dot(x, x)), {.axis = 0})});
  const Tensor expected = f(a);
  CHECK(exit_code_of_child([&] {
          if (threads() != 1) return 2;
          const auto here = Tensor(f(a)).to_vector<double>(), there = expected.to_vector<double>();
          return std::equal(here.begin(), here.end(), there.begin(),
                            [](double p, double q) { return std::abs(p - q) < 1e-3; })
                     ? 0
                     : 3;
        }) == 0);
#if !defined(DAMO_SANITIZED)
  CHECK(exit_code_of_child([&] {
          set_threads(4);
          return identical(f(a), expected) ? 0 : 3;
        }) == 0);
  // Also while another thread is in a step.
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) parallel(4, [](Part) {});
  });
  const Function g = f.copy();
  for (int i = 0; i < 20; ++i)
    CHECK(exit_code_of_child([&] { return Tensor(g(a)).size() == 300 ? 0 : 3; }) == 0);
  stop = true;
  other.join();
#endif
  CHECK(threads() == 4);
  CHECK(identical(f(a), expected));
}

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

TEST_CASE("each part runs once, also where threads sleep or are late") {
  const Threads four(4);
  std::array<std::atomic<int>, 4> runs{};
  int rounds = 0;
  for (const int pause : {0, 20, 80, 200}) {  // microseconds: a thread that waits for 50 falls asleep
    for (int i = 0; i < 500; ++i, ++rounds) {
      std::atomic<int> inside = 0;
      parallel(1 + i % 4, [&](Part part) {
        ++inside;
        if (part.t > 0 && i % 7 == 0) std::this_thread::sleep_for(std::chrono::microseconds(400));
        ++runs[static_cast<std::size_t>(part.t)];
        --inside;
      });
      CHECK(inside == 0);  // nobody is left behind
      std::this_thread::sleep_for(std::chrono::microseconds(pause));
    }
  }
  CHECK(runs[0] == rounds);
  CHECK(runs[1] == rounds * 3 / 4);
  CHECK(runs[2] == rounds / 2);
  CHECK(runs[3] == rounds / 4);
}
