#include <algorithm>
#include <cstdio>
#include <string>
#include <unordered_set>

#include "core/graph/body.h"
#include "core/graph/identity.h"
#include "core/graph/size_checks.h"
#include "core/graph/walk.h"
#include "core/run/frame.h"
#include "core/run/function.h"

/// From what a function is made of to a program: checked, givens put in, rewritten.
namespace damo {
namespace {

std::string place(Where at) { return at.is_set() ? "\n  " + to_string(at) : std::string{}; }

/// What stands in the place of a variable.
Var converted(const char* what, const Var& variable, const Arg& value) {
  check(variable.is_set(), "{}: the variable is an empty Var{}", what, place(value.where));
  check(value.is_set(), "{}: what stands for {} is an empty Var{}", what, label(variable),
        place(value.where));
  // A literal takes the variable's dtype.
  return value.is_literal() ? value.var(variable.dtype()) : value.var();
}

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
    if (args_.mode != Mode::FAST_COMPILE) {
      const Vars merged = merge(written);
      program_->outputs = optimized(merged, rewrites_, program_->trace);
      program_->checked = lost_size_checks(merged, program_->outputs);
    }
    if (args_.trace)
      std::fputs(fmt::format("function \"{}\":\n{}", program_->name, to_string(program_->trace)).c_str(),
                 stderr);
    if (args_.mode == Mode::DebugMode) {
      Trace trace;
      add_reference(optimized(merge(written), mending(), trace));
    }
    separate_roots(program_->outputs);
    return program_;
  }

 private:
  template <class... A>
  void require(bool condition, fmt::format_string<A...> format, A&&... args) const {
    if (!condition) reject(fmt::format(format, std::forward<A>(args)...));
  }

  [[noreturn]] void reject(const std::string& fact) const {
    const std::string here = place(at_);  // it stands there once
    fail("function \"{}\": {}{}", program_->name, fact, fact.ends_with(here) ? "" : here);
  }

