#include "core/random/random_state.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "core/random/binomial.h"
#include "core/tensor/error.h"
#include "tests/golden.h"
#include "tests/support.h"

using damo::Binomial;
using damo::Error;
using damo::MT19937State;
using damo::RandomState;
using damo::Tensor;
using nlohmann::json;

namespace {

RandomState fresh() { return RandomState(89677); }

template <class T>
void same(const char* what, const Tensor& t, const json& expected) {
  CAPTURE(what);
  const auto values = expected.get<std::vector<T>>();
  REQUIRE(t.size() == static_cast<std::int64_t>(values.size()));
  CHECK(t.to_vector<T>() == values);
}

// NumPy's log may differ from ours by an ulp, which the square root and the product carry on.
bool within_4_ulp(double a, double b) {
  return std::fabs(a - b) <= 4 * std::fabs(b) * std::numeric_limits<double>::epsilon();
}

void close(const char* what, const Tensor& t, const json& expected) {
  CAPTURE(what);
  const auto values = expected.get<std::vector<double>>();
  REQUIRE(t.size() == static_cast<std::int64_t>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(within_4_ulp(t.to_vector<double>()[i], values[i]));
}

// FNV-1a over 64-bit words: NumPy's arrays of thousands of elements, held as one number.
template <class T>
std::uint64_t digest(std::span<const T> values) {
  static_assert(sizeof(T) == 8);
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const T& v : values) {
    std::uint64_t word = 0;
    std::memcpy(&word, &v, 8);
    hash = (hash ^ word) * 0x100000001b3U;
  }
  return hash;
}
std::uint64_t digest(const Tensor& t) {
  return digest(std::span<const std::int64_t>(t.span<std::int64_t>()));
}

}  // namespace

