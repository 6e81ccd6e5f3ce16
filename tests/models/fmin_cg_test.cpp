#include "models/fmin_cg.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/tensor/error.h"
#include "tests/expect.h"

namespace damo::test {
namespace {

using Point = std::vector<double>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// f = sum_i c_i (x_i - i)^2 / 2
FminCgArgs bowl(const Point& c) {
  return {.f =
              [c](const Point& x) {
                double sum = 0;
                for (std::size_t i = 0; i < x.size(); ++i) {
                  const double d = x[i] - static_cast<double>(i);
                  sum += c[i] * d * d / 2;
                }
                return sum;
              },
          .fprime =
              [c](const Point& x) {
                Point g(x.size());
                for (std::size_t i = 0; i < x.size(); ++i) g[i] = c[i] * (x[i] - static_cast<double>(i));
                return g;
              }};
}

// The valley of Rosenbrock, whose bottom is at (1, ..., 1).
FminCgArgs valley() {
  return {.f =
              [](const Point& x) {
                double sum = 0;
                for (std::size_t i = 0; i + 1 < x.size(); ++i) {
                  const double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
                  sum += 100 * a * a + b * b;
                }
                return sum;
              },
          .fprime =
              [](const Point& x) {
                Point g(x.size(), 0);
                for (std::size_t i = 0; i + 1 < x.size(); ++i) {
                  const double a = x[i + 1] - x[i] * x[i];
                  g[i] += -400 * x[i] * a - 2 * (1 - x[i]);
                  g[i + 1] += 200 * a;
                }
                return g;
              }};
}

double distance(const Point& x, const Point& y) {
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i) most = std::max(most, std::abs(x[i] - y[i]));
  return most;
}

TEST_CASE("the minimum of quadratics, in few steps") {
  const CgResult round = fmin_cg(bowl({2, 2, 2, 2}), {.x = {10, -10, 5, 0}});
  CHECK(round.end == CgEnd::converged);
  CHECK(round.state.iteration <= 2);
  CHECK(distance(round.state.x, {0, 1, 2, 3}) < 1e-5);

  Point c, expected;
  for (int i = 0; i < 20; ++i) {
    c.push_back(1 + i);
    expected.push_back(i);
  }
  const CgResult r = fmin_cg(bowl(c), {.x = Point(20, 100)});
  CHECK(r.end == CgEnd::converged);
  // With exact line searches 20 would do.
  CHECK(r.state.iteration <= 60);
  CHECK(distance(r.state.x, expected) < 1e-5);

  const CgResult there = fmin_cg(bowl({1, 1}), {.x = {0, 1}});
  CHECK(there.end == CgEnd::converged);
  CHECK(there.state.iteration == 0);
  CHECK(there.state.n_f == 1);
}

TEST_CASE("Rosenbrock's valley, and a problem of bad scale") {
  for (const std::size_t n : {std::size_t{2}, std::size_t{10}}) {
    FminCgArgs args = valley();
    std::int64_t n_f = 0;
    args.f = [f = args.f, &n_f](const Point& x) {
      ++n_f;
      return f(x);
    };
    const CgResult r = fmin_cg(args, {.x = n == 2 ? Point{-1.2, 1} : Point(n, 0)});
    INFO(n, " variables: ", r.state.iteration, " iterations, ", r.state.n_f, " calls");
    CHECK(r.end == CgEnd::converged);
    CHECK(r.state.n_f == n_f);
    CHECK(r.state.n_f < 1000);
    CHECK(distance(r.state.x, Point(n, 1)) < 1e-3);
  }
  const CgResult r = fmin_cg(bowl({1e6, 1, 1e-3}), {.x = {1, 2, 3}});
  CHECK(r.end == CgEnd::converged);
  CHECK(std::abs(r.state.x[0]) < 1e-10);
  CHECK(std::abs(r.state.x[2] - 2) < 1.1e-2);  // there the slope is 1e-3 times as much
}

TEST_CASE("f falls from iteration to iteration, and the callback sees each") {
  FminCgArgs args = valley();
  double last = std::numeric_limits<double>::infinity();
  std::int64_t n = 0;
  args.callback = [&](const CgState& s) {
    CHECK(s.iteration == ++n);
    CHECK(s.f < last);
    CHECK(s.f == args.f(s.x));
    CHECK(s.gradient == args.fprime(s.x));
    last = s.f;
  };
  CHECK(fmin_cg(args, {.x = {-1.2, 1}}).state.iteration == n);
}

TEST_CASE("a search that is stopped and goes on ends in the same bits") {
  const FminCgArgs whole = valley();
  const CgResult expected = fmin_cg(whole, {.x = {-1.2, 1, 0.5}});
  FminCgArgs one = whole;
  CgResult r{.state = {.x = {-1.2, 1, 0.5}}, .end = CgEnd::iteration_limit};
  while (r.end == CgEnd::iteration_limit) {
    one.maxiter = r.state.iteration + 1;
    r = fmin_cg(one, r.state);
  }
  CHECK(r.end == CgEnd::converged);
  CHECK(r.state.x == expected.state.x);
  CHECK(r.state.iteration == expected.state.iteration);
  CHECK(r.state.n_f == expected.state.n_f);
}

TEST_CASE("every end has its name") {
  FminCgArgs args = valley();
  args.maxiter = 3;
  const CgResult limited = fmin_cg(args, {.x = {-1.2, 1}});
  CHECK(limited.end == CgEnd::iteration_limit);
  CHECK(limited.state.iteration == 3);
  args.maxiter = 0;
  CHECK(fmin_cg(args, {.x = {-1.2, 1}}).end == CgEnd::iteration_limit);

  // The gradient of something else: f rises wherever it says that f falls.
  FminCgArgs wrong = bowl({1, 1});
  wrong.fprime = [](const Point& x) { return Point{-x[0], 1 - x[1]}; };
  const CgResult stuck = fmin_cg(wrong, {.x = {2, 3}});
  CHECK(stuck.end == CgEnd::no_progress);
  CHECK(stuck.state.x == Point{2, 3});

  // Below rounding no step makes f smaller, whatever the gradient.
  FminCgArgs flat = bowl({1, 3});
  flat.f = [f = flat.f](const Point& x) { return 1e12 + f(x); };
  flat.gtol = 0;
  CHECK(fmin_cg(flat, {.x = {2, 3}}).end == CgEnd::no_progress);

  FminCgArgs not_a_number = bowl({1, 1});
  not_a_number.f = [](const Point&) { return nan; };
  CHECK(fmin_cg(not_a_number, {.x = {2, 3}}).end == CgEnd::not_finite);
  not_a_number = bowl({1, 1});
  not_a_number.fprime = [](const Point&) { return Point{nan, 1}; };
  CHECK(fmin_cg(not_a_number, {.x = {2, 3}}).end == CgEnd::not_finite);
  // Everywhere but at the start.
  not_a_number = bowl({1, 1});
  not_a_number.f = [](const Point& x) { return x[0] == 2 ? 5 : nan; };
  const CgResult lost = fmin_cg(not_a_number, {.x = {2, 3}});
  CHECK(lost.end == CgEnd::not_finite);
  CHECK(lost.state.x == Point{2, 3});
  CHECK(std::string(to_string(lost.end)) == "the cost or its gradient is not finite");
}

TEST_CASE("where f is not finite, steps become shorter") {
  // x - log x, from where a longer step leaves its domain.
  const FminCgArgs args{.f = [](const Point& x) { return x[0] > 0 ? x[0] - std::log(x[0]) : nan; },
                        .fprime = [](const Point& x) { return Point{1 - 1 / x[0]}; }};
  const CgResult r = fmin_cg(args, {.x = {5}});
  CHECK(r.end == CgEnd::converged);
  CHECK(std::abs(r.state.x[0] - 1) < 1e-4);
  // Falls forever.
  FminCgArgs slope{.f = [](const Point& x) { return -x[0]; },
                   .fprime = [](const Point&) { return Point{-1}; }};
  slope.maxiter = 3;
  CHECK(fmin_cg(slope, {.x = {0}}).end != CgEnd::converged);
}

TEST_CASE("arguments that cannot be") {
  const FminCgArgs args = bowl({1, 1});
  const auto message = [](const FminCgArgs& a, const CgState& s) { return error_of([&] { fmin_cg(a, s); }); };
  CHECK(message({}, {.x = {1}}) == "fmin_cg: f and fprime must both be given");
  CHECK(message(args, {}) == "fmin_cg: x is empty, and must hold at least one variable");
  CHECK(message(args, {.x = {1, 2}, .gradient = {1}}) ==
        "fmin_cg: the state has 2 variables, a gradient of 1 and a direction of 0");
  FminCgArgs other = args;
  other.c1 = .5;
  CHECK(message(other, {.x = {1, 2}}) == "fmin_cg: c1 and c2 are 0.5 and 0.4, and must be 0 < c1 < c2 < 1");
  other = args;
  other.fprime = [](const Point&) { return Point{1}; };
  CHECK(message(other, {.x = {1, 2}}) == "fmin_cg: fprime gives 1 numbers for 2 variables");
}

}  // namespace
}  // namespace damo::test
