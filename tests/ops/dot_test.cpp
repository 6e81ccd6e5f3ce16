#include "ops/dot.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <array>
#include <limits>

#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

TEST_CASE("dot of every pair of ranks, on all layouts and sizes, with its derivatives") {
  test::expect_op({.name = "dot",
                   .build = [](const Vars& x) { return dot(x[0], x[1]); },
                   .shapes = {{{5}, {5}},
                              {{3, 5}, {5}},
                              {{5}, {5, 4}},
                              {{3, 5}, {5, 4}},
                              {{1, 5}, {5, 1}},
                              {{3, 1}, {1, 4}},
                              {{1, 1}, {1, 1}},
                              {{1}, {1, 3}},
                              {{3, 1}, {1}},
                              {{}, {3, 4}},
                              {{3, 4}, {}},
                              {{}, {}},
                              {{17, 9}, {9, 33}}},
                   .twice = true,
                   .n_ulps = 32});
}

TEST_CASE("products of nothing") {
  test::expect_op({.name = "dot of nothing",
                   .build = [](const Vars& x) { return dot(x[0], x[1]); },
                   .shapes = {{{0}, {0}},
                              {{3, 0}, {0}},
                              {{0}, {0, 4}},
                              {{3, 0}, {0, 4}},
                              {{0, 5}, {5, 4}},
                              {{3, 5}, {5, 0}},
                              {{0, 5}, {5}}}});
}

TEST_CASE("the parts of a gradient are where they belong, not only their sum") {
  const Var a = dmatrix("a"), b = dmatrix("b"), g = dmatrix("g");
  const Tensor ta = test::random({2, 3}, float64, 1), tb = test::random({3, 4}, float64, 2),
               tg = test::random({2, 4}, float64, 3);
  const Vars gradients = Lop(dot(a, b), {a, b}, g);
  const Tensor ga = test::evaluate(gradients[0], {a, b, g}, {ta, tb, tg}),
               gb = test::evaluate(gradients[1], {a, b, g}, {ta, tb, tg});
  CHECK(ga.shape() == Sizes{2, 3});
  CHECK(gb.shape() == Sizes{3, 4});
  for (const auto& [i, j] : std::vector<std::pair<int, int>>{{0, 0}, {1, 2}, {0, 2}, {1, 0}}) {
    double want = 0;
    for (int k = 0; k < 4; ++k) want += tg.at<double>(i, k) * tb.at<double>(j, k);
    CHECK(ga.at<double>(i, j) == doctest::Approx(want).epsilon(1e-14));
    want = 0;
    for (int k = 0; k < 2; ++k) want += ta.at<double>(k, j) * tg.at<double>(k, i);
    CHECK(gb.at<double>(j, i) == doctest::Approx(want).epsilon(1e-14));
  }
}

TEST_CASE("products large enough for every kind of kernel") {
  for (const DType dtype : {float32, float64})
    for (const auto& [m, k, n] : std::vector<std::array<std::int64_t, 3>>{{1, 300, 200},
                                                                          {300, 200, 1},
                                                                          {1, 1, 300},
                                                                          {300, 1, 200},
                                                                          {2, 300, 100},
                                                                          {20, 300, 70},
                                                                          {64, 64, 64},
                                                                          {129, 131, 127}}) {
      const Var a = matrix("a", dtype), b = matrix("b", dtype);
      const Tensor ta = test::random({m, k}, dtype, 1), tb = test::random({k, n}, dtype, 2);
      const Tensor want = test::oracle({dot(a, b)}, {{a, ta}, {b, tb}})[0];
      const std::string what =
          std::to_string(m) + " " + std::to_string(k) + " " + std::to_string(n) + " " + to_string(dtype);
      // k products of numbers up to 1: the error is at most k/2 units of a sum that may reach k.
      const double atol = test::ulps(dtype, static_cast<double>(k));
      test::check_close(test::evaluate(dot(a, b), {a, b}, {ta, tb}), want, 0, atol, what);
      test::check_close(test::evaluate(dot(b.T(), a.T()).T(), {a, b}, {ta, tb}), want, 0, atol,
                        what + ", transposed");
      test::check_close(
          test::evaluate(dot(a, b), {a, b},
                         {ta.transposed().copy().transposed(), tb.transposed().copy().transposed()}),
          want, 0, atol, what + ", column-major");
      test::check_close(
          test::evaluate(dot(a, b), {a, b},
                         {ta.reversed(0).copy().reversed(0), tb.reversed(1).copy().reversed(1)}),
          want, 0, atol, what + ", backwards");
    }
}

