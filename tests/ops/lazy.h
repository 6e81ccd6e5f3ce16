#pragma once
#include <sstream>
#include <string>
#include <vector>

#include "ops/ops.h"

/// For tests of what is computed only if it is needed.
namespace damo::test {

inline constexpr Mode all_modes[] = {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode};

inline std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

inline Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }

/// What Print writes while it lives.
struct Printed {
  std::ostringstream text;

  Printed() { set_print_stream(text); }
  ~Printed();
  std::string take() {
    std::string s = text.str();
    text.str("");
    return s;
  }
};

inline std::ostringstream& nowhere() {
  static std::ostringstream s;
  return s;
}

inline Printed::~Printed() { set_print_stream(nowhere()); }

/// x, and "name " is printed when it is computed.
inline Var traced(const Var& x, const std::string& name) { return Print(name, {"ndim"})(x); }

inline int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace damo::test
