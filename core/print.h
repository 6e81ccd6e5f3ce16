#pragma once
#include <string>

#include "function.h"
#include "graph.h"

namespace damo {

/// The expression as one line of mathematics: "((x * 2) + y)".
std::string pp(const Var& v);

struct DebugPrintArgs {
  bool types = true;
};

/// The graph as an indented tree, with types; a node met again is named, not repeated. The graphs that nodes
/// stand for (OpFromGraph) follow.
std::string debugprint(const Vars& outputs, DebugPrintArgs args = {});
inline std::string debugprint(const Var& v, DebugPrintArgs args = {}) { return debugprint(Vars{v}, args); }
/// The graph that the function runs, after all rewriting.
std::string debugprint(const Function& f, DebugPrintArgs args = {});

/// The graph in Graphviz's language: `dot -Tsvg`.
std::string to_dot(const Vars& outputs);
inline std::string to_dot(const Var& v) { return to_dot(Vars{v}); }
std::string to_dot(const Function& f);

}  // namespace damo
