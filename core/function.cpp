#include "core/function.h"

#include <algorithm>
#include <cstdio>
#include <ostream>
#include <set>

#include "core/body.h"
#include "core/identity.h"
#include "core/plan.h"
#include "core/walk.h"

namespace damo {
namespace {

Var converted(const Shared& variable, const Arg& value) {
  // A literal takes the variable's dtype.
  return value.is_literal() ? value.var(variable.dtype()) : value.var();
}

std::string place(Where at) { return at.is_set() ? "\n  " + to_string(at) : std::string{}; }

class Compiler {
 public:
  Compiler(const FunctionArgs& args, const Rewrites& rewrites, Where at)
      : args_(args), rewrites_(rewrites), at_(at), program_(std::make_shared<Program>()) {}

  std::shared_ptr<const Program> compile() {
    program_->name = args_.name.empty() ? "<unnamed>" : args_.name;
    program_->where = at_;
    check_inputs();
    gather_roots();
    add_default_updates();
    check_leaves();
    program_->mode = args_.mode;
    program_->profile = args_.profile;
    program_->registers_profile = args_.profile && default_profile();
    program_->overwrites = args_.mode == Mode::FAST_RUN || args_.mode == Mode::FAST_COMPILE;
    const Vars written = program_->outputs;
    if (args_.mode != Mode::FAST_COMPILE) optimize();
    if (args_.trace)
      std::fputs(fmt::format("function \"{}\":\n{}", program_->name, to_string(program_->trace)).c_str(),
                 stderr);
    if (args_.mode == Mode::DebugMode) add_reference(written);
    separate_roots(program_->outputs);
    return program_;
  }

 private:
  template <class... A>
  void require(bool condition, fmt::format_string<A...> format, A&&... args) const {
    if (!condition)
      fail("function \"{}\": {}{}", program_->name, fmt::format(format, std::forward<A>(args)...),
           place(at_));
  }

  void check_inputs() {
    std::unordered_set<std::string> names;
    VarMap<bool> seen;
    for (In in : args_.inputs) {
      require(in.variable.is_set(), "an input is an empty Var");
      const Node& node = in.variable.node();
      require(node.kind == Node::Kind::input, "{} is {}, not a variable that can be an input",
              label(in.variable),
              node.kind == Node::Kind::shared ? "a shared variable" : "an expression or a constant");
      if (in.name.empty()) in.name = node.name;
      require(seen.emplace(in.variable, true).second, "input {} stands twice", label(in.variable));
      require(in.name.empty() || names.insert(in.name).second, "two inputs are named {}", in.name);
      program_->inputs.push_back(std::move(in));
    }
  }

  void gather_roots() {
    Vars& roots = program_->outputs;
    for (const Var& v : args_.outputs.vars()) {
      require(v.is_set(), "an output is an empty Var");
      roots.push_back(v);
    }
    program_->n_outputs = roots.size();
    for (const Update& u : args_.updates) add_update(u.variable, u.value);
    put_givens(roots);
    roots = expand(roots);
  }

  void put_givens(Vars& roots) {
    if (args_.givens.empty()) return;
    VarMap<Var> by;
    for (const Given& g : args_.givens) {
      require(g.variable.type().dtype == g.replacement.dtype() && g.variable.ndim() == g.replacement.ndim(),
              "the given for {} has another type\n  {}   {}\n  {}   its replacement{}", label(g.variable),
              g.variable.type(), label(g.variable), g.replacement.type(), place(g.replacement.node().where));
      require(by.emplace(g.variable, g.replacement).second, "{} is given twice", label(g.variable));
    }
    roots = substitute(roots, by);
  }

  void add_update(const Shared& variable, const Var& value) {
    for (const Shared& s : program_->updated)
      require(!same(s, variable), "{} is updated twice", label(variable));
    const Type &old = variable.type(), &now = value.type();
    bool fits = old.dtype == now.dtype && old.ndim() == now.ndim();
    for (int i = 0; fits && i < old.ndim(); ++i)
      fits = old.shape[i] < 0 || now.shape[i] < 0 || old.shape[i] == now.shape[i];
    require(fits, "the update of {} has another type\n  {}   {}\n  {}   its new value{}", label(variable),
            old, label(variable), now, place(value.node().where));
    program_->updated.push_back(variable);
    program_->outputs.push_back(value);
  }

