#include "models/numpy_mean.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace damo::test {
namespace {

TEST_CASE("the mean is NumPy's to the last bit") {
  // numpy.mean([1 / (i + 3) for i in range(n)]) by NumPy 1.24; for n above 7 the plain sum ends in other
  // digits.
  const std::pair<int, double> cases[] = {{7, 0.18985260770975057},    {8, 0.17862103174603172},
                                          {12, 0.14596352721352718},   {16, 0.1246942548872696},
                                          {83, 0.042478767957437116},  {129, 0.030668410279474697},
                                          {500, 0.010593622939694132}, {1003, 0.0059725383004250445}};
  for (const auto& [n, mean] : cases) {
    std::vector<double> x;
    for (int i = 0; i < n; ++i) x.push_back(1. / (i + 3));
    CHECK(numpy_mean(x) == mean);
  }
}

TEST_CASE("the mean of nothing is NaN") { CHECK(std::isnan(numpy_mean({}))); }

}  // namespace
}  // namespace damo::test
