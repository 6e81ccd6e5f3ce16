#include <array>
#include <atomic>

#include "core/run/function.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

std::atomic<Mode> chosen_mode = Mode::FAST_RUN;
std::atomic<bool> chosen_profile = false;

constexpr std::array modes = {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode};

}  // namespace

Mode default_mode() { return chosen_mode; }
void set_default_mode(Mode mode) { chosen_mode = mode; }
bool default_profile() { return chosen_profile; }
void set_default_profile(bool profile) { chosen_profile = profile; }

std::string to_string(Mode mode) {
  switch (mode) {
    case Mode::FAST_RUN: return "FAST_RUN";
    case Mode::FAST_COMPILE: return "FAST_COMPILE";
    case Mode::NanGuardMode: return "NanGuardMode";
    case Mode::DebugMode: return "DebugMode";
  }
  throw Bug("a mode has no name");
}

Mode mode_from(std::string_view name) {
  for (const Mode mode : modes)
    if (to_string(mode) == name) return mode;
  fail("there is no mode {}: the modes are FAST_RUN, FAST_COMPILE, NanGuardMode, DebugMode", name);
}

}  // namespace damo
