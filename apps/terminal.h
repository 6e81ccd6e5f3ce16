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

/// A line on standard error. If that cannot be written, nothing happens.
void warn(const std::string& line);

/// What the user watches: the tutorial's lines on standard output; below them, on standard error, one line
/// that says how far the work has come, or, where that is no terminal, such a line every half minute.
class Terminal {
 public:
  /// "off", or how: "on" for the live line, "auto" for a live one on a terminal and plain ones elsewhere.
  explicit Terminal(const std::string& progress);
  ~Terminal();

  /// A line on standard output. Where that cannot be written the program goes on; run() tells in the end.
  void say(const std::string& line);

  /// A line on standard error.
  void warn(const std::string& line);

  /// Begins a task of n equal steps, of which some have been done before.
  void begin(const std::string& task, std::int64_t n, std::int64_t done = 0);
  /// One step is done. The live line is drawn ten times a second.
  void step(double cost);

 private:
  void clear();

  enum class Kind { none, plain, live };
  Kind kind_;
  double interval_;  // seconds between two lines
  bool drawn_ = false;
  std::string task_;
  std::int64_t n_ = 0;
  std::int64_t done_ = 0;
  std::int64_t begun_at_ = 0;  // of done_
  Clock clock_;                // of all the work
  double begun_ = 0;           // when the task began, by the clock
  double next_ = 0;            // when to draw again
};

}  // namespace damo::apps
