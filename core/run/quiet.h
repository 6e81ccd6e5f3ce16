#pragma once

namespace damo {

/// Whether what a node does beside computing (printing) is to be left out, in this thread.
bool is_quiet();

/// While one of these lives, it is: what a mode computes a second time must not be seen twice.
class Quiet {
 public:
  Quiet();
  ~Quiet();
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
};

}  // namespace damo
