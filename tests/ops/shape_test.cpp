#include "ops/shape.h"

#include <doctest/doctest.h>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

TEST_CASE("transpose and dimshuffle") {
  const std::vector<std::vector<Sizes>> ranks = {{{}}, {{4}}, {{3, 4}}, {{1, 4}}, {{0, 4}}, {{2, 3, 4}}};
  test::expect_op({.name = "transpose",
                   .build = [](const Vars& x) { return x[0].T(); },
                   .shapes = ranks,
                   .twice = true,
                   .n_ulps = 0});
  const std::vector<std::vector<Sizes>> matrices = {{{3, 4}}, {{1, 4}}, {{0, 4}}};
  for (const std::vector<int>& pattern :
       std::vector<std::vector<int>>{{1, 0}, {0, 1}, {'x', 0, 1}, {0, 'x', 1}, {1, 'x', 0, 'x'}})
    test::expect_op({.name = "dimshuffle",
                     .build = [&](const Vars& x) { return x[0].dimshuffle(pattern); },
                     .shapes = matrices,
                     .n_ulps = 0});
  test::expect_op({.name = "an axis left out",
                   .build =
                       [](const Vars& x) {
                         return addbroadcast(x[0], {1}).dimshuffle({2, 0});
                       },
                   .shapes = {{{3, 1, 4}}},
                   .n_ulps = 0});
  test::expect_op(
      {.name = "of a kept sum",
       .build = [](const Vars& x) { return sum(x[0], {.axis = 1, .keepdims = true}).dimshuffle({0}); },
       .shapes = {{{3, 4}}},
       .twice = true});
}

TEST_CASE("reshape and flatten, of views as well") {
  const std::vector<std::vector<Sizes>> shapes = {{{6, 4}}, {{2, 12}}, {{24, 1}}};
  for (const Args& to : std::vector<Args>{{24}, {-1}, {4, 6}, {-1, 3}, {2, -1, 3}, {1, 24}})
    test::expect_op({.name = "reshape",
                     .build = [&](const Vars& x) { return x[0].reshape(to); },
                     .shapes = shapes,
                     .twice = true,
                     .n_ulps = 0});
  test::expect_op({.name = "of a transpose",
                   .build =
                       [](const Vars& x) {
                         return x[0].T().reshape({-1, 2});
                       },
                   .shapes = shapes,
                   .n_ulps = 0});
  test::expect_op({.name = "of a slice",
                   .build =
                       [](const Vars& x) {
                         return x[0][{slice(none, none, -1), slice(none, none, 2)}].reshape({2, -1});
                       },
                   .shapes = {{{4, 6}}},
                   .n_ulps = 0});
  test::expect_op({.name = "of a sum",
                   .build =
                       [](const Vars& x) {
                         return (x[0] + 1).reshape({x[0].shape(1), x[0].shape(0)}) * 2;
                       },
                   .shapes = shapes});
  test::expect_op({.name = "twice",
                   .build =
                       [](const Vars& x) {
                         return x[0].reshape({3, 8}).T().reshape({4, 6});
                       },
                   .shapes = shapes,
                   .n_ulps = 0});
  for (const int ndim : {1, 2, 3})
    test::expect_op({.name = "flatten",
                     .build = [&](const Vars& x) { return x[0].flatten(ndim); },
                     .shapes = {{{2, 3, 4}}, {{1, 1, 1}}, {{0, 3, 4}}, {{2, 0, 4}}},
                     .n_ulps = 0});
  test::expect_op({.name = "flatten a scalar",
                   .build = [](const Vars& x) { return x[0].flatten(); },
                   .shapes = {{{}}},
                   .n_ulps = 0});
  const Var x = fmatrix("x");
  CHECK(x.reshape({1, -1}).type().stretch == 1U);
  CHECK(test::evaluate(x.reshape({-1}), {x}, {Tensor::zeros({0, 3}, float32)}).shape() == Sizes{0});
}

TEST_CASE("shapes are integers known before the kernels run") {
  const Var x = fmatrix("x"), s = fscalar("s");
  const Shared W = shared(Tensor::zeros({3, 4}, float32), "W");
  const Tensor t = Tensor::zeros({5, 7}, float32);
  CHECK(test::evaluate(x.shape(0), {x}, {t}).item<int>() == 5);
  CHECK(test::evaluate(x.shape(-1), {x}, {t}).item<int>() == 7);
  CHECK(test::evaluate(x.shape(), {x}, {t}).to_vector<int>() == std::vector<int>{5, 7});
  CHECK(test::evaluate(s.shape(), {s}, {Tensor(1.)}).size() == 0);
  CHECK(x.shape(0).dtype() == int64);
  CHECK(x.shape().dtype() == int64);
  CHECK(W.shape(1).type().has_value);
  CHECK(W.shape(1).type().value == 4);
  CHECK(tanh(W).shape(0).type().value == 3);
  CHECK((W.shape(0) * 2 + 1).type().value == 7);
  CHECK(W.reshape({W.shape(1), -1}).type().shape == Sizes{4, 3});
  CHECK(zeros({W.shape(0), 2}).type().shape == Sizes{3, 2});
  CHECK(test::evaluate((x.shape(0) + x.shape(1)) / 2, {x}, {t}).item() == 6);
}

