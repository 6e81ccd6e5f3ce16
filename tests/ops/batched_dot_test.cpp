#include <doctest/doctest.h>

#include "core/run/threads.h"
#include "ops/dot.h"
#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

TEST_CASE("batched_dot of all ranks, with derivatives") {
  test::expect_op({.name = "batched_dot",
                   .build = [](const Vars& x) { return batched_dot(x[0], x[1]); },
                   .shapes = {{{3, 2, 4}, {3, 4, 5}},
                              {{1, 1, 1}, {1, 1, 1}},
                              {{2, 0, 3}, {2, 3, 2}},
                              {{2, 2, 0}, {2, 0, 2}},
                              {{0, 2, 3}, {0, 3, 2}},
                              {{3, 1, 4}, {3, 4, 2}},
                              {{3, 2, 4}, {3, 4, 1}},
                              {{3, 4}, {3, 4, 5}},
                              {{3, 2, 4}, {3, 4}},
                              {{3, 4}, {3, 4}},
                              {{3}, {3, 4}},
                              {{3, 4, 2}, {3}},
                              {{3}, {3}},
                              {{2, 3, 2, 4}, {2, 4, 3}},
                              {{2, 3, 4}, {2, 2, 4, 3}}},
                   .twice = true});
}

TEST_CASE("many and large products, on one thread and on several") {
  const Var a = tensor3("a", float64), b = tensor3("b", float64);
  for (const auto& [m, k, n, batch] : std::vector<std::array<std::int64_t, 4>>{
           {8, 9, 7, 600}, {70, 80, 90, 3}, {1, 300, 200, 20}, {64, 64, 64, 40}}) {
    const Tensor ta = test::random({batch, m, k}, float64, 1), tb = test::random({batch, k, n}, float64, 2);
    const Var y = batched_dot(a, b);
    const Tensor want = test::oracle({y}, {{a, ta}, {b, tb}})[0];
    for (const int n_threads : {1, 2, 3}) {
      set_threads(n_threads);
      test::check_close(test::evaluate(y, {a, b}, {ta, tb}), want, 1e-12, 1e-12, "batched_dot");
    }
    set_threads(0);
  }
}

TEST_CASE("dtypes and sizes of batched products") {
  const Var i = tensor3("i", int32), b = tensor3("b", int8), f = tensor3("f", float32), m = fmatrix("m");
  CHECK(batched_dot(i, b).dtype() == int32);
  CHECK(batched_dot(i, f).dtype() == float64);
  CHECK(batched_dot(f, m).ndim() == 2);
  CHECK(test::evaluate(
            batched_dot(i, b), {i, b},
            {test::tensor(int32, {2, 1, 2}, {1, 2, 3, 4}), test::tensor(int8, {2, 2, 1}, {5, 6, 7, 8})})
            .to_vector<int>() == std::vector<int>{17, 53});
  const int line = __LINE__ + 1;
  const Function g = function({.inputs = {f, m}, .outputs = batched_dot(f, m), .name = "g"});
  CHECK(error_of([&] {
          g(Tensor::zeros({2, 3, 4}, float32), Tensor::zeros({2, 5}, float32));
        }) ==
        "batched_dot: the inner sizes differ, 4 and 5\n  float32 (2, 3, 4)   f\n  float32 (2, 5, 1)   "
        "dimshuffle{0, 1, x}\n  " +
            test::at(line) + ", in function \"g\"");
  CHECK(error_of([&] {
          g(Tensor::zeros({2, 3, 4}, float32), Tensor::zeros({3, 4}, float32));
        }).starts_with("batched_dot: the numbers of products differ, 2 and 3"));
  CHECK(error_of([&] {
          batched_dot(fscalar("s"), m);
        }).starts_with("batched_dot: the operands have a first axis, they are not scalars"));
}