  /// Random states advance by themselves; explicit updates win.
  void add_default_updates() {
    const std::size_t explicit_updates = program_->updated.size();
    const Vars roots = program_->outputs;
    for (const NodePtr& node : toposort(roots)) {
      if (node->kind != Node::Kind::apply) continue;
      for (int o = 0; o < static_cast<int>(node->types.size()); ++o) {
        const int i = node->op->next_of(o);
        if (i < 0) continue;
        const Var& state = node->inputs[static_cast<std::size_t>(i)];
        if (state.node().kind != Node::Kind::shared) continue;
        const auto begin = program_->updated.begin();
        const auto chosen = std::find_if(begin, begin + static_cast<std::ptrdiff_t>(explicit_updates),
                                         [&](const Shared& s) { return same(s, state); });
        if (chosen == begin + static_cast<std::ptrdiff_t>(explicit_updates))
          add_update(Shared(state), Var(node, o));
      }
    }
  }

  void check_leaves() {
    VarMap<bool> used;
    for (const NodePtr& node : toposort(program_->outputs)) {
      if (node->kind != Node::Kind::input) continue;
      const Var v(node);
      const bool given = std::any_of(program_->inputs.begin(), program_->inputs.end(),
                                     [&](const In& in) { return same(in.variable, v); });
      require(given,
              "{}, which the outputs or updates depend on, is not among the inputs, and has no value{}",
              label(v), node->where.is_set() ? " (made " + to_string(node->where) + ")" : "");
      used.emplace(v, true);
    }
    if (args_.on_unused_input == OnUnusedInput::ignore) return;
    for (const In& in : program_->inputs) {
      if (used.contains(in.variable)) continue;
      const std::string fact = fmt::format("function \"{}\": no output or update depends on input {}",
                                           program_->name, label(in.variable));
      check(args_.on_unused_input == OnUnusedInput::warn,
            "{}: leave it out, or say .on_unused_input = OnUnusedInput::ignore{}", fact, place(at_));
      std::fputs(fmt::format("{}{}\n", fact, place(at_)).c_str(), stderr);
    }
  }

  void optimize() {
    Vars& roots = program_->outputs;
    RewriteArgs rewriting;
    rewriting.exclude = args_.exclude;
    // A NaN is found in an array of its own, where its place can be told.
    if (args_.mode == Mode::NanGuardMode) rewriting.exclude.push_back("fuse_sum");
    rewriting.trace = &program_->trace;
    roots = merge(roots);
    for (const Phase& phase : rewrites_) {
      if (!phase.rules.empty()) roots = merge(rewrite(roots, phase.rules, rewriting));
      for (const Pass& pass : phase.passes)
        if (std::find(rewriting.exclude.begin(), rewriting.exclude.end(), pass.name) ==
            rewriting.exclude.end())
          roots = merge(pass.run(roots, program_->trace));
    }
  }

  /// The unrewritten graph, and both sides of each firing.
  void add_reference(const Vars& written) {
    program_->reference = without_updates(written);
    Vars sides, different;
    for (const Firing& f : program_->trace)
      for (const Var& v : {f.before, f.after}) sides.push_back(v);
    sides = merge(sides);
    for (std::size_t i = 0; i < program_->trace.size(); ++i) {
      const Firing& f = program_->trace[i];
      if (same(sides[2 * i], sides[2 * i + 1])) continue;
      program_->fired.push_back({f.rule, f.before, f.after, f.where, kind_of(f.rule)});
      different.push_back(sides[2 * i]);
      different.push_back(sides[2 * i + 1]);
    }
    if (!different.empty()) program_->sides = without_updates(different);
  }

