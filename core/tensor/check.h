#pragma once
#include <fmt/format.h>

#include "error.h"
#include "type.h"

/// For authors of ops and readers: conditions that end in an Error or a Bug. Includes fmt; not for users'
/// headers.
namespace damo {

template <class... A>
[[noreturn]] void fail(fmt::format_string<A...> format, A&&... args) {
  throw Error(fmt::format(format, std::forward<A>(args)...));
}

/// check(condition, "fact and expectation, {}", values): throws Error unless the condition holds.
template <class... A>
void check(bool condition, fmt::format_string<A...> format, A&&... args) {
  if (!condition) throw Error(fmt::format(format, std::forward<A>(args)...));
}

/// The same for what can only be Damo's own fault.
template <class... A>
void invariant(bool condition, fmt::format_string<A...> format, A&&... args) {
  if (!condition) throw Bug(fmt::format(format, std::forward<A>(args)...));
}

}  // namespace damo

template <>
struct fmt::formatter<damo::DType> : fmt::formatter<std::string> {
  template <class Context>
  auto format(damo::DType d, Context& c) const {
    return fmt::formatter<std::string>::format(damo::to_string(d), c);
  }
};
template <>
struct fmt::formatter<damo::Sizes> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const damo::Sizes& s, Context& c) const {
    return fmt::formatter<std::string>::format(damo::to_string(s), c);
  }
};
template <>
struct fmt::formatter<damo::Type> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const damo::Type& t, Context& c) const {
    return fmt::formatter<std::string>::format(damo::to_string(t), c);
  }
};