TEST_CASE("alloc, zeros, ones and their likes") {
  test::expect_op({.name = "alloc of a scalar",
                   .build =
                       [](const Vars& x) {
                         return alloc(x[0], {2, 3});
                       },
                   .shapes = {{{}}},
                   .twice = true});
  test::expect_op({.name = "alloc of a row",
                   .build =
                       [](const Vars& x) {
                         return alloc(x[0], {2, x[0].shape(0)});
                       },
                   .shapes = {{{4}}, {{0}}},
                   .twice = true});
  test::expect_op({.name = "alloc of a column",
                   .build =
                       [](const Vars& x) {
                         return alloc(x[0].dimshuffle({0, 'x'}), {x[0].shape(0), 3});
                       },
                   .shapes = {{{4}}, {{0}}},
                   .twice = true});
  test::expect_op({.name = "alloc of the same size",
                   .build =
                       [](const Vars& x) {
                         return alloc(x[0], {x[0].shape(0), x[0].shape(1)});
                       },
                   .shapes = {{{3, 4}}}});
  test::expect_op({.name = "likes",
                   .build = [](const Vars& x) { return zeros_like(x[0]) + ones_like(x[0]) * 2; },
                   .shapes = {{{3, 4}}, {{}}, {{0}}},
                   .differentiable = false});
  CHECK(zeros({2, 3}).dtype() == floatX());
  CHECK(zeros({2, 3}, int32).dtype() == int32);
  CHECK(Tensor(function({.outputs = ones({2, 2}, float64)})()).to_vector<double>() ==
        std::vector<double>(4, 1));
  CHECK(zeros({1, 3}).type().stretch == 1U);
  CHECK(zeros_like(row("r")).type().stretch == 1U);
  const Var k = ivector("k");
  CHECK(zeros_like(k).dtype() == int32);
}

TEST_CASE("join, concatenate and stack") {
  test::expect_op({.name = "join along 0",
                   .build =
                       [](const Vars& x) {
                         return join(0, {x[0], x[1], x[0]});
                       },
                   .shapes = {{{2, 3}, {4, 3}}, {{0, 3}, {1, 3}}, {{2}, {3}}},
                   .twice = true,
                   .n_ulps = 0});
  test::expect_op({.name = "join along 1",
                   .build =
                       [](const Vars& x) {
                         return join(1, {x[0], x[1]});
                       },
                   .shapes = {{{2, 3}, {2, 1}}, {{2, 0}, {2, 3}}, {{2, 3, 4}, {2, 1, 4}}},
                   .twice = true,
                   .n_ulps = 0});
  test::expect_op({.name = "join along the last",
                   .build =
                       [](const Vars& x) {
                         return concatenate({x[0], x[1]}, -1);
                       },
                   .shapes = {{{2, 3}, {2, 1}}},
                   .n_ulps = 0});
  for (const int axis : {0, 1, 2, -1})
    test::expect_op({.name = "stack",
                     .build =
                         [&](const Vars& x) {
                           return stack({x[0], x[1]}, axis);
                         },
                     .shapes = {{{2, 3}, {2, 3}}},
                     .n_ulps = 0});
  test::expect_op({.name = "stack scalars",
                   .build =
                       [](const Vars& x) {
                         return stack({x[0], x[1], x[0] * x[1]});
                       },
                   .shapes = {{{}, {}}},
                   .twice = true});
  const Var f = fvector("f"), i = ivector("i");
  CHECK(join(0, {f, i}).dtype() == float64);
  CHECK(join(0, {row("r"), row("s")}).type().stretch == 0);
  CHECK(test::evaluate(join(0, {f, i}), {f, i}, {Tensor{.5}, Tensor{2}}).to_vector<double>() ==
        std::vector<double>{.5, 2});
}

