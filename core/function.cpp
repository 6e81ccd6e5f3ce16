#include "core/function.h"

#include <algorithm>
#include <cstdio>
#include <ostream>

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
    for (const In& in : program_->inputs)
      require(used.contains(in.variable),
              "no output or update depends on input {}: leave it out, or say .on_unused_input = "
              "OnUnusedInput::ignore",
              label(in.variable));
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

  /// The unrewritten graph, and both sides of each firing, as a program that updates nothing.
  void add_reference(const Vars& written) {
    Vars sides;
    for (const Firing& f : program_->trace)
      for (const Var& v : {f.before, f.after}) sides.push_back(v);
    sides = merge(sides);
    auto reference = std::make_shared<Program>();
    reference->name = program_->name;
    reference->where = program_->where;
    reference->inputs = program_->inputs;
    reference->outputs = written;
    for (std::size_t i = 0; i < program_->trace.size(); ++i) {
      const Firing& f = program_->trace[i];
      if (same(sides[2 * i], sides[2 * i + 1])) continue;
      program_->fired.push_back({f.rule, f.before, f.after, f.where, kind_of(f.rule)});
      reference->outputs.push_back(sides[2 * i]);
      reference->outputs.push_back(sides[2 * i + 1]);
    }
    reference->n_outputs = reference->outputs.size();
    reference->mode = Mode::DebugMode;
    reference->overwrites = false;
    separate_roots(reference->outputs);
    program_->reference = reference;
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
    VarMap<Var> done, copies;
    const auto now = [&](const Var& v) {
      const auto found = done.find(v);
      return found == done.end() ? v : found->second;
    };
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
      const Vars outs = rebuild(*node, std::move(inputs));
      for (int o = 0; o < static_cast<int>(outs.size()); ++o)
        done.emplace(Var(node, o), outs[static_cast<std::size_t>(o)]);
    }
    Vars result;
    for (const Var& v : roots) result.push_back(now(v));
    return result;
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

Function Function::copy() const {
  Function f;
  f.plan_ = std::make_shared<Plan>(plan_->share_program());
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
