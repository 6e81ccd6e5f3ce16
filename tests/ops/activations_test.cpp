#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;

namespace {

double elu_of(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }

double ultra_fast(double x) {
  const double a = std::abs(x / 2);
  const double t = a < 1.7   ? 1.5 * a / (1 + a)
                   : a < 3.0 ? 0.935409070603099 + 0.0458812946797165 * (a - 1.7)
                             : 0.99505475368673;
  return (std::copysign(t, x) + 1) / 2;
}

struct Row {
  const char* name;
  test::Build build;
  double (*reference)(double);
};

const Row table[] = {
    {"relu", [](const Vars& x) { return relu(x[0]); }, [](double x) { return x > 0 ? x : 0; }},
    {"leaky relu", [](const Vars& x) { return relu(x[0], 0.1); },
     [](double x) { return x > 0 ? x : 0.1 * x; }},
    {"elu", [](const Vars& x) { return elu(x[0]); }, [](double x) { return elu_of(x, 1); }},
    {"elu 2.5", [](const Vars& x) { return elu(x[0], 2.5); }, [](double x) { return elu_of(x, 2.5); }},
    {"selu", [](const Vars& x) { return selu(x[0]); },
     [](double x) { return 1.0507009873554805 * elu_of(x, 1.6732632423543772); }},
    {"softsign", [](const Vars& x) { return softsign(x[0]); },
     [](double x) { return x / (1 + std::abs(x)); }},
    {"hard_sigmoid", [](const Vars& x) { return hard_sigmoid(x[0]); },
     [](double x) { return std::fmin(std::fmax(0.2 * x + 0.5, 0), 1); }},
    {"ultra_fast_sigmoid", [](const Vars& x) { return ultra_fast_sigmoid(x[0]); }, ultra_fast},
};

}  // namespace

TEST_CASE("nonlinearities: values") {
  for (const Row& row : table)
    for (const DType dtype : {float32, float64}) {
      const Tensor t = test::random({1000}, dtype, 1, -9, 9);
      std::vector<double> y;
      for (const double x : t.to_vector<double>()) y.push_back(row.reference(x));
      const Var x = vector("x", dtype);
      const double tolerance = test::ulps(dtype, 4);
      check_close(test::evaluate(row.build({x}), {x}, {t}), Tensor(y), tolerance, tolerance, row.name);
    }
}

TEST_CASE("nonlinearities on all ranks and layouts, with their derivatives") {
  for (const Row& row : table)
    test::expect_op({.name = row.name,
                     .build = row.build,
                     .shapes = {{{}}, {{5}}, {{0}}, {{1}}, {{3, 4}}, {{2, 3, 2}}},
                     .low = -3.3,
                     .high = 3.3});
}

TEST_CASE("nonlinearities far out, where exponentials overflow: values and slopes") {
  for (const DType dtype : {float32, float64}) {
    const Var x = vector("x", dtype);
    const Tensor t = Tensor{-2000., 2000.}.astype(dtype);
    struct Far {
      const char* name;
      test::Build build;
      std::vector<double> y, slope;
    };
    const Far rows[] = {
        {"relu", [](const Vars& v) { return relu(v[0]); }, {0, 2000}, {0, 1}},
        {"elu", [](const Vars& v) { return elu(v[0]); }, {-1, 2000}, {0, 1}},
        {"selu",
         [](const Vars& v) { return selu(v[0]); },
         {-1.7580993408473766, 2101.401974710961},
         {0, 1.0507009873554805}},
        {"hard_sigmoid", [](const Vars& v) { return hard_sigmoid(v[0]); }, {0, 1}, {0, 0}},
        {"ultra_fast_sigmoid",
         [](const Vars& v) { return ultra_fast_sigmoid(v[0]); },
         {0.002472623156634968, 0.997527376843365},
         {0, 0}},
    };
    for (const Far& row : rows)
      for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
        const double tolerance = test::ulps(dtype, 4);
        check_close(test::evaluate(row.build({x}), {x}, {t}, mode), Tensor(row.y), tolerance, tolerance,
                    row.name);
        check_close(test::evaluate(grad(sum(row.build({x})), x), {x}, {t}, mode), Tensor(row.slope),
                    tolerance, 0, row.name);
      }
  }
}

TEST_CASE("slopes at 0 lie between those of both sides") {
  const Var x = dvector("x");
  const auto slope = [&](const Var& y) {
    return test::evaluate(grad(sum(y), x), {x}, {Tensor{0.}}).item<double>();
  };
  CHECK(slope(relu(x)) == 0.5);
  CHECK(slope(relu(x, 0.5)) == 0.75);
  CHECK(slope(elu(x)) == 1);
  CHECK(slope(softsign(x)) == 1);
  CHECK(slope(ultra_fast_sigmoid(x)) == 0.375);
}

TEST_CASE("alpha may be an expression, with a gradient") {
  test::expect_op({.name = "relu with slopes",
                   .build = [](const Vars& x) { return relu(x[0], x[1]); },
                   .shapes = {{{3, 4}, {4}}, {{5}, {}}, {{}, {}}}});
  test::expect_op({.name = "elu with slopes",
                   .build = [](const Vars& x) { return elu(x[0], x[1]); },
                   .shapes = {{{3, 4}, {4}}, {{5}, {}}, {{}, {}}}});
}

TEST_CASE("nonlinearities of integers do not wrap around") {
  const Var x = bvector("x");
  const Tensor t = Tensor{-128, -3, 0, 127};
  CHECK(test::evaluate(relu(x), {x}, {t}).to_vector<double>() == std::vector<double>{0, 0, 0, 127});
  check_close(test::evaluate(softsign(x), {x}, {t}), Tensor{-128. / 129, -.75, 0., 127. / 128}, 1e-6, 0,
              "softsign");
  check_close(test::evaluate(hard_sigmoid(x), {x}, {t}), Tensor{0., 0., .5, 1.}, 1e-6, 1e-6, "hard_sigmoid");
}
