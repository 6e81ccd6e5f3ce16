#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/graph/op.h"
#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using damo::test::at;
using damo::test::error_of;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }
std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

/// The message of the Bug that f throws, or "no bug".
template <class F>
std::string bug_of(F f) {
  try {
    f();
  } catch (const Bug& e) {
    return e.what();
  }
  return "no bug";
}

struct DefaultMode {
  explicit DefaultMode(Mode mode) { set_default_mode(mode); }
  ~DefaultMode() { set_default_mode(Mode::FAST_RUN); }
};

/// y = x, and x = x + 1, which nobody allowed.
struct Scribble : OpOf<Scribble> {
  std::string name() const override { return "scribble"; }
  Types infer(const Types& x) const override { return {x[0]}; }
  void perform(const Views& x, const Views& y) const override {
    copy_into(y[0], x[0]);
    x[0].ptr<double>()[0] += 1;
  }
};

/// y_i = x_i + x_(n-1-i), which it cannot compute over x.
struct Palindrome : OpOf<Palindrome> {
  std::string name() const override { return "palindrome"; }
  Types infer(const Types& x) const override { return {x[0]}; }
  bool overwrites(int, int) const override { return true; }
  void perform(const Views& x, const Views& y) const override {
    const std::int64_t n = x[0].size();
    for (std::int64_t i = 0; i < n; ++i)
      y[0].ptr<double>()[i] = x[0].ptr<double>()[i] + x[0].ptr<double>()[n - 1 - i];
  }
};

/// All but the first element; `missing` says how many elements the view leaves out at the end.
struct Tail : OpOf<Tail> {
  std::int64_t missing = 0;

  explicit Tail(std::int64_t m) : missing(m) {}
  bool operator==(const Tail&) const = default;
  std::string name() const override { return "tail"; }
  Types infer(const Types& x) const override {
    return {Type(x[0].dtype, {x[0].shape[0] < 0 ? -1 : x[0].shape[0] - 1})};
  }
  int view_of() const override { return 0; }
  View view(const Views& x) const override {
    View v = x[0];
    v.data = advance(v.data, v.dtype, v.strides[0]);
    v.shape[0] -= missing;
    return v;
  }
};

}  // namespace

TEST_CASE("modes have names, and one is the default") {
  for (const Mode m : {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode})
    CHECK(mode_from(to_string(m)) == m);
  CHECK(error_of([] { mode_from("fast_run"); }) ==
        "there is no mode fast_run: the modes are FAST_RUN, FAST_COMPILE, NanGuardMode, DebugMode");
  CHECK(FunctionArgs().mode == Mode::FAST_RUN);
  const DefaultMode guard(Mode::NanGuardMode);
  const Var x = dvector("x");
  const Function f = function({.inputs = {x}, .outputs = log(x)});
  CHECK(error_of([&] { f(Tensor{-1.}); }).starts_with("log: output 0"));
}

TEST_CASE("NanGuardMode names the op, the element, the inputs and the line") {
  const Var x = dmatrix("x");
  const int line = __LINE__ + 1;
  const Var y = log(x).named("y");
  const Function f =
      function({.inputs = {x}, .outputs = {y, sum(y)}, .name = "f", .mode = Mode::NanGuardMode});
  CHECK(numbers(f(doubles({{1., 1.}}))[0]) == std::vector<double>{0, 0});
  CHECK(error_of([&] {
          f(doubles({{1., 2., 3.}, {1., -1., 0.}}));
        }) == "log: output 0 'y', float64 (2, 3), holds NaN at (1, 1)\n  float64 (2, 3)   x\n  " + at(line) +
                  ", in function \"f\"");
  CHECK(error_of([&] {
          f(doubles({{1., 0.}}));
        }).starts_with("log: output 0 'y', float64 (1, 2), holds -Inf at (0, 1)\n"));
  CHECK(numbers(f(doubles({{1., 1.}}))[0]) == std::vector<double>{0, 0});
}

