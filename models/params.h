#pragma once
#include <string>
#include <utility>
#include <vector>

#include "../core/graph/shared.h"

namespace damo {

/// A model's parameters with names that are unique in it: what its file holds.
using NamedParams = std::vector<std::pair<std::string, Shared>>;

/// The same with `prefix` before each name.
NamedParams prefixed(const std::string& prefix, NamedParams params);

/// Writes the values to an .npz file, one array per parameter. Throws Error if it cannot be written.
void save_params(const std::string& path, const NamedParams& params);

/// Gives the parameters the values of an .npz file; a float of another precision is converted. Throws Error,
/// and changes nothing, if the file lacks a parameter, holds one more, or one of another shape or kind.
void load_params(const std::string& path, const NamedParams& params);

}  // namespace damo
