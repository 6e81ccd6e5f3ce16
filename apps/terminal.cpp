#include "apps/terminal.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "core/check.h"

namespace damo::apps {
namespace {

constexpr double interval = 0.1;  // seconds between two drawings

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::ceil(seconds));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

Terminal::Terminal(const std::string& progress)
    : on_(progress == "on" || (progress == "auto" && ::isatty(STDERR_FILENO) == 1)) {}

Terminal::~Terminal() { clear(); }

void Terminal::say(const std::string& line) {
  clear();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Terminal::begin(const std::string& task, std::int64_t n) {
  task_ = task;
  n_ = n;
  done_ = 0;
  clock_ = Clock();
  next_ = interval;
}

void Terminal::step(double cost) {
  ++done_;
  if (!on_) return;
  const double now = clock_.seconds();
  if (now < next_) return;
  next_ = now + interval;
  const double left = now / static_cast<double>(done_) * static_cast<double>(n_ - done_);
  fmt::print(stderr, "\r{}: {}/{}, cost {:.6g}, {} left\033[K", task_, done_, n_, cost, duration(left));
  std::fflush(stderr);
  drawn_ = true;
}

void Terminal::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace damo::apps