TEST_CASE("NanGuardMode finds Inf and large numbers, also of scalars and in float32") {
  const Var x = scalar("x", float32);
  const auto error = [&](const Var& y, double value) {
    return error_of(
        [&] { function({.inputs = {x}, .outputs = y, .name = "f", .mode = Mode::NanGuardMode})(value); });
  };
  CHECK(error(exp(x), 1000).starts_with("exp: output 0, float32 (), holds Inf\n  float32 ()   x\n"));
  CHECK(error(exp(x), 25).starts_with("exp: output 0, float32 (), holds 7.20049e+10, more than 1e10\n"));
  CHECK(error(exp(x), 20) == "no error");
}

TEST_CASE("NanGuardMode says if inputs or variables were bad before") {
  const Var x = dvector("x");
  const Shared s = shared(doubles({1., 2.}), "s");
  const Function f = function({.inputs = {x}, .outputs = x + s, .name = "f", .mode = Mode::NanGuardMode});
  CHECK(error_of([&] {
          f(doubles({0., not_a_number}));
        }) == "function \"f\": input x, float64 (2,), holds NaN at (1,)");
  s.set_value(doubles({-infinite, 0.}));
  CHECK(error_of([&] {
          f(doubles({0., 0.}));
        }) == "function \"f\": shared variable s, float64 (2,), holds -Inf at (0,)");
}

TEST_CASE("NanGuardMode leaves variables and random states as they were") {
  RandomStreams streams(1);
  const Var u = streams.uniform({.size = {2}, .dtype = float64}), x = dscalar("x");
  const Shared a = shared(doubles({1., 2.}), "a"), b = shared(doubles({1., 2.}), "b");
  const Function f = function(
      {.inputs = {x}, .outputs = u, .updates = {{a, a + 1}, {b, b + log(x)}}, .mode = Mode::NanGuardMode});
  const Tensor first = f(1);
  const Tensor state = streams.states()[0].get_value();
  CHECK(error_of([&] { f(-1); }).find("NaN") != std::string::npos);
  CHECK(numbers(a.get_value()) == std::vector<double>{2, 3});
  CHECK(numbers(b.get_value()) == std::vector<double>{1, 2});
  CHECK(identical(streams.states()[0].get_value(), state));
}

TEST_CASE("NanGuardMode sees 0 * NaN, where kernels may skip a row") {
  const Var x = dmatrix("x");
  const Var W = constant(doubles({{not_a_number, 0., 0.}, {1., 2., 3.}}));
  const auto product = [&](Mode mode) {
    return function({.inputs = {x}, .outputs = dot(x, W), .mode = mode})(doubles({{0., 1.}}));
  };
  CHECK(error_of([&] {
          product(Mode::NanGuardMode);
        }).starts_with("dot: output 0, float64 (1, 3), holds NaN at (0, 0)\n"));
}

TEST_CASE("DebugMode runs what is right: updates, draws, views, rules that repair") {
  for (const DType dtype : {float32, float64}) {
    RandomStreams streams(3);
    const Var x = variable(test::unknown(dtype, 2), "x"), i = iscalar("i");
    const Tensor start = test::random({6, 5}, dtype, 1);
    const auto build = [&](Mode mode, const Shared& W) {
      RandomStreams draws(3);
      const Var noisy = x * draws.binomial({.size = {4, 6}, .p = 0.7, .dtype = dtype});
      const Var y = sigmoid(dot(noisy, W)), z = sigmoid(dot(y, W.T()));
      const Var cost = mean(sum(binary_crossentropy(z, x), {.axis = 1}));
      return function({.inputs = {x, i},
                       .outputs = {cost, y[i], y.T()},
                       .updates = {{W, W - 0.1 * grad(cost, W)}},
                       .mode = mode});
    };
    const Shared W = shared(start, "W"), V = shared(start, "V");
    const Function f = build(Mode::DebugMode, W), g = build(Mode::FAST_RUN, V);
    for (std::uint32_t call = 0; call < 3; ++call) {
      const Tensor batch = test::random({4, 6}, dtype, 10 + call, 0, 1);
      const Values a = f(batch, 1), b = g(batch, 1);
      const double tolerance = test::ulps(dtype, 100);
      for (std::size_t k = 0; k < a.size(); ++k)
        test::check_close(a[k], b[k], tolerance, tolerance, "output");
    }
    test::check_close(W.get_value(), V.get_value(), test::ulps(dtype, 100), test::ulps(dtype, 100), "W");
  }
  const Var v = dvector("v");
  const Function f = function({.inputs = {v}, .outputs = log(sigmoid(v)), .mode = Mode::DebugMode});
  CHECK(numbers(f(doubles({-1000., 0.})))[0] == -1000);
}

