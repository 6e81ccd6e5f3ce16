#include "ops/arrange.h"

#include <doctest/doctest.h>

#include <limits>

#include "ops/index.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

const std::vector<std::vector<Sizes>> matrices = {{{3, 4}}, {{1, 3}}, {{0, 2}}};

std::vector<int> of(const Var& y, const Var& x, const Tensor& t) {
  return test::evaluate(y, {x}, {t}).to_vector<int>();
}

}  // namespace

TEST_CASE("axes swapped, dropped and added") {
  test::expect_op({.name = "swapaxes",
                   .build = [](const Vars& x) { return swapaxes(x[0], 0, -1); },
                   .shapes = {{{2, 3, 4}}, {{0, 2, 1}}},
                   .twice = true,
                   .n_ulps = 0});
  test::expect_op({.name = "squeeze",
                   .build =
                       [](const Vars& x) {
                         return squeeze(x[0], {0, -1});
                       },
                   .shapes = {{{1, 3, 1}}, {{1, 2, 3, 1}}},
                   .n_ulps = 0});
  test::expect_op({.name = "padded",
                   .build =
                       [](const Vars& x) {
                         return shape_padleft(x[0]) + shape_padright(x[0]).dimshuffle({2, 0, 1});
                       },
                   .shapes = {{{3, 4}}}});
  const Var x = fmatrix("x"), r = row("r");
  CHECK(squeeze(r).ndim() == 1);
  CHECK(squeeze(x).ndim() == 2);
  CHECK(shape_padleft(x, 2).type().stretch == 3U);
  CHECK(shape_padright(x, 2).type().stretch == 12U);
  CHECK(shape_padaxis(x, 1).type().stretch == 2U);
  CHECK(shape_padaxis(x, -1).type().stretch == 4U);
  CHECK(shape_padaxis(x, 0).type().stretch == 1U);
  CHECK(error_of([&] { shape_padaxis(x, 3); }) ==
        "shape_padaxis: axis 3 does not exist in 3 dimensions\n  float32 (?, ?)   x\n  at HERE");
  CHECK(error_of([&] { swapaxes(x, 0, 2); }).starts_with("swapaxes: axis 2 does not exist in 2 dimensions"));
  CHECK(error_of([&] { squeeze(x, {0, -2}); }).starts_with("squeeze: axis -2 stands twice"));
  CHECK(error_of([&] {
          test::evaluate(squeeze(x, {0}), {x}, {Tensor::zeros({2, 3}, float32)});
        }).starts_with("restretch: axis 0 is declared to have size 1, but has 2"));
}

TEST_CASE("tile") {
  for (const Args& reps : std::vector<Args>{{2}, {1, 2}, {2, 3}, {3, 1}, {2, 1, 2}, {0, 2}, {1, 1}})
    test::expect_op({.name = "tile",
                     .build = [&](const Vars& x) { return tile(x[0], reps); },
                     .shapes = matrices,
                     .twice = true,
                     .n_ulps = 0});
  const Var x = dmatrix("x"), v = dvector("v"), n = lscalar("n"), s = dscalar("s");
  const Tensor t = Tensor{{1., 2.}, {3., 4.}};
  CHECK(of(tile(x, {2, 2}), x, t) == std::vector<int>{1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4});
  CHECK(of(tile(x, {2}), x, t) == std::vector<int>{1, 2, 1, 2, 3, 4, 3, 4});
  CHECK(of(tile(v, {2, 2}), v, Tensor{1., 2.}) == std::vector<int>{1, 2, 1, 2, 1, 2, 1, 2});
  CHECK(test::evaluate(tile(v, {2}, 3), {v}, {Tensor{1., 2.}}).shape() == Sizes{1, 1, 4});
  CHECK(test::evaluate(tile(s, {3}), {s}, {Tensor(2.)}).to_vector<int>() == std::vector<int>{2, 2, 2});
  const Function f = function({.inputs = {x, n}, .outputs = tile(x, {n, n + 1})});
  CHECK(Tensor(f(t, 1)).shape() == Sizes{2, 4});
  CHECK(Tensor(f(t, 2)).shape() == Sizes{4, 6});
  CHECK(error_of([&] {
          f(t, -1);
        }).starts_with("times of tile: nothing can be repeated -1 times\n  int64 ()   n\n  at "));
  CHECK(error_of([&] { tile(x, {2}, 1); }) ==
        "tile: ndim is 1, but x has 2 dimensions and there are 1 reps\n  float64 (?, ?)   x\n  at HERE");
  CHECK(error_of([&] {
          tile(x, {s});
        }).starts_with("tile: a number of times or places is an integer, not float64 ()"));
}

