#include "ops/create.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

Tensor value(const Var& v) { return function({.outputs = v})(); }

}  // namespace

TEST_CASE("ranges of integers") {
  const Var a = lscalar("a"), b = lscalar("b"), c = lscalar("c");
  const Function f = function({.inputs = {a, b, c}, .outputs = arange(a, b, c)});
  for (const int start : {-3, 0, 4})
    for (const int stop : {-5, 0, 7})
      for (const int step : {-3, -1, 1, 2, 5}) {
        std::vector<int> want;
        for (int v = start; step > 0 ? v < stop : v > stop; v += step) want.push_back(v);
        INFO(start, " ", stop, " ", step);
        CHECK(Tensor(f(start, stop, step)).to_vector<int>() == want);
      }
  CHECK(arange(3).dtype() == int64);
  CHECK(arange(bscalar("n")).dtype() == int64);
  CHECK(arange(3).type().shape == Sizes{3});
  CHECK(arange(2, 9, 3).type().shape == Sizes{3});
  CHECK(arange(0, 4, 1, float32).dtype() == float32);
  CHECK(value(arange(0, 4, 1, int8)).to_vector<int>() == std::vector<int>{0, 1, 2, 3});
  CHECK(error_of([&] { f(0, 3, 0); }).starts_with("arange: the step is 0\n"));
}

TEST_CASE("ranges of floats, as NumPy counts their steps") {
  for (const DType floats : {float32, float64}) {
    const FloatXScope scope(floats);
    CHECK(arange(0, 1, 0.25).dtype() == floats);
    CHECK(arange(2.5).dtype() == floats);
    CHECK(value(arange(0, 1, 0.25)).to_vector<double>() == std::vector<double>{0, .25, .5, .75});
    CHECK(value(arange(2.5)).to_vector<double>() == std::vector<double>{0, 1, 2});
    CHECK(value(arange(1, -0.5, -0.5)).to_vector<double>() == std::vector<double>{1, .5, 0});
    CHECK(value(arange(1, 0, 0.5)).shape() == Sizes{0});
    // 0.6 / 0.2 is just below 3, in float32 just above.
    CHECK(arange(0, 0.6, 0.2).type().shape == Sizes{3});
    CHECK(arange(1., 1.3, 0.1).type().shape == Sizes{4});
  }
  const Var f = fscalar("f"), d = dscalar("d"), n = iscalar("n"), l = lscalar("l");
  CHECK(arange(f).dtype() == float32);
  CHECK(arange(f, 3, 0.5).dtype() == float32);
  CHECK(arange(n, f).dtype() == float64);
  CHECK(arange(f, d).dtype() == float64);
  CHECK(arange(f, 9, 2, int64).dtype() == int64);
  const Function g =
      function({.inputs = {d, f, l}, .outputs = arange(d, f, 0.5) * cast(l, float64), .name = "g"});
  CHECK(Tensor(g(0.25, 1.5, 2)).to_vector<double>() == std::vector<double>{.5, 1.5, 2.5});
  CHECK(Tensor(g(0., 2., 1)).to_vector<double>() == std::vector<double>{0, .5, 1, 1.5});
  CHECK(Tensor(g(2., 2., 1)).shape() == Sizes{0});
  test::expect_op({.name = "a range",
                   .build = [](const Vars& x) { return sqr(arange(x[0], x[0] + x[1] * 4.5, x[1])); },
                   .shapes = {{{}, {}}},
                   .low = 0.5,
                   .twice = true});
  const Var range = arange(d, 3, f);
  const Vars g2 = grad(sum(range), {d, f});
  CHECK(test::evaluate(g2[0], {d, f}, {Tensor(1.), Tensor(0.5)}).item() == 4);
  CHECK(test::evaluate(g2[1], {d, f}, {Tensor(1.), Tensor(0.5)}).item() == 6);
  CHECK(error_of([&] { arange(0, 1, 0.); }).starts_with("arange: the step is 0\n"));
  CHECK(error_of([&] {
          test::evaluate(range, {d, f}, {Tensor(1.), Tensor(0.)});
        }).starts_with("range_length: the step is 0\n"));
  CHECK(error_of([&] {
          test::evaluate(range, {d, f}, {Tensor(std::numeric_limits<double>::quiet_NaN()), Tensor(1.)});
        }).starts_with("range_length: a bound of the range is not a number"));
  CHECK(error_of([&] {
          test::evaluate(range, {d, f}, {Tensor(-std::numeric_limits<double>::infinity()), Tensor(1.)});
        }).find("there is no end") != std::string::npos);
  CHECK(error_of([&] {
          arange(fvector("v"));
        }).starts_with("arange: a bound of a range is a scalar, not float32 (?,)"));
}

TEST_CASE("grids") {
  const Var n = lscalar("n");
  const Vars dense = mgrid({slice(none, 2), slice(1, 6, 2)}),
             open = ogrid({slice(none, n), slice(0., 1., 0.5)});
  CHECK(value(dense[0]).to_vector<int>() == std::vector<int>{0, 0, 0, 1, 1, 1});
  CHECK(value(dense[1]).to_vector<int>() == std::vector<int>{1, 3, 5, 1, 3, 5});
  CHECK(value(dense[0]).shape() == Sizes{2, 3});
  CHECK(dense[0].type().stretch == 0U);
  CHECK(dense[1].dtype() == int64);
  CHECK(open[1].dtype() == floatX());
  CHECK(open[0].type().stretch == 2U);
  CHECK(test::evaluate(open[0] + open[1], {n}, {Tensor(2)}).to_vector<double>() ==
        std::vector<double>{0, .5, 1, 1.5});
  CHECK(error_of([&] { ogrid({}); }) == "ogrid: there are no slices");
  CHECK(error_of([&] { mgrid({slice(none, 2), slice(1, none)}); }) == "ogrid: slice 1 has no end");
}

TEST_CASE("full, full_like and fill") {
  const Var n = lscalar("n"), x = fmatrix("x"), i = imatrix("i"), d = dscalar("d");
  CHECK(full({2, n}, 0.5).dtype() == floatX());
  CHECK(full({2}, 3).dtype() == int64);
  CHECK(full({2}, 3, float64).dtype() == float64);
  CHECK(full({2}, d).dtype() == float64);
  CHECK(test::evaluate(full({2, n}, 0.5), {n}, {Tensor(3)}).to_vector<double>() ==
        std::vector<double>(6, .5));
  CHECK(full_like(x, 2).dtype() == float32);
  CHECK(full_like(x, d).dtype() == float32);
  CHECK(full_like(x, 2, int8).dtype() == int8);
  CHECK(fill(x, d).dtype() == float64);
  CHECK(fill(i, 7).dtype() == int32);
  CHECK(full_like(row("r"), 1).type().stretch == 1U);
  CHECK(test::evaluate(fill(x, d), {x, d}, {Tensor::zeros({2, 2}, float32), Tensor(7.)}).to_vector<int>() ==
        std::vector<int>(4, 7));
  test::expect_op({.name = "fill",
                   .build = [](const Vars& v) { return fill(v[0], sqr(v[1])); },
                   .shapes = {{{2, 3}, {}}, {{0}, {}}, {{}, {}}}});
  CHECK(error_of([&] { fill(i, 0.5); }).starts_with("0.5 cannot stand where int32 is expected"));
}