TEST_CASE("what is not finite stays in its own row and column") {
  const Var a = dmatrix("a"), b = dmatrix("b");
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor y = test::evaluate(
      dot(a, b), {a, b}, {Tensor{{0., 1.}, {2., 3.}}, Tensor(std::vector<double>{inf, 1, 1, 1}, {2, 2})},
      Mode::FAST_COMPILE);
  CHECK(y.at<double>(1, 0) == inf);
  CHECK(y.at<double>(1, 1) == 5);
  CHECK(y.at<double>(0, 1) == 1);
}

TEST_CASE("products of integers, and of dtypes that differ") {
  const Var i = imatrix("i"), j = imatrix("j"), f = fmatrix("f"), b = bmatrix("b");
  CHECK(dot(i, j).dtype() == int32);
  CHECK(dot(i, f).dtype() == float64);
  CHECK(dot(b, f).dtype() == float32);
  CHECK(
      test::evaluate(dot(i, j), {i, j}, {Tensor{{1, 2}, {3, 4}}, Tensor{{5, 6}, {7, 8}}}).to_vector<int>() ==
      std::vector<int>{19, 22, 43, 50});
  CHECK(test::evaluate(dot(i, f), {i, f}, {Tensor{{1, 2}}, Tensor{{.5}, {.25}}}).item() == 1);
}

TEST_CASE("outer") {
  test::expect_op({.name = "outer",
                   .build = [](const Vars& x) { return outer(x[0], x[1]); },
                   .shapes = {{{3}, {4}}, {{1}, {1}}, {{0}, {3}}, {{3}, {0}}},
                   .twice = true});
}

TEST_CASE("inner sizes that differ, known when the graph is built or in the call") {
  const Shared W = shared(Tensor::zeros({500, 10}, float32), "W");
  const Var x = variable(Type(float32, {20, 784}), "x"), u = fmatrix("u"), t3 = tensor3("t", float32);
  CHECK(error_of([&] { dot(x, W); }) ==
        "dot: the inner sizes differ, 784 and 500\n  float32 (20, 784)   x\n  float32 (500, 10)   W\n  at "
        "HERE");
  int line = __LINE__ + 1;
  const Var y = dot(u, W);
  const Function f = function({.inputs = {u}, .outputs = softmax(y), .name = "train"});
  CHECK(error_of([&] {
          f(Tensor::zeros({20, 784}, float32));
        }) ==
        "dot: the inner sizes differ, 784 and 500\n  float32 (20, 784)   u\n  float32 (500, 10)   W\n  " +
            test::at(line) + ", in function \"train\"");
  CHECK(error_of([&] { dot(t3, W); }) ==
        "dot: the operands are vectors or matrices, not of 3 and 2 dimensions\n  float32 (?, ?, ?)   t\n  "
        "float32 (500, 10)   W\n  at HERE");
}

TEST_CASE("an error in a gradient names the line of the node it belongs to") {
  // The sizes agree going forward only by their product: the gradient's dot is where they meet.
  const Var x = fmatrix("x"), g = fmatrix("g");
  const Shared W = shared(Tensor::zeros({3, 4}, float32), "W");
  const int line = __LINE__ + 1;
  const Var y = dot(x, W);
  const Vars gx = Lop(y, {x}, g);
  const Function f =
      function({.inputs = {x, g}, .outputs = gx, .name = "f", .on_unused_input = OnUnusedInput::ignore});
  const std::string message = error_of([&] {
    f(Tensor::zeros({2, 3}, float32), Tensor::zeros({2, 5}, float32));
  });
  CHECK(message.find("5 and 4") != std::string::npos);
  CHECK(message.find(test::at(line)) != std::string::npos);
  CHECK(message.ends_with("in function \"f\""));
}

TEST_CASE("a product of vectors with more elements than an int counts") {
  // Pages that nobody writes to take no memory.
  constexpr std::int64_t n = (std::int64_t{1} << 31) + 5;
  const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(float);
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  const std::shared_ptr<void> owner(memory, [](void* p) { ::munmap(p, bytes); });
  const Tensor v = Tensor::over({DType::float32, {n}, {1}, memory}, owner);
  v.at<float>(0) = 2;
  v.at<float>(n - 1) = 3;
  const Var x = vector("x", float32);
  CHECK(function({.inputs = {x}, .outputs = dot(x, x)})(v).item() == 13);
}
