#include "tests/support.h"

#include <doctest/doctest.h>
#include <stdlib.h>  // mkdtemp

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace damo::test {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The index of the k-th element in row-major order, as "(1, 2)".
std::string index_of(std::int64_t k, const Sizes& shape) {
  Sizes index = shape;
  for (int axis = shape.size() - 1; axis >= 0; --axis) {
    index[axis] = k % shape[axis];
    k /= shape[axis];
  }
  return to_string(index);
}

bool close(double got, double want, double rtol, double atol) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::abs(got - want) <= atol + rtol * std::abs(want);
}

}  // namespace

std::optional<std::string> mnist_dir() {
  const std::string folder = environment("DAMO_DATA");
  if (!folder.empty()) return folder;
  if (environment("DAMO_REQUIRE_DATA") == "1")
    throw std::runtime_error(
        "DAMO_DATA is not set, and DAMO_REQUIRE_DATA=1 expects the folder of MNIST there");
  std::cerr << "*** SKIPPED: a test needs MNIST; set DAMO_DATA to the folder of its files ***" << std::endl;
  return std::nullopt;
}

std::string temp_dir() {
  struct Folders {
    std::vector<std::string> paths;
    ~Folders() {
      std::error_code ignored;
      for (const std::string& path : paths) std::filesystem::remove_all(path, ignored);
    }
  };
  static Folders folders;
  std::string path = (std::filesystem::temp_directory_path() / "damo-test-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("cannot make the folder " + path);
  folders.paths.push_back(path);
  return path;
}

std::string difference(const Tensor& got, const Tensor& want, double rtol, double atol) {
  if (got.shape() != want.shape())
    return "the shape is " + to_string(got.shape()) + ", expected " + to_string(want.shape());
  const std::vector<double> g = got.to_vector<double>(), w = want.to_vector<double>();
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = g.size(); i-- > 0;) {
    if (close(g[i], w[i], rtol, atol)) continue;
    ++wrong;
    first = i;
  }
  if (wrong == 0) return "";
  std::ostringstream message;
  message.precision(17);
  message << "element " << index_of(static_cast<std::int64_t>(first), got.shape()) << " is " << g[first]
          << ", expected " << w[first] << "; " << wrong << " of " << g.size() << " differ";
  return message.str();
}

void check_close(const Tensor& got, const Tensor& want, double rtol, double atol, const std::string& what,
                 const char* file, int line) {
  const std::string text = difference(got, want, rtol, atol);
  if (text.empty()) {
    CHECK(text.empty());  // counts as an assertion
  } else {
    ADD_FAIL_CHECK_AT(file, line, what << ": " << text);
  }
}

}  // namespace damo::test
