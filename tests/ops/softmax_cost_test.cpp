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

TEST_CASE("a score that is masked has the probability 0") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const DType dtype : {float32, float64}) {
    const Var x = matrix("x", dtype);
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
      const auto of = [&](const std::vector<double>& row) {
        const auto n = static_cast<std::int64_t>(row.size());
        return test::evaluate(softmax(x), {x}, {test::tensor(dtype, {1, n}, row)}, mode).to_vector<double>();
      };
      CHECK(of({0, -inf}) == std::vector<double>{1, 0});
      CHECK(of({-inf, 5, -inf, 5}) == std::vector<double>{0, .5, 0, .5});
      CHECK(of({0, -1e9}) == std::vector<double>{1, 0});
      CHECK(of({-1e9, -1e9, -1e9 * 3}) == std::vector<double>{.5, .5, 0});
      CHECK(of({0, dtype == float32 ? -1e30 : -1e300}) == std::vector<double>{1, 0});
      // Below the smallest normal number a probability fades out.
      const double low = dtype == float32 ? -90 : -720;
      CHECK(of({0, low})[1] == doctest::Approx(std::exp(low)).epsilon(dtype == float32 ? 1e-5 : 1e-9));
    }
    const Var scores = matrix("scores", dtype), mask = matrix("mask", dtype);
    const Var masked = softmax(switch_(mask > 0, scores, -inf));
    const Function f =
        function({.inputs = {scores, mask}, .outputs = {masked, grad(masked[{0, 0}], scores)}});
    const Values v = f(test::tensor(dtype, {1, 3}, {1, 1, 7}), test::tensor(dtype, {1, 3}, {1, 1, 0}));
    CHECK(v[0].to_vector<double>() == std::vector<double>{.5, .5, 0});
    CHECK(v[1].to_vector<double>() == std::vector<double>{.25, -.25, 0});
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

TEST_CASE("labels that do not fit the rows") {
  const FloatXScope scope(float32);
  const Var x = fmatrix("x"), y = ivector("y"), p = softmax(x).named("p");
  const int line = __LINE__ + 1;
  const Var cost = mean(categorical_crossentropy(p, y));
  const Shared s = shared(Tensor(0.f), "s");
  const Tensor t = Tensor::zeros({5, 10}, float32);
  const std::string rest =
      "\n  int32 (5,)        y\n  float32 (5, 10)   p\n  " + test::at(line) + ", in function \"f\"";
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::DebugMode})
    for (const Vars& outputs : {Vars{cost}, Vars{cost, grad(cost, x)}, Vars{grad(cost, x)}}) {
      INFO(to_string(mode), ", ", outputs.size());
      const Function f = function(
          {.inputs = {x, y}, .outputs = outputs, .updates = {{s, s + 1}}, .name = "f", .mode = mode});
      CHECK(error_of([&] {
              f(t, Tensor{0, 1, 2}.astype(int32));
            }) ==
            "labels of categorical_crossentropy: there are 3 labels for 5 rows\n  int32 (3,)        y\n  "
            "float32 (5, 10)   p\n  " +
                test::at(line) + ", in function \"f\"");
      CHECK(error_of([&] {
              f(t, Tensor{0, 1, 2, 3, 4, 5}.astype(int32));
            }).starts_with("labels of categorical_crossentropy: there are 6 labels for 5 rows\n"));
      CHECK(error_of([&] {
              f(t, Tensor{0, 1, -1, 3, 4}.astype(int32));
            }) ==
            "labels of categorical_crossentropy: the label of row 2 is -1: there are 10 classes, counted "
            "from 0" +
                rest);
      CHECK(error_of([&] {
              f(t, Tensor{0, 1, 2, 10, 4}.astype(int32));
            }) ==
            "labels of categorical_crossentropy: the label of row 3 is 10: there are 10 classes, counted "
            "from 0" +
                rest);
      f(t, Tensor{0, 9, 2, 3, 4}.astype(int32));
    }
  CHECK(s.get_value().item() == 9);
  // Known sizes are checked when the graph is built.
  const Var known = constant(t, "known");
  CHECK(error_of([&] {
          categorical_crossentropy(known, Tensor{1, 2});
        }) ==
        "labels of categorical_crossentropy: there are 2 labels for 5 rows\n  int64 (2,)        "
        "<constant>\n  float32 (5, 10)   known\n  at HERE");
  // Every dtype of labels, and p that is no softmax.
  for (const DType dtype : {int8, int16, int32, int64, uint8}) {
    const Var labels = vector("labels", dtype), q = fmatrix("q");
    const Function g = function({.inputs = {q, labels}, .outputs = categorical_crossentropy(q, labels)});
    CHECK(Tensor(g(Tensor{{1., .5}, {.25, 1.}}.astype(float32), Tensor{0, 1}.astype(dtype)))
              .to_vector<double>() == std::vector<double>{0, 0});
    CHECK(error_of([&] {
            g(Tensor{{1., .5}, {.25, 1.}}.astype(float32), Tensor{0, 2}.astype(dtype));
          }).find(": the label of row 1 is 2: there are 2 classes") != std::string::npos);
  }
  // Indexing counts negative positions from the end, as ever.
  CHECK(test::evaluate(log(p)[{arange(y.shape(0)), y}], {x, y}, {t, Tensor{-1}.astype(int32)}).size() == 1);
  // In the pass that computes cost and gradient together, too, the row is named.
  const Var nll = -mean(log(p)[{arange(y.shape(0)), y}]);
  const Function both = function({.inputs = {x, y}, .outputs = {nll, grad(nll, x)}});
  CHECK(debugprint(both).find("cross_entropy") != std::string::npos);
  CHECK(error_of([&] {
          both(t, Tensor{0, 1, 2, 10}.astype(int32));
        }).starts_with("cross_entropy: index 10 at position 3 is out of range for axis 1 of size 10\n"));
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
