#include "apps/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/tensor/check.h"

namespace damo::apps {
namespace {

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::ceil(seconds));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

// Unlike fmt's own functions it does not throw if the stream cannot be written.
void print(std::FILE* stream, const std::string& text) {
  std::fputs(text.c_str(), stream);
  std::fflush(stream);
}

}  // namespace

void warn(const std::string& line) { print(stderr, line + "\n"); }

Terminal::Terminal(const std::string& progress)
    : kind_(progress == "off"                                  ? Kind::none
            : progress == "on" || ::isatty(STDERR_FILENO) == 1 ? Kind::live
                                                               : Kind::plain),
      interval_(kind_ == Kind::live ? 0.1 : 30),
      next_(interval_) {}

Terminal::~Terminal() { clear(); }

void Terminal::say(const std::string& line) {
  clear();
  print(stdout, line + "\n");
}

void Terminal::warn(const std::string& line) {
  clear();
  apps::warn(line);
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
    print(stderr, fmt::format("\r{}\033[K", line));
    drawn_ = true;
  } else {
    apps::warn(fmt::format("[{}] {}", duration(now), line));
  }
}

void Terminal::clear() {
  if (!drawn_) return;
  print(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace damo::apps
