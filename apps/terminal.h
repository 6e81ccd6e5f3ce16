#pragma once
#include <chrono>
#include <string>

namespace damo::apps {

/// Seconds since it was made.
class Clock {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What the user watches: the tutorial's lines on standard output; below them, on standard error, one line
/// that says how far the work has come.
class Terminal {
 public:
  /// "on", "off", or "auto": on if standard error is a terminal.
  explicit Terminal(const std::string& progress);
  ~Terminal();

  /// A line on standard output.
  void say(const std::string& line);

  /// Begins a task of n equal steps.
  void begin(const std::string& task, std::int64_t n);
  /// One step is done. The line is drawn ten times a second.
  void step(double cost);

 private:
  void clear();

  bool on_;
  bool drawn_ = false;
  std::string task_;
  std::int64_t n_ = 0;
  std::int64_t done_ = 0;
  Clock clock_;
  double next_ = 0;  // when to draw again, by the clock
};

}  // namespace damo::apps
