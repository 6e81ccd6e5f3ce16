#include "ops/nonzero.h"

#include <doctest/doctest.h>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

TEST_CASE("nonzero, flatnonzero and nonzero_values") {
  for (const DType dtype : {bool_, int8, int16, int32, int64, uint8, float32, float64}) {
    INFO(to_string(dtype));
    const Var x = variable(test::unknown(dtype, 2), "x");
    const Tensor t = test::tensor(dtype, {3, 2}, {0, 1, 1, 0, 0, 1});
    const Vars at = nonzero(x);
    CHECK(at.size() == 2);
    for (const test::Layout& layout : test::layouts(t)) {
      INFO(layout.name);
      CHECK(test::evaluate(at[0], {x}, {layout.tensor}).to_vector<int>() == std::vector<int>{0, 1, 2});
      CHECK(test::evaluate(at[1], {x}, {layout.tensor}).to_vector<int>() == std::vector<int>{1, 0, 1});
      CHECK(test::evaluate(flatnonzero(x), {x}, {layout.tensor}).to_vector<int>() ==
            std::vector<int>{1, 2, 5});
      CHECK(test::evaluate(nonzero_values(x), {x}, {layout.tensor}).to_vector<int>() ==
            std::vector<int>{1, 1, 1});
    }
    CHECK(at[0].dtype() == int64);
    CHECK(nonzero_values(x).dtype() == dtype);
    CHECK(test::evaluate(flatnonzero(x), {x}, {Tensor::zeros({3, 0}, dtype)}).shape() == Sizes{0});
    CHECK(test::evaluate(at[1], {x}, {Tensor::zeros({2, 2}, dtype)}).shape() == Sizes{0});
  }
  const Var s = dscalar("s"), t3 = tensor3("t", float64);
  CHECK(test::evaluate(flatnonzero(s), {s}, {Tensor(2.)}).to_vector<int>() == std::vector<int>{0});
  const Tensor values = test::tensor(float64, {2, 2, 3}, {0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 6});
  const Vars at = nonzero(t3);
  CHECK(test::evaluate(t3[{at[0], at[1], at[2]}], {t3}, {values}).to_vector<int>() ==
        std::vector<int>{4, 5, 6});
  CHECK(test::evaluate(at[2], {t3}, {values}).to_vector<int>() == std::vector<int>{2, 0, 2});
  CHECK(error_of([&] { nonzero(s); }) == "nonzero: a scalar has no positions\n  float64 ()   s\n  at HERE");
}

TEST_CASE("the gradient of what is not zero") {
  test::expect_op({.name = "nonzero_values",
                   .build = [](const Vars& x) { return sqr(nonzero_values(x[0])); },
                   .shapes = {{{3, 4}}, {{1}}, {{0, 3}}, {{2, 3, 2}}},
                   .twice = true});
}

TEST_CASE("sizes that depend on sizes that depend on values") {
  const Var x = dvector("x");
  // Of the positive ones, those above their mean; then as many numbers as there are of those.
  const Var positive = x[x > 0], large = positive[positive > mean(positive)];
  const Var y = large + arange(large.shape(0)) * 10;
  const Function f = function({.inputs = {x}, .outputs = {y, positive.shape(0), grad(sum(y), x)}});
  const Values a = f(Tensor{1., -1., 5., 7., 3., -2.});
  CHECK(Tensor(a[0]).to_vector<double>() == std::vector<double>{5, 17});
  CHECK(Tensor(a[1]).item<int>() == 4);
  CHECK(Tensor(a[2]).to_vector<double>() == std::vector<double>{0, 0, 1, 1, 0, 0});
  const Values b = f(Tensor{2., 1.});
  CHECK(Tensor(b[0]).to_vector<double>() == std::vector<double>{2});
  CHECK(Tensor(b[2]).to_vector<double>() == std::vector<double>{1, 0});
}
