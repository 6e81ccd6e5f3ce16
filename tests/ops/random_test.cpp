#include "ops/random.h"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/support.h"

using namespace damo;
using nlohmann::json;
using test::check_close;
using test::error_of;

// The numbers of both generators inside compiled functions; the generators alone are tested beside core.

namespace {

void check_calls(const Function& f, const json& calls, const std::string& what, double rtol = 0) {
  for (std::size_t i = 0; i < calls.size(); ++i)
    check_close(f(), test::tensor_from_json(calls[i], float64), rtol, 0,
                what + ", call " + std::to_string(i));
}

}  // namespace

TEST_CASE("RandomStreams draws what shared_randomstreams draws") {
  const FloatXScope scope(float64);
  const json j = test::golden("rng_float64")["srs_123"];
  RandomStreams streams(123);
  const Function b = function({.outputs = streams.binomial({.size = {2, 5}, .p = 0.7})});
  const Function u = function({.outputs = streams.uniform({.size = {2, 3}})});
  const Function n = function({.outputs = streams.normal({.size = {2, 3}})});
  check_calls(b, j["binomial_calls"], "binomial");
  check_calls(u, j["uniform_calls"], "uniform");
  // 4 units: log and sqrt of another mathematical library
  check_calls(n, j["normal_calls"], "normal", 1e-15);
}

TEST_CASE("the masks of the SdA's first layer, by both generators") {
  const FloatXScope scope(float64);
  const json j = test::golden("rng_float64");
  const Var x = matrix("x"), corruption = scalar("corruption");
  const auto mask = [&](Streams& streams) {
    return streams.binomial(
        {.size = {x.shape(0), x.shape(1)}, .n = 1, .p = 1 - corruption, .dtype = float64});
  };
  const Tensor t = Tensor::zeros({3, 7}, float64);

  RandomStreams numpy(1054665268);
  const Function f = function({.inputs = {x, corruption}, .outputs = mask(numpy)});
  const json& calls = j["srs_sda_layer0_mask_3x7_corr.1_then_.3"];
  check_close(f(t, .1), test::tensor_from_json(calls[0], float64), 0, 0, "numpy, corruption .1");
  check_close(f(t, .3), test::tensor_from_json(calls[1], float64), 0, 0, "numpy, corruption .3");
}

TEST_CASE("MRG_RandomStreams draws what rng_mrg draws") {
  const FloatXScope scope(float64);
  const json seeds = test::golden("rng_float64")["mrg"];
  for (const auto& [seed, e] : seeds.items()) {
    const std::string what = "mrg " + seed + " ";
    MRG_RandomStreams streams = e["seed"].is_array()
                                    ? MRG_RandomStreams(e["seed"].get<std::vector<std::int64_t>>())
                                    : MRG_RandomStreams(e["seed"].get<std::int64_t>());
    check_calls(function({.outputs = streams.uniform({.size = {2, 3}})}), e["uniform_2x3_calls"],
                what + "uniform");
    check_close(function({.outputs = streams.uniform({.size = {5, 8}})})(),
                test::tensor_from_json(e["uniform_5x8"], float64), 0, 0, what + "uniform 5x8");
    check_calls(function({.outputs = streams.binomial({.size = {4, 6}, .p = 0.7, .dtype = float64})}),
                e["binomial_4x6_p.7"], what + "binomial");
    // 4 units: log, sin and cos of another mathematical library
    check_calls(function({.outputs = streams.normal({.size = {3, 3}})}), e["normal_3x3"], what + "normal",
                1e-15);
    const Var x = matrix("x"), corruption = scalar("corruption");
    const Function u = function({.inputs = {x},
                                 .outputs = streams.uniform({.size = {x.shape(0), x.shape(1)}}),
                                 .on_unused_input = OnUnusedInput::ignore});
    const Tensor small = Tensor::zeros({2, 4}, float64);
    for (const json& call : e["uniform_symbolic_shape_2x4"])
      check_close(u(small), test::tensor_from_json(call, float64), 0, 0, what + "uniform of symbolic size");
    const Function b =
        function({.inputs = {x, corruption},
                  .outputs = streams.binomial(
                      {.size = {x.shape(0), x.shape(1)}, .p = 1 - corruption, .dtype = float64})});
    const json& masks = e["binomial_symbolic_3x7_corr.1_then_.3"];
    check_close(b(Tensor::zeros({3, 7}, float64), .1), test::tensor_from_json(masks[0], float64), 0, 0,
                what + "mask .1");
    check_close(b(Tensor::zeros({3, 7}, float64), .3), test::tensor_from_json(masks[1], float64), 0, 0,
                what + "mask .3");
    // More elements than there are substreams: they begin again.
    const json& wide = e["binomial_symbolic_20x784_next_call_corr.1"];
    const Tensor mask = b(Tensor::zeros({20, 784}, float64), .1);
    double sum = 0;
    for (const double v : mask.to_vector<double>()) sum += v;
    CHECK(sum == wide["sum"].get<double>());
    check_close(mask[19].slice(0, 0, 20), test::tensor_from_json(wide["last_row_first20"], float64), 0, 0,
                what + "last row");
  }
}

