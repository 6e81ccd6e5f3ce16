#include "core/graph/warn_float64.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/graph/op.h"

namespace damo {
namespace {

WarnFloat64 from_environment() {
  const char* value = std::getenv("DAMO_WARN_FLOAT64");
  const std::string_view name = value == nullptr ? "" : value;
  if (name.empty() || name == "ignore") return WarnFloat64::ignore;
  if (name == "warn") return WarnFloat64::warn;
  check(name == "raise", "DAMO_WARN_FLOAT64 is {}, not ignore, warn or raise", name);
  return WarnFloat64::raise;
}

std::atomic<WarnFloat64>& setting() {
  static std::atomic<WarnFloat64> action = from_environment();
  return action;
}

bool is_told(DType dtype) {
  return warn_float64() != WarnFloat64::ignore && dtype == DType::float64 && floatX() == DType::float32;
}

void tell(const std::string& message) {
  if (warn_float64() == WarnFloat64::raise) throw Error(message);
  std::fputs(("warning: " + message + "\n").c_str(), stderr);
}

}  // namespace

WarnFloat64 warn_float64() { return setting(); }
void set_warn_float64(WarnFloat64 action) { setting() = action; }

void note_float64(const std::string& op, const Args& operands, DType result) {
  if (!is_told(result)) return;
  if (Scope::origin().kind != Origin::Kind::user) return;  // what the user wrote has been noted
  Vars x;
  Types types;
  for (const Arg& a : operands) {
    x.push_back(a.var());
    types.push_back(x.back().type());
    if (types.back().dtype == DType::float64) return;
  }
  tell(explain(op, x, types, Scope::where(),
               "gives float64, but floatX is float32 and no operand is float64: cast its integers to float32",
               {}));
}

void note_float64(const Var& variable) {
  if (!is_told(variable.dtype())) return;
  tell(explain("shared", {variable}, {variable.type()}, variable.node().where,
               "the value is float64, but floatX is float32: convert it by astype(float32)", {}));
}

}  // namespace damo
