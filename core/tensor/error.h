#pragma once
#include <stdexcept>
#include <string>

namespace damo {

/// A place in the user's source.
struct Where {
  const char* file = nullptr;
  int line = 0;
  bool is_set() const { return file != nullptr; }
};

/// What the caller did wrong; the message ends at the caller's own line where one is known.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what) : std::runtime_error(what) {}
};

/// A fault of Damo itself: an invariant that did not hold.
class Bug : public std::logic_error {
 public:
  explicit Bug(const std::string& what) : std::logic_error("damo has a bug: " + what) {}
};

}  // namespace damo
