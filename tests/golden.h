#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/tensor/tensor.h"

/// The references: what Theano computed.
namespace damo::test {

/// The reference `<name>.json`, from folder $DAMO_REFERENCE or else tests/golden. Throws std::runtime_error
/// if the file is missing, nlohmann's parse_error if it is not JSON.
nlohmann::json golden(const std::string& name);

/// The names of the references that begin so, in order; at least one.
std::vector<std::string> golden_names(const std::string& prefix);

/// A tensor of `dtype` from a number or nested lists of numbers and booleans. Throws std::runtime_error if
/// the lists are ragged.
Tensor tensor_from_json(const nlohmann::json& json, DType dtype);

}  // namespace damo::test
