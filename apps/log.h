#pragma once
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace damo::apps {

/// One member of a JSON object.
struct Field {
  std::string name;
  std::variant<std::string, std::int64_t, double> value;
};

/// A file of JSON objects, one a line; numbers have 17 digits, and what is not finite is null. Each line is
/// handed to the system as it comes: a crash keeps what was written.
class Log {
 public:
  /// An empty path: no file, and no line is written. An existing file keeps its first `kept` bytes. Throws
  /// Error if the file cannot be opened, is a pipe, is the log of another run, or is shorter.
  Log(const std::string& path, bool minibatches, std::int64_t kept = 0);

  /// Whether there is one line per minibatch too.
  bool minibatches() const { return minibatches_; }
  /// Throws std::runtime_error if the line cannot be written.
  void write(const std::vector<Field>& fields);
  /// Puts the file on the disk; returns its size in bytes, 0 without a file. Throws std::runtime_error.
  std::int64_t sync();

 private:
  void begin();
  [[noreturn]] void failed() const;

  std::string path_;
  bool minibatches_;
  std::int64_t kept_;
  bool begun_ = false;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace damo::apps
