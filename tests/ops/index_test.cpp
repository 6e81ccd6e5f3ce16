#include "ops/index.h"

#include <doctest/doctest.h>

#include "core/graph/shared.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

const std::vector<std::vector<Sizes>> matrices = {{{4, 5}}, {{3, 6}}};

Tensor counting(const Sizes& shape) {
  std::vector<double> v(static_cast<std::size_t>(shape.product()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  return Tensor(v, shape);
}

std::vector<double> of(const std::function<Var(const Var&)>& f, const Tensor& t) {
  const Var x = variable(test::unknown(float64, t.ndim()), "x");
  return test::evaluate(f(x), {x}, {t}).to_vector<double>();
}

}  // namespace

TEST_CASE("basic indexing on all layouts, with its derivatives") {
  const std::vector<std::pair<std::string, test::Build>> cases = {
      {"row", [](const Vars& x) { return x[0][1]; }},
      {"last row", [](const Vars& x) { return x[0][-1]; }},
      {"element",
       [](const Vars& x) {
         return x[0][{1, -2}];
       }},
      {"column",
       [](const Vars& x) {
         return x[0][{slice(none, none), 2}];
       }},
      {"rows", [](const Vars& x) { return x[0][slice(1, 3)]; }},
      {"every second column",
       [](const Vars& x) {
         return x[0][{slice(none, none), slice(none, none, 2)}];
       }},
      {"backwards",
       [](const Vars& x) {
         return x[0][{slice(none, none, -1), slice(1, none)}];
       }},
      {"backwards by two",
       [](const Vars& x) {
         return x[0][{slice(-1, 0, -2), slice(4, none, -2)}];
       }},
      {"nothing", [](const Vars& x) { return x[0][slice(2, 1)]; }},
      {"all", [](const Vars& x) { return x[0][slice(none, none)]; }},
      {"of a transpose",
       [](const Vars& x) {
         return x[0].T()[{slice(1, 4), 0}];
       }},
      {"of a slice",
       [](const Vars& x) {
         return x[0][slice(1, none)][{slice(none, none), slice(2, 4)}][0];
       }},
      {"beyond the end", [](const Vars& x) {
         return x[0][{slice(1, 100), slice(-100, 3)}];
       }}};
  for (const auto& [name, build] : cases)
    test::expect_op({.name = name, .build = build, .shapes = matrices, .twice = true, .n_ulps = 1});
  test::expect_op({.name = "of three axes",
                   .build =
                       [](const Vars& x) {
                         return x[0][{0, slice(none, none, 2), slice(1, 3)}];
                       },
                   .shapes = {{{2, 5, 4}}},
                   .twice = true});
  test::expect_op({.name = "of no elements",
                   .build =
                       [](const Vars& x) {
                         return x[0][{slice(none, none, -1), slice(1, 3)}];
                       },
                   .shapes = {{{0, 4}}, {{4, 0}}, {{1, 1}}}});
}

TEST_CASE("picking by arrays of integers, with its derivatives") {
  const Tensor rows = Tensor{1, 0, 1, -1}, cols = Tensor{2, 2, 0, -2};
  test::expect_op({.name = "rows",
                   .build = [&](const Vars& x) { return x[0][constant(rows)]; },
                   .shapes = matrices,
                   .twice = true,
                   .n_ulps = 1});
  test::expect_op({.name = "elements",
                   .build =
                       [&](const Vars& x) {
                         return x[0][{constant(rows), constant(cols)}];
                       },
                   .shapes = matrices,
                   .twice = true,
                   .n_ulps = 1});
  test::expect_op({.name = "columns",
                   .build =
                       [&](const Vars& x) {
                         return x[0][{slice(none, none), constant(cols)}];
                       },
                   .shapes = matrices,
                   .twice = true,
                   .n_ulps = 1});
  test::expect_op({.name = "rows of a slice",
                   .build =
                       [&](const Vars& x) {
                         return x[0][{constant(rows), slice(1, none, 2)}];
                       },
                   .shapes = matrices,
                   .twice = true,
                   .n_ulps = 1});
  test::expect_op({.name = "an array and a number",
                   .build =
                       [&](const Vars& x) {
                         return x[0][{constant(rows), 1}];
                       },
                   .shapes = matrices,
                   .twice = true,
                   .n_ulps = 1});
  test::expect_op({.name = "a matrix of rows",
                   .build =
                       [&](const Vars& x) {
                         return x[0][constant(Tensor{{0, 1, 2}, {2, 1, 0}})];
                       },
                   .shapes = matrices,
                   .n_ulps = 1});
  test::expect_op(
      {.name = "crossed",
       .build =
           [&](const Vars& x) {
             return x[0][{constant(rows).dimshuffle({0, 'x'}), constant(cols).dimshuffle({'x', 0})}];
           },
       .shapes = matrices,
       .n_ulps = 1});
  test::expect_op({.name = "apart in three axes",
                   .build =
                       [&](const Vars& x) {
                         return x[0][{constant(Tensor{1, 0}), slice(none, none), constant(Tensor{2, 1})}];
                       },
                   .shapes = {{{2, 5, 3}}},
                   .n_ulps = 1});
  test::expect_op({.name = "by no positions",
                   .build = [](const Vars& x) { return x[0][constant(Tensor::zeros({0}, int64))]; },
                   .shapes = matrices});
  for (const DType dtype : {int8, int16, int32, int64, uint8}) {
    const Var x = dvector("x"), i = vector("i", dtype);
    for (const test::Layout& layout : test::layouts(Tensor{2, 0, 1}.astype(dtype))) {
      INFO(to_string(dtype), ", ", layout.name);
      CHECK(test::evaluate(x[i], {x, i}, {Tensor{5., 6., 7.}, layout.tensor}).to_vector<double>() ==
            std::vector<double>{7, 5, 6});
    }
  }
}

TEST_CASE("the shape of a part that is picked") {
  const Var x = tensor3("x", float64), i = ivector("i"), j = ivector("j");
  const Tensor t = counting({2, 3, 4});
  const auto shape_of = [&](const Var& v) {
    return test::evaluate(v, {x, i, j}, {t, Tensor{1, 0, 1, 1, 0}, Tensor{0, 2, 1, 1, 0}}).shape();
  };
  CHECK(shape_of(x[i]) == Sizes{5, 3, 4});
  CHECK(shape_of(x[{slice(none, none), j}]) == Sizes{2, 5, 4});
  CHECK(shape_of(x[{i, j}]) == Sizes{5, 4});
  CHECK(shape_of(x[{slice(0, 1), slice(none, none), j}]) == Sizes{1, 3, 5});
  // Arrays that a slice separates: their axis comes first, as in NumPy.
  CHECK(shape_of(x[{i, slice(none, none), j}]) == Sizes{5, 3});
}

TEST_CASE("set and inc of a part, on all layouts, with their derivatives") {
  const std::vector<std::pair<std::string, std::function<Var(const Var&, const Var&)>>> cases = {
      {"row", [](const Var& x, const Var& y) { return set_subtensor(x[0], y); }},
      {"rows", [](const Var& x, const Var& y) { return set_subtensor(x[slice(1, 3)], y); }},
      {"every second row",
       [](const Var& x, const Var& y) { return inc_subtensor(x[slice(none, none, 2)], y); }},
      {"rows backwards",
       [](const Var& x, const Var& y) { return inc_subtensor(x[slice(none, none, -1)], y); }},
      {"rows picked",
       [](const Var& x, const Var& y) {
         return set_subtensor(x[constant(Tensor{2, 0})], y);
       }},
      {"rows picked twice", [](const Var& x, const Var& y) {
         return inc_subtensor(x[constant(Tensor{1, 0, 1})], y);
       }}};
  for (const auto& [name, f] : cases)
    test::expect_op({.name = name,
                     .build = [&f = f](const Vars& x) { return f(x[0], x[1]); },
                     .shapes = {{{4, 5}, {5}}, {{3, 2}, {2}}, {{3, 2}, {}}},
                     .twice = true,
                     .n_ulps = 4});
  test::expect_op(
      {.name = "elements picked twice",
       .build =
           [](const Vars& x) {
             return inc_subtensor(x[0][{constant(Tensor{1, 0, 1}), constant(Tensor{2, 1, 2})}], x[1]);
           },
       .shapes = {{{2, 3}, {3}}, {{2, 3}, {}}},
       .twice = true,
       .n_ulps = 4});
  test::expect_op({.name = "a block",
                   .build =
                       [](const Vars& x) {
                         return set_subtensor(x[0][{slice(1, 3), slice(none, none, 2)}], x[1]);
                       },
                   .shapes = {{{4, 5}, {2, 3}}, {{3, 5}, {3}}},
                   .twice = true});
  const Tensor t = counting({2, 3});
  CHECK(of(
            [](const Var& x) {
              return inc_subtensor(x[{slice(none, none), 1}], 10);
            },
            t) == std::vector<double>{0, 11, 2, 3, 14, 5});
  CHECK(of(
            [](const Var& x) {
              return set_subtensor(x[{0, 0}], -1);
            },
            t) == std::vector<double>{-1, 1, 2, 3, 4, 5});
  CHECK(of([](const Var& x) { return set_subtensor(x[slice(1, 1)], 9); }, t) == t.to_vector<double>());
}

TEST_CASE("set and inc where arrays and slices meet change the array itself") {
  const Tensor t = counting({3, 4});
  const Var i = constant(Tensor{2, 0});
  CHECK(of(
            [&](const Var& x) {
              return set_subtensor(x[{i, slice(0, 2)}], -1);
            },
            t) == std::vector<double>{-1, -1, 2, 3, 4, 5, 6, 7, -1, -1, 10, 11});
  CHECK(of(
            [&](const Var& x) {
              return inc_subtensor(x[{slice(none, none), i}], 100);
            },
            t) == std::vector<double>{100, 1, 102, 3, 104, 5, 106, 7, 108, 9, 110, 11});
  CHECK(of(
            [&](const Var& x) {
              return inc_subtensor(x[{slice(1, none), i}], 100);
            },
            t) == std::vector<double>{0, 1, 2, 3, 104, 5, 106, 7, 108, 9, 110, 11});
}
