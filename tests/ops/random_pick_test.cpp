#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

/// Permutations, choices and multinomials. NumPy's figures are those of NumPy 1.24 by the expression beside
/// them, with r = next(variables(seed)) as in random_laws_test.cpp.
namespace damo::test {
namespace {

using Whole = std::vector<std::int64_t>;

void check_calls(const Var& sample, const Sizes& shape, const std::vector<Whole>& calls) {
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::DebugMode}) {
    // Each function advances the stream: go back to its begin for the next.
    const Shared state(sample.node().inputs[0]);
    const Tensor before = state.get_value();
    const Function f = function({.outputs = sample, .mode = mode});
    for (const Whole& want : calls) {
      const Tensor got = f();
      CHECK(got.shape() == shape);
      CHECK(got.to_vector<std::int64_t>() == want);
    }
    state.set_value(before);
  }
}

// The generator of seed 7 after n variables.
std::unique_ptr<RandomStreams> after(int n) {
  auto streams = std::make_unique<RandomStreams>(7);
  for (int i = 0; i < n; ++i) streams->normal({});
  return streams;
}

Tensor rows() { return tensor(float64, {3, 3}, {.1, .2, .7, .5, .5, 0, .98, .01, .01}); }

TEST_CASE("permutations") {
  // [r.permutation(6) for _ in range(2)]
  check_calls(after(7)->permutation({.size = {2}, .n = 6}), {2, 6}, {{3, 4, 5, 2, 1, 0, 3, 4, 2, 5, 1, 0}});
  check_calls(after(7)->permutation({.n = 6}), {6}, {{3, 4, 5, 2, 1, 0}, {3, 4, 2, 5, 1, 0}});
  check_calls(after(7)->permutation({}), {1}, {{0}});
  const Var n = lscalar("n"), m = lscalar("m");
  RandomStreams streams(1);
  const Function f = function({.inputs = {m, n}, .outputs = streams.permutation({.size = {m}, .n = n})});
  for (const int size : {5, 0, 1, 5}) {
    const Tensor got = f(3, size);
    CHECK(got.shape() == Sizes{3, size});
    for (int i = 0; i < 3; ++i) {
      Whole row = got[i].to_vector<std::int64_t>();
      std::sort(row.begin(), row.end());
      for (int j = 0; j < size; ++j) CHECK(row[static_cast<std::size_t>(j)] == j);
    }
  }
  CHECK(error_of([&] { f(3, -1); }).starts_with("random_permutation: a permutation needs n >= 0, not -1\n"));
  CHECK(error_of([&] { streams.permutation({.n = 1.5}); }) ==
        "random_permutation: n is an integer scalar, not float32 ()");
}

TEST_CASE("multinomials by NumPy's generator, with Theano's room for rounding") {
  const FloatXScope scope(float64);
  // [multinomial(r, 1, p) for p in rows], twice, where as in Theano's multinomial_helper
  //     def multinomial(r, n, p):
  //         if 1 < p.sum() < 1 + 1e-5 or p[-1] < 5e-5: p = p * (1 - 5e-5)
  //         return r.multinomial(n, p.astype('float64'))
  check_calls(after(8)->multinomial({.pvals = rows()}), {3, 3},
              {{0, 0, 1, 0, 1, 0, 1, 0, 0}, {0, 0, 1, 1, 0, 0, 1, 0, 0}});
  // [multinomial(r, n, p) for n, p in zip([20, 5], rows)]
  check_calls(after(9)->multinomial({.n = Tensor{20, 5}, .pvals = rows().slice(0, 0, 2)}), {2, 3},
              {{0, 4, 16, 1, 4, 0}});
  // [multinomial(r, 10, [.25, .25, .5]) for _ in range(3)]
  check_calls(after(10)->multinomial({.size = {3}, .n = 10, .pvals = Tensor{.25, .25, .5}}), {3, 3},
              {{3, 1, 6, 4, 2, 4, 3, 4, 3}});
  // [multinomial(r, 50, numpy.float32([.1, .2, .3, .4])) for _ in range(2)]
  check_calls(after(11)->multinomial({.n = 50, .pvals = Tensor{.1, .2, .3, .4}.astype(float32)}), {4},
              {{5, 9, 18, 18}, {3, 6, 18, 23}});
  // The same of 100 and numpy.float32([.1] * 9 + [.1000007]), whose sum is above 1.
  std::vector<float> tenths(10, .1F);
  tenths[9] = .1000007F;
  check_calls(after(12)->multinomial({.n = 100, .pvals = Tensor(tenths)}), {10},
              {{8, 14, 8, 12, 8, 5, 12, 10, 9, 14}, {9, 15, 6, 7, 9, 14, 7, 11, 9, 13}});

  const Var p = matrix("p");
  const Function f =
      function({.inputs = {p}, .outputs = after(0)->multinomial({.pvals = p, .dtype = floatX()})});
  const Tensor none = f(Tensor::zeros({0, 3}, float64));
  CHECK(none.shape() == Sizes{0, 3});
  CHECK(none.dtype() == float64);
  // Columns in memory, and rows backwards: the same draws as of a copy.
  for (const Layout& layout : layouts(rows())) {
    INFO(layout.name);
    const Function a = function({.inputs = {p}, .outputs = after(0)->multinomial({.n = 9, .pvals = p})});
    const Function b = function({.inputs = {p}, .outputs = after(0)->multinomial({.n = 9, .pvals = p})});
    CHECK(identical(a(layout.tensor), b(rows())));
  }
}

