#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

/// What overflows, or loses its digits, as it is written: it has the right value and gradient all the same.
using namespace damo;

namespace {

using Real = std::function<long double(long double)>;

long double sigmoid_of(long double x) { return 1 / (1 + std::exp(-x)); }
long double slope_of(long double x) { return sigmoid_of(x) * sigmoid_of(-x); }
long double softplus_of(long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))); }

struct Case {
  const char* name;
  std::function<Var(const Var&)> build;
  Real value, slope;
};

const std::vector<Case>& logistic_family() {
  static const std::vector<Case> all = {
      {"1 / (1 + exp(-x))", [](const Var& x) { return 1 / (1 + exp(-x)); }, sigmoid_of, slope_of},
      {"1 / (exp(-x) + 1)", [](const Var& x) { return 1. / (exp(-x) + 1.); }, sigmoid_of, slope_of},
      {"inv(1 + exp(-x))", [](const Var& x) { return inv(1 + exp(-x)); }, sigmoid_of, slope_of},
      {"1 / (1 + exp(x))", [](const Var& x) { return 1 / (1 + exp(x)); },
       [](auto x) { return sigmoid_of(-x); }, [](auto x) { return -slope_of(x); }},
      {"inv(exp(x) + 1)", [](const Var& x) { return inv(exp(x) + 1); }, [](auto x) { return sigmoid_of(-x); },
       [](auto x) { return -slope_of(x); }},
      {"1 / (1 + exp(-x - 2))", [](const Var& x) { return 1 / (1 + exp(-x - 2)); },
       [](auto x) { return sigmoid_of(x + 2); }, [](auto x) { return slope_of(x + 2); }},
      {"1 / (1 + exp(-(x + 2)))", [](const Var& x) { return 1 / (1 + exp(-(x + 2))); },
       [](auto x) { return sigmoid_of(x + 2); }, [](auto x) { return slope_of(x + 2); }},
      {"3 / (1 + exp(2 - x))", [](const Var& x) { return 3 / (1 + exp(2 - x)); },
       [](auto x) { return 3 * sigmoid_of(x - 2); }, [](auto x) { return 3 * slope_of(x - 2); }},
      {"-1 / (1 + exp(x))", [](const Var& x) { return -1 / (1 + exp(x)); },
       [](auto x) { return -sigmoid_of(-x); }, slope_of},
      {"exp(x) / (1 + exp(x))", [](const Var& x) { return exp(x) / (1 + exp(x)); }, sigmoid_of, slope_of},
      {"e / (e + 1)",
       [](const Var& x) {
         const Var e = exp(x);
         return e / (e + 1);
       },
       sigmoid_of, slope_of},
      {"exp(2 x - 1) / (1 + exp(2 x - 1)), written twice",
       [](const Var& x) { return exp(2 * x - 1) / (1 + exp(2 * x - 1)); },
       [](auto x) { return sigmoid_of(2 * x - 1); }, [](auto x) { return 2 * slope_of(2 * x - 1); }},
      {"exp(-x) / (1 + exp(-x))", [](const Var& x) { return exp(-x) / (1 + exp(-x)); },
       [](auto x) { return sigmoid_of(-x); }, [](auto x) { return -slope_of(x); }},
      {"-exp(x) / (1 + exp(x))", [](const Var& x) { return -exp(x) / (1 + exp(x)); },
       [](auto x) { return -sigmoid_of(x); }, [](auto x) { return -slope_of(x); }},
      {"2 exp(x) / (1 + exp(x))", [](const Var& x) { return 2 * exp(x) / (1 + exp(x)); },
       [](auto x) { return 2 * sigmoid_of(x); }, [](auto x) { return 2 * slope_of(x); }},
      {"-(2 exp(x) 3) / (1 + exp(x))", [](const Var& x) { return -(2 * exp(x) * 3) / (1 + exp(x)); },
       [](auto x) { return -6 * sigmoid_of(x); }, [](auto x) { return -6 * slope_of(x); }},
      {"exp(x) (1 / (1 + exp(x)))", [](const Var& x) { return exp(x) * (1 / (1 + exp(x))); }, sigmoid_of,
       slope_of},
      {"exp(x - 1) / (1 + exp(x - 1))",
       [](const Var& x) {
         const Var z = x - 1;
         return exp(z) / (1 + exp(z));
       },
       [](auto x) { return sigmoid_of(x - 1); }, [](auto x) { return slope_of(x - 1); }},
      {"exp(x) / (exp(x) + exp(2))",
       [](const Var& x) {
         const Var other = 0 * x + 2;
         return exp(x) / (exp(x) + exp(other));
       },
       [](auto x) { return sigmoid_of(x - 2); }, [](auto x) { return slope_of(x - 2); }},
      {"1 - 1 / (1 + exp(x))", [](const Var& x) { return 1 - 1 / (1 + exp(x)); }, sigmoid_of, slope_of},
      {"1 - 1 / (1 + exp(-x))", [](const Var& x) { return 1 - 1 / (1 + exp(-x)); },
       [](auto x) { return sigmoid_of(-x); }, [](auto x) { return -slope_of(x); }},
      {"1 - exp(x) / (1 + exp(x))", [](const Var& x) { return 1 - exp(x) / (1 + exp(x)); },
       [](auto x) { return sigmoid_of(-x); }, [](auto x) { return -slope_of(x); }},

      {"log(1 / (1 + exp(-x)))", [](const Var& x) { return log(1 / (1 + exp(-x))); },
       [](auto x) { return -softplus_of(-x); }, [](auto x) { return sigmoid_of(-x); }},
      {"log(1 / (1 + exp(2 - x)))", [](const Var& x) { return log(1 / (1 + exp(2 - x))); },
       [](auto x) { return -softplus_of(2 - x); }, [](auto x) { return sigmoid_of(2 - x); }},
      {"log(3 / (1 + exp(2 - x)))", [](const Var& x) { return log(3 / (1 + exp(2 - x))); },
       [](auto x) { return std::log(3.0L) - softplus_of(2 - x); }, [](auto x) { return sigmoid_of(2 - x); }},
      {"log(exp(x) / (1 + exp(x)))", [](const Var& x) { return log(exp(x) / (1 + exp(x))); },
       [](auto x) { return -softplus_of(-x); }, [](auto x) { return sigmoid_of(-x); }},
      {"log(1 - 1 / (1 + exp(-x)))", [](const Var& x) { return log(1 - 1 / (1 + exp(-x))); },
       [](auto x) { return -softplus_of(x); }, [](auto x) { return -sigmoid_of(x); }},
      {"log(1 - 1 / (1 + exp(x)))", [](const Var& x) { return log(1 - 1 / (1 + exp(x))); },
       [](auto x) { return -softplus_of(-x); }, [](auto x) { return sigmoid_of(-x); }},
      {"log(1 - exp(x) / (1 + exp(x)))", [](const Var& x) { return log(1 - exp(x) / (1 + exp(x))); },
       [](auto x) { return -softplus_of(x); }, [](auto x) { return -sigmoid_of(x); }},
      {"log(1 - (1 - 1 / (1 + exp(-x))))", [](const Var& x) { return log(1 - (1 - 1 / (1 + exp(-x)))); },
       [](auto x) { return -softplus_of(-x); }, [](auto x) { return sigmoid_of(-x); }},
      {"log1p(-1 / (1 + exp(-x)))", [](const Var& x) { return log1p(-1 / (1 + exp(-x))); },
       [](auto x) { return -softplus_of(x); }, [](auto x) { return -sigmoid_of(x); }},
      {"log1p(-(1 / (1 + exp(x))))", [](const Var& x) { return log1p(-(1 / (1 + exp(x)))); },
       [](auto x) { return -softplus_of(-x); }, [](auto x) { return sigmoid_of(-x); }},
      {"log1p(-exp(x) / (1 + exp(x)))", [](const Var& x) { return log1p(-exp(x) / (1 + exp(x))); },
       [](auto x) { return -softplus_of(x); }, [](auto x) { return -sigmoid_of(x); }},
      {"log1p(-(1 - 1 / (1 + exp(x))))", [](const Var& x) { return log1p(-(1 - 1 / (1 + exp(x)))); },
       [](auto x) { return -softplus_of(x); }, [](auto x) { return -sigmoid_of(x); }},
      {"log1p(1 / (1 + exp(-x)) - 1)", [](const Var& x) { return log1p(1 / (1 + exp(-x)) - 1); },
       [](auto x) { return -softplus_of(-x); }, [](auto x) { return sigmoid_of(-x); }},
      {"log(1 + exp(x - 2))", [](const Var& x) { return log(1 + exp(x - 2)); },
       [](auto x) { return softplus_of(x - 2); }, [](auto x) { return sigmoid_of(x - 2); }},
      {"log1p(exp(-x))", [](const Var& x) { return log1p(exp(-x)); }, [](auto x) { return softplus_of(-x); },
       [](auto x) { return -sigmoid_of(-x); }},
  };
  return all;
}