TEST_CASE("RandomState draws what NumPy's RandomState(89677) draws") {
  const json numpy = damo::test::golden("rng_float64")["numpy_fresh"];
  same<double>("uniform", fresh().uniform(-1, 1, {20}), numpy["uniform_m1_1_x20"]);
  same<double>("random_sample", fresh().random_sample({20}), numpy["random_sample_x20"]);
  same<std::int64_t>("randint", fresh().randint(0, 1 << 30, {5}), numpy["randint_2p30_size5"]);
  same<std::int64_t>("randint 10", fresh().randint(0, 10, {20}), numpy["randint_lo0_hi10_x20"]);
  close("normal", fresh().normal(0, 1, {10}), numpy["normal_x10"]);
  same<std::int64_t>("1 .7", fresh().binomial(1, .7, {30}), numpy["binomial_1_07_x30"]);
  same<std::int64_t>("1 .3", fresh().binomial(1, .3, {30}), numpy["binomial_1_03_x30"]);
  same<std::int64_t>("1 .5", fresh().binomial(1, .5, {30}), numpy["binomial_1_05_x30"]);
  same<std::int64_t>("1 .9f", fresh().binomial(1, static_cast<double>(.9F), {30}),
                     numpy["binomial_1_09f32_x30"]);
  same<std::int64_t>("10 .4", fresh().binomial(10, .4, {20}), numpy["binomial_10_04_x20"]);
  same<std::int64_t>("10 .6", fresh().binomial(10, .6, {20}), numpy["binomial_10_06_x20"]);
  same<std::int64_t>("100 .4", fresh().binomial(100, .4, {20}), numpy["binomial_100_04_x20"]);
  same<std::int64_t>("permutation", fresh().permutation(20), numpy["permutation_20"]);
  same<std::int64_t>("choice", fresh().choice(10, {5}, false), numpy["choice_10_x5_norep"]);
  same<std::int64_t>("poisson", fresh().poisson(3.5, {10}), numpy["poisson_35_x10"]);
  same<double>("exponential", fresh().exponential(1, {5}), numpy["exponential_x5"]);
  same<std::int64_t>("random_integers", fresh().random_integers(0, 9, {10}),
                     numpy["random_integers_0_9_x10"]);

  RandomState scalars = fresh();
  for (const json& v : numpy["randint_2p30_x5"]) CHECK(scalars.randint(1 << 30) == v.get<std::int64_t>());

  RandomState normals = fresh();
  const auto mixed = numpy["normal_2_3_x11_then_uniform"].get<std::vector<double>>();
  for (std::size_t i = 0; i < 11; ++i) CHECK(within_4_ulp(normals.normal(2, 3), mixed[i]));
  CHECK(normals.uniform() == mixed[11]);
  CHECK(normals.uniform() == mixed[12]);

  std::vector<int> values{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  fresh().shuffle(std::span(values));
  CHECK(values == numpy["shuffle_arange10"].get<std::vector<int>>());

  for (const int n : {1, 5}) {
    RandomState r = fresh();
    for (const json& row : numpy["multinomial_" + std::to_string(n) + "_127_x5"])
      CHECK(r.multinomial(n, {.1, .2, .7}) == row.get<std::vector<std::int64_t>>());
  }
}

TEST_CASE("draws of several kinds share one state") {
  const json numpy = damo::test::golden("rng_float64")["numpy_sequence_one_state"];
  RandomState r = fresh();
  CHECK(r.randint(1 << 30) == numpy["randint_2p30"].get<std::int64_t>());
  same<double>("uniform", r.uniform(-1, 1, {5}), numpy["then_uniform5"]);
  same<std::int64_t>("binomial", r.binomial(1, .7, {10}), numpy["then_binom"]);
  close("normal", r.normal(0, 1, {3}), numpy["then_normal3"]);
  same<std::int64_t>("permutation", r.permutation(7), numpy["then_permutation"]);
}

TEST_CASE("every seed starts the stream that NumPy starts") {
  const json numpy = damo::test::golden("rng_float64")["numpy_seeds"];
  int n = 0;
  for (const auto& item : numpy.items()) {
    const std::string seed = item.key();
    const json& expected = item.value();
    if (seed == "list[1,2,3]") continue;
    CAPTURE(seed);
    RandomState r(std::stoll(seed)), other(std::stoll(seed));
    CHECK(r.randint(1 << 30) == expected["randint_2p30"].get<std::int64_t>());
    std::mt19937 standard(static_cast<std::uint32_t>(std::stoll(seed)));
    for (int i = 0; i < 2000; ++i) REQUIRE(other.state().u32() == standard());
    same<double>("uniform", r.uniform(0, 1, {3}), expected["uniform3"]);
    ++n;
  }
  CHECK(n == 7);
  same<double>("list", RandomState({1, 2, 3}).random_sample({3}), numpy["list[1,2,3]"]);

  // NumPy 1.24.2: RandomState(key).randint(2**30)
  std::vector<std::int64_t> longer_than_the_state(1000);
  for (std::size_t i = 0; i < 1000; ++i) longer_than_the_state[i] = static_cast<std::int64_t>(i);
  CHECK(RandomState(std::vector<std::int64_t>{0}).randint(1 << 30) == 405538765);
  CHECK(RandomState(longer_than_the_state).randint(1 << 30) == 791721461);
  CHECK(RandomState({4294967295, 5}).randint(1 << 30) == 122594570);
}

// What NumPy 1.24.2's RandomState(7) draws, and the 32 bits that it draws next.
TEST_CASE("many draws are NumPy's, and leave the state where NumPy leaves it") {
  struct Row {
    std::int64_t n;
    double p;
    std::uint64_t digest;
    std::uint32_t next;
  };
  const Row binomials[] = {{1, 0.7, 0x739490d3e0cf0f81U, 2813545919U},
                           {1, 0.3, 0xf1e351c2ae4d1c05U, 2813545919U},
                           {1, 0.5, 0x9347836b8d55e7d6U, 2813545919U},
                           {1, 0.0, 0x0ed9e7ee21f20da5U, 2813545919U},
                           {1, 1.0, 0x475ea216048cd7c5U, 2813545919U},
                           {0, 0.3, 0x0ed9e7ee21f20da5U, 2813545919U},
                           {10, 0.4, 0x944dbd5fcba024f6U, 2813545919U},
                           {60, 0.5, 0xe96e87db56af7fa6U, 2813545919U},
                           {61, 0.5, 0x32e195f073ad2da7U, 2072536036U},
                           {100, 0.4, 0xb9c8150994ec8d8aU, 1347814276U},
                           {100, 0.6, 0x7ee1ea03b79014e8U, 1347814276U},
                           {1000, 0.03, 0x7249110f566638d0U, 2813545919U},
                           {1000, 0.031, 0xb1f80c82df1dccdeU, 3037523240U},
                           {1000, 0.97, 0xd72e73ed26b372b3U, 2952779695U},
                           {10000, 0.5, 0xf8a2433ad733625aU, 2348260032U},
                           {1000000, 0.1, 0x40003611015ad016U, 3911828603U},
                           {1000000, 0.9, 0x792b5d828d4b5324U, 3911828603U},
                           {1000000000, 0.5, 0x2a928670cd9d26e7U, 3700514036U},
                           {1000000000000, 0.25, 0x5097a7f084b4ab81U, 3700514036U},
                           {200, 0.2, 0xb7d08a57fbe391f0U, 4105756194U},
                           {400, 0.08, 0x63e40d0a3a80b323U, 3083405324U}};
  for (const Row& row : binomials) {
    CAPTURE(row.n);
    CAPTURE(row.p);
    RandomState r(7), one_by_one(7);
    const Tensor draws = r.binomial(row.n, row.p, {20000});
    CHECK(digest(draws) == row.digest);
    CHECK(r.state().u32() == row.next);
    for (int i = 0; i < 3000; ++i) REQUIRE(one_by_one.binomial(row.n, row.p) == draws.at<std::int64_t>(i));
  }

  const Row poissons[] = {
      {0, 0.0, 0x0ed9e7ee21f20da5U, 327741615U},  {0, 0.5, 0xc83ac3d113e8ec63U, 1099532111U},
      {0, 3.5, 0x23a24b0e900ecdcaU, 3464769617U}, {0, 9.99, 0x3ce023cbd4d4e2dcU, 2984205169U},
      {0, 10, 0xaf155a0299eb3749U, 3183442667U},  {0, 11, 0xb057bceda578e904U, 298352880U},
      {0, 30, 0xe9f3038a5b460a99U, 1567531572U},  {0, 1e3, 0x46815ebaba522112U, 2349485998U},
      {0, 1e6, 0x2c943946fc8996c0U, 770810180U},  {0, 1e12, 0x96be3cb1ad3be1c0U, 2945100492U}};
  for (const Row& row : poissons) {
    CAPTURE(row.p);
    RandomState r(7);
    CHECK(digest(r.poisson(row.p, {20000})) == row.digest);
    CHECK(r.state().u32() == row.next);
  }

  struct Range {
    std::int64_t low, high;
    std::uint64_t digest;
    std::uint32_t next;
  };
  const Range ranges[] = {{0, 1, 0xa55ccd8b52a7bfc5U, 327741615U},
                          {0, 2, 0x0d94a0f17b99ff23U, 3805582772U},
                          {-5, 12, 0xabd3136ccda85c81U, 3148141237U},
                          {0, 1LL << 31, 0x8d9a8fff2ddc07cfU, 3805582772U},
                          {0, 1LL << 32, 0xd76b1c2faddc07cfU, 3805582772U},
                          {0, (1LL << 32) + 1, 0x2fc0cd0b337eb818U, 2375377259U},
                          {INT64_MIN, INT64_MAX, 0xb7d9372f62d21f75U, 1787618770U},
                          {0, 1LL << 40, 0x7f6c3e2f62d21f75U, 1787618770U}};
  for (const Range& range : ranges) {
    CAPTURE(range.high);
    RandomState r(7);
    CHECK(digest(r.randint(range.low, range.high, {5000})) == range.digest);
    CHECK(r.state().u32() == range.next);
  }

  RandomState uniforms(7);
  const Tensor u = uniforms.uniform(0, 1, {1000003});
  CHECK(digest(std::span<const double>(u.span<double>())) == 0xf67f507322d7c6ccU);
  CHECK(uniforms.state().u32() == 3785019657U);

  RandomState normals(7);
  CHECK(within_4_ulp(normals.normal(0, 1, {100001}).at<double>(100000), -0.040355389114829734));
  CHECK(normals.state().u32() == 811921738U);

  CHECK(digest(RandomState(7).permutation(100000)) == 0xb57dd85d36a86337U);
  CHECK(RandomState(7).choice(10, {5}).to_vector<int>() == std::vector<int>{4, 9, 6, 3, 3});
  CHECK(RandomState(7).choice(6, {2, 3}, false).to_vector<int>() == std::vector<int>{3, 5, 0, 2, 1, 4});
  CHECK(RandomState(7).exponential(2, {3}).to_vector<double>() ==
        std::vector<double>{0.15875381904288902, 3.0275173491175735, 1.1539637283130315});

  using Counts = std::vector<std::int64_t>;
  RandomState r(7);
  CHECK(r.multinomial(100, std::vector<double>(10, .1)) == Counts{6, 13, 10, 12, 16, 9, 8, 5, 9, 12});
  CHECK(r.multinomial(5, {0, .5, .5}) == Counts{0, 2, 3});
  CHECK(r.multinomial(5, {.25, .75, 0, 0}) == Counts{2, 3, 0, 0});
  CHECK(r.multinomial(7, {1.}) == Counts{7});
  CHECK(r.multinomial(1000, {.2, .3, .4}) == Counts{213, 282, 505});
  CHECK(r.state().u32() == 916483116U);
}

TEST_CASE("blocks of draws are the draws one by one, from any position") {
  for (const int offset : {0, 1, 2, 621, 622, 623, 624}) {
    for (const std::int64_t n : {0, 1, 2, 311, 312, 313, 1000}) {
      CAPTURE(offset);
      CAPTURE(n);
      MT19937State block, single;
      block.seed(3);
      single.seed(3);
      for (int i = 0; i < offset; ++i) CHECK(block.u32() == single.u32());
      std::vector<double> doubles(static_cast<std::size_t>(n));
      block.fill_uniform(doubles.data(), n, -2, 5);
      for (const double u : doubles) REQUIRE(u == -2 + 7 * single.uniform());
      std::vector<float> floats(static_cast<std::size_t>(n));
      block.fill_uniform(floats.data(), n, -2, 5);
      for (const float u : floats) REQUIRE(u == static_cast<float>(-2 + 7 * single.uniform()));
      Binomial(1, .3).fill(block, floats.data(), n);
      for (const float v : floats) REQUIRE(v == static_cast<float>(Binomial(1, .3)(single)));
      CHECK(block.u32() == single.u32());
    }
  }
}

TEST_CASE("a sized draw is a row-major tensor of the dtype asked for") {
  const Tensor x = fresh().uniform(-1, 1, {4, 5}, damo::float32);
  CHECK(x.dtype() == damo::float32);
  CHECK(x.shape() == damo::Sizes{4, 5});
  const Tensor wide = fresh().uniform(-1, 1, {20});
  for (int i = 0; i < 20; ++i) CHECK(x.at<float>(i / 5, i % 5) == static_cast<float>(wide.at<double>(i)));
  CHECK(fresh().normal(0, 1, {2}, damo::float32).dtype() == damo::float32);
  CHECK(fresh().randint(0, 9, {0, 3}).shape() == damo::Sizes{0, 3});
  CHECK(fresh().multinomial(3, {.5, .5}, {4, 2}).shape() == damo::Sizes{4, 2, 2});
  CHECK(fresh().choice(0, {0}).size() == 0);
  CHECK(fresh().binomial(1, .5, {}).ndim() == 0);
}

TEST_CASE("the state is plain memory: a copy continues alike, and a damaged position is harmless") {
  RandomState r(5);
  r.normal();  // so that half a pair is cached
  MT19937State copy;
  std::memcpy(&copy, &r.state(), sizeof copy);
  CHECK(copy.has_gauss == 1);
  for (int i = 0; i < 700; ++i) CHECK(copy.normal() == r.state().normal());
  copy.pos = -17;
  double block[3] = {-1, -1, -1};
  copy.fill_uniform(block, 3);
  for (const double u : block) CHECK((u >= 0 && u < 1));
  copy.pos = 100000;
  CHECK(copy.uniform() >= 0);
}

TEST_CASE("bad parameters are errors") {
  RandomState r(1);
  CHECK_THROWS_WITH_AS(RandomState(-1), "a seed must be between 0 and 2^32 - 1, not -1", Error);
  CHECK_THROWS_WITH_AS(RandomState(4294967296), "a seed must be between 0 and 2^32 - 1, not 4294967296",
                       Error);
  CHECK_THROWS_WITH_AS(RandomState({7, -2}), "a seed must be between 0 and 2^32 - 1, not -2", Error);
  CHECK_THROWS_WITH_AS(RandomState(std::vector<std::int64_t>{}), "a seed must not be an empty list", Error);
  const double inf = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH_AS(r.uniform(0, inf), "uniform needs a finite range, not from 0 to inf", Error);
  CHECK_THROWS_WITH_AS(r.uniform(0, 1, {2}, damo::int32), "uniform draws floats, not int32", Error);
  CHECK_THROWS_WITH_AS(r.normal(0, 1, {2}, damo::int32), "normal draws floats, not int32", Error);
  CHECK_THROWS_WITH_AS(r.exponential(1, {2}, damo::int32), "exponential draws floats, not int32", Error);
  CHECK_THROWS_WITH_AS(r.randint(3, 3), "randint needs low < high, not 3 and 3", Error);
  CHECK_THROWS_WITH_AS(r.randint(3, 2, {0}), "randint needs low < high, not 3 and 2", Error);
  CHECK_THROWS_WITH_AS(r.random_integers(3, 2), "random_integers needs low <= high, not 3 and 2", Error);
  CHECK_THROWS_WITH_AS(r.normal(0, -1), "normal needs a scale >= 0, not -1", Error);
  CHECK_THROWS_WITH_AS(r.exponential(-1), "exponential needs a scale >= 0, not -1", Error);
  CHECK_THROWS_WITH_AS(r.binomial(-1, .5), "a binomial needs n >= 0, not -1", Error);
  CHECK_THROWS_WITH_AS(r.binomial(1, 1.5), "a binomial needs 0 <= p <= 1, not 1.5", Error);
  CHECK_THROWS_WITH_AS(r.binomial(1, std::nan("")), "a binomial needs 0 <= p <= 1, not nan", Error);
  CHECK_THROWS_WITH_AS(r.poisson(-1), "poisson needs 0 <= lambda <= 9.223372006484771e+18, not -1", Error);
  CHECK_THROWS_WITH_AS(r.multinomial(-1, {1}), "multinomial needs n >= 0, not -1", Error);
  CHECK_THROWS_WITH_AS(r.multinomial(1, {}), "multinomial needs at least one probability", Error);
  CHECK_THROWS_WITH_AS(r.multinomial(1, {.5, 1.5}), "multinomial needs probabilities in [0, 1], not 1.5",
                       Error);
  CHECK_THROWS_WITH_AS(r.multinomial(1, {.75, .5, 0}),
                       "the probabilities of multinomial but the last sum to 1.25, more than 1", Error);
  CHECK_THROWS_WITH_AS(r.permutation(-1), "a permutation needs n >= 0, not -1", Error);
  CHECK_THROWS_WITH_AS(r.choice(0, {1}), "choice needs n > 0, not 0", Error);
  CHECK_THROWS_WITH_AS(r.choice(3, {4}, false), "choice without repetition cannot take 4 of 3 elements",
                       Error);
}
