#include "ops/matrices.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "ops/index.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

const std::vector<std::vector<Sizes>> matrices = {{{3, 4}}, {{4, 3}}, {{1, 1}}, {{0, 2}}, {{2, 0}}, {{5, 5}}};

std::vector<int> of(const Var& v) { return Tensor(function({.outputs = v})()).to_vector<int>(); }

}  // namespace

TEST_CASE("eye, tri and their sizes, known and not") {
  CHECK(of(eye(2)) == std::vector<int>{1, 0, 0, 1});
  CHECK(of(eye(2, 3)) == std::vector<int>{1, 0, 0, 0, 1, 0});
  CHECK(of(eye(3, 2, -1)) == std::vector<int>{0, 0, 1, 0, 0, 1});
  CHECK(of(eye(2, none, 1)) == std::vector<int>{0, 1, 0, 0});
  CHECK(of(tri(2, 3)) == std::vector<int>{1, 0, 0, 1, 1, 0});
  CHECK(of(tri(2, 3, 1)) == std::vector<int>{1, 1, 0, 1, 1, 1});
  CHECK(of(tri(2, 2, -1)) == std::vector<int>{0, 0, 1, 0});
  CHECK(of(eye(0)).empty());
  CHECK(eye(2).dtype() == floatX());
  CHECK(eye(2, 3, 0, int32).dtype() == int32);
  CHECK(tri(2, 3, 0, bool_).dtype() == bool_);
  CHECK(eye(2, 3).type().shape == Sizes{2, 3});
  const Var n = iscalar("n"), k = lscalar("k"), x = fmatrix("x");
  const Function f = function({.inputs = {n, k}, .outputs = {eye(n, n + 1, k), tri(n, none, k)}});
  for (const int size : {0, 1, 3})
    for (const int diagonal : {-4, -1, 0, 2}) {
      const Values values = f(size, diagonal);
      const Tensor e = values[0], t = values[1];
      CHECK(e.shape() == Sizes{size, size + 1});
      CHECK(t.shape() == Sizes{size, size});
      for (int i = 0; i < size; ++i)
        for (int j = 0; j <= size; ++j) {
          CHECK(e.at<float>(i, j) == (j == i + diagonal ? 1.f : 0.f));
          if (j < size) CHECK(t.at<float>(i, j) == (j <= i + diagonal ? 1.f : 0.f));
        }
    }
  const Tensor like = test::evaluate(identity_like(x), {x}, {Tensor::full({2, 3}, float32, 7)});
  CHECK(identical(like, test::tensor(float32, {2, 3}, {1, 0, 0, 0, 1, 0})));
  CHECK(identity_like(imatrix("i")).dtype() == int32);
}

TEST_CASE("triangles, with their derivatives") {
  for (const int k : {-1, 0, 1}) {
    test::expect_op({.name = "tril",
                     .build = [&](const Vars& x) { return tril(x[0], k); },
                     .shapes = matrices,
                     .twice = true,
                     .n_ulps = 0});
    test::expect_op({.name = "triu",
                     .build = [&](const Vars& x) { return triu(x[0], k); },
                     .shapes = matrices,
                     .twice = true,
                     .n_ulps = 0});
  }
  const Var x = dmatrix("x"), b = matrix("b", bool_), i = imatrix("i");
  const Tensor t = Tensor{{1., 2., 3.}, {4., 5., 6.}};
  CHECK(test::evaluate(tril(x), {x}, {t}).to_vector<int>() == std::vector<int>{1, 0, 0, 4, 5, 0});
  CHECK(test::evaluate(triu(x, 1), {x}, {t}).to_vector<int>() == std::vector<int>{0, 2, 3, 0, 0, 6});
  CHECK(tril(b).dtype() == bool_);
  CHECK(triu(i).dtype() == int32);
  const Tensor nan = Tensor::full({2, 2}, float64, std::numeric_limits<double>::quiet_NaN());
  CHECK(test::evaluate(tril(x, -2), {x}, {nan}).to_vector<double>() == std::vector<double>(4, 0));
}