TEST_CASE("tensordot over every choice of axes, with derivatives") {
  const auto row = [](const char* name, const AxisPairs& axes,
                      const std::vector<std::vector<Sizes>>& shapes) {
    test::expect_op({.name = name,
                     .build = [&](const Vars& x) { return tensordot(x[0], x[1], axes); },
                     .shapes = shapes,
                     .twice = true});
  };
  row("matrices", {{1}, {0}}, {{{2, 3}, {3, 4}}, {{1, 1}, {1, 1}}, {{2, 0}, {0, 2}}});
  row("transposed", {{0}, {1}}, {{{3, 2}, {4, 3}}});
  row("two pairs", {{1, 2}, {0, 1}}, {{{2, 3, 4}, {3, 4, 2}}, {{2, 3, 4}, {3, 4}}});
  row("crossed pairs", {{0, -1}, {2, 0}}, {{{2, 3, 4}, {4, 2, 2}}});
  row("one of three", {{1}, {-1}}, {{{2, 3, 4}, {2, 3}}, {{2, 3, 2}, {2, 2, 3}}});
  row("all", {{0, 1}, {0, 1}}, {{{2, 3}, {2, 3}}});
  row("none", {{}, {}}, {{{2, 3}, {2}}, {{}, {3}}});
  for (const int n : {0, 1, 2})
    test::expect_op({.name = "the last and the first",
                     .build = [&](const Vars& x) { return tensordot(x[0], x[1], n); },
                     .shapes = {{{2, 2, 2}, {2, 2, 2}}, {{3, 3}, {3, 3}}},
                     .low = -1,
                     .high = 1});
}

TEST_CASE("batched_tensordot, with derivatives") {
  test::expect_op({.name = "two pairs",
                   .build =
                       [](const Vars& x) {
                         return batched_tensordot(x[0], x[1], {{1, 3}, {2, 1}});
                       },
                   .shapes = {{{2, 3, 2, 4}, {2, 4, 3, 2}}},
                   .twice = true});
  test::expect_op({.name = "the last and the first",
                   .build = [](const Vars& x) { return batched_tensordot(x[0], x[1], 1); },
                   .shapes = {{{2, 3, 4}, {2, 4, 2}}, {{2, 3, 2, 4}, {2, 4}}, {{0, 2, 2}, {0, 2, 2}}},
                   .twice = true});
  // Row by row it is tensordot.
  const Var x = tensor4("x", float64), y = tensor3("y", float64);
  const Tensor a = test::random({3, 2, 4, 5}, float64, 1), b = test::random({3, 5, 4}, float64, 2);
  const Var whole = batched_tensordot(x, y, {{2, 3}, {2, 1}});
  for (const int i : {0, 1, 2})
    test::check_close(test::evaluate(whole[i], {x, y}, {a, b}),
                      test::evaluate(tensordot(x[i], y[i], {{1, 2}, {1, 0}}), {x, y}, {a, b}), 1e-14, 1e-14,
                      "row");
}

TEST_CASE("axes that cannot be summed over") {
  const Var x = tensor3("x", float32), y = tensor3("y", float32), m = fmatrix("m");
  CHECK(error_of([&] {
          tensordot(x, m, {{1, 2}, {0}});
        }) ==
        "tensordot: 2 axes of the first are paired with 1 of the second\n  float32 (?, ?, ?)   x\n  float32 "
        "(?, ?)      m\n  at HERE");
  CHECK(error_of([&] {
          tensordot(x, m, {{3}, {0}});
        }).starts_with("tensordot: axis 3 does not exist in 3 dimensions"));
  CHECK(error_of([&] { tensordot(x, m, {{0, 0}, {0, 1}}); }).starts_with("tensordot: axis 0 stands twice"));
  CHECK(error_of([&] {
          tensordot(x, m, 3);
        }).starts_with("tensordot: there are no 3 axes to sum over in 3 and 2 dimensions"));
  CHECK(error_of([&] {
          batched_tensordot(x, y, {{0}, {1}});
        }).starts_with("batched_tensordot: axis 0 stays: there is one product for each of its indices"));
  const Function f = function({.inputs = {x, m}, .outputs = tensordot(x, m), .name = "f"});
  // As many terms, but others.
  CHECK(error_of([&] {
          f(Tensor::zeros({5, 2, 6}, float32), Tensor::zeros({3, 4}, float32));
        }).starts_with("same_size{1, 0}: axis 1 of the first has size 2, axis 0 of the second 3"));
  const Function g = function({.inputs = {x, m}, .outputs = tensordot(x, m, 1), .name = "g"});
  CHECK(error_of([&] {
          g(Tensor::zeros({5, 2, 6}, float32), Tensor::zeros({3, 4}, float32));
        }).starts_with("dot: the inner sizes differ, 6 and 3"));
}
