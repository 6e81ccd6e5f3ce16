#pragma once
#include <optional>
#include <string>

#include "core/tensor/tensor.h"

/// What several tests need.
namespace damo::test {

/// The folder of MNIST, $DAMO_DATA. If that is not set, says on stderr that a test is skipped and returns
/// nullopt; with DAMO_REQUIRE_DATA=1 throws std::runtime_error instead.
std::optional<std::string> mnist_dir();

/// A fresh, empty folder that is removed when the program ends.
std::string temp_dir();

/// Where `got` first departs from `want`, "" if nowhere: the shapes differ, or an element is further from the
/// wanted one than atol + rtol |wanted|. NaN equals NaN, an infinity only itself. dtypes are not compared.
std::string difference(const Tensor& got, const Tensor& want, double rtol, double atol);

/// A doctest check, reported at the caller's line, that there is no such difference; `what` begins the
/// message.
void check_close(const Tensor& got, const Tensor& want, double rtol, double atol, const std::string& what,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE());

}  // namespace damo::test
