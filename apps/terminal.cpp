#include "apps/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/check.h"

namespace damo::apps {
namespace {

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::ceil(seconds));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

Terminal::Terminal(const std::string& progress)
    : kind_(progress == "off"                                  ? Kind::none
            : progress == "on" || ::isatty(STDERR_FILENO) == 1 ? Kind::live
                                                               : Kind::plain),
      interval_(kind_ == Kind::live ? 0.1 : 30),
      next_(interval_) {}

Terminal::~Terminal() { clear(); }

void Terminal::say(const std::string& line) {
  clear();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Terminal::warn(const std::string& line) {
  clear();
  fmt::print(stderr, "{}\n", line);
}

void Terminal::begin(const std::string& task, std::int64_t n, std::int64_t done) {
  task_ = task;
  n_ = n;
  done_ = begun_at_ = done;
  begun_ = clock_.seconds();
}

void Terminal::step(double cost) {
  ++done_;
  if (kind_ == Kind::none) return;
  const double now = clock_.seconds();
  if (now < next_) return;
  next_ = now + interval_;
  const double rate = static_cast<double>(done_ - begun_at_) / std::max(now - begun_, 1e-6);
  const std::string line =
      fmt::format("{}: {}/{}, cost {:.6g}, {:.{}f} minibatches/s, {} left", task_, done_, n_, cost, rate,
                  rate < 10 ? 1 : 0, duration(static_cast<double>(n_ - done_) / rate));
  if (kind_ == Kind::live) {
    fmt::print(stderr, "\r{}\033[K", line);
    drawn_ = true;
  } else {
    fmt::print(stderr, "[{}] {}\n", duration(now), line);
  }
  std::fflush(stderr);
}

void Terminal::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace damo::apps
