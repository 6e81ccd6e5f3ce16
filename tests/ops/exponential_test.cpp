#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;

namespace {

using Function1 = Var (*)(const Arg&);
using Reference = long double (*)(long double);

struct Row {
  const char* name;
  Function1 f;
  Reference reference;
  double float32_ulps, float64_ulps;  ///< how far from the exact value a result may be
};

const Row table[] = {
    {"exp", exp, [](long double x) { return std::exp(x); }, 1.1, 1.1},
    {"expm1", expm1, [](long double x) { return std::expm1(x); }, 2, 2},
    {"log", log, [](long double x) { return std::log(x); }, 1, 1},
    {"log1p", log1p, [](long double x) { return std::log1p(x); }, 2.1, 2.1},
    {"tanh", tanh, [](long double x) { return std::tanh(x); }, 7, 3},
    {"sigmoid", sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }, 3, 3},
    {"softplus", softplus,
     [](long double x) { return std::max(x, 0.L) + std::log1p(std::exp(-std::abs(x))); }, 2, 2},
};

/// Every power of two and its neighbours, with both signs, what surrounds the places where one of the
/// functions over- or underflows, and a fine net where they are curved.
template <class T>
std::vector<T> arguments() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> x = {T(0), Limits::infinity(), Limits::quiet_NaN(), Limits::max()};
  const auto around = [&](T v) {
    T below = v, above = v;
    x.push_back(v);
    for (int i = 0; i < 3; ++i) {
      x.push_back(below = std::nextafter(below, -Limits::infinity()));
      x.push_back(above = std::nextafter(above, Limits::infinity()));
    }
  };
  for (T v = Limits::denorm_min(); v <= Limits::max(); v *= 2) around(v);
  const auto log_of = [](T v) { return static_cast<T>(std::log(static_cast<long double>(v))); };
  around(log_of(Limits::max()));
  around(log_of(Limits::min()));
  around(log_of(Limits::denorm_min()));
  around(log_of(Limits::denorm_min()) - T(0.6931471805599453));  // half of it, which rounds to 0
  around(log_of(Limits::epsilon()));
  for (const double v : {-1., -.5, -.29, .41, .5, .7071067811865476, 1.4142135623730951, .34657359027997264})
    around(T(v));
  const T end = -log_of(Limits::denorm_min()) + 10;
  for (T v = 0; v < end; v += end / 5003) x.push_back(v);
  for (T v = 0; v < 6; v += T(6) / 5003) x.push_back(v);
  const std::size_t n = x.size();
  for (std::size_t i = 0; i < n; ++i) x.push_back(-x[i]);
  return x;
}

/// |got - want| in units of want's last place; infinite where only one of them is NaN or infinite.
template <class T>
double distance(T got, long double want) {
  const T nearest = static_cast<T>(want);
  if (std::isnan(nearest) || std::isnan(got)) return std::isnan(nearest) && std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(nearest) || std::isinf(got)) return nearest == got ? 0 : HUGE_VAL;
  const T size = std::abs(nearest);
  return static_cast<double>(std::abs(got - want) / (size - std::nextafter(size, T(-1))));
}

/// What Theano takes for the value where a function has reached its limit.
template <class T>
long double reference(const Row& row, T x) {
  const bool single = sizeof(T) == 4;
  const std::string name = row.name;
  if (name == "sigmoid" && x > (single ? 15 : 19)) return 1;
  if (name == "sigmoid" && x < (single ? -88 : -709)) return 0;
  if (name == "softplus" && x > (single ? 14 : 16)) return x;
  if (name == "softplus" && x < (single ? -103 : -745)) return 0;
  return row.reference(x);
}

template <class T>
void check_row(const Row& row, double bound) {
  const std::vector<T> x = arguments<T>();
  const Var v = vector("v", dtype_of<T>());
  const std::vector<T> y = test::evaluate(row.f(v), {v}, {Tensor(x)}).template to_vector<T>();
  double worst = 0;
  T at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = distance(y[i], reference(row, x[i]));
    if (d > worst) {
      worst = d;
      at = x[i];
    }
  }
  INFO(row.name, " of ", to_string(dtype_of<T>()), ": the worst argument is ", at);
  CHECK(worst <= bound);
}

}  // namespace

TEST_CASE("exponentials and logarithms are right to the last places over the whole range of the floats") {
  for (const Row& row : table) {
    check_row<float>(row, row.float32_ulps);
    check_row<double>(row, row.float64_ulps);
  }
}

TEST_CASE("0 keeps its sign") {
  for (const DType dtype : {float32, float64})
    for (const Function1 f : std::initializer_list<Function1>{expm1, log1p, tanh}) {
      const Var x = vector("x", dtype);
      const Tensor y = test::evaluate(f(x), {x}, {Tensor::full({17}, dtype, -0.)});
      for (const double v : y.to_vector<double>()) CHECK((v == 0 && std::signbit(v)));
    }
}

TEST_CASE("softmax of units that are far below the largest") {
  const Var x = matrix("x", float32);
  const std::vector<float> y =
      test::evaluate(softmax(x), {x}, {Tensor{{0., -1000., -100., -90., -1e30}}.astype(float32)})
          .to_vector<float>();
  CHECK(y[0] == 1);
  CHECK(y[1] == 0);
  CHECK(distance(y[2], std::exp(-100.L)) < 1.1);
  CHECK(distance(y[3], std::exp(-90.L)) < 1.1);
  CHECK(y[4] == 0);
}
