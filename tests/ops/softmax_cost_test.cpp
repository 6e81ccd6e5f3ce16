#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

TEST_CASE("softmax and log_softmax on all ranks, layouts and sizes, with their derivatives") {
  const std::vector<std::vector<Sizes>> shapes = {{{5}},    {{1}},       {{3, 4}}, {{1, 1}},
                                                  {{3, 1}}, {{2, 3, 4}}, {{0, 4}}, {{2, 100}}};
  test::expect_op({.name = "softmax",
                   .build = [](const Vars& x) { return softmax(x[0]); },
                   .shapes = shapes,
                   .twice = true});
  test::expect_op({.name = "log_softmax",
                   .build = [](const Vars& x) { return log_softmax(x[0]); },
                   .shapes = shapes,
                   .twice = true});
  test::expect_op({.name = "log of softmax",
                   .build = [](const Vars& x) { return log(softmax(x[0])); },
                   .shapes = shapes});
}

TEST_CASE("softmax of large numbers") {
  for (const DType dtype : {float32, float64}) {
    const Var x = matrix("x", dtype);
    const Tensor t = test::tensor(dtype, {3, 3}, {1000, 1000, 0, -1000, -1000, -1000, 1e30, 0, -1e30});
    check_close(test::evaluate(softmax(x), {x}, {t}),
                Tensor{{.5, .5, 0.}, {1 / 3., 1 / 3., 1 / 3.}, {1., 0., 0.}}, test::ulps(dtype, 2), 1e-7,
                "softmax");
    const Tensor log_p = test::evaluate(log(softmax(x)), {x}, {t});
    check_close(log_p[0], test::tensor(float64, {3}, {-std::log(2.), -std::log(2.), -1000 - std::log(2.)}),
                test::ulps(dtype, 2), 0, "log of softmax");
    CHECK(log_p[2].to_vector<double>()[1] < -9e29);
  }
}

TEST_CASE("short rows after long ones") {
  const Var x = fmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = softmax(x)});
  const Tensor t = test::random({3, 5}, float32, 1);
  const Tensor before = f(t);
  f(test::random({2, 3000}, float32, 2));
  CHECK(identical(Tensor(f(t)), before));
}

TEST_CASE("softmax of integers is a float, of a scalar an error") {
  const Var i = imatrix("i"), s = fscalar("s");
  CHECK(is_float(softmax(i).dtype()));
  CHECK(error_of([&] { softmax(s); }) ==
        "softmax: x must have at least one axis\n  float32 ()   s\n  at HERE");
  CHECK(error_of([&] { log_softmax(s); }).starts_with("log_softmax: x must have at least one axis"));
}

TEST_CASE("binary cross-entropy, also through a sigmoid") {
  test::expect_op({.name = "binary_crossentropy",
                   .build = [](const Vars& x) { return binary_crossentropy(x[0], x[1]); },
                   .shapes = {{{3, 4}, {3, 4}}, {{}, {}}, {{0, 4}, {0, 4}}},
                   .low = .1,
                   .high = .9,
                   .twice = true});
  test::expect_op({.name = "binary_crossentropy of a sigmoid",
                   .build = [](const Vars& x) { return binary_crossentropy(sigmoid(x[0]), x[1]); },
                   .shapes = {{{3, 4}, {3, 4}}, {{5}, {5}}},
                   .low = .1,
                   .high = .9,
                   .twice = true});
}

TEST_CASE("categorical cross-entropy by labels and by probabilities") {
  test::expect_op({.name = "by labels",
                   .build =
                       [](const Vars& x) {
                         return categorical_crossentropy(softmax(x[0]), constant(Tensor{2, 0, 1}));
                       },
                   .shapes = {{{3, 4}}},
                   .twice = true});
  test::expect_op({.name = "by probabilities",
                   .build = [](const Vars& x) { return categorical_crossentropy(softmax(x[0]), x[1]); },
                   .shapes = {{{3, 4}, {3, 4}}},
                   .twice = true});
  const Var v = fvector("v"), m = fmatrix("m");
  CHECK(error_of([&] { categorical_crossentropy(m, v); })
            .starts_with("categorical_crossentropy: p is a matrix, y a vector of integers or a matrix, not "
                         "float32 (?, ?) and "
                         "float32 (?,)"));
}

TEST_CASE("saturated units have the right cost and gradient") {
  // (x/z - (1-x)/(1-z)) z (1-z) is NaN at z = 1: the rules must come before the gradient.
  const FloatXScope scope(float32);
  const Var a = matrix("a"), t = matrix("t");
  const Var z = sigmoid(a);
  const Var cost = mean(-sum(t * log(z) + (1 - t) * log(1 - z), {.axis = 1}));
  const Function f = function({.inputs = {a, t}, .outputs = {cost, grad(cost, a)}});
  const Tensor big = Tensor{{1000., -1000., 200., -50., 30.}}.astype(float32),
               target = Tensor{{1., 0., 0.5, 1., 0.}}.astype(float32);
  const Values v = f(big, target);
  // -t*softplus(-a) - (1-t)*softplus(a), negated: 0 + 0 + 100 + 50 + 30
  CHECK(v[0].item() == doctest::Approx(180).epsilon(1e-6));
  check_close(v[1], Tensor{{0., 0., .5, -1., 1.}}, 1e-6, 1e-12, "sigmoid - target");

  const Var y = ivector("y");
  const Var nll = -mean(log(softmax(a))[{arange(y.shape(0)), y}]);
  const Function g = function({.inputs = {a, y}, .outputs = {nll, grad(nll, a)}});
  const Values w = g(Tensor{{1000., -1000., 0.}}.astype(float32), Tensor{1});
  CHECK(w[0].item() == 2000);
  CHECK(w[1].to_vector<float>() == std::vector<float>{1, -1, 0});
}

TEST_CASE("the nodes that the user named are not rewritten by grad") {
  const Var a = dvector("a");
  const Var z = sigmoid(a);
  // With z itself as what is differentiated, the rule for log(sigmoid) must leave z in the graph.
  const Var cost = sum(log(z));
  check_close(test::evaluate(grad(cost, z), {a}, {Tensor{0., 1.}}), Tensor{2., 1 + std::exp(-1.)}, 1e-6, 0,
              "d/dz");
  const Var held = sum(log(z) * z);
  check_close(
      test::evaluate(grad(held, a, {.consider_constant = {z}, .disconnected_inputs = Disconnected::zero}),
                     {a}, {Tensor{0., 1.}}),
      Tensor{0., 0.}, 0, 0, "z held constant");
}