TEST_CASE("in DebugMode the user's errors are errors as ever") {
  const Var x = dmatrix("x"), y = dmatrix("y");
  const int line = __LINE__ + 1;
  const Var z = dot(x, y);
  const Function f = function({.inputs = {x, y}, .outputs = z, .name = "f", .mode = Mode::DebugMode});
  CHECK(error_of([&] {
          f(doubles({{1., 2.}}), doubles({{1., 2.}}));
        }) == "dot: the inner sizes differ, 2 and 1\n  float64 (1, 2)   x\n  float64 (1, 2)   y\n  " +
                  at(line) + ", in function \"f\"");
}

TEST_CASE("DebugMode finds a rule that is wrong") {
  const Var a = wild("a"), x = dvector("x");
  Rewrites rewrites = default_rewrites();
  rewrites.front().rules.push_back(rule("root_of_square", sqrt(sqr(a)), a * 1));
  const Shared s = shared(doubles({5., 5., 5.}), "s");
  const int line = __LINE__ + 1;
  const Var y = sqrt(sqr(x));
  const Function f =
      compile({.inputs = {x}, .outputs = y, .updates = {{s, y}}, .name = "f", .mode = Mode::DebugMode},
              rewrites, Here());
  CHECK(numbers(f(doubles({1., 2., 3.}))[0]) == std::vector<double>{1, 2, 3});
  CHECK(bug_of([&] {
          f(doubles({0., -2., 3.}));
        }) == "damo has a bug: rule root_of_square: 2 became -2 at (1,)\n  sqrt(sqr(x)) -> (x * 1.)\n  " +
                  at(line) + ", in function \"f\"");
  CHECK(numbers(s.get_value()) == std::vector<double>{1, 2, 3});
}

TEST_CASE("DebugMode accepts a finite number for NaN, and never NaN for a finite number") {
  const Var a = wild("a"), x = dvector("x");
  Rewrites rewrites;
  rewrites.push_back(
      {"only", {rule("loses", exp(a), exp(a) + 0 * log(a)), rule("gains", sqrt(a), abs(a))}, {}});
  const Function gains =
      compile({.inputs = {x}, .outputs = sqrt(x), .mode = Mode::DebugMode}, rewrites, Here());
  CHECK(numbers(gains(doubles({-1., 1.}))) == std::vector<double>{1, 1});
}

