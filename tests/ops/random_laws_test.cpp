#include <doctest/doctest.h>

#include <memory>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

/// Laws whose parameters are arrays, and the laws that only NumPy's generator has. Each figure is
/// NumPy 1.24's, by the expression beside it, with
///     def variables(seed):
///         gen = numpy.random.RandomState(seed)
///         while True: yield numpy.random.RandomState(gen.randint(2**30))
///     r = next(variables(7))
namespace damo::test {
namespace {

Tensor call(const Var& sample) { return function({.outputs = sample})(); }

void check_same(const Tensor& got, DType dtype, const Sizes& shape, const std::vector<double>& want) {
  CHECK(got.dtype() == dtype);
  CHECK(got.shape() == shape);
  CHECK(got.to_vector<double>() == want);
}

TEST_CASE("integers between two ends") {
  RandomStreams streams(7);
  // [r.randint(-3, 12) for _ in range(10)]
  check_same(call(streams.random_integers({.size = {10}, .low = -3, .high = 11})), int64, {10},
             {6, -3, 2, 6, -1, -3, 8, 9, 7, 0});
  RandomStreams others(7);
  others.normal({});
  const Var low = constant(Tensor{0, 10, -5}), high = constant(Tensor{9., 10., 0x1p40}.astype(int64));
  // [[r.randint(l, h + 1) for l, h in zip([0, 10, -5], [9, 10, 2**40])] for _ in range(2)], second variable
  check_same(call(others.random_integers({.size = {2, 3}, .low = low, .high = high})), int64, {2, 3},
             {5, 10, 182083666298, 3, 10, 672198483837});
  const Var byte = streams.random_integers({.size = {50}, .high = 9, .dtype = int8});
  CHECK(byte.dtype() == int8);
  for (const int v : call(byte).to_vector<int>()) CHECK((v >= 0 && v <= 9));
}

TEST_CASE("parameters that are arrays, by NumPy's generator") {
  const FloatXScope scope(float64);
  RandomStreams streams(7);
  for (int i = 0; i < 2; ++i) streams.normal({});
  // r.uniform([-1, 0, 5], [1, 10, 6], (2, 3)), third variable
  check_same(call(streams.uniform({.size = {2, 3}, .low = Tensor{-1., 0., 5.}, .high = Tensor{1., 10., 6.}})),
             float64, {2, 3},
             {0.2284024589931255, 7.572327901967113, 5.587581230196964, -0.6317579218045071,
              2.7489546544119428, 5.269023598253283});
  // r.normal([[0.], [100.]], [.5, 1, 2], (2, 3)), to 4 units: log and sqrt of another mathematical library
  const Var column = constant(Tensor{0., 100.}).dimshuffle({0, 'x'});
  check_close(call(streams.normal({.size = {2, 3}, .avg = column, .std = Tensor{.5, 1., 2.}})),
              Tensor{{-0.7225237618583996, -1.232145486461408, 0.31486677955069536},
                     {99.61982963736592, 100.86810552356437, 99.87133902853671}},
              1e-15, 0, "normal");
  // r.binomial([1, 5, 100], [.5, .25, .9], (2, 3))
  check_same(call(streams.binomial({.size = {2, 3}, .n = Tensor{1, 5, 100}, .p = Tensor{.5, .25, .9}})),
             int64, {2, 3}, {1, 0, 89, 0, 0, 87});
  // r.poisson(3.5, 8)
  check_same(call(streams.poisson({.size = {8}, .lam = 3.5})), int64, {8}, {3, 5, 2, 2, 3, 3, 1, 1});
  // r.poisson([0, 1., 50], (2, 3))
  check_same(call(streams.poisson({.size = {2, 3}, .lam = Tensor{0., 1., 50.}})), int64, {2, 3},
             {0, 3, 47, 0, 0, 44});
}

TEST_CASE("parameters that are arrays, by MRG") {
  // u (high - low) + low and u < p in floatX, for the uniform numbers u of reference/rng_spec.py with seed
  // 12345, fourth and fifth variable
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    MRG_RandomStreams streams(12345);
    for (int i = 0; i < 3; ++i) streams.normal({});
    const Tensor low = Tensor{-1., 0., 5.}.astype(dtype), high = Tensor{1., 10., 6.}.astype(dtype);
    const std::vector<double> want =
        dtype == float64 ? std::vector<double>{-0.84973955899477,  7.3046656139194965, 5.526974250562489,
                                               0.5252923630177975, 7.8940424695611,    5.494448251090944}
                         : std::vector<double>{-0.8497395515441895, 7.304664611816406, 5.526974201202393,
                                               0.5252922773361206,  7.894042015075684, 5.494448184967041};
    check_same(call(streams.uniform({.size = {2, 3}, .low = low, .high = high})), dtype, {2, 3}, want);
    check_same(call(streams.binomial({.size = {2, 3}, .p = Tensor{.2, .5, .8}})), int64, {2, 3},
               {0, 0, 1, 0, 1, 1});
    // The normal numbers of equal seeds are the same but for scale and place.
    MRG_RandomStreams a(3), b(3);
    const Tensor z = call(a.normal({.size = {2, 3}}));
    const Tensor y = call(b.normal({.size = {2, 3}, .avg = low, .std = high}));
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 3; ++j)
        CHECK(y[i][j].item() ==
              doctest::Approx(z[i][j].item() * high[j].item() + low[j].item()).epsilon(1e-6));
  }
}

