#pragma once
#include <iostream>
#include <string>

namespace damo::test {

/// Whether a test of a minute is left out, with a word on stderr, because the sanitizers would make many of
/// it.
inline bool skip_long_test([[maybe_unused]] const std::string& name) {
#ifdef DAMO_SANITIZED
  std::cerr << "*** SKIPPED: " << name << " takes too long with sanitizers; the release build runs it ***"
            << std::endl;
  return true;
#else
  return false;
#endif
}

}  // namespace damo::test