/// The value of y and its gradients, in one function.
std::vector<Tensor> value_and_slopes(const Var& y, const Vars& x, const test::Tensors& values,
                                     Mode mode = Mode::FAST_RUN) {
  Vars outputs = grad(sum(y), x);
  outputs.insert(outputs.begin(), y);
  const Function f =
      function({.inputs = std::vector<In>(x.begin(), x.end()), .outputs = outputs, .mode = mode});
  const Values result = f.call(values.data(), values.size());
  return {result.begin(), result.end()};
}

}  // namespace

TEST_CASE("the logistic function and its logarithms, however they are written") {
  // Beyond 88 in float32 and 709 in float64, Theano's bounds, sigmoid is 0 and what is 0 exactly is below.
  const std::vector<double> at = {-800, -200, -40, -3, 0, .5, 3, 40, 200, 800};
  for (const Case& c : logistic_family())
    for (const DType dtype : {float32, float64}) {
      INFO(std::string(c.name), ", ", to_string(dtype));
      const Var x = vector("x", dtype);
      const Tensor t = test::tensor(dtype, {10}, at);
      const Var built = c.build(x);
      const std::vector<Tensor> y = {test::evaluate(built, {x}, {t}),
                                     test::evaluate(grad(sum(built), x), {x}, {t})};
      std::vector<double> value, slope;
      for (const double v : at) {
        value.push_back(static_cast<double>(c.value(v)));
        slope.push_back(static_cast<double>(c.slope(v)));
      }
      const double smallest = dtype == float32 ? 1e-37 : 1e-300;
      test::check_close(y[0], test::tensor(float64, {10}, value), test::ulps(dtype, 16), smallest, "value");
      test::check_close(y[1], test::tensor(float64, {10}, slope), test::ulps(dtype, 64),
                        dtype == float32 ? 1e-7 : 1e-16, "gradient");
    }
}