TEST_CASE("a sample of another dtype than floatX is made of numbers of its own") {
  MRG_RandomStreams wide(12345), narrow(12345);
  Tensor in_float64, in_float32;
  {
    const FloatXScope scope(float64);
    in_float64 = call(wide.uniform({.size = {2, 3}}));
  }
  in_float32 = call(narrow.uniform({.size = {2, 3}, .dtype = float64}));
  CHECK(identical(in_float64, in_float32));
}

TEST_CASE("without a size the parameters say it") {
  RandomStreams streams(1);
  const Var avg = matrix("avg"), std = row("std");
  const Var y = streams.normal({.avg = avg, .std = std});
  CHECK(y.ndim() == 2);
  const Function f = function({.inputs = {avg, std}, .outputs = y});
  CHECK(Tensor(f(Tensor::zeros({4, 3}, floatX()), Tensor::zeros({1, 3}, floatX()))).shape() == Sizes{4, 3});
  CHECK(Tensor(f(Tensor::zeros({0, 3}, floatX()), Tensor::zeros({1, 3}, floatX()))).shape() == Sizes{0, 3});
  CHECK(error_of([&] {
          f(Tensor::zeros({4, 3}, floatX()), Tensor::zeros({1, 2}, floatX()));
        }).starts_with("random_normal: the sizes of axis 1 differ, 3 and 2\n"));
}

TEST_CASE("a size that is the literal 1 is stretched by what it meets") {
  const Var x = matrix("x");
  for (const bool mrg : {false, true}) {
    std::unique_ptr<Streams> streams;
    if (mrg)
      streams = std::make_unique<MRG_RandomStreams>(5);
    else
      streams = std::make_unique<RandomStreams>(5);
    const Var y = x + streams->uniform({.size = {1, 3}});
    CHECK(Tensor(function({.inputs = {x}, .outputs = y})(Tensor::zeros({2, 3}, floatX()))).shape() ==
          Sizes{2, 3});
  }
}

TEST_CASE("sizes and parameters that do not agree, and parameters that cannot be") {
  RandomStreams streams(1);
  MRG_RandomStreams mrg(1);
  const Var v = vector("v"), n = lscalar("n");
  const auto begins = [](const std::string& message, const std::string& start) {
    CHECK_MESSAGE(message.starts_with(start), message);
  };
  begins(error_of([&] {
           streams.uniform({.size = {2, 3}, .low = Tensor{1., 2.}});
         }),
         "random_uniform: the sizes of axis 1 differ, 2 and 3\n");
  begins(error_of([&] { mrg.uniform({.size = {3}, .low = matrix("m")}); }),
         "mrg_uniform: the parameters have 2 axes, and the size only 1\n");
  begins(error_of([&] { mrg.normal({.avg = v}); }),
         "mrg_normal: the parameters have 1 axes: MRG_RandomStreams needs a size then\n");
  begins(error_of([&] { streams.random_integers({.size = {2}, .low = 0.5}); }),
         "random_integers: low is an integer or an array of them, not float32 ()");
  const auto rejects = [&](const Var& sample, const Var& input, const Tensor& value,
                           const std::string& message) {
    const Tensor before = streams.states().back().get_value();
    begins(error_of([&] { function({.inputs = {input}, .outputs = sample})(value); }), message);
    CHECK(identical(streams.states().back().get_value(), before));
  };
  rejects(streams.uniform({.size = {2, 3}, .low = v}), v, Tensor{1., 2.},
          "random_uniform: the sizes of axis 1 differ, 2 and 3\n");
  rejects(streams.uniform({.size = {2, 3}, .low = v}), v, Tensor(std::vector<double>{1}).astype(floatX()),
          "random_uniform: the sizes of axis 1 differ, 1 and 3: a size of 1 is stretched only where it is "
          "declared");
  rejects(streams.binomial({.size = {2}, .p = v}), v, Tensor{.5, 1.5},
          "random_binomial: p must lie in [0, 1], not 1.5\n");
  rejects(streams.normal({.size = {2}, .std = v}), v, Tensor{.5, -1.5},
          "random_normal: the standard deviation must not be negative, not -1.5\n");
  rejects(streams.poisson({.size = {2}, .lam = v}), v, Tensor{.5, -1.5},
          "random_poisson: poisson needs 0 <= lambda <= 9.223372006484771e+18, not -1.5\n");
  rejects(streams.random_integers({.size = {2}, .high = n}), n, Tensor(-2),
          "random_integers: low must not be above high, 0 and -2\n");
}

}  // namespace
}  // namespace damo::test