TEST_CASE("repeat, as often as a number or a vector says") {
  for (const std::optional<int> axis : {std::optional<int>(), std::optional(0), std::optional(-1)})
    for (const int times : {0, 1, 3})
      test::expect_op({.name = "repeat",
                       .build = [&](const Vars& x) { return repeat(x[0], times, axis); },
                       .shapes = matrices,
                       .twice = true,
                       .n_ulps = 0});
  test::expect_op({.name = "by a vector",
                   .build =
                       [](const Vars& x) {
                         return repeat(x[0], constant(Tensor{2, 0, 1}), 0);
                       },
                   .shapes = {{{3, 4}}, {{3}}},
                   .twice = true,
                   .n_ulps = 1});
  const Var x = dmatrix("x"), n = lscalar("n"), r = ivector("r");
  const Tensor t = Tensor{{1., 2.}, {3., 4.}};
  CHECK(of(repeat(x, 2, 1), x, t) == std::vector<int>{1, 1, 2, 2, 3, 3, 4, 4});
  CHECK(of(repeat(x, 2), x, t) == std::vector<int>{1, 1, 2, 2, 3, 3, 4, 4});
  CHECK(of(repeat(x, 2, 0), x, t) == std::vector<int>{1, 2, 1, 2, 3, 4, 3, 4});
  const Function f = function({.inputs = {x, n, r},
                               .outputs = {repeat(x, n, 0), repeat(x, r, 1), repeat(x, r)},
                               .on_unused_input = OnUnusedInput::ignore});
  const Function g = function({.inputs = {x, r}, .outputs = repeat(x, r, 1), .name = "g"});
  CHECK(Tensor(g(t, Tensor{0, 3}.astype(int32))).to_vector<int>() == std::vector<int>{2, 2, 2, 4, 4, 4});
  CHECK(Tensor(g(t, Tensor{2, 1}.astype(int32))).to_vector<int>() == std::vector<int>{1, 1, 2, 3, 3, 4});
  const Tensor row = Tensor{{5., 6.}};
  const Values values = f(row, 2, Tensor{1, 2}.astype(int32));
  CHECK(Tensor(values[0]).to_vector<int>() == std::vector<int>{5, 6, 5, 6});
  CHECK(Tensor(values[1]).to_vector<int>() == std::vector<int>{5, 6, 6});
  CHECK(Tensor(values[2]).to_vector<int>() == std::vector<int>{5, 6, 6});
  CHECK(error_of([&] {
          g(t, Tensor{1, 2, 3}.astype(int32));
        }).starts_with("positions of repeat: there are 3 repeats for 2 elements"));
  CHECK(error_of([&] {
          g(t, Tensor{3, -1}.astype(int32));
        })
            .starts_with(
                "positions of repeat: element 1 cannot be repeated -1 times\n  int64 (2,)   cast{int64}\n"));
  CHECK(error_of([&] {
          g(t, Tensor{1, -3}.astype(int32));
        }).starts_with("positions of repeat: element 1 cannot be repeated -3 times"));
  CHECK(error_of([&] { repeat(x, -1); }) ==
        "times of repeat: nothing can be repeated -1 times\n  int64 ()   -1\n  at HERE");
  CHECK(error_of([&] {
          f(row, -2, Tensor{1, 2}.astype(int32));
        }).starts_with("times of repeat: nothing can be repeated -2 times\n  int64 ()   n\n  at "));
  CHECK(error_of([&] {
          repeat(x, imatrix("m"), 0);
        }).starts_with("repeat: repeats is a number or a vector, not of 2 dimensions"));
  CHECK(error_of([&] { repeat(x, 2, 2); }).starts_with("repeat: axis 2 does not exist in 2 dimensions"));
}

