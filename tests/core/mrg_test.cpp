#include "core/random/mrg.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/random/random_state.h"
#include "core/tensor/error.h"
#include "tests/golden.h"
#include "tests/support.h"

using damo::Error;
using damo::MRG31k3p;
using damo::RandomState;
using damo::Sizes;
using damo::Tensor;
using nlohmann::json;

namespace {

std::vector<double> flat(const json& j) {
  if (!j.is_array()) return {j.get<double>()};
  std::vector<double> all;
  for (const json& part : j)
    for (const double v : flat(part)) all.push_back(v);
  return all;
}

template <class T = double>
std::vector<T> uniform(const Tensor& rows, std::int64_t n) {
  std::vector<T> out(static_cast<std::size_t>(n));
  damo::mrg_uniform(rows.span<std::int32_t>().data(), rows.shape(0), out.data(), n);
  return out;
}

template <class T = double>
std::vector<T> normal(const Tensor& rows, std::int64_t n) {
  std::vector<T> out(static_cast<std::size_t>(damo::mrg_normal_room(n)));
  damo::mrg_normal(rows.span<std::int32_t>().data(), rows.shape(0), out.data(), n);
  out.resize(static_cast<std::size_t>(n));
  return out;
}

std::vector<double> bernoulli(const Tensor& rows, std::int64_t n, double p) {
  std::vector<double> u = uniform(rows, n);
  for (double& v : u) v = v < p ? 1 : 0;
  return u;
}

// The first outcome whose cumulated probability exceeds u.
std::vector<double> one_hot(const std::vector<double>& u, const std::vector<double>& pvals) {
  std::vector<double> rows;
  for (const double v : u) {
    double sum = 0;
    bool waiting = true;
    for (const double p : pvals) {
      sum += p;
      rows.push_back(waiting && sum > v ? 1 : 0);
      waiting = waiting && sum <= v;
    }
  }
  return rows;
}

MRG31k3p generator(const json& seed) {
  if (!seed.is_array()) return MRG31k3p(seed.get<std::int64_t>());
  return MRG31k3p(seed.get<std::array<std::int64_t, 6>>());
}

// sin, cos and log of the two libraries may differ by an ulp each.
void check_normals(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK(std::fabs(got[i] - expected[i]) <=
          4 * std::numeric_limits<double>::epsilon() * std::fabs(expected[i]));
}

}  // namespace