TEST_CASE("diagonals of matrices and of more axes, with their derivatives") {
  for (const int offset : {-2, -1, 0, 1, 3}) {
    test::expect_op({.name = "diagonal",
                     .build = [&](const Vars& x) { return diagonal(x[0], offset); },
                     .shapes = matrices,
                     .twice = true,
                     .n_ulps = 1});
    test::expect_op({.name = "diag of a matrix",
                     .build = [&](const Vars& x) { return diag(x[0], offset); },
                     .shapes = matrices,
                     .n_ulps = 1});
    test::expect_op({.name = "diag of a vector",
                     .build = [&](const Vars& x) { return diag(x[0], offset); },
                     .shapes = {{{3}}, {{1}}, {{0}}},
                     .twice = true,
                     .n_ulps = 0});
    test::expect_op({.name = "trace",
                     .build = [&](const Vars& x) { return trace(x[0], offset); },
                     .shapes = matrices,
                     .twice = true});
  }
  test::expect_op({.name = "diagonal of three axes",
                   .build = [](const Vars& x) { return diagonal(x[0], 1, -1, 0); },
                   .shapes = {{{3, 2, 4}}, {{2, 0, 2}}},
                   .twice = true,
                   .n_ulps = 1});
  // x_{ijk} = 12 i + 4 j + k
  std::vector<double> count(24);
  for (std::size_t i = 0; i < count.size(); ++i) count[i] = static_cast<double>(i);
  const Var x = tensor3("x", float64), m = dmatrix("m"), v = dvector("v");
  const Tensor t(count, {2, 3, 4});
  const auto values = [&](const Var& y) { return test::evaluate(y, {x}, {t}).to_vector<int>(); };
  CHECK(values(diagonal(x)) == std::vector<int>{0, 16, 1, 17, 2, 18, 3, 19});
  CHECK(values(diagonal(x, 1, 1, 2)) == std::vector<int>{1, 6, 11, 13, 18, 23});
  CHECK(values(diagonal(x, 0, 2, 0)) == std::vector<int>{0, 13, 4, 17, 8, 21});
  CHECK(values(trace(x)) == std::vector<int>{16, 18, 20, 22});
  CHECK(test::evaluate(diag(v, -1), {v}, {Tensor{1., 2.}}).to_vector<int>() ==
        std::vector<int>{0, 0, 0, 1, 0, 0, 0, 2, 0});
  CHECK(test::evaluate(diag(v, 1), {v}, {Tensor{1., 2.}}).to_vector<int>() ==
        std::vector<int>{0, 1, 0, 0, 0, 2, 0, 0, 0});
  CHECK(trace(imatrix("i")).dtype() == int64);
  CHECK(
      test::evaluate(set_subtensor(diagonal(m), 9), {m}, {Tensor::zeros({2, 3}, float64)}).to_vector<int>() ==
      std::vector<int>{9, 0, 0, 0, 9, 0});
}

TEST_CASE("what has no diagonal") {
  const Var v = fvector("v"), x = fmatrix("x"), t = tensor3("t", float32), s = fscalar("s");
  CHECK(error_of([&] { tril(v); }) ==
        "tril: x is a matrix, not of 1 dimensions\n  float32 (?,)   v\n  at HERE");
  CHECK(error_of([&] { triu(t); }).starts_with("triu: x is a matrix, not of 3 dimensions"));
  CHECK(error_of([&] { identity_like(v); }).starts_with("identity_like: x is a matrix, not of 1 dimensions"));
  CHECK(error_of([&] { diag(t); }).starts_with("diag: x is a vector or a matrix, not of 3 dimensions"));
  CHECK(error_of([&] { diagonal(v); }).starts_with("diagonal: axis 1 does not exist in 1 dimensions"));
  CHECK(error_of([&] {
          diagonal(x, 0, 1, -1);
        }).starts_with("diagonal: a diagonal needs two axes, not axis 1 twice"));
  CHECK(
      error_of([&] { eye(2, 2, s); }).starts_with("eye: a diagonal is named by an integer, not float32 ()"));
  CHECK(error_of([&] { eye(v); }).starts_with("arange: a bound of a range is a scalar, not float32 (?,)"));
}