TEST_CASE("1 - sigmoid(x) stays where sigmoid(x) is read by others") {
  const Var x = dvector("x"), s = sigmoid(x);
  const auto names = [](const Function& f) {
    std::string all;
    for (const Firing& firing : f.trace()) all += firing.rule + " ";
    return all;
  };
  CHECK(names(function({.inputs = {x}, .outputs = 1 - s})) == "one_minus_sigmoid fuse ");
  CHECK(names(function({.inputs = {x}, .outputs = {s, 1 - s}})).find("one_minus") == std::string::npos);
  CHECK(names(function({.inputs = {x}, .outputs = s * (1 - s)})).find("one_minus") == std::string::npos);
}

TEST_CASE("the logarithm of a sum of exponentials, over any axes") {
  const FloatXScope scope(float64);
  for (const DType dtype : {float32, float64}) {
    const Var x = tensor3("x", dtype);
    const Tensor t = test::tensor(dtype, {2, 2, 2}, {1000, 1000, -1000, -1000, 1000, 0, -1e30, -1e30});
    const double log2 = std::log(2.);
    const auto value = [&](const Var& y) { return test::evaluate(y, {x}, {t}); };
    test::check_close(value(log(sum(exp(x), {.axis = 2}))),
                      Tensor{{1000 + log2, -1000 + log2}, {1000., -1e30}}, test::ulps(dtype, 2), 0, "last");
    test::check_close(value(log(sum(exp(x), {.axis = 1}))), Tensor{{1000., 1000.}, {1000., 0.}},
                      test::ulps(dtype, 2), 0, "middle");
    test::check_close(value(log(sum(exp(x), {.axis = 0, .keepdims = true}))),
                      Tensor{{{1000 + log2, 1000.}, {-1000., -1000.}}}, test::ulps(dtype, 2), 0,
                      "first, kept");
    test::check_close(value(log(sum(exp(x), {.axis = {0, 2}}))), Tensor{1000 + std::log(3.), -1000 + log2},
                      test::ulps(dtype, 2), 0, "two");
    test::check_close(value(log(sum(exp(x)))), Tensor(1000 + std::log(3.)), test::ulps(dtype, 2), 0, "all");
    test::check_close(value(log(sum(exp(x), {.axis = {0, 1, 2}, .keepdims = true}))),
                      Tensor{{{1000 + std::log(3.)}}}, test::ulps(dtype, 2), 0, "all, kept");
    test::check_close(value(log(mean(exp(x), {.axis = 2}))), Tensor{{1000., -1000.}, {1000 - log2, -1e30}},
                      test::ulps(dtype, 2), 0, "mean");
    const auto y = value_and_slopes(log(sum(exp(x), {.axis = 1})), {x}, {t});
    test::check_close(y[1], Tensor{{{1., 1.}, {0., 0.}}, {{1., 1.}, {0., 0.}}}, 1e-6, 0, "gradient");
  }
}