TEST_CASE("MRG31k3p draws what Theano's MRG_RandomStreams draws") {
  const json seeds = damo::test::golden("rng_float64")["mrg"];
  CHECK(seeds.size() == 4);
  for (const auto& item : seeds.items()) {
    CAPTURE(item.key());
    const json& e = item.value();
    MRG31k3p gen = generator(e["seed"]);
    CHECK(std::vector<double>(gen.words().begin(), gen.words().end()) == flat(e["rstate0"]));

    CHECK(damo::mrg_n_streams({2, 3}) == e["uniform_2x3_nstreams"].get<int>());
    Tensor rows = gen.next_stream(damo::mrg_n_streams({2, 3}));
    CHECK(rows.dtype() == damo::int32);
    CHECK(rows.shape() == Sizes{6, 6});
    CHECK(rows.slice(0, 0, 4).to_vector<double>() == flat(e["uniform_2x3_rstate_rows"]));
    CHECK(std::vector<double>(gen.words().begin(), gen.words().end()) ==
          flat(e["rstate_after_1_stream_alloc"]));
    for (const json& call : e["uniform_2x3_calls"]) CHECK(uniform(rows, 6) == flat(call));

    CHECK(damo::mrg_n_streams({5, 8}) == e["uniform_5x8_nstreams"].get<int>());
    rows = gen.next_stream(damo::mrg_n_streams({5, 8}));
    CHECK(uniform(rows, 40) == flat(e["uniform_5x8"]));

    rows = gen.next_stream(damo::mrg_n_streams({4, 6}));
    for (const json& call : e["binomial_4x6_p.7"]) CHECK(bernoulli(rows, 24, .7) == flat(call));

    CHECK(damo::mrg_max_streams == e["normal_nstreams"].get<int>());
    rows = gen.next_stream(damo::mrg_max_streams);
    for (const json& call : e["normal_3x3"]) check_normals(normal(rows, 9), flat(call));

    CHECK(damo::mrg_max_streams == e["symbolic_nstreams"].get<int>());
    rows = gen.next_stream(damo::mrg_max_streams);
    for (const json& call : e["uniform_symbolic_shape_2x4"]) CHECK(uniform(rows, 8) == flat(call));

    rows = gen.next_stream(damo::mrg_max_streams);
    const json& masks = e["binomial_symbolic_3x7_corr.1_then_.3"];
    CHECK(bernoulli(rows, 21, 1. - .1) == flat(masks[0]));
    CHECK(bernoulli(rows, 21, 1. - .3) == flat(masks[1]));
    const json& wide = e["binomial_symbolic_20x784_next_call_corr.1"];
    const Tensor mask(bernoulli(rows, 20 * 784, 1. - .1), {20, 784});
    double sum = 0;
    std::vector<double> rows_sum;
    for (int i = 0; i < 20; ++i) {
      double row_sum = 0;
      for (int k = 0; k < 784; ++k) row_sum += mask.at<double>(i, k);
      rows_sum.push_back(row_sum);
      sum += row_sum;
    }
    CHECK(sum == wide["sum"].get<double>());
    CHECK(rows_sum == flat(wide["rows_sum"]));
    CHECK(mask[19].slice(0, 0, 20).to_vector<double>() == flat(wide["last_row_first20"]));

    rows = gen.next_stream(damo::mrg_max_streams);
    CHECK(one_hot(uniform(rows, 4), {.1, .2, .7}) == flat(e["multinomial_4"]));
  }
}

TEST_CASE("RandomState draws what Theano's RandomStreams(123) draws") {
  const json srs = damo::test::golden("rng_float64")["srs_123"];
  RandomState gen(123);
  std::vector<std::int64_t> seeds;
  for (int i = 0; i < 5; ++i) seeds.push_back(gen.randint(1 << 30));
  CHECK(seeds == srs["member_seeds"].get<std::vector<std::int64_t>>());

  RandomState binomials(seeds[0]), uniforms(seeds[1]), normals(seeds[2]), permutations(seeds[3]),
      counts(seeds[4]);
  for (const json& call : srs["binomial_calls"])
    CHECK(binomials.binomial(1, .7, {2, 5}).to_vector<double>() == flat(call));
  for (const json& call : srs["uniform_calls"])
    CHECK(uniforms.uniform(0, 1, {2, 3}).to_vector<double>() == flat(call));
  for (const json& call : srs["normal_calls"])
    check_normals(normals.normal(0, 1, {2, 3}).to_vector<double>(), flat(call));
  CHECK(permutations.permutation(6).to_vector<double>() == flat(srs["permutation"]));
  CHECK(counts.multinomial(1, {.1, .2, .7}, {2}).to_vector<double>() == flat(srs["multinomial"]));
}

TEST_CASE("RandomState draws the mask of the SdA's first layer") {
  const json masks = damo::test::golden("rng_float64")["srs_sda_layer0_mask_3x7_corr.1_then_.3"];
  RandomState gen(RandomState(89677).randint(1 << 30));
  RandomState variable(gen.randint(1 << 30));
  CHECK(variable.binomial(1, 1. - .1, {3, 7}).to_vector<double>() == flat(masks[0]));
  CHECK(variable.binomial(1, 1. - .3, {3, 7}).to_vector<double>() == flat(masks[1]));
}

TEST_CASE("element i comes from row i mod n, in any split of rows and calls") {
  for (const int n_rows : {1, 5, 63, 64, 65, 200}) {
    for (const std::int64_t n : {0, 1, 64, 199, 200, 201, 1000}) {
      CAPTURE(n_rows);
      CAPTURE(n);
      MRG31k3p gen(7);
      const Tensor rows = gen.next_stream(n_rows);
      const Tensor single = rows.copy();
      const std::vector<double> all = uniform(rows, n);
      for (std::int64_t i = 0; i < n; ++i)
        REQUIRE(all[static_cast<std::size_t>(i)] ==
                uniform(single.slice(0, i % n_rows, i % n_rows + 1), 1)[0]);
      CHECK(identical(rows, single));
    }
  }
}