  std::shared_ptr<const Program> without_updates(const Vars& outputs) const {
    const auto program = std::make_shared<Program>();
    program->name = program_->name;
    program->where = program_->where;
    program->inputs = program_->inputs;
    program->outputs = outputs;
    program->n_outputs = outputs.size();
    program->mode = Mode::DebugMode;
    program->overwrites = false;
    separate_roots(program->outputs);
    return program;
  }

  Rule::Kind kind_of(const std::string& name) const {
    for (const Phase& phase : rewrites_)
      for (const Rule& r : phase.rules)
        if (r.name == name) return r.kind;
    return Rule::Kind::exact;
  }

  static bool is_row_major(const Var& v) {
    const Node& node = v.node();
    if (node.kind != Node::Kind::apply) return node.kind != Node::Kind::input;
    return node.op->view_of() < 0 || node.op->needs_row_major();
  }

  /// A kernel must write each output, and each new value, as an array of its own.
  static void separate_roots(Vars& roots) {
    roots = with_row_major_bases(roots);
    VarMap<bool> taken;
    for (Var& v : roots) {
      const Node& node = v.node();
      const bool computed = node.kind == Node::Kind::apply && node.op->view_of() < 0 &&
                            !(v.ndim() == 0 && !v.type().is_float());
      if (computed && taken.emplace(v, true).second) continue;
      const Scope here(node, node.origin);
      v = apply(make_op(Copy()), Vars{v});
    }
  }

  static Vars with_row_major_bases(const Vars& roots) {
    Current now;
    VarMap<Var> copies;
    for (const NodePtr& node : toposort(roots)) {
      if (node->kind != Node::Kind::apply) continue;
      Vars inputs;
      bool changed = false;
      for (int i = 0; i < static_cast<int>(node->inputs.size()); ++i) {
        const Var& v = node->inputs[static_cast<std::size_t>(i)];
        Var x = now(v);
        if (node->op->needs_row_major() && node->op->view_of() == i && !is_row_major(x)) {
          const Scope here(*node, node->origin);
          Var& copy = copies[x];
          if (!copy.is_set()) copy = apply(make_op(Copy()), Vars{x}).named(label(x));
          x = copy;
        }
        changed |= !same(x, v);
        inputs.push_back(x);
      }
      if (!changed) continue;
      now.put(node, rebuild(*node, std::move(inputs)));
    }
    return now(roots);
  }

  const FunctionArgs& args_;
  const Rewrites& rewrites_;
  Where at_;
  std::shared_ptr<Program> program_;
};

}  // namespace

Update::Update(const Shared& v, const Arg& new_value) : variable(v), value(converted(v, new_value)) {}
Given::Given(const Var& v, const Arg& by)
    : variable(v), replacement(by.is_literal() ? by.var(v.dtype()) : by.var()) {}

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
  return plan_->call(values, n);
}

Values Function::operator()(std::initializer_list<Keyword> args) const {
  check(is_set(), "an empty Function was called");
  return plan_->call(args);
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
  const auto program = std::make_shared<Program>(plan_->program());
  const VarMap<Var> by = checked_swaps(*program, args);
  if (args.delete_updates) {
    program->outputs.resize(program->n_outputs);
    program->updated.clear();
  }
  swap_variables(*program, by);
  program->reference = swapped(program->reference, by, program->outputs.size());
  if (program->sides != nullptr) program->sides = swapped(program->sides, by, program->sides->outputs.size());
  if (!args.name.empty()) program->name = args.name;
  Function f;
  f.plan_ = std::make_shared<Plan>(program);
  return f;
}

const std::string& Function::name() const { return plan_->program().name; }
const Vars& Function::outputs() const { return plan_->program().outputs; }
const std::vector<Shared>& Function::updated() const { return plan_->program().updated; }
const Trace& Function::trace() const { return plan_->program().trace; }

Function compile(const FunctionArgs& args, const Rewrites& rewrites, Where at) {
  Function f;
  f.plan_ = std::make_shared<Plan>(Compiler(args, rewrites, at).compile());
  return f;
}

}  // namespace damo