TEST_CASE("choices by NumPy's generator") {
  const FloatXScope scope(float64);
  // r.choice(10, 5), r.choice(10, 5, False), r.choice(4, (2, 3), True, [.1, .2, .3, .4])
  check_calls(after(13)->choice({.size = {5}, .a = 10}), {5}, {{4, 0, 0, 1, 1}});
  check_calls(after(14)->choice({.size = {5}, .a = 10, .replace = false}), {5}, {{7, 1, 2, 4, 8}});
  check_calls(after(15)->choice({.size = {2, 3}, .a = 4, .p = Tensor{.1, .2, .3, .4}}), {2, 3},
              {{2, 1, 3, 2, 3, 3}});
  // r.choice(6, 5, False, [.5, .3, .1, .05, .04, .01]), twice
  check_calls(
      after(16)->choice({.size = {5}, .a = 6, .replace = false, .p = Tensor{.5, .3, .1, .05, .04, .01}}), {5},
      {{0, 1, 4, 2, 3}, {0, 1, 4, 3, 2}});
  // r.choice([10, 20, 40], 4)
  const Tensor got = function({.outputs = after(17)->choice({.size = {4}, .a = Tensor{10, 20, 40}})})();
  CHECK(got.to_vector<int>() == std::vector<int>{20, 40, 40, 20});
  CHECK(got.dtype() == int64);
  // r.choice(3)
  check_calls(after(21)->choice({.a = 3}), {}, {{1}});
  const Var one_of = after(0)->choice({.a = Tensor{.5, 1.5}, .dtype = float64});
  CHECK(one_of.ndim() == 0);
  const double picked = function({.outputs = one_of})();
  CHECK((picked == .5 || picked == 1.5));
}

TEST_CASE("rows are shuffled, and their gradient with them") {
  const FloatXScope scope(float64);
  const auto check_shuffled = [](int n_before, const Tensor& x, const std::vector<double>& want) {
    const auto streams = after(n_before);
    const Var v = variable(unknown(float64, x.ndim()), "x");
    const Function f = function({.inputs = {v}, .outputs = streams->shuffle_row_elements(v)});
    const Tensor got = f(x);
    CHECK(got.shape() == x.shape());
    CHECK(got.to_vector<double>() == want);
  };
  const auto counted = [](const Sizes& shape) {
    std::vector<double> v(static_cast<std::size_t>(shape.product()));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
    return Tensor(v, shape);
  };
  // [row[r.permutation(4)] for row in x], and so on for the others
  check_shuffled(18, counted({3, 4}), {1, 3, 0, 2, 7, 4, 6, 5, 8, 9, 11, 10});
  check_shuffled(19, counted({2, 2, 3}), {1, 0, 2, 4, 5, 3, 6, 8, 7, 9, 10, 11});
  check_shuffled(20, counted({5}), {4, 3, 0, 2, 1});
  check_shuffled(0, counted({0, 3}), {});
  check_shuffled(0, counted({3, 0}), {});

  RandomStreams streams(7);
  const Var x = matrix("x"), w = matrix("w");
  const Var shuffled = streams.shuffle_row_elements(x);
  const Function f = function({.inputs = {x, w}, .outputs = {shuffled, grad(sum(shuffled * w), x)}});
  const Tensor a = counted({3, 4}), b = random({3, 4}, float64, 5);
  const Values values = f(a, b);
  // What stands at (i, j) came from a place whose gradient is then w_ij.
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j) {
      const auto from = static_cast<std::int64_t>(values[0].at<double>(i, j)) - 4 * i;
      CHECK(values[1].at<double>(i, from) == b.at<double>(i, j));
    }
}

