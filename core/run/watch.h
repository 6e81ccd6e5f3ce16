#pragma once
#include <memory>
#include <vector>

#include "frame.h"

/// Who looks on while a function runs: profiles, and the modes that find mistakes.
namespace damo {

class Watch {
 public:
  virtual ~Watch() = default;
  /// The inputs are bound, nothing has run. `inputs` are what the caller gave.
  virtual void begin(const Frame&, const std::vector<Tensor>& /*inputs*/) {}
  virtual void before(const Frame&, const Step&) {}
  virtual void after(const Frame&, const Step&) {}
  /// The step lies in a branch that this call does not take.
  virtual void skipped(const Frame&, const Step&) {}
  /// All is computed; no Shared has been written, but in place.
  virtual void end(const Frame&) {}
};

std::unique_ptr<Watch> nan_guard();
/// Compares with `program.reference`.
std::unique_ptr<Watch> debug_checks(const Program& program);

/// The types of some slots in this call.
Types types_of(const Frame& frame, const std::vector<int>& slots);

}  // namespace damo