TEST_CASE("DebugMode compares with what rules make exact") {
  for (const DType dtype : {float32, float64}) {
    INFO(to_string(dtype));
    const Var x = vector("x", dtype), m = matrix("m", dtype);
    const auto runs = [&](const Var& y, const Var& v, const Tensor& value) {
      const Function f = function({.inputs = {v}, .outputs = y, .mode = Mode::DebugMode});
      return numbers(f(value.astype(dtype)));
    };
    const double small = dtype == float32 ? 1e-10 : 1e-20;
    CHECK(runs(log(1 + x), x, doubles({small}))[0] == doctest::Approx(small));
    CHECK(runs(log(1 + x) / small, x, doubles({small}))[0] == doctest::Approx(1));
    CHECK(runs(log(sigmoid(x)), x, doubles({40.}))[0] == doctest::Approx(-std::exp(-40.)));
    CHECK(runs(log(1 - sigmoid(x)) * 1e10, x, doubles({-40.}))[0] == doctest::Approx(-1e10 * std::exp(-40.)));
    CHECK(runs(1 - sigmoid(x), x, doubles({40.}))[0] == doctest::Approx(std::exp(-40.)));
    CHECK(runs(exp(40. + log(1 - sigmoid(x))), x, doubles({40.}))[0] == doctest::Approx(1));
    CHECK(runs(grad(sum(log(1 / (1 + exp(x)))), x), x, doubles({-40.}))[0] ==
          doctest::Approx(-std::exp(-40.)));
    CHECK(runs(log(softmax(m))[{0, 0}], m, doubles({{40., 0.}}))[0] <= 0);
    CHECK(runs(log(sum(exp(x))), x, doubles({1000., 0.}))[0] == 1000);
    CHECK(runs(-log(softmax(m)[{0, 1}]), m, doubles({{1000., 0.}}))[0] == 1000);
  }
  // What mends a little wrong is found.
  const Var a = wild("a"), x = dvector("x");
  Rewrites rewrites;
  rewrites.push_back({"wrong", {rule("log_1p", log(1 + a), log1p(a) * 1.001, Rule::Kind::finite)}, {}});
  const Function f =
      compile({.inputs = {x}, .outputs = log(1 + x), .mode = Mode::DebugMode}, rewrites, Here());
  CHECK(bug_of([&] {
          f(doubles({3.}));
        }).starts_with("damo has a bug: rule log_1p: 1.38629436 became 1.38768"));
}

TEST_CASE("DebugMode finds a pass that is wrong") {
  const Var x = dvector("x");
  Rewrites rewrites;
  const auto twice = [](const Vars& roots, Trace&) {
    Vars result;
    for (const Var& v : roots) result.push_back(v.node().kind == Node::Kind::apply ? v * 2 : v);
    return result;
  };
  rewrites.push_back({"wrong", {}, {{"twice", twice}}});
  const Shared s = shared(doubles({1.}), "s");
  const auto bug = [&](const FunctionArgs& args) {
    return bug_of([&] { compile(args, rewrites, Here())(doubles({1.})); });
  };
  CHECK(bug({.inputs = {x}, .outputs = x + 1, .name = "f", .mode = Mode::DebugMode})
            .starts_with("damo has a bug: rewriting changed output 0: 2 became 4 at (0,)\n"));
  CHECK(bug({.inputs = {x}, .updates = {{s, x + 1}}, .name = "f", .mode = Mode::DebugMode})
            .starts_with("damo has a bug: rewriting changed the new value of s: 2 became 4 at (0,)\n"));
  CHECK(s.get_value().item() == 1);
}

TEST_CASE("DebugMode finds an op that writes where it may not, and one that cannot write over its input") {
  const Var x = dvector("x");
  const auto run = [&](const Var& y) {
    return bug_of([&] {
      function({.inputs = {x}, .outputs = y, .name = "f", .mode = Mode::DebugMode})(doubles({1., 2., 4.}));
    });
  };
  const int line = __LINE__ + 3;
  const auto applied = [&](const OpPtr& op) {
    const Scope here(Here("tests/core/modes_test.cpp",  //
                          line));
    return apply(op, Vars{x});
  };
  CHECK(run(applied(make_op(Scribble()))) ==
        "damo has a bug: scribble: it changed its input x, which it does not write\n  float64 (3,)   x\n  " +
            at(line) + ", in function \"f\"");
  CHECK(run(applied(make_op(Palindrome()))) ==
        "damo has a bug: palindrome: it says that output 0 may be written over input 0, but then output 0 "
        "differs: 5 became 9 at (2,)\n  float64 (3,)   x\n  " +
            at(line) + ", in function \"f\"");
  CHECK(run(applied(make_op(Tail(0)))) ==
        "damo has a bug: tail: it says that its output is a view of input 0, but the view reaches outside\n  "
        "float64 (3,)   x\n  " +
            at(line) + ", in function \"f\"");
  CHECK(
      run(applied(make_op(Tail(2)))) ==
      "damo has a bug: tail: its view is float64 (1,), but infer says float64 (2,)\n  float64 (3,)   x\n  " +
          at(line) + ", in function \"f\"");
  CHECK(run(applied(make_op(Tail(1)))) == "no bug");
}
