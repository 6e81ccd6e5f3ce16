#pragma once
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "../graph/graph.h"

/// Rewriting: rules, and the loop that applies them.
namespace damo {

/// A wildcard of a rule's pattern: it stands for any expression.
Var wild(std::string name);

/// before -> after. Both sides are ordinary expressions over wildcards. The sides of an `exact` rule have the
/// same bits, whatever the operands; those of a `close` one differ by rounding, or in the sign of a zero; a
/// `finite` rule may also turn NaN or Inf into the right number, never the reverse, and has digits that the
/// first side has lost.
struct Rule {
  enum class Kind { exact, close, finite };
  std::string name;
  Var before;
  Var after;
  Kind kind = Kind::exact;
  /// What a pattern cannot say: the replacement of one output, or an empty Var.
  std::function<Var(const Var&)> replace = {};
};

Rule rule(std::string name, const Arg& before, const Arg& after, Rule::Kind kind = Rule::Kind::exact);
Rule rule(std::string name, std::function<Var(const Var&)> replace, Rule::Kind kind = Rule::Kind::exact);

/// One firing of a rule: what stood there, what stands there now, and whose line it belongs to.
struct Firing {
  std::string rule;
  Var before;
  Var after;
  Where where;
  bool is_inside = false;  ///< in a Body that its op runs
};
using Trace = std::vector<Firing>;

/// "log_sigmoid: log(sigmoid(x)) -> -softplus(-x), at FILE:LINE", a line each.
std::string to_string(const Trace& trace);

/// A rewrite of the whole graph at once.
struct Pass {
  std::string name;
  std::function<Vars(const Vars&, Trace&)> run;
  Rule::Kind kind = Rule::Kind::close;
};

/// Phases run in order; the rules of one phase until nothing changes, then its passes.
struct Phase {
  std::string name;
  std::vector<Rule> rules;
  std::vector<Pass> passes;
};
using Rewrites = std::vector<Phase>;

/// The phases of FAST_RUN: stabilize, simplify, specialize, fuse. Defined in ops/rewrite/rules.cpp.
const Rewrites& default_rewrites();

struct RewriteArgs {
  std::vector<std::string> exclude = {};
  /// Nodes that no rule removes or looks through.
  Vars fixed = {};
  Trace* trace = nullptr;
};

/// Applies rules bottom-up, to what they make at once, until none fires. A rule fires only if its other side
/// exists for these types, and dtype, rank and stretched axes stay the same. Throws Bug if an expression
/// comes up again while it is being rewritten.
Vars rewrite(const Vars& outputs, const std::vector<Rule>& rules, const RewriteArgs& args = {});

/// The names of rules that feed each other for ever, in turn: fired on the left side of one of them, they
/// come back to an expression of the form from which they set out. None if there are no such rules.
/// (Functions that stand for patterns must see to it themselves that they make something smaller.)
std::vector<std::string> loop_in(const std::vector<Rule>& rules,
                                 const std::vector<std::string>& exclude = {});

/// The value of an expression whose inputs are all constants, if it is small; else an empty Var.
Var fold_constant(const Var& v);

/// One node for equal computations. Nodes with effects stay apart.
Vars merge(const Vars& outputs);

}  // namespace damo