TEST_CASE("the logarithm of a sum of exponentials of infinities, and of nothing") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Var x = dmatrix("x");
  const Var y = log(sum(exp(x), {.axis = 1}));
  test::check_close(
      test::evaluate(y, {x}, {Tensor{{-inf, -inf}, {inf, 0.}, {-inf, 1000.}, {inf, nan}, {-inf, nan}}}),
      Tensor{-inf, inf, 1000., nan, nan}, 0, 0, "infinities");
  test::check_close(test::evaluate(y, {x}, {Tensor::zeros({2, 0}, float64)}), Tensor{-inf, -inf}, 0, 0,
                    "nothing");
  test::expect_op({.name = "log_sum_exp",
                   .build = [](const Vars& v) { return log_sum_exp(v[0]); },
                   .shapes = {{{5}}, {{1}}, {{3, 4}}, {{3, 1}}, {{2, 3, 4}}, {{0, 4}}},
                   .twice = true});
}

TEST_CASE("exponentials divided by their sum are a softmax, along any axes") {
  const FloatXScope scope(float64);
  for (const DType dtype : {float32, float64}) {
    const Var x = matrix("x", dtype);
    const Tensor t = test::tensor(dtype, {2, 2}, {1000, 0, 1000, -1000});
    const Var e = exp(x);
    const auto value = [&](const Var& y) { return test::evaluate(y, {x}, {t}); };
    const double atol = test::ulps(dtype, 1);
    test::check_close(value(e / sum(e, {.axis = 1, .keepdims = true})), Tensor{{1., 0.}, {1., 0.}}, 0, atol,
                      "rows");
    test::check_close(value(e / sum(e, {.axis = 1}).dimshuffle({0, 'x'})), Tensor{{1., 0.}, {1., 0.}}, 0,
                      atol, "rows, by dimshuffle");
    test::check_close(value(e / sum(e, {.axis = 0})), Tensor{{.5, 1.}, {.5, 0.}}, 0, atol, "columns");
    test::check_close(value(e / sum(e)), Tensor{{.5, 0.}, {.5, 0.}}, 0, atol, "all");
    test::check_close(value(log(e / sum(e, {.axis = 1, .keepdims = true}))),
                      Tensor{{0., -1000.}, {0., -2000.}}, 1e-6, 0, "logarithm");
    test::check_close(value(log(e / sum(e, {.axis = 0}))),
                      Tensor{{-std::log(2.), 0.}, {-std::log(2.), -1000.}}, 1e-6, 0, "logarithm, columns");
    // Rows divided by the sum of others are none.
    const Tensor small = test::random({3, 3}, dtype, 1);
    const Var crossed = e / sum(e, {.axis = 1});
    test::check_close(test::evaluate(crossed, {x}, {small}),
                      test::evaluate(crossed, {x}, {small}, Mode::FAST_COMPILE), test::ulps(dtype, 8), 0,
                      "crossed");
  }
}

TEST_CASE("the logarithm of indexed, moved and reshaped probabilities") {
  const Var x = fmatrix("x"), y = ivector("y");
  const Tensor scores = Tensor{{100., 0.}}.astype(float32), label = Tensor{1};
  const Var p = softmax(x), rows = arange(y.shape(0));
  const auto both = [&](const Var& nll) {
    const Function f = function(
        {.inputs = {x, y}, .outputs = {nll, grad(sum(nll), x)}, .on_unused_input = OnUnusedInput::ignore});
    const Values v = f(scores, label);
    CHECK(v[0].to_vector<float>() == std::vector<float>{100});
    CHECK(v[1].to_vector<float>() == std::vector<float>{1, -1});
  };
  both(-log(p[{rows, y}]));
  both(-log(p[{0, 1}]));
  both(-log(p[0])[slice(1, 2)]);
  both(-log(p[{slice(none, none), slice(1, 2)}]));
  both(-log(p.T())[slice(1, 2)]);
  both(-log(p.T()[{y, rows}]));
  both(-log(p.reshape({-1}))[slice(1, 2)]);
  both(-log(p.flatten()[slice(1, 2)]));
  both(-log(p.T().flatten().reshape({2, 1})[{y, rows}]));
  both(-log(p.dimshuffle({0, 'x', 1})[{slice(none, none), 0, 1}]));
  both(-log(take(p, y, {.axis = 1})).flatten());
  both(log(1 / p[{rows, y}]));
}

