#include "core/run/function.h"

#include <ostream>
#include <set>

#include "core/graph/walk.h"
#include "core/run/frame.h"

namespace damo {

const Tensor& Values::operator[](std::size_t i) const {
  check(i < size_, "output {} was asked for, but the function returns {}", i, size_);
  return begin()[i];
}

const Tensor& Values::only() const {
  check(size_ == 1, "a single value was asked for, but the function returns {}", size_);
  return *begin();
}

void Values::check_size(std::size_t n) const {
  check(size_ == n, "{} values were asked for, but the function returns {}", n, size_);
}

std::ostream& operator<<(std::ostream& out, const Values& values) {
  for (const Tensor& t : values) out << (&t == values.begin() ? "" : "\n") << t;
  return out;
}

Values Function::call(const Tensor* values, std::size_t n) const {
  check(is_set(), "an empty Function was called");
  const std::shared_ptr<Frame> running = frame_;  // also if the handle is given away meanwhile
  return running->call(values, n);
}

Values Function::operator()(std::initializer_list<Keyword> args) const {
  check(is_set(), "an empty Function was called");
  const std::shared_ptr<Frame> running = frame_;
  return running->call(args);
}

namespace {

VarMap<Var> checked_swaps(const Program& program, const CopyArgs& args) {
  VarMap<bool> used;
  for (const NodePtr& node : toposort(program.outputs)) used.emplace(Var(node), true);
  for (const Shared& s : program.updated) used.emplace(s, true);
  VarMap<Var> by;
  for (const auto& [from, to] : args.swap) {
    check(from.is_set() && to.is_set(), "copy of function \"{}\": an empty Shared was given to swap",
          program.name);
    check(used.contains(from), "copy of function \"{}\": it does not use {}", program.name, label(from));
    check(from.type() == to.type() && from.node().cell->resizable == to.node().cell->resizable,
          "copy of function \"{}\": {} cannot stand in the place of {}\n  {}   {}\n  {}   {}", program.name,
          label(to), label(from), from.type(), label(from), to.type(), label(to));
    check(by.emplace(from, to).second, "copy of function \"{}\": {} is swapped twice", program.name,
          label(from));
  }
  return by;
}

void swap_variables(Program& program, const VarMap<Var>& by) {
  if (by.empty()) return;
  program.outputs = substitute(program.outputs, by);
  program.checked = substitute(program.checked, by);
  std::set<const Node*> updated;
  for (Shared& s : program.updated) {
    if (const auto to = by.find(s); to != by.end()) s = Shared(to->second);
    check(updated.insert(&s.node()).second, "copy of function \"{}\": {} would be updated twice",
          program.name, label(s));
  }
  for (Program::Fired& f : program.fired) {
    const Vars sides = substitute({f.before, f.after}, by);
    f.before = sides[0];
    f.after = sides[1];
  }
}

/// The same for a program, or none, that this one is compared with; `keep` outputs of it.
std::shared_ptr<const Program> swapped(const std::shared_ptr<const Program>& program, const VarMap<Var>& by,
                                       std::size_t keep) {
  if (program == nullptr) return nullptr;
  const auto copy = std::make_shared<Program>(*program);
  copy->outputs.resize(keep);
  copy->n_outputs = keep;
  swap_variables(*copy, by);
  return copy;
}

}  // namespace

Function Function::copy(const CopyArgs& args) const {
  check(is_set(), "an empty Function has no copy");
  Function f;
  if (args.swap.empty() && !args.delete_updates && args.name.empty()) {
    f.frame_ = std::make_shared<Frame>(frame_->share_schedule());
    return f;
  }
  const auto program = std::make_shared<Program>(frame_->program());
  const VarMap<Var> by = checked_swaps(*program, args);
  if (args.delete_updates) {
    program->outputs.resize(program->n_outputs);
    program->updated.clear();
  }
  swap_variables(*program, by);
  program->reference = swapped(program->reference, by, program->outputs.size());
  if (program->sides != nullptr) program->sides = swapped(program->sides, by, program->sides->outputs.size());
  if (!args.name.empty()) program->name = args.name;
  f.frame_ = std::make_shared<Frame>(make_schedule(program));
  return f;
}

Frame& Function::frame() const {
  check(is_set(), "an empty Function was used: it was declared but never compiled");
  return *frame_;
}

const std::string& Function::name() const { return frame().program().name; }
const Vars& Function::outputs() const { return frame().program().outputs; }
const std::vector<Shared>& Function::updated() const { return frame().program().updated; }
const Trace& Function::trace() const { return frame().program().trace; }

}  // namespace damo
