#include "core/tensor/size.h"

#include <doctest/doctest.h>

#include <limits>

#include "core/run/layout.h"
#include "tests/expect.h"

using namespace damo;
using test::error_of;

namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max(),
                       smallest = std::numeric_limits<std::int64_t>::min();

}  // namespace

TEST_CASE("sums and products of sizes") {
  CHECK(plus(largest - 1, 1) == largest);
  CHECK(times(largest, 1) == largest);
  CHECK(times(3037000499, 3037000499) == 9223372030926249001);
  CHECK(error_of([] { plus(largest, 1); }) == "the size 9223372036854775807 + 1 is too large");
  CHECK(error_of([] { times(std::int64_t{1} << 32, std::int64_t{1} << 31); }) ==
        "the size 4294967296 * 2147483648 is too large");
  CHECK(error_of([] { times(smallest, -1); }) == "the size -9223372036854775808 * -1 is too large");
  CHECK(error_of([] { Sizes({largest, 2}).product(); }) == "the size 9223372036854775807 * 2 is too large");
}

TEST_CASE("steps between two numbers") {
  CHECK(steps_between(0, 3, 1) == 3);
  CHECK(steps_between(0, 3, 2) == 2);
  CHECK(steps_between(0, 3, largest) == 1);
  CHECK(steps_between(3, 0, -2) == 2);
  CHECK(steps_between(3, 0, smallest) == 1);
  CHECK(steps_between(3, 3, 1) == 0);
  CHECK(steps_between(3, 4, -1) == 0);
  CHECK(steps_between(largest, smallest, smallest) == 2);
  CHECK(steps_between(smallest, largest, 3) == 6148914691236517205);
  CHECK(error_of([] { steps_between(smallest, largest, 1); }) ==
        "from -9223372036854775808 to 9223372036854775807 in steps of 1 is too large");
}

TEST_CASE("what an array may be") {
  CHECK(checked_bytes({}, float64) == 8);
  CHECK(checked_bytes({1 << 20, 1 << 20}, bool_) == most_array_bytes);
  CHECK(checked_bytes({most_array_bytes, 0}, bool_) == 0);
  for (const Sizes& shape : {Sizes{most_array_bytes + 1}, Sizes{1 << 20, 1 << 20, 2}, Sizes{largest, 0},
                             Sizes{0, largest}, Sizes{largest, largest, 0}}) {
    INFO(to_string(shape));
    CHECK(error_of([&] { checked_bytes(shape, bool_); }) ==
          "bool " + to_string(shape) + " is too large: a tensor has at most 1 TiB");
    CHECK(error_of([&] { Tensor::empty(shape, bool_); }) ==
          "bool " + to_string(shape) + " is too large: a tensor has at most 1 TiB");
  }
  CHECK(error_of([] { checked_bytes({2, -1}, bool_); }) == "a tensor cannot have the shape (2, ?)");
  check_size(Type(float32, {-1, most_array_bytes / 4}));
  CHECK(error_of([] {
          check_size(Type(float32, {-1, most_array_bytes}));
        }) == "float32 (?, 1099511627776) is too large: a tensor has at most 1 TiB");
  int line = 0;
  const std::string message = error_of(
      [&] {
        line = __LINE__ + 1;
        variable(Type(float32, {largest, -1}), "x");
      },
      Here(__FILE__, 0));
  CHECK(message.find(test::at(line)) != std::string::npos);
}

TEST_CASE("a layout's end does not wrap") {
  Layout layout;
  layout.allocate(largest);
  CHECK(error_of([&] { layout.allocate(1); }) == "the size 9223372036854775807 + 1 is too large");
}

TEST_CASE("arrays without elements are printed as such, whatever their shape") {
  CHECK(to_string(Tensor::zeros({0}, float32)) == "[]");
  CHECK(to_string(Tensor::zeros({most_array_bytes / 4, 0}, float32)) == "[]");
  CHECK(to_string(Tensor::zeros({2, 0, 3}, int64)) == "[]");
}