TEST_CASE("declaring axes, and taking it back") {
  const Var x = fmatrix("x");
  const Var r = addbroadcast(x, {0});
  CHECK(r.type().stretch == 1U);
  CHECK(same(addbroadcast(r, {0}), r));
  CHECK(unbroadcast(r, {0}).type().stretch == 0U);
  CHECK(same(unbroadcast(x, {1}), x));
  CHECK(addbroadcast(x, {-1}).type().stretch == 2U);
  test::expect_op({.name = "addbroadcast",
                   .build = [](const Vars& v) { return addbroadcast(v[0], {0}) * v[1]; },
                   .shapes = {{{1, 4}, {3, 4}}},
                   .twice = true});
  const int line = __LINE__ + 1;
  const Function f = function({.inputs = {x}, .outputs = addbroadcast(x, {0}) * 2, .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({2, 3}, float32));
        }) == "restretch: axis 0 is declared to have size 1, but has 2\n  float32 (2, 3)   x\n  " +
                  test::at(line) + ", in function \"f\"");
}

TEST_CASE("shapes that cannot be") {
  const Shared W = shared(Tensor::zeros({3, 4}, float32), "W");
  const Var x = fmatrix("x"), v = fvector("v"), s = fscalar("s"), n = lscalar("n");
  const std::string of_x = "\n  float32 (?, ?)   x\n  ";
  CHECK(error_of([&] {
          W.reshape({5, 2});
        }) ==
        "reshape: 12 elements cannot be arranged as (5, 2)\n  float32 (3, 4)   W\n  int64 ()         5\n  "
        "int64 ()         2\n  at HERE");
  CHECK(error_of([&] {
          W.reshape({5, -1});
        }).starts_with("reshape: 12 elements cannot be arranged as (5, ?)"));
  CHECK(error_of([&] { x.reshape({-1, -1}); }).starts_with("reshape: only one size can be -1"));
  CHECK(error_of([&] { x.reshape({-2, 1}); }).starts_with("reshape: a size cannot be -2"));
  int line = __LINE__ + 1;
  const Var y = x.reshape({n, 2});
  const Function f = function({.inputs = {x, n}, .outputs = y, .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({3, 3}, float32), 4);
        }) ==
        "reshape: 9 elements cannot be arranged as (4, 2)\n  float32 (3, 3)   x\n  int64 ()         n\n  "
        "int64 ()         2\n  " +
            test::at(line) + ", in function \"f\"");
  CHECK(error_of([&] { x.shape(2); }) == "shape: axis 2 does not exist in 2 dimensions" + of_x + "at HERE");
  CHECK(error_of([&] { x.flatten(3); }) == "flatten: 3 dimensions of x, which has 2" + of_x + "at HERE");
  CHECK(error_of([&] { addbroadcast(x, {2}); }) ==
        "addbroadcast: axis 2 does not exist in 2 dimensions" + of_x + "at HERE");
  CHECK(error_of([&] {
          x.dimshuffle({0, 2});
        }) == "dimshuffle{0, 2}: axis 2 does not exist, or stands twice" + of_x + "at HERE");
  CHECK(error_of([&] {
          x.dimshuffle({0, 0});
        }).starts_with("dimshuffle{0, 0}: axis 0 does not exist, or stands twice"));
  CHECK(error_of([&] { x.dimshuffle({0}); }) ==
        "dimshuffle{0}: axis 1 cannot be left out: it is not declared to have size 1" + of_x + "at HERE");
  CHECK(error_of([&] {
          join(0, {x, v});
        }) ==
        "join{0}: the parts have 2 and 1 dimensions\n  float32 (?, ?)   x\n  float32 (?,)     v\n  at HERE");
  CHECK(error_of([&] {
          join(2, {x, x});
        }).starts_with("join: axis 2 does not exist in 2 dimensions\n  float32 (?, ?)   x"));
  CHECK(error_of([&] {
          join(0, {W, Tensor::zeros({3, 5}, float32)});
        })
            .starts_with("join{0}: the sizes of axis 1 differ, 4 and 5\n  float32 (3, 4)   W\n  float32 (3, "
                         "5)   <constant>"));
  CHECK(error_of([&] {
          join(0, {s, s});
        }).starts_with("join: scalars have no axis to join along: use stack"));
  CHECK(error_of([&] { join(0, {}); }) == "join: there is nothing to join");
  CHECK(error_of([&] { stack({}); }) == "stack: there is nothing to stack");
  CHECK(error_of([&] {
          alloc(W, {2, 3, 5});
        }).starts_with("alloc: axis 1 of the value has size 4, which cannot fill 5"));
  CHECK(error_of([&] { alloc(W, {3}); }).starts_with("alloc: a value of 2 dimensions cannot fill 1"));
  CHECK(error_of([&] { zeros({-1}); }).starts_with("alloc: a size cannot be -1"));
  CHECK(error_of([&] {
          zeros({s, 2});
        }) == "alloc: a size is an integer scalar, not float32 ()\n  float32 ()   s\n  at HERE");
}
