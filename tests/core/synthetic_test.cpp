#include "core/data/synthetic.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/tensor/error.h"

using damo::Dataset;
using damo::Error;
using damo::Sizes;
using damo::synthetic_digits;
using damo::Tensor;

namespace {

double distance2(const double* a, const double* b) {
  double d = 0;
  for (int k = 0; k < 784; ++k) d += (a[k] - b[k]) * (a[k] - b[k]);
  return d;
}

// The share of test images whose nearest row of `x` has another label.
double error_rate(const std::vector<double>& x, const std::vector<int>& labels, const Dataset& d) {
  int wrong = 0;
  const double* test = d.test_x.span<double>().data();
  for (std::int64_t i = 0; i < d.test_x.shape(0); ++i) {
    std::size_t best = 0;
    double least = 1e300;
    for (std::size_t j = 0; j < labels.size(); ++j) {
      const double distance = distance2(test + 784 * i, x.data() + 784 * j);
      if (distance < least) {
        least = distance;
        best = j;
      }
    }
    wrong += labels[best] != static_cast<int>(d.test_y.at<double>(i)) ? 1 : 0;
  }
  return wrong / static_cast<double>(d.test_x.shape(0));
}

}  // namespace

TEST_CASE("synthetic digits look like MNIST to a program") {
  const Dataset d = synthetic_digits({.n_train = 3000, .n_valid = 10, .n_test = 0, .dtype = damo::float32});
  CHECK(d.train_x.shape() == Sizes{3000, 784});
  CHECK(d.train_y.shape() == Sizes{3000});
  CHECK(d.valid_x.shape() == Sizes{10, 784});
  CHECK(d.test_x.shape() == Sizes{0, 784});
  CHECK(d.train_x.dtype() == damo::float32);
  CHECK(d.train_y.dtype() == damo::float32);
  int n_zero = 0;
  float largest = 0;
  for (const float v : d.train_x.span<float>()) {
    REQUIRE((v >= 0 && v < 1));
    REQUIRE(v * 256 == std::floor(v * 256));
    n_zero += v == 0 ? 1 : 0;
    largest = std::max(largest, v);
  }
  CHECK(largest > .9F);
  // Most of MNIST's pixels are zero, four fifths of them: kernels make use of it.
  CHECK(n_zero > .75 * 3000 * 784);
  std::vector<int> counts(10);
  for (const float y : d.train_y.span<float>()) {
    REQUIRE((y >= 0 && y <= 9 && y == std::floor(y)));
    ++counts[static_cast<std::size_t>(y)];
  }
  // A tenth of 3000 each; the standard deviation is 16.
  for (const int n : counts) CHECK(std::abs(n - 300) < 70);
}

TEST_CASE("a seed gives the same digits, another one others") {
  const Dataset a = synthetic_digits({.seed = 5, .n_train = 20, .n_valid = 4, .n_test = 3});
  const Dataset b = synthetic_digits({.seed = 5, .n_train = 20, .n_valid = 4, .n_test = 3});
  const Dataset c = synthetic_digits({.seed = 6, .n_train = 20, .n_valid = 4, .n_test = 3});
  const Dataset wide =
      synthetic_digits({.seed = 5, .n_train = 20, .n_valid = 4, .n_test = 3, .dtype = damo::float64});
  CHECK(identical(a.train_x, b.train_x));
  CHECK(identical(a.valid_y, b.valid_y));
  CHECK(identical(a.test_x, b.test_x));
  CHECK(!identical(a.train_x, c.train_x));
  CHECK(!identical(a.train_x.slice(0, 0, 3), a.test_x));
  CHECK(identical(wide.train_x, a.train_x.astype(damo::float64)));
}

// Why a hidden layer is needed: the mean of a class says little about it, while single neighbours say much.
TEST_CASE("the classes are not separable by their means") {
  const Dataset d = synthetic_digits({.n_train = 2000, .n_valid = 0, .n_test = 150, .dtype = damo::float64});
  std::vector<double> means(10 * 784), counts(10);
  std::vector<int> labels, classes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (int i = 0; i < 2000; ++i) {
    const auto y = static_cast<std::size_t>(d.train_y.at<double>(i));
    labels.push_back(static_cast<int>(y));
    ++counts[y];
    for (int k = 0; k < 784; ++k) means[784 * y + static_cast<std::size_t>(k)] += d.train_x.at<double>(i, k);
  }
  for (std::size_t i = 0; i < means.size(); ++i) means[i] /= counts[i / 784];
  const double by_means = error_rate(means, classes, d);
  const double by_neighbour = error_rate(d.train_x.to_vector<double>(), labels, d);
  CHECK(by_means > .2);
  CHECK(by_neighbour < by_means / 1.5);
}

TEST_CASE("what cannot be drawn is an error") {
  CHECK_THROWS_WITH_AS(synthetic_digits({.n_train = -1}),
                       "the number of examples must not be negative, but is -1", Error);
  CHECK_THROWS_WITH_AS(synthetic_digits({.dtype = damo::int32}),
                       "digits are drawn in float32 or float64, not int32", Error);
  CHECK_THROWS_WITH_AS(synthetic_digits({.seed = -1}), "a seed must be between 0 and 2^32 - 1, not -1",
                       Error);
}
