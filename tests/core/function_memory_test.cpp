#include <doctest/doctest.h>

#include <cmath>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;

namespace {

Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }
std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

}  // namespace

TEST_CASE("outputs held across calls keep their values") {
  const Var x = dvector("x");
  const Function f = function({.inputs = {x}, .outputs = {x * 2, tanh(x) * 0, sum(x)}});
  std::vector<Tensor> held;
  for (int i = 0; i < 12; ++i) {
    const Values v = f(Tensor{1. * i, 2. * i});
    held.push_back(v[0]);
    if (i % 3 != 0) held.push_back(v[2]);
  }
  std::size_t at = 0;
  for (int i = 0; i < 12; ++i) {
    INFO("call ", i);
    CHECK(numbers(held[at++]) == std::vector<double>{2. * i, 4. * i});
    if (i % 3 != 0) CHECK(held[at++].item() == 3 * i);
  }
}

TEST_CASE("a part of an output that is held keeps its values too") {
  const Var x = dmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = x + 1});
  const Tensor row = Tensor(f(Tensor{{1., 2.}, {3., 4.}}))[1];
  f(Tensor{{5., 6.}, {7., 8.}});
  f(Tensor{{9., 6.}, {7., 8.}});
  CHECK(numbers(row) == std::vector<double>{4, 5});
}

TEST_CASE("what leaves a function shares no memory with an input, a variable, a constant or another output") {
  const Var x = dmatrix("x");
  const Shared s = shared(doubles({{1., 2.}, {3., 4.}}), "s");
  const Var c = constant(doubles({{5., 6.}, {7., 8.}}));
  const Tensor t = doubles({{9., 10.}, {11., 12.}});
  const Var y = x * 2;
  const Vars all = {x,
                    x.T(),
                    x[0],
                    x[slice(none, none, -1)],
                    x.flatten(),
                    x.reshape({4}),
                    s,
                    s.T(),
                    s[1],
                    c,
                    c.T(),
                    c[0],
                    x.dimshuffle({0, 'x', 1}),
                    y,
                    y.T(),
                    y[0],
                    y,
                    addbroadcast(x[{slice(0, 1)}], {0})};
  const Function f = function({.inputs = {x}, .outputs = all});
  const Values first = f(t);
  std::vector<std::vector<double>> want;
  for (const Tensor& v : first) want.push_back(numbers(v));
  for (const Tensor& v : first) {
    CHECK(v.is_contiguous());
    copy_into(v.view(), Tensor::full(v.shape(), v.dtype(), -1).view());
  }
  CHECK(numbers(t) == std::vector<double>{9, 10, 11, 12});
  CHECK(numbers(s.get_value()) == std::vector<double>{1, 2, 3, 4});
  const Values second = f(t);
  for (std::size_t i = 0; i < want.size(); ++i) {
    INFO("output ", i);
    CHECK(numbers(second[i]) == want[i]);
    CHECK(numbers(first[i]) == std::vector<double>(want[i].size(), -1));
  }
}

TEST_CASE("no input is written") {
  const Var x = dmatrix("x"), y = dmatrix("y");
  const Shared s = shared(Tensor::zeros({2, 2}, float64), "s");
  const Function f = function(
      {.inputs = {x, y},
       .outputs = {tanh(exp(x)) + y, set_subtensor(x[0], 0), inc_subtensor(y[{slice(none, none), 1}], 5), -x},
       .updates = {{s, x - 0.1 * dot(x, y)}}});
  const Tensor a = test::random({2, 2}, float64, 1), b = test::random({2, 2}, float64, 2);
  const Tensor a0 = a.copy(), b0 = b.copy();
  f(a, b);
  f(a, a);
  CHECK(identical(a, a0));
  CHECK(identical(b, b0));
}

TEST_CASE("no constant is written") {
  const Tensor value = doubles({{1., 2.}, {3., 4.}});
  const Var c = constant(value), x = dmatrix("x");
  const Function f =
      function({.inputs = {x}, .outputs = {exp(c) + x, set_subtensor(c[0], x[0]), c - 0.1 * dot(x, x)}});
  const Tensor t = doubles({{1., 1.}, {1., 1.}});
  const Values first = f(t), second = f(t);
  for (std::size_t i = 0; i < 3; ++i) CHECK(identical(first[i], second[i]));
  CHECK(identical(c.node().value, value));
}

TEST_CASE("an array that is read later is not written over") {
  const Var x = dvector("x");
  const Var a = exp(x), b = tanh(a), c = a * b, d = c - a, e = sqr(b) + d;
  const Tensor t = test::random({37}, float64, 1);
  const Values all = function({.inputs = {x}, .outputs = {a, b, c, d, e}})(t);
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
    const Tensor alone = function({.inputs = {x}, .outputs = e, .mode = mode})(t);
    for (std::size_t i = 0; i < 37; ++i) {
      const double ai = std::exp(numbers(t)[i]), bi = std::tanh(ai);
      CHECK(numbers(alone)[i] == doctest::Approx(bi * bi + ai * bi - ai).epsilon(1e-14));
    }
    CHECK(numbers(all[4]) == numbers(alone));
  }
}

TEST_CASE("views keep what they show alive") {
  const Var x = dmatrix("x");
  // The transpose of a computed array, while other arrays come and go.
  const Var a = exp(x), view = a.T()[slice(none, none, 2)];
  const Var busy = tanh(tanh(tanh(x + 1) * 2) * 3);
  const Function f =
      function({.inputs = {x}, .outputs = {dot(busy, view.T()), view + 0}, .mode = Mode::FAST_COMPILE});
  const Function g = function({.inputs = {x}, .outputs = {dot(busy, view.T()), view + 0}});
  const Tensor t = test::random({5, 5}, float64, 1);
  const Values v = f(t), w = g(t);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 5; ++j) {
      CHECK(v[1].at<double>(i, j) == doctest::Approx(std::exp(t.at<double>(j, 2 * i))).epsilon(1e-14));
      CHECK(w[1].at<double>(i, j) == v[1].at<double>(i, j));
    }
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 3; ++j)
      CHECK(v[0].at<double>(i, j) == doctest::Approx(w[0].at<double>(i, j)).epsilon(1e-13));
}