TEST_CASE("float draws scale the same integers, and lie in (0, 1] after a million draws") {
  MRG31k3p gen(12345);
  const Tensor rows = gen.next_stream(100);
  const Tensor same = rows.copy();
  const std::vector<double> wide = uniform(rows, 1000000);
  const std::vector<float> narrow = uniform<float>(same, 1000000);
  CHECK(identical(rows, same));
  double sum = 0;
  for (std::size_t i = 0; i < wide.size(); ++i) {
    REQUIRE((wide[i] > 0 && wide[i] <= 1));
    REQUIRE(narrow[i] == static_cast<float>(wide[i] * 2147483648.) * 4.6566126e-10F);
    sum += wide[i];
  }
  CHECK(sum / 1e6 == doctest::Approx(.5).epsilon(.002));  // the mean's standard deviation is 0.0003
}

TEST_CASE("normals come in pairs, whatever the count") {
  for (const std::int64_t n : {1, 2, 7, 8}) {
    MRG31k3p gen(9);
    const Tensor rows = gen.next_stream(3);
    const Tensor same = rows.copy(), narrow = rows.copy();
    const std::vector<double> u = uniform(same, damo::mrg_normal_room(n)), z = normal(rows, n);
    CHECK(identical(rows, same));
    const std::size_t half = u.size() / 2;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double radius = std::sqrt(-2 * std::log(u[i % half])), angle = 2 * M_PI * u[half + i % half];
      CHECK(z[i] == doctest::Approx(radius * (i < half ? std::cos(angle) : std::sin(angle))).epsilon(1e-14));
    }
    const std::vector<float> zf = normal<float>(narrow, n);
    // float32 rounds u to 6e-8, which log and the angle's factor 2 pi make a few 1e-6 at most here
    for (std::size_t i = 0; i < z.size(); ++i) CHECK(std::fabs(zf[i] - z[i]) < 1e-5);
  }
}

TEST_CASE("the number of substreams of a constant size") {
  CHECK(damo::mrg_n_streams({}) == 1);
  CHECK(damo::mrg_n_streams({6}) == 6);
  CHECK(damo::mrg_n_streams({7}) == 1);
  CHECK(damo::mrg_n_streams({20, 784}) == 2613);
  CHECK(damo::mrg_n_streams({1000, 1000}) == 15360);
}

TEST_CASE("bad seeds are errors") {
  using Words = std::array<std::int64_t, 6>;
  const auto make = [](const Words& words) { return MRG31k3p(words); };
  CHECK_THROWS_WITH_AS(MRG31k3p(0), "an MRG31k3p seed must be between 1 and 2147462578, not 0", Error);
  CHECK_THROWS_WITH_AS(MRG31k3p(2147462579),
                       "an MRG31k3p seed must be between 1 and 2147462578, not 2147462579", Error);
  CHECK_THROWS_WITH_AS(make({1, 2, 2147483647, 1, 1, 1}),
                       "word 2 of an MRG31k3p seed must be between 0 and 2147483646, not 2147483647", Error);
  CHECK_THROWS_WITH_AS(make({1, 2, 3, -1, 1, 1}),
                       "word 3 of an MRG31k3p seed must be between 0 and 2147462578, not -1", Error);
  CHECK_THROWS_WITH_AS(make({0, 0, 0, 1, 1, 1}),
                       "neither the first nor the last three words of an MRG31k3p seed may all be 0", Error);
  CHECK_THROWS_WITH_AS(make({1, 1, 1, 0, 0, 0}),
                       "neither the first nor the last three words of an MRG31k3p seed may all be 0", Error);
  CHECK_THROWS_WITH_AS(MRG31k3p(1).next_stream(0), "a random variable needs at least one substream, not 0",
                       Error);
}