TEST_CASE("the laws: ranges, dtypes and parameters") {
  for (const bool mrg : {false, true}) {
    std::unique_ptr<Streams> streams;
    if (mrg)
      streams = std::make_unique<MRG_RandomStreams>(5);
    else
      streams = std::make_unique<RandomStreams>(5);
    for (const DType dtype : {float32, float64}) {
      INFO("mrg: ", mrg, " ", to_string(dtype));
      const Tensor u =
          function({.outputs = streams->uniform({.size = {1000}, .low = -2., .high = 3., .dtype = dtype})})();
      CHECK(u.dtype() == dtype);
      double mean = 0;
      for (const double v : u.to_vector<double>()) {
        CHECK((v >= -2 && v <= 3));
        mean += v / 1000;
      }
      // The mean of 1000 draws: one standard deviation is 5 / sqrt(12 * 1000) = 0.046.
      CHECK(std::abs(mean - .5) < .2);
      const Tensor n =
          function({.outputs = streams->normal({.size = {1001}, .avg = 10., .std = 2., .dtype = dtype})})();
      CHECK(n.dtype() == dtype);
      double m = 0, s = 0;
      for (const double v : n.to_vector<double>()) m += v / 1001;
      for (const double v : n.to_vector<double>()) s += (v - m) * (v - m) / 1001;
      // One standard deviation of the mean is 0.063, of the variance 0.18.
      CHECK(std::abs(m - 10) < .3);
      CHECK(std::abs(s - 4) < .8);
    }
    const Tensor b = function({.outputs = streams->binomial({.size = {500}, .p = .25})})();
    CHECK(b.dtype() == int64);
    std::int64_t ones = 0;
    for (const std::int64_t v : b.to_vector<std::int64_t>()) {
      CHECK((v == 0 || v == 1));
      ones += v;
    }
    // 125 expected, standard deviation 9.7
    CHECK(std::abs(static_cast<double>(ones) - 125) < 45);
    CHECK(function({.outputs = streams->binomial({.size = {4}, .p = 0.})})()[0].to_vector<int>() ==
          std::vector<int>(4, 0));
    CHECK(function({.outputs = streams->binomial({.size = {4}, .p = 1.})})()[0].to_vector<int>() ==
          std::vector<int>(4, 1));
    CHECK(function({.outputs = streams->uniform({.size = {}, .dtype = float64})})()[0].ndim() == 0);
    CHECK(function({.outputs = streams->uniform({.size = {0, 3}})})()[0].shape() == Sizes{0, 3});
  }
  RandomStreams streams(1);
  const Tensor many = function({.outputs = streams.binomial({.size = {200}, .n = 10, .p = .5})})();
  for (const int v : many.to_vector<int>()) CHECK((v >= 0 && v <= 10));
}

TEST_CASE("a sample has no gradient, what it is multiplied with has") {
  const Var x = dvector("x"), p = dscalar("p");
  RandomStreams streams(1);
  const Var mask = streams.binomial({.size = {4}, .p = p, .dtype = float64});
  const Var cost = sum(mask * sqr(x));
  const Function f = function({.inputs = {x, p}, .outputs = {mask, grad(cost, x)}});
  const Values v = f(Tensor{1., 2., 3., 4.}, .5);
  for (int i = 0; i < 4; ++i) CHECK(v[1].at<double>(i) == v[0].at<double>(i) * 2 * (i + 1));
  CHECK(error_of([&] { grad(cost, p); }) != "no error");
}

TEST_CASE("parameters that cannot be") {
  RandomStreams streams(1);
  MRG_RandomStreams mrg(1);
  const Var p = scalar("p"), s = scalar("s"), n = lscalar("n");
  const int line = __LINE__ + 1;
  const Var b = streams.binomial({.size = {3}, .p = p});
  const Function f = function({.inputs = {p}, .outputs = b, .name = "f"});
  const Tensor state = streams.states()[0].get_value();
  const std::string message = error_of([&] { f(1.5); });
  CHECK(message.starts_with("random_binomial: p must lie in [0, 1], not 1.5\n"));
  CHECK(message.ends_with(test::at(line) + ", in function \"f\""));
  CHECK(error_of([&] { f(-.5); }).starts_with("random_binomial: p must lie in [0, 1], not -0.5\n"));
  CHECK(error_of([&] { f(std::nan("")); }).starts_with("random_binomial: p must lie in [0, 1], not nan\n"));
  CHECK(identical(streams.states()[0].get_value(), state));
  const Function g = function({.inputs = {s}, .outputs = streams.normal({.size = {3}, .std = s})});
  CHECK(error_of([&] {
          g(-1.);
        }).starts_with("random_normal: the standard deviation must not be negative, not -1\n"));
  const Function h = function({.inputs = {n}, .outputs = streams.uniform({.size = {n}})});
  CHECK(error_of([&] { h(-1); }).starts_with("random_uniform: a size cannot be -1\n"));
  CHECK(error_of([&] {
          streams.uniform({.size = {3}, .dtype = int32});
        }).starts_with("uniform: the dtype is a float, not int32"));
  CHECK(error_of([&] {
          streams.uniform({.size = {s}});
        }).starts_with("random_uniform: a size is an integer scalar, not float"));
  CHECK(error_of([&] {
          mrg.binomial({.size = {3}, .n = 2});
        }).starts_with("MRG_RandomStreams::binomial draws with n = 1 only"));
  CHECK(error_of([] {
          MRG_RandomStreams(std::vector<std::int64_t>{1, 2});
        }) == "the seed of MRG_RandomStreams is one number or six, not 2");
}
