#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "function.h"

/// Where a function's time goes.
namespace damo {

/// What the calls of a function took so far.
struct Profile {
  struct Line {
    std::string op, label, where;
    std::int64_t calls = 0;
    double seconds = 0, bytes_read = 0, bytes_written = 0, flops = 0;
  };
  std::string function;
  std::int64_t calls = 0;
  double seconds = 0;       ///< of whole calls, inputs and updates included
  std::vector<Line> steps;  ///< in the order in which they run
};

/// What was measured. Throws Error unless the function was made with `.profile = true`.
const Profile& measured(const Function& f);

/// The same as text: calls, seconds, GFLOP/s and GB/s, per op and per step with the user's line, the slowest
/// first. Throws Error unless the function was made with `.profile = true`.
std::string profile(const Function& f);

std::string to_string(const Profile& profile);

/// The profiles of all functions made while set_default_profile(true) held, those that are gone included.
std::string profiles();

struct Schedule;
class Watch;

/// Fills a new profile of what runs by this schedule.
std::unique_ptr<Watch> profiler(const Schedule& schedule, std::shared_ptr<Profile>& profile);

}  // namespace damo
