#pragma once
#include <string>

#include "../graph/print.h"
#include "function.h"

namespace damo {

/// The graph that the function runs, after all rewriting, with its outputs and the new values of variables as
/// titles.
std::string debugprint(const Function& f, DebugPrintArgs args = {});

/// The same in Graphviz's language: `dot -Tsvg`.
std::string to_dot(const Function& f);

}  // namespace damo
