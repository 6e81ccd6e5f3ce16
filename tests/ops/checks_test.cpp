#include "ops/checks.h"

#include <doctest/doctest.h>

#include <sstream>

#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::at;
using damo::test::error_of;

namespace {

constexpr Mode all_modes[] = {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode};

std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }

/// What Print writes while f runs.
template <class F>
std::string printed(F f) {
  static std::ostringstream text;
  text.str("");
  set_print_stream(text);
  f();
  return text.str();
}

}  // namespace

TEST_CASE("Print writes the message and the value, and is the identity") {
  const Var x = dvector("x");
  const Var y = Print("x is")(x * 2) + 1;
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {x}, .outputs = y, .mode = mode});
    for (int call = 0; call < 2; ++call) {
      Tensor result;
      CHECK(printed([&] { result = f(doubles({1., 2.})); }) == "x is __str__ = [2. 4.]\n");
      CHECK(numbers(result) == std::vector<double>{3, 5});
    }
  }
  CHECK(Print()(x).dtype() == float64);
  CHECK(pp(y) == "(print{x is}((x * 2.)) + 1.)");
}

TEST_CASE("what Print can write") {
  const Var x = fmatrix("x"), n = lscalar("n");
  const Function f = function(
      {.inputs = {x, n},
       .outputs = {Print("m", {"shape", "ndim", "size", "dtype", "min", "max", "mean"})(x), print_value(n)}});
  CHECK(printed([&] {
          f(Tensor{{1., -2.}, {3., 2.}}, 7);
        }) ==
        "m shape = (2, 2)\nm ndim = 2\nm size = 4\nm dtype = float32\nm min = -2.\nm max = 3.\nm mean = 1.\n"
        "__str__ = 7\n");
  CHECK(printed([&] { f(Tensor::zeros({0, 2}, float32), 7); }).find("m mean = nan\n") != std::string::npos);
  CHECK(error_of([] { Print("m", {"std"}); }) ==
        "Print: there is no attribute std: there are __str__, shape, ndim, size, dtype, min, max and mean");
}

TEST_CASE("each Print is seen once per call, in order, also where rules rewrite and in gradients") {
  const Var x = dvector("x");
  const Var a = Print("a", {"ndim"})(x), b = Print("b", {"ndim"})(sigmoid(a)), c = Print("c", {"ndim"})(x);
  const Var again = Print("a", {"ndim"})(x);
  const Var cost = sum(log(b) * c + 0 * again);
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {x}, .outputs = {cost, grad(cost, x)}, .mode = mode});
    const std::string text = printed([&] { f(doubles({1., 2.})); });
    // What is multiplied by 0 is not needed, once the rules have seen it.
    const bool rewritten = mode != Mode::FAST_COMPILE;
    CHECK(text == (rewritten ? "a ndim = 1\nb ndim = 1\nc ndim = 1\n"
                             : "a ndim = 1\nb ndim = 1\nc ndim = 1\na ndim = 1\n"));
  }
  const Function two = function({.inputs = {x}, .outputs = a + again});
  CHECK(printed([&] { two(doubles({1.})); }) == "a ndim = 1\na ndim = 1\n");
  CHECK(error_of([&] {
          verify_grad([](const Vars& v) { return sqr(Print("", {})(v[0])); }, {doubles({1., 2.})});
        }) == "no error");
}

TEST_CASE("a printed integer can be a bound") {
  const Var x = dvector("x"), n = lscalar("n");
  for (const Mode mode : all_modes) {
    const Function f =
        function({.inputs = {x, n}, .outputs = x[slice(none, Print("n")(n))] * 2, .mode = mode});
    Tensor result;
    CHECK(printed([&] { result = f(doubles({1., 2., 3.}), 2); }) == "n __str__ = 2\n");
    CHECK(numbers(result) == std::vector<double>{2, 4});
  }
}

TEST_CASE("Assert is the identity, or an Error that ends at the user's line") {
  const Var x = dvector("x");
  const Shared s = shared(doubles({1.}), "s"), t = shared(Tensor(std::int64_t{0}), "t");
  const int line = __LINE__ + 1;
  const Var y = Assert("x is positive")(x, sum(x) > 0, x > -1);
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    s.set_value(doubles({1.}));
    t.set_value(Tensor(std::int64_t{0}));
    const Function f = function(
        {.inputs = {x}, .outputs = y * 2, .updates = {{s, s + 1}, {t, t + 1}}, .name = "f", .mode = mode});
    CHECK(numbers(f(doubles({1., -.5}))) == std::vector<double>{2, -1});
    for (const Tensor& bad : {doubles({-.5, -.5}), doubles({5., -1.})})
      CHECK(error_of([&] { f(bad); }).ends_with("\n  " + at(line) + ", in function \"f\""));
    CHECK(error_of([&] {
            f(doubles({5., -1.}));
          }).starts_with("assert: x is positive\n  float64 (2,)   x\n"));
    CHECK(numbers(s.get_value()) == std::vector<double>{2});
    CHECK(t.get_value().item() == 1);
  }
}

