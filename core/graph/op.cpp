#include "core/graph/op.h"

#include "core/graph/body.h"

namespace damo {

Var Op::size(const Vars&, int, int) const { return {}; }

Vars Op::L_op(const Vars&, const Vars&, const Vars&) const { fail("{} has no gradient", name()); }
void Op::perform(const Views&, const Views&) const { throw Bug(name() + " has no kernel"); }
View Op::view(const Views&) const { throw Bug(name() + " is not a view"); }
double Op::flops(const Views&, const Views&) const { return 0; }

bool Op::overwrites(int, int) const { return false; }
bool Op::needs_value(int) const { return false; }
bool Op::reads(int) const { return true; }
OpPtr Op::with_body(Body) const { throw Bug(name() + " runs no Body"); }
void Op::loop(const Views&, const Views&, BodyRunner&) const { throw Bug(name() + " runs no Body"); }
OpPtr Op::checks() const { return nullptr; }
std::optional<bool> Op::needed_if(int) const { return {}; }
int Op::next_of(int) const { return -1; }
std::int64_t Op::integer(std::span<const std::int64_t>) const { throw Bug(name() + " has no integer form"); }

int checked_axis(int axis, int ndim) {
  check(axis >= -ndim && axis < ndim, "axis {} does not exist in {} dimensions", axis, ndim);
  return axis < 0 ? axis + ndim : axis;
}

std::string explain(const std::string& op, const Vars& inputs, const Types& types, const Where& where,
                    const std::string& reason, const std::string& function) {
  if (reason.find("\n  ") != std::string::npos) {
    // Complete but for the function: it comes from an op inside this one.
    return function.empty() ? reason : fmt::format("{}, in function \"{}\"", reason, function);
  }
  std::size_t width = 0;
  for (const Type& t : types) width = std::max(width, to_string(t).size());
  std::string s = op + ": " + reason;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    s += fmt::format("\n  {:{}}   {}", to_string(types[i]), width, label(inputs[i]));
  if (where.is_set()) s += "\n  " + to_string(where);
  if (!function.empty()) s += fmt::format("{}in function \"{}\"", where.is_set() ? ", " : "\n  ", function);
  return s;
}

Error completed(const std::string& op, const Vars& inputs, const Error& e) {
  Types types;
  for (const Var& v : inputs) types.push_back(v.type());
  return Error(explain(op, inputs, types, Scope::where(), e.what(), {}));
}

}  // namespace damo
