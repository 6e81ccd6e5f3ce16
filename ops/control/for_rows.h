#pragma once
#include "../../core/graph/graph.h"

namespace damo {

/// For each of `rows`, expressions of an integer scalar i: their values for i = 0, ..., n - 1, one below the
/// other. A row has the type and the sizes of its `like`. What does not depend on i is computed once. Empty
/// Vars stay empty.
Vars for_rows(const Var& i, const Var& n, const Vars& rows, const Vars& like);

}  // namespace damo