TEST_CASE("Assert of scalars, of no condition, of a false constant; its gradient") {
  const Var n = lscalar("n"), x = dscalar("x");
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f =
        function({.inputs = {n, x}, .outputs = {Assert()(n, n > 2) + 1, Assert().all(x, {})}, .mode = mode});
    CHECK(f(3, 1.)[0].item() == 4);
    CHECK(error_of([&] { f(2, 1.); }).starts_with("assert: the condition does not hold\n"));
    const Function g = function({.inputs = {x}, .outputs = Assert("never")(x, 0), .mode = mode});
    CHECK(error_of([&] { g(1.); }).starts_with("assert: never\n"));
    // A float condition holds where it is not 0.
    const Function h = function({.inputs = {x}, .outputs = Assert("not 0")(x, x), .mode = mode});
    CHECK(h(0.25).item() == 0.25);
    CHECK(error_of([&] { h(0.); }).starts_with("assert: not 0\n"));
  }
  CHECK(error_of([&] {
          verify_grad([](const Vars& v) { return sqr(Assert()(v[0], v[0] > 0)); }, {doubles({1., 2.})});
        }) == "no error");
}

TEST_CASE("rows of the table: print, assert and specify_shape") {
  static std::ostringstream ignored;
  set_print_stream(ignored);
  for (const test::OpRow& row : std::vector<test::OpRow>{
           {.name = "print",
  .build = [](const Vars& x) { return Print("m", {"ndim"})(x[0]) * 2; },
  .shapes = {{{}}, {{3}}, {{2, 3}}, {{0, 2}}, {{1, 1}}},
  .twice = true},
           {.name = "assert",
           .build = [](const Vars& x) { return Assert()(x[0], x[0] < 100) * 2; },
           .shapes = {{{}}, {{3}}, {{2, 3}}, {{0, 2}}, {{1, 1}}},
           .twice = true},
           {.name = "specify_shape",
           .build =
                [](const Vars& x) {
                  return sqr(specify_shape(x[0], {x[0].shape(0), 3}));
                },
           .shapes = {{{2, 3}}, {{0, 3}}, {{1, 3}}},
           .twice = true},
       })
    expect_op(row);
}

TEST_CASE("specify_shape says sizes when the graph is built, and checks them in the call") {
  const Var x = matrix("x", float32), n = lscalar("n");
  const int line = __LINE__ + 1;
  const Var y = specify_shape(x, {n, 3});
  CHECK(to_string(y.type()) == "float32 (?, 3)");
  CHECK(error_of([&] {
          dot(y, constant(Tensor::zeros({4, 2}, float32)));
        }).starts_with("dot: the inner sizes differ, 3 and 4\n"));
  CHECK(error_of([&] {
          specify_shape(y, {-1, 4});
        }) ==
        "specify_shape: axis 1 has size 3, but 4 was specified\n  float32 (?, 3)   specify_shape\n  int64 () "
        "       "
        " -1\n  int64 ()         4\n  at HERE");
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {x, n}, .outputs = y * 2, .name = "f", .mode = mode});
    CHECK(Tensor(f(Tensor::zeros({2, 3}, float32), 2)).shape() == Sizes{2, 3});
    const std::string error = error_of([&] { f(Tensor::zeros({2, 4}, float32), 2); });
    CHECK(error.starts_with("specify_shape: axis 1 has size 4, but 3 was specified\n  float32 (2, 4)   x\n"));
    CHECK(error.ends_with(at(line) + ", in function \"f\""));
    CHECK(error_of([&] {
            f(Tensor::zeros({2, 3}, float32), 5);
          }).starts_with("specify_shape: axis 0 has size 2, but 5 was specified\n"));
    CHECK(Tensor(f(Tensor::zeros({5, 3}, float32), 5)).shape() == Sizes{5, 3});
  }
  CHECK(
      error_of([&] { specify_shape(x, {1}); }).starts_with("specify_shape: 1 sizes are given for 2 axes\n"));
  CHECK(error_of([&] { specify_shape(x, {1.5, 2}); }).find("1.5") != std::string::npos);
  CHECK(error_of([&] {
          specify_shape(x, {sum(x), 2});
        }).starts_with("specify_shape: a size is an integer scalar, not float32 ()\n"));
}