  void check_inputs() {
    std::unordered_set<std::string> names;
    VarMap<bool> seen;
    for (In in : args_.inputs) {
      require(in.variable.is_set(), "an input is an empty Var");
      const Node& node = in.variable.node();
      require(
          node.kind != Node::Kind::shared,
          "{} is a shared variable, which is no input: set_value changes it, and .givens puts something else "
          "in its place",
          label(in.variable));
      require(node.kind == Node::Kind::input,
              "{} is an expression or a constant, not a variable that can be an input", label(in.variable));
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
    roots = expand(one_draw_each(roots));
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
    require(updated_.emplace(variable, true).second, "{} is updated twice", label(variable));
    const Type &old = variable.type(), &now = value.type();
    bool fits = old.dtype == now.dtype && old.ndim() == now.ndim();
    for (int i = 0; fits && i < old.ndim(); ++i)
      fits = old.shape[i] < 0 || now.shape[i] < 0 || old.shape[i] == now.shape[i];
    if (!fits) reject_update(variable, value);
    program_->updated.push_back(variable);
    program_->outputs.push_back(value);
  }

  /// Names what makes the new value differ: the first on the way to it whose dtype, rank or sizes do.
  [[noreturn]] void reject_update(const Shared& variable, const Var& value) const {
    const Type &old = variable.type(), &now = value.type();
    const auto differs = [&](const Var& v) {
      const Type& t = v.type();
      if (now.dtype != old.dtype) return t.dtype == now.dtype;
      return now.ndim() == old.ndim() ? t.shape == now.shape : t.ndim() == now.ndim();
    };
    // A conversion that a mixture of dtypes asked for is not the cause, nor is a literal.
    const auto is_conversion = [](const Var& v) {
      const Node& node = v.node();
      return node.kind == Node::Kind::apply && node.inputs.size() == 1 &&
             node.inputs[0].dtype() != v.dtype() && node.inputs[0].type().shape == v.type().shape;
    };
    Var cause = value;
    while (cause.node().kind == Node::Kind::apply) {
      Vars own, conversions;
      for (const Var& x : cause.node().inputs)
        if (differs(x) && !x.node().weak) (is_conversion(x) ? conversions : own).push_back(x);
      if (own.empty() && conversions.size() != 1) break;
      cause = own.empty() ? conversions[0] : own[0];
    }
    Vars of{variable, value};
    if (!same(cause, value)) of.push_back(cause);
    std::size_t width = 0;
    for (const Var& v : of) width = std::max(width, to_string(v.type()).size());
    std::string rows;
    for (const Var& v : of)
      rows += fmt::format(
          "\n  {:{}}   {}", to_string(v.type()), width,
          same(v, value) ? "its new value" : label(v) + (same(v, cause) ? ", which makes it so" : ""));
    reject(fmt::format("the update of {} has another type{}{}", label(variable), rows,
                       place(cause.node().where)));
  }

  /// Random states advance by themselves; explicit updates win.
  void add_default_updates() {
    const VarMap<bool> explicit_updates = updated_;
    VarMap<Vars> next;
    Vars states;
    for (const NodePtr& node : toposort(program_->outputs)) {
      if (node->kind != Node::Kind::apply) continue;
      for (int o = 0; o < static_cast<int>(node->types.size()); ++o) {
        const int i = node->op->next_of(o);
        if (i < 0) continue;
        const Var& state = node->inputs[static_cast<std::size_t>(i)];
        if (state.node().kind == Node::Kind::shared && !next.contains(state)) states.push_back(state);
        next[state].emplace_back(node, o);
      }
    }
    for (const Var& state : states) {
      if (explicit_updates.contains(state)) continue;
      // The last of several draws, each from the state that the one before has left.
      Var v = state;
      for (auto found = next.find(v); found != next.end(); found = next.find(v)) {
        require(found->second.size() == 1, "{} is updated twice", label(state));
        v = found->second[0];
      }
      add_update(Shared(state), v);
    }
  }

  void check_leaves() {
    VarTable<bool> used, given;
    for (const In& in : program_->inputs) given.emplace(in.variable, true);
    for (const NodePtr& node : toposort(program_->outputs)) {
      if (node->kind != Node::Kind::input) continue;
      const Var v(node);
      require(given.contains(v),
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

  /// The roots, merged, after all phases.
  Vars optimized(Vars roots, const Rewrites& phases, Trace& trace) const {
    for (const Phase& phase : phases) roots = after(phase, std::move(roots), trace);
    return roots;
  }

  /// The merged roots after one phase, in Bodies too.
  Vars after(const Phase& phase, Vars roots, Trace& trace) const {
    RewriteArgs rewriting;
    rewriting.exclude = args_.exclude;
    // A NaN is found in an array of its own, where its place can be told.
    if (args_.mode == Mode::NanGuardMode) rewriting.exclude.push_back("fuse_sum");
    rewriting.trace = &trace;
    const auto become = [&](const Vars& now) {
      if (!std::equal(now.begin(), now.end(), roots.begin(), roots.end(), VarSame())) roots = merge(now);
    };
    become(map_bodies(roots, [&](Body body) {
      Trace inside;
      const Vars written = merge(body.outputs);
      body.outputs = after(phase, written, inside);
      const Vars lost = lost_size_checks(written, body.outputs);
      body.checked.insert(body.checked.end(), lost.begin(), lost.end());
      for (Firing& f : inside) {
        f.is_inside = true;
        trace.push_back(std::move(f));
      }
      return body;
    }));
    if (!phase.rules.empty()) become(rewrite(roots, phase.rules, rewriting));
    for (const Pass& pass : phase.passes)
      if (std::find(rewriting.exclude.begin(), rewriting.exclude.end(), pass.name) == rewriting.exclude.end())
        become(pass.run(roots, trace));
    return roots;
  }

  /// What mends values that the graph as it was written loses: results are compared with mended ones.
  Rewrites mending() const {
    const auto mends = [](const auto& r) { return r.kind == Rule::Kind::finite; };
    Rewrites phases = rewrites_;
    for (Phase& phase : phases) {
      std::erase_if(phase.rules, [&](const Rule& r) { return !mends(r); });
      std::erase_if(phase.passes, [&](const Pass& p) { return !mends(p); });
    }
    return phases;
  }

  /// What results are compared with, and both sides of each firing.
  void add_reference(const Vars& expected) {
    program_->reference = without_updates(expected);
    Vars sides, different;
    Trace outside = program_->trace;  // what is inside has no values of its own
    std::erase_if(outside, [](const Firing& f) { return f.is_inside; });
    for (const Firing& f : outside)
      for (const Var& v : {f.before, f.after}) sides.push_back(v);
    sides = merge(sides);
    for (std::size_t i = 0; i < outside.size(); ++i) {
      const Firing& f = outside[i];
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
    program->is_inner = true;
    separate_roots(program->outputs);
    return program;
  }

  Rule::Kind kind_of(const std::string& name) const {
    for (const Phase& phase : rewrites_) {
      for (const Rule& r : phase.rules)
        if (r.name == name) return r.kind;
      for (const Pass& p : phase.passes)
        if (p.name == name) return p.kind;
    }
    return Rule::Kind::close;
  }

  static bool is_row_major(const Var& v) {
    const Node& node = v.node();
    if (node.kind != Node::Kind::apply) return node.kind != Node::Kind::input;
    return node.op->view_of() < 0 || node.op->needs_row_major();
  }

  /// A kernel must write each output, and each new value, as an array of its own.
  static void separate_roots(Vars& roots) {
    roots = map_bodies(roots, [](Body body) {
      separate_roots(body.outputs);
      return body;
    });
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
  VarMap<bool> updated_;
};

}  // namespace

Update::Update(const Shared& v, const Arg& new_value)
    : variable(v), value(converted("updates", v, new_value)) {}
Given::Given(const Var& v, const Arg& by) : variable(v), replacement(converted("givens", v, by)) {}

Function compile(const FunctionArgs& args, const Rewrites& rewrites, Where at) {
  Function f;
  f.frame_ = std::make_shared<Frame>(make_schedule(Compiler(args, rewrites, at).compile()));
  return f;
}

}  // namespace damo