TEST_CASE("multinomials and choices by MRG") {
  const Tensor p = Tensor{{.1, .2, .7}, {.5, .5, 0.}, {.3, .3, .4}};
  // For the uniform numbers of reference/rng_spec.py with seed 12345, a variable of 15360 substreams after
  // the other: for each sample in turn, and in it for each row, the first outcome whose cumulated probability
  // (in double) exceeds the next number. A choice then loses its probability, and the others of its row are
  // divided by their sum.
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    const Tensor pvals = p.astype(dtype);
    MRG_RandomStreams streams(12345);
    const Function one = function({.outputs = streams.multinomial({.pvals = pvals})});
    CHECK(Tensor(one()).to_vector<int>() == std::vector<int>{0, 0, 1, 1, 0, 0, 0, 0, 1});
    CHECK(Tensor(one()).to_vector<int>() == std::vector<int>{0, 0, 1, 0, 1, 0, 1, 0, 0});
    const Var n = lscalar("n");
    const Function many = function({.inputs = {n}, .outputs = streams.multinomial({.n = n, .pvals = pvals})});
    CHECK(Tensor(many(20)).to_vector<int>() == std::vector<int>{6, 3, 11, 10, 10, 0, 7, 5, 8});
    CHECK(Tensor(many(0)).to_vector<int>() == std::vector<int>(9, 0));
    const Function two =
        function({.inputs = {n}, .outputs = streams.choice({.size = {n}, .replace = false, .p = pvals})});
    CHECK(Tensor(two(2)).to_vector<int>() == std::vector<int>{2, 0, 0, 1, 2, 0});
    CHECK(Tensor(two(2)).to_vector<int>() == std::vector<int>{1, 2, 1, 0, 2, 1});
    const std::string message = error_of([&] { two(4); });
    CHECK_MESSAGE(
        message.starts_with("choice_from_uniform: choice without repetition cannot take 4 of 3 elements\n"),
        message);
  }
  MRG_RandomStreams streams(1);
  const Var m = matrix("m");
  const Function f =
      function({.inputs = {m}, .outputs = streams.multinomial({.pvals = m, .dtype = floatX()})});
  CHECK(Tensor(f(Tensor::zeros({0, 3}, floatX()))).shape() == Sizes{0, 3});
  // Probabilities that leave something: on no outcome.
  CHECK(identical(f(Tensor::zeros({2, 3}, floatX())), Tensor::zeros({2, 3}, floatX())));
  const Function g = function({.inputs = {m}, .outputs = streams.choice({.replace = false, .p = m})});
  CHECK(Tensor(g(Tensor::zeros({2, 3}, floatX()))).to_vector<int>() == std::vector<int>{-1, -1});
  for (const Layout& layout : layouts(p.astype(floatX()))) {
    INFO(layout.name);
    MRG_RandomStreams a(9), b(9);
    const Function u = function({.inputs = {m}, .outputs = a.multinomial({.n = 9, .pvals = m})});
    const Function v = function({.inputs = {m}, .outputs = b.multinomial({.n = 9, .pvals = m})});
    CHECK(identical(u(layout.tensor), v(p.astype(floatX()))));
  }
}

