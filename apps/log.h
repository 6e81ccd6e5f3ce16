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
  /// An empty path: no file, and no line is written. Throws Error if the file cannot be opened.
  Log(const std::string& path, bool minibatches);

  /// Whether there is one line per minibatch too.
  bool minibatches() const { return minibatches_; }
  /// Throws std::runtime_error if the line cannot be written.
  void write(const std::vector<Field>& fields);

 private:
  std::string path_;
  bool minibatches_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace damo::apps
