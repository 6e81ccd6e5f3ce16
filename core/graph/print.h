#pragma once
#include <string>
#include <vector>

#include "graph.h"

namespace damo {

/// The expression as one line of mathematics: "((x * 2) + y)".
std::string pp(const Var& v);

struct DebugPrintArgs {
  bool types = true;
  std::vector<std::string> titles = {};  ///< a line before each output, or none at all
};

/// The graph as an indented tree, with types; a node met again is named, not repeated. The graphs that nodes
/// stand for (OpFromGraph) follow.
std::string debugprint(const Vars& outputs, const DebugPrintArgs& args = {});
inline std::string debugprint(const Var& v, const DebugPrintArgs& args = {}) {
  return debugprint(Vars{v}, args);
}

/// The graph in Graphviz's language: `dot -Tsvg`. The outputs are called by their titles, or by their
/// numbers.
std::string to_dot(const Vars& outputs, const std::vector<std::string>& titles = {});
inline std::string to_dot(const Var& v) { return to_dot(Vars{v}); }

}  // namespace damo