TEST_CASE("the logarithm of an indexed sigmoid, in parts that are moved alike") {
  const FloatXScope scope(float64);
  const Var x = vector("x", float64), s = sigmoid(x), e = exp(x);
  const Tensor t{-1000., 40., 1000.};
  const auto check = [&](const Var& f, const std::vector<double>& value, const std::vector<double>& slope) {
    const auto y = value_and_slopes(f, {x}, {t});
    test::check_close(y[0], test::tensor(float64, y[0].shape(), value), 1e-14, 0, "value");
    test::check_close(y[1], test::tensor(float64, {3}, slope), 1e-14, 0, "gradient");
  };
  check(log(s[slice(0, 1)]), {-1000}, {1, 0, 0});
  check(log(s[0]), {-1000}, {1, 0, 0});
  check(log(1 - s[slice(none, none, -1)]), {-1000, -40, 0}, {0, -1, -1});
  check(log(1 - s[2]), {-1000}, {0, 0, -1});
  check(log((1 - s)[2]), {-1000}, {0, 0, -1});
  check(log1p(-s[constant(Tensor{2, 2})]), {-1000, -1000}, {0, 0, -2});
  check(log(1 + e[slice(2, 3)]), {1000}, {0, 0, 1});
  check((1 / (1 + e[slice(2, none)])), {0}, {0, 0, 0});
  check(e[slice(2, none)] / (1 + e[slice(2, none)]), {1}, {0, 0, 0});
  check(log((1 / (1 + exp(-x)))[slice(0, 1)]), {-1000}, {1, 0, 0});
  check(log(s.dimshuffle({'x', 0})[{0, 0}]), {-1000}, {1, 0, 0});
}

TEST_CASE("a softmax of scores that are written twice") {
  const Var x = dmatrix("x"), w = constant(Tensor{{1., 0.}}.astype(float64));
  const Var p = exp(dot(x, w)) / sum(exp(dot(x, w)), {.axis = 1, .keepdims = true});
  const auto y = value_and_slopes(log(p)[{slice(none, none), 1}], {x}, {Tensor{{1000.}}.astype(float64)});
  CHECK(y[0].to_vector<double>() == std::vector<double>{-1000});
  CHECK(y[1].to_vector<double>() == std::vector<double>{-1});
}

TEST_CASE("what is named for a gradient is not looked through") {
  const FloatXScope scope(float64);
  const Var x = dmatrix("x"), e = exp(x), p = softmax(x), picked = p[{0, 1}], total = sum(e, {.axis = 1});
  const Tensor t{{1., 2.}};
  const auto value = [&](const Var& y) { return test::evaluate(y, {x}, {t}); };
  const double e1 = std::exp(1.), e2 = std::exp(2.);
  test::check_close(value(grad(log(picked), picked)), Tensor((e1 + e2) / e2), 1e-12, 0, "the picked");
  test::check_close(value(grad(log(picked), p)), Tensor{{0., (e1 + e2) / e2}}, 1e-12, 0, "the softmax");
  test::check_close(value(grad(sum(log(total)), total)), Tensor{1 / (e1 + e2)}, 1e-12, 0, "the sum");
  test::check_close(value(grad(sum(log(total)), e)), Tensor{{1 / (e1 + e2), 1 / (e1 + e2)}}, 1e-12, 0,
                    "its terms");
  const Var quotient = e / sum(e, {.axis = 1, .keepdims = true});
  test::check_close(value(grad(quotient[{0, 0}], e)),
                    Tensor{{e2 / (e1 + e2) / (e1 + e2), -e1 / (e1 + e2) / (e1 + e2)}}, 1e-12, 0,
                    "the quotient's");
  const Var z = exp(x[{0, 0}]), logistic = z / (1 + z);
  test::check_close(value(grad(logistic, z)), Tensor(1 / (1 + e1) / (1 + e1)), 1e-12, 0, "the exponential");
}