TEST_CASE("roll") {
  for (const std::optional<int> axis : {std::optional<int>(), std::optional(0), std::optional(1)})
    for (const int shift : {-5, -1, 0, 1, 2, 7})
      test::expect_op({.name = "roll",
                       .build = [&](const Vars& x) { return roll(x[0], shift, axis); },
                       .shapes = matrices,
                       .twice = true,
                       .n_ulps = 1});
  const Var x = dmatrix("x"), v = dvector("v"), n = lscalar("n");
  CHECK(of(roll(x, 1), x, Tensor{{1., 2.}, {3., 4.}}) == std::vector<int>{4, 1, 2, 3});
  CHECK(of(roll(x, -1, 1), x, Tensor{{1., 2., 3.}, {4., 5., 6.}}) == std::vector<int>{2, 3, 1, 5, 6, 4});
  const Function f = function({.inputs = {v, n}, .outputs = roll(v, n)});
  CHECK(Tensor(f(Tensor{1., 2., 3.}, 4)).to_vector<int>() == std::vector<int>{3, 1, 2});
  CHECK(Tensor(f(Tensor{1., 2., 3.}, -3)).to_vector<int>() == std::vector<int>{1, 2, 3});
  CHECK(error_of([&] { roll(x, 1, 2); }).starts_with("roll: axis 2 does not exist in 2 dimensions"));
  CHECK(error_of([&] {
          roll(x, 0.5, 1);
        }).starts_with("roll: a number of times or places is an integer, not float"));
}

TEST_CASE("split") {
  test::expect_op({.name = "split and joined otherwise",
                   .build =
                       [](const Vars& x) {
                         const Vars parts = split(x[0], {1, 0, x[0].shape(0) - 1});
                         return join(0, {sqr(parts[2]), parts[1], parts[0]});
                       },
                   .shapes = {{{3, 4}}, {{1, 2}}, {{5}}},
                   .twice = true});
  test::expect_op({.name = "one of the parts",
                   .build =
                       [](const Vars& x) {
                         return split(x[0], {2, 1, 1}, -1)[1];
                       },
                   .shapes = {{{3, 4}}},
                   .n_ulps = 0});
  const Var x = fmatrix("x"), n = iscalar("n"), sizes = lvector("sizes");
  const Function f = function({.inputs = {x, n}, .outputs = split(x, {n, 2}, 1)[0], .name = "f"});
  const Tensor t = Tensor::zeros({2, 5}, float32);
  CHECK(Tensor(f(t, 3)).shape() == Sizes{2, 3});
  CHECK(error_of([&] {
          f(t, 2);
        }).starts_with("split_start: the sizes of the parts add up to 4, the axis has size 5\n"));
  CHECK(error_of([&] { f(t, -1); }).starts_with("split_end: a part cannot have size -1"));
  const Function g = function({.inputs = {x, sizes}, .outputs = split(x, {sizes[0], sizes[1]}, 1)});
  CHECK(Tensor(g(t, Tensor{4, 1})[1]).shape() == Sizes{2, 1});
  const Function by_vector = function({.inputs = {x, sizes}, .outputs = split(x, sizes, 2, 1)});
  CHECK(Tensor(by_vector(t, Tensor{4, 1})[1]).shape() == Sizes{2, 1});
  CHECK(error_of([&] {
          by_vector(t, Tensor{3, 1, 1});
        }).starts_with("specify_shape: axis 0 has size 3, but 2 was specified"));
  CHECK(error_of([&] { split(x, sizes, 0, 1); }).starts_with("split: there are no sizes"));
  const Vars ten = split(x, Args(10, 1), 1);
  CHECK(test::evaluate(ten[9], {x}, {Tensor::zeros({2, 10}, float32)}).shape() == Sizes{2, 1});
  CHECK(error_of([&] {
          split(shared(t, "W"), {1, 2}, 1);
        }).starts_with("split_start: the sizes of the parts add up to 3, the axis has size 5"));
  CHECK(error_of([&] { split(x, {}); }).starts_with("split: there are no sizes"));
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  CHECK(error_of([&] {
          split(x, {huge, huge, 8}, 1);
        })
            .starts_with("split_end: a part of size 9223372036854775807 after 9223372036854775807 elements "
                         "is too large"));
}
