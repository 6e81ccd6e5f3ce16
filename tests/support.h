#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"

/// What several tests need.
namespace damo::test {

/// The reference `<name>.json`, from folder $DAMO_REFERENCE or else tests/golden. Throws std::runtime_error
/// if the file is missing, nlohmann's parse_error if it is not JSON.
nlohmann::json golden(const std::string& name);

/// The names of the references that begin so, in order; at least one.
std::vector<std::string> golden_names(const std::string& prefix);

/// The folder of MNIST, $DAMO_DATA. If that is not set, says on stderr that a test is skipped and returns
/// nullopt; with DAMO_REQUIRE_DATA=1 throws std::runtime_error instead.
std::optional<std::string> mnist_dir();

/// A fresh, empty folder that is removed when the program ends.
std::string temp_dir();

/// A tensor of `dtype` from a number or nested lists of numbers and booleans. Throws std::runtime_error if
/// the lists are ragged.
Tensor tensor_from_json(const nlohmann::json& json, DType dtype);

/// Where `got` first departs from `want`, "" if nowhere: the shapes differ, or an element is further from the
/// wanted one than atol + rtol |wanted|. NaN equals NaN, an infinity only itself. dtypes are not compared.
std::string difference(const Tensor& got, const Tensor& want, double rtol, double atol);

/// A doctest check, reported at the caller's line, that there is no such difference; `what` begins the
/// message.
void check_close(const Tensor& got, const Tensor& want, double rtol, double atol, const std::string& what,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE());

}  // namespace damo::test
