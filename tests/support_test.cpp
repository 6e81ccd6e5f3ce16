#include "tests/support.h"

#include <doctest/doctest.h>
#include <stdlib.h>  // setenv

#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/golden.h"

using namespace damo;
using namespace damo::test;
using nlohmann::json;

namespace {

// An environment variable for the length of a test; nullptr unsets it.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Environment() { set(before_ ? before_->c_str() : nullptr); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const char* value) const {
    if (value == nullptr)
      unsetenv(name_);
    else
      setenv(name_, value, 1);
  }
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("golden reads the reference files") {
  const Environment reference("DAMO_REFERENCE", nullptr);
  CHECK(golden("theano_pages_float64")["settings"]["theano"] == "1.0.5");
  CHECK_THROWS_WITH_AS(golden("nothing"), doctest::Contains("no reference file"), std::runtime_error);
}

TEST_CASE("golden reads from DAMO_REFERENCE where that is set") {
  const std::string folder = temp_dir();
  std::ofstream(folder + "/mine.json") << R"({"a": [1, 2]})";
  const Environment reference("DAMO_REFERENCE", folder.c_str());
  CHECK(golden("mine")["a"][1] == 2);
  CHECK_THROWS_WITH_AS(golden("other"), ("no reference file " + folder + "/other.json").c_str(),
                       std::runtime_error);
}

TEST_CASE("mnist_dir is DAMO_DATA, nothing, or an error where data are required") {
  const Environment optional_data("DAMO_REQUIRE_DATA", nullptr);
  {
    const Environment data("DAMO_DATA", "some/folder");
    CHECK(mnist_dir() == "some/folder");
  }
  const Environment data("DAMO_DATA", nullptr);
  CHECK(mnist_dir() == std::nullopt);
  const Environment required("DAMO_REQUIRE_DATA", "1");
  CHECK_THROWS_WITH_AS(mnist_dir(),
                       "DAMO_DATA is not set, and DAMO_REQUIRE_DATA=1 expects the folder of MNIST there",
                       std::runtime_error);
}

TEST_CASE("temp_dir makes a fresh folder each time") {
  const std::string a = temp_dir(), b = temp_dir();
  CHECK(a != b);
  CHECK(std::filesystem::is_directory(a));
  CHECK(std::filesystem::is_empty(b));
}

TEST_CASE("tensor_from_json reads nested lists") {
  const Tensor m = tensor_from_json(json::parse("[[1, 2, 3], [4, 5, 6]]"), float32);
  CHECK(m.dtype() == float32);
  CHECK(m.shape() == Sizes{2, 3});
  CHECK(m.at<float>(1, 0) == 4);
  CHECK(tensor_from_json(json(2.5), float64).item() == 2.5);
  CHECK(tensor_from_json(json::parse("[true, false]"), bool_).at<bool>(0));
  CHECK(tensor_from_json(json::parse("[]"), int64).shape() == Sizes{0});
  CHECK(tensor_from_json(json::parse("[[], []]"), int64).shape() == Sizes{2, 0});
}

TEST_CASE("tensor_from_json refuses ragged lists") {
  for (const char* text : {"[[1, 2], [3]]", "[[1, 2], 3]", "[1, [2]]"})
    CHECK_THROWS_WITH_AS(tensor_from_json(json::parse(text), float64),
                         doctest::Contains("the lists are ragged, expected the shape "), std::runtime_error);
}

TEST_CASE("difference names the first element that departs") {
  const Tensor want{{1., 2.}, {3., 4.}};
  CHECK(difference(want, want, 0, 0) == "");
  CHECK(difference(Tensor{{1., 2.}, {3.5, 4.5}}, want, 0, 0) ==
        "element (1, 0) is 3.5, expected 3; 2 of 4 differ");
  CHECK(difference(Tensor{1., 2.}, want, 0, 0) == "the shape is (2,), expected (2, 2)");
}

TEST_CASE("difference allows atol + rtol |wanted|") {
  CHECK(difference(Tensor(9.), Tensor(8.), 0.125, 0) == "");
  CHECK(difference(Tensor(9.), Tensor(8.), 0, 1) == "");
  CHECK(difference(Tensor(10.), Tensor(8.), 0.125, 1) == "");
  CHECK(difference(Tensor(10.25), Tensor(8.), 0.125, 1) == "element () is 10.25, expected 8; 1 of 1 differ");
  CHECK(difference(Tensor(1.f), Tensor(1), 0, 0) == "");
}

TEST_CASE("difference holds NaN equal to NaN, and an infinity only to itself") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK(difference(Tensor{nan, inf, -inf}, Tensor{nan, inf, -inf}, 0, 0) == "");
  CHECK(difference(Tensor(1.), Tensor(nan), 1, 1) == "element () is 1, expected nan; 1 of 1 differ");
  CHECK(difference(Tensor(nan), Tensor(1.), 1, 1) == "element () is nan, expected 1; 1 of 1 differ");
  CHECK(difference(Tensor(-inf), Tensor(inf), 1, 1) == "element () is -inf, expected inf; 1 of 1 differ");
  CHECK(difference(Tensor(1.), Tensor(inf), 1, 1) == "element () is 1, expected inf; 1 of 1 differ");
}

TEST_CASE("check_close accepts what is close") { check_close(Tensor(1.), Tensor(1.), 0, 0, "one"); }

// doctest passes this case only if exactly one check in it fails.
TEST_CASE("check_close rejects what is not" * doctest::expected_failures(1)) {
  check_close(Tensor(1.), Tensor(2.), 0, 0, "this failure is expected");
}