TEST_CASE("what is wrong with probabilities and numbers") {
  RandomStreams streams(1);
  MRG_RandomStreams mrg(1);
  const Var m = matrix("m"), v = vector("v"), n = lscalar("n");
  const auto begins = [](const std::string& message, const std::string& start) {
    CHECK_MESSAGE(message.starts_with(start), message);
  };
  const auto rejects = [&](const Var& sample, const std::vector<In>& inputs, const Tensors& values,
                           const std::string& message) {
    const Tensor before = streams.states().back().get_value();
    const Function f = function({.inputs = inputs, .outputs = sample});
    begins(error_of([&] { f.call(values.data(), values.size()); }), message);
    CHECK(identical(streams.states().back().get_value(), before));
  };
  rejects(streams.multinomial({.pvals = m}), {m}, {tensor(floatX(), {2, 2}, {.5, .5, .75, .5})},
          "random_multinomial: the probabilities of a row sum to 1.25, more than 1\n");
  rejects(streams.multinomial({.pvals = m}), {m}, {tensor(floatX(), {1, 2}, {-.5, .5})},
          "random_multinomial: multinomial needs probabilities in [0, 1], not -0.5\n");
  rejects(streams.multinomial({.pvals = m}), {m}, {Tensor::zeros({1, 0}, floatX())},
          "random_multinomial: there must be at least one outcome\n");
  rejects(streams.multinomial({.n = n}), {n}, {Tensor(-1)},
          "random_multinomial: multinomial needs n >= 0, not -1\n");
  rejects(streams.choice({.size = {2}, .a = n}), {n}, {Tensor(0)},
          "random_choice: choice needs n > 0, not 0\n");
  rejects(streams.choice({.size = {n}, .a = 3, .replace = false}), {n}, {Tensor(4)},
          "random_choice: choice without repetition cannot take 4 of 3 elements\n");
  rejects(streams.choice({.size = {2}, .a = 3, .p = v}), {v}, {tensor(floatX(), {2}, {.5, .5})},
          "random_choice: choice has 2 probabilities for 3 elements\n");
  rejects(streams.choice({.size = {2}, .p = v}), {v}, {tensor(floatX(), {2}, {.5, .25})},
          "random_choice: the probabilities of choice sum to 0.75, and must sum to 1\n");
  rejects(streams.choice({.size = {2}, .p = v}), {v}, {tensor(floatX(), {2}, {1.5, -.5})},
          "random_choice: choice needs probabilities of at least 0, not -0.5\n");
  rejects(streams.choice({.size = {2}, .replace = false, .p = v}), {v}, {tensor(floatX(), {2}, {1, 0})},
          "random_choice: choice without repetition cannot take 2 elements: only 1 have a probability above "
          "0\n");
  begins(error_of([&] { streams.multinomial({.size = {3}, .pvals = rows().slice(0, 0, 2)}); }),
         "random_multinomial: the sizes of axis 0 differ, 2 and 3\n");
  begins(error_of([&] { streams.choice({.p = m}); }),
         "random_choice: p is a vector of floats, not float32 (?, ?)\n");
  begins(error_of([&] { streams.choice({.a = m}); }),
         "random_choice: a that is no vector is an integer scalar, not float32 (?, ?)");
  begins(error_of([&] { streams.shuffle_row_elements(scalar("s")); }),
         "shuffle_row_elements: x has no axes, and must have at least one");
  begins(error_of([&] { mrg.multinomial({.pvals = v}); }),
         "MRG_RandomStreams::multinomial: pvals is a matrix, not float32 (?,)");
  begins(error_of([&] { mrg.multinomial({.size = {2}, .pvals = m}); }),
         "MRG_RandomStreams::multinomial takes no size: there is a sample for each row of pvals");
  begins(error_of([&] { mrg.choice({.p = m}); }),
         "MRG_RandomStreams::choice draws without repetition only: say .replace = false");
  begins(error_of([&] { mrg.choice({.a = 3, .replace = false, .p = m}); }),
         "MRG_RandomStreams::choice takes no a: it draws of the columns of p");
  begins(error_of([&] { mrg.choice({.replace = false}); }), "MRG_RandomStreams::choice needs p");
  begins(error_of([&] {
           mrg.choice({.size = {2, 3}, .replace = false, .p = m});
         }),
         "MRG_RandomStreams::choice: the size is one number, not 2");
}

}  // namespace
}  // namespace damo::test
