#include "ops/ifelse.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/run/profile.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/ops/lazy.h"
#include "tests/support.h"

using namespace damo;
using namespace damo::test;

TEST_CASE("only the branch that is taken is computed, in all modes") {
  Printed printed;
  const Var c = iscalar("c"), x = dvector("x"), i = lvector("i");
  // One branch throws where the index is out of range, the other where the sum is not positive.
  const Var a = traced(x[i], "a"), b = traced(Assert("the sum is positive")(x * 2, sum(x) > 0), "b");
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {c, x, i}, .outputs = ifelse(c, a, b), .name = "f", .mode = mode});
    const Tensor good = Tensor(std::vector<std::int64_t>{1, 0}), bad = Tensor(std::vector<std::int64_t>{7});
    CHECK(numbers(f(1, doubles({-1., -2.}), good)) == std::vector<double>{-2, -1});
    CHECK(printed.take() == "a ndim = 1\n");
    CHECK(numbers(f(0, doubles({1., 2., 3.}), bad)) == std::vector<double>{2, 4, 6});
    CHECK(printed.take() == "b ndim = 1\n");
    CHECK(numbers(f(-3, doubles({-1., -2.}), good)) == std::vector<double>{-2, -1});
    printed.take();
    CHECK(error_of([&] { f(1, doubles({1., 2.}), bad); }).find("7") != std::string::npos);
    CHECK(error_of([&] {
            f(0, doubles({-1., 0.}), good);
          }).starts_with("assert: the sum is positive\n  float64 (2,)   "));
    printed.take();
    CHECK(numbers(f(0, doubles({1., 0.}), bad)) == std::vector<double>{2, 0});
    printed.take();
  }
}

TEST_CASE("a condition that kernels compute, and sizes that differ") {
  Printed printed;
  const Var x = dvector("x");
  const Var y = ifelse(sum(x) > 0, traced(x[slice(1, none)], "a"), traced(concatenate({x, x}), "b"));
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {x}, .outputs = {y * 10, y.shape(0)}, .mode = mode});
    for (int repeat = 0; repeat < 2; ++repeat) {
      Values v = f(doubles({1., 2., 3.}));
      CHECK(numbers(v[0]) == std::vector<double>{20, 30});
      CHECK(v[1].item() == 2);
      CHECK(printed.take() == "a ndim = 1\n");
      v = f(doubles({-1.}));
      CHECK(numbers(v[0]) == std::vector<double>{-10, -10});
      CHECK(v[1].item() == 2);
      CHECK(printed.take() == "b ndim = 1\n");
      v = f(doubles({-1., 0., 0.}));
      CHECK(numbers(v[0]) == std::vector<double>{-10, 0, 0, -10, 0, 0});
      CHECK(printed.take() == "b ndim = 1\n");
    }
  }
}

TEST_CASE("sizes and bounds of a branch that is not taken are not looked at") {
  const Var n = lscalar("n"), x = dmatrix("x"), A = dmatrix("A"), B = dmatrix("B");
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    // x[n - 1] does not exist if n is 0.
    const Function last =
        function({.inputs = {n, x}, .outputs = ifelse(n > 0, sum(x[n - 1]), 0.), .mode = mode});
    CHECK(last(0, Tensor::zeros({0, 3}, float64)).item() == 0);
    CHECK(last(2, doubles({{1.}, {5.}})).item() == 5);
    CHECK(last(0, doubles({{1.}, {5.}})).item() == 0);
    // Only one of the products exists.
    for (const Var& c : {n, cast(sum(x) > 1e9, int64) + n}) {
      const Function product =
          function({.inputs = {n, x, A, B}, .outputs = ifelse(c, dot(x, A), dot(x, B) * 2), .mode = mode});
      const Tensor t = doubles({{1., 2.}}), fits = doubles({{1.}, {1.}}), other = doubles({{1., 1., 1.}});
      CHECK(numbers(product(1, t, fits, other)) == std::vector<double>{3});
      CHECK(numbers(product(0, t, other, fits)) == std::vector<double>{6});
      CHECK(numbers(product(1, t, fits, other)) == std::vector<double>{3});
      CHECK(error_of([&] {
              product(0, t, fits, other);
            }).starts_with("dot: the inner sizes differ, 2 and 1\n"));
      CHECK(numbers(product(0, t, other, fits)) == std::vector<double>{6});
    }
  }
}

TEST_CASE("batches of several sizes through both branches") {
  const Shared W = shared(test::random({4, 3}, float64, 1), "W");
  const Var c = iscalar("c"), x = dmatrix("x");
  const Var y = ifelse(c, tanh(dot(x, W)), exp(dot(x, W * 2)) + 1);
  const Function f = function({.inputs = {c, x}, .outputs = sum(y)});
  const Function a = function({.inputs = {x}, .outputs = sum(tanh(dot(x, W)))}),
                 b = function({.inputs = {x}, .outputs = sum(exp(dot(x, W * 2)) + 1)});
  std::uint32_t seed = 1;
  for (const std::int64_t rows : {20, 1, 0, 20, 7})
    for (const int taken : {1, 0, 0, 1}) {
      const Tensor t = test::random({rows, 4}, float64, ++seed);
      CHECK(f(taken, t).item() == doctest::Approx((taken == 1 ? a : b)(t).item()).epsilon(1e-12));
    }
}

TEST_CASE("what both branches and the outside need is computed once") {
  Printed printed;
  const Var c = iscalar("c"), d = iscalar("d"), x = dvector("x");
  const Var shared_part = traced(exp(x), "both"), inner = traced(tanh(x), "inner");
  const Var y = ifelse(c, shared_part + inner, shared_part * 2);
  const Var z = ifelse(c, inner * 3, x), w = ifelse(d, inner, x);
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function two = function({.inputs = {c, x}, .outputs = {y, shared_part + z}, .mode = mode});
    two(1, doubles({1.}));
    CHECK(count(printed.text.str(), "both") == 1);
    CHECK(count(printed.text.str(), "inner") == 1);
    printed.take();
    two(0, doubles({1.}));
    CHECK(printed.take() == "both ndim = 1\n");
    // Under two conditions, or outside: as soon as one needs it.
    const Function three = function({.inputs = {c, d, x}, .outputs = {z, w}, .mode = mode});
    three(1, 1, doubles({1.}));
    CHECK(printed.take() == "inner ndim = 1\n");
  }
}

TEST_CASE("several values at once") {
  const Var c = iscalar("c"), x = dvector("x"), n = lscalar("n");
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Vars y = ifelse(c, {x * 2, n + 1, sum(x)}, {x[slice(none, none, -1)], n * 10, sum(x) - 1});
    const Function f = function({.inputs = {c, x, n}, .outputs = y, .mode = mode});
    Values v = f(1, doubles({1., 2.}), 4);
    CHECK(numbers(v[0]) == std::vector<double>{2, 4});
    CHECK(v[1].item() == 5);
    CHECK(v[2].item() == 3);
    v = f(0, doubles({1., 2.}), 4);
    CHECK(numbers(v[0]) == std::vector<double>{2, 1});
    CHECK(v[1].item() == 40);
    CHECK(v[2].item() == 2);
    const Function one = function(
        {.inputs = {c, x, n}, .outputs = y[1], .on_unused_input = OnUnusedInput::ignore, .mode = mode});
    CHECK(one(0, doubles({1.}), 3).item() == 30);
  }
}

TEST_CASE("an integer that is chosen can be a bound, a size or a condition") {
  const Var c = iscalar("c"), x = dvector("x");
  const Var n = ifelse(c > 2, x.shape(0), cast(ifelse(c, 1, 0), int64));
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {c, x},
                                 .outputs = {x[slice(none, n)], zeros({n}, float64), ifelse(n, x, x + 1)},
                                 .mode = mode});
    for (const auto& [value, size] : {std::pair{0, 0}, {1, 1}, {5, 3}, {0, 0}}) {
      const Values v = f(value, doubles({1., 2., 3.}));
      CHECK(v[0].size() == size);
      CHECK(v[1].size() == size);
      CHECK(numbers(v[2])[0] == (size > 0 ? 1 : 2));
    }
  }
}

TEST_CASE("nested, and the same condition again") {
  Printed printed;
  const Var c = iscalar("c"), x = dscalar("x");
  const auto leaf = [&](const char* name, double v) { return traced(x + v, name); };
  const Var s = sin(x);
  const Var y =
      ifelse(c, ifelse(s > 0, leaf("A", 1), leaf("B", 2)), ifelse(s > 0, leaf("C", 3), leaf("D", 4)));
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function f = function({.inputs = {c, x}, .outputs = y, .mode = mode});
    for (const int taken : {1, 0})
      for (const double v : {1., -1.}) {
        const int which = (taken == 1 ? 0 : 2) + (v > 0 ? 0 : 1);
        CHECK(f(taken, v).item() == v + 1 + which);
        CHECK(printed.take() == std::string(1, static_cast<char>('A' + which)) + " ndim = 0\n");
      }
  }
}

TEST_CASE("random variables in a branch are drawn in any case") {
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    RandomStreams streams(1), same_streams(1);
    const Var c = iscalar("c");
    const Var u = streams.uniform({.size = {3}, .dtype = float64}),
              v = same_streams.uniform({.size = {3}, .dtype = float64});
    const Function lazy =
                       function({.inputs = {c}, .outputs = ifelse(c, u, zeros({3}, float64)), .mode = mode}),
                   plain = function({.outputs = v});
    for (const int taken : {1, 0, 0, 1, 0, 1}) {
      const Tensor want = plain(), got = lazy(taken);
      CHECK(identical(got, taken == 1 ? want : Tensor::zeros({3}, float64)));
    }
    CHECK(identical(streams.states()[0].get_value(), same_streams.states()[0].get_value()));
  }
}

TEST_CASE("updates with chosen values see the old ones, and happen in any case") {
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Shared W = shared(doubles({1., 2.}), "W"), V = shared(doubles({10., 20.}), "V"),
                 n = shared(Tensor(std::int64_t{0}), "n");
    const Var x = dvector("x");
    const Var even = eq(n % 2, 0);
    const Function f =
        function({.inputs = {x},
                  .outputs = ifelse(even, W, V),
                  .updates = {{W, ifelse(even, W - x, W)}, {V, ifelse(even, V, V + W)}, {n, n + 1}},
                  .mode = mode});
    CHECK(numbers(f(doubles({1., 1.}))) == std::vector<double>{1, 2});
    CHECK(numbers(W.get_value()) == std::vector<double>{0, 1});
    CHECK(numbers(V.get_value()) == std::vector<double>{10, 20});
    CHECK(numbers(f(doubles({1., 1.}))) == std::vector<double>{10, 20});
    CHECK(numbers(W.get_value()) == std::vector<double>{0, 1});
    CHECK(numbers(V.get_value()) == std::vector<double>{10, 21});
    CHECK(n.get_value().item() == 2);
  }
}

TEST_CASE("a variable that is the condition, or holds it, and is updated") {
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Shared flag = shared(Tensor(std::int64_t{1}), "flag"),
                 flags = shared(Tensor(std::vector<std::int64_t>{1, 0}), "flags"),
                 w = shared(doubles({0.}), "w");
    const Var x = dvector("x");
    const Var held = flags[argmax(x)];
    const Function f =
        function({.inputs = {x},
                  .outputs = {ifelse(flag, exp(x) * 0 + 1, tanh(x) * 0 - 1),
                              ifelse(held, exp(x) * 0 + 1, tanh(x) * 0 - 1)},
                  .updates = {{flag, 1 - flag}, {flags, 1 - flags}, {w, ifelse(held, w + 1, w - 1)}},
                  .mode = mode});
    for (const double want : {1., -1., 1.}) {
      const Values v = f(doubles({5.}));
      CHECK(numbers(v[0]) == std::vector<double>{want});
      CHECK(numbers(v[1]) == std::vector<double>{want});
    }
    CHECK(numbers(w.get_value()) == std::vector<double>{1});
  }
}

TEST_CASE("a variable is updated where it lies, after its branch has read it") {
  const Shared W = shared(doubles({1., 2.}), "W"), V = shared(doubles({10., 20.}), "V");
  const Var c = iscalar("c"), x = dvector("x");
  const Function f =
      function({.inputs = {c, x}, .updates = {{W, ifelse(c, W - x, V)}, {V, V + ifelse(c, W, x)}}});
  const void* const place = W.get_value({.borrow = true}).data();
  f(1, doubles({1., 1.}));
  CHECK(numbers(W.get_value()) == std::vector<double>{0, 1});
  CHECK(numbers(V.get_value()) == std::vector<double>{11, 22});
  f(0, doubles({1., 1.}));
  CHECK(numbers(W.get_value()) == std::vector<double>{11, 22});
  CHECK(numbers(V.get_value()) == std::vector<double>{12, 23});
  CHECK(W.get_value({.borrow = true}).data() == place);
}

TEST_CASE("profiles count what has run; memory has no size where nothing has") {
  const Var c = iscalar("c"), x = dmatrix("x");
  const Function f = function({.inputs = {c, x},
                               .outputs = ifelse(c, dot(x, x), dot(x, x.T()) + 1) * 2,
                               .name = "f",
                               .profile = true});
  for (int i = 0; i < 3; ++i) f(0, Tensor::zeros({2, 3}, float64));
  CHECK(f.memory().find("-") == std::string::npos);
  f(1, Tensor::zeros({2, 2}, float64));
  std::vector<std::int64_t> calls;
  for (const Profile::Line& line : measured(f).steps)
    if (line.op.ends_with("dot")) calls.push_back(line.calls);
  std::sort(calls.begin(), calls.end());
  CHECK(calls == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("an error in a branch leaves the variables as they were") {
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Shared W = shared(doubles({1., 2.}), "W");
    const Var c = iscalar("c"), x = dvector("x");
    const Var y = ifelse(c, Assert("x is positive")(x, x > 0), x);
    const Function f = function({.inputs = {c, x}, .updates = {{W, W - y}}, .mode = mode});
    f(0, doubles({-1., 1.}));
    CHECK(numbers(W.get_value()) == std::vector<double>{2, 1});
    CHECK(error_of([&] { f(1, doubles({-1., 1.})); }).starts_with("assert: x is positive\n"));
    CHECK(numbers(W.get_value()) == std::vector<double>{2, 1});
    f(1, doubles({1., 1.}));
    CHECK(numbers(W.get_value()) == std::vector<double>{1, 0});
  }
}

TEST_CASE("rules: a known condition, and one value on both sides") {
  const Var c = iscalar("c"), x = dvector("x");
  const auto ops = [](const Function& f) {
    std::string names;
    for (const NodePtr& node : toposort(f.outputs()))
      if (node->kind == Node::Kind::apply) names += node->op->name() + " ";
    return names;
  };
  CHECK(ops(function({.inputs = {x}, .outputs = ifelse(1, tanh(x), exp(x))})) == "tanh ");
  CHECK(ops(function({.inputs = {x}, .outputs = ifelse(constant(Tensor(0)), tanh(x), exp(x))})) == "exp ");
  CHECK(ops(function({.inputs = {c, x},
                      .outputs = ifelse(c, tanh(x), tanh(x)),
                      .on_unused_input = OnUnusedInput::ignore})) == "tanh ");
  // Rules work inside branches.
  const std::string inside = ops(function({.inputs = {c, x}, .outputs = ifelse(c, log(sigmoid(x)), x)}));
  CHECK(inside.find("softplus") != std::string::npos);
  CHECK(inside.find("log") == std::string::npos);
}

TEST_CASE("stretched axes stay if both branches have them") {
  const Var c = iscalar("c"), r = row("r", float64), m = dmatrix("m");
  CHECK(ifelse(c, r, r * 2).type().stretch == 1U);
  CHECK(ifelse(c, r, m).type().stretch == 0U);
  CHECK(ifelse(c, r, m).type().shape == Sizes{-1, -1});
  const Function f = function({.inputs = {c, r, m}, .outputs = ifelse(c, r, r * 2) + m});
  CHECK(numbers(f(0, doubles({{1., 2.}}), doubles({{0., 0.}, {1., 1.}}))) == std::vector<double>{2, 4, 3, 5});
}

TEST_CASE("a branch takes all layouts; literals take the other's dtype") {
  const Var c = iscalar("c"), x = variable(test::unknown(float32, 2), "x");
  CHECK(ifelse(c, sum(x), 0).dtype() == float32);
  CHECK(ifelse(c, 1.5, sum(x)).dtype() == float32);
  const Tensor t = test::random({4, 3}, float32, 1);
  const Function f = function({.inputs = {c, x}, .outputs = ifelse(c, x, x.T())});
  for (const test::Layout& layout : test::layouts(t)) {
    CHECK(numbers(f(1, layout.tensor)) == numbers(t));
    CHECK(numbers(f(0, layout.tensor)) == numbers(t.transposed()));
  }
}

TEST_CASE("wrong arguments") {
  const Var c = iscalar("c"), x = vector("x", float32), d = dvector("d"), m = matrix("m", float32);
  CHECK(error_of([&] { ifelse(c, x, d); }) ==
        "ifelse: the branches differ in type, float32 (?,) and float64 (?,)\n  int32 ()       c\n  float32 "
        "(?,)   "
        "x\n  float64 (?,)   d\n  at HERE");
  CHECK(error_of([&] {
          ifelse(c, x, m);
        }).starts_with("ifelse: the branches differ in type, float32 (?,) and float32 (?, ?)\n"));
  CHECK(error_of([&] {
          ifelse(d, x, x);
        }).starts_with("ifelse: the condition must be an integer scalar, not float64 (?,)\n"));
  CHECK(error_of([&] {
          ifelse(sum(d), x, x);
        }).starts_with("ifelse: the condition must be an integer scalar, not float64 ()\n"));
  CHECK(error_of([&] {
          ifelse(c, Vars{x, x}, Vars{x});
        }) == "ifelse: 2 values for one branch and 1 for the other\n  at HERE");
  CHECK(error_of([&] { ifelse(c, Vars{x}, Vars{Var()}); }) == "ifelse: a branch is an empty Var\n  at HERE");
}

TEST_CASE("how it is printed, before and after compilation") {
  const Var c = iscalar("c"), x = fvector("x");
  const Var y = ifelse(c, exp(x) * 2, x);
  CHECK(pp(y) == "ifelse(c, (exp(x) * 2.), x)");
  CHECK(debugprint(y, {.types = false}) ==
        "ifelse [A]\n"
        " |-c [B]\n"
        " |-mul [C]\n"
        " |  |-exp [D]\n"
        " |  |  |-x [E]\n"
        " |  |-2. [F]\n"
        " |-x [E]\n");
  const Function f = function({.inputs = {c, x}, .outputs = y});
  CHECK(debugprint(f, {.types = false}) ==
        "output 0\n"
        " ifelse [A]\n"
        "  |-c [B]\n"
        "  |-fused{(exp(#0) * #1)} [C]\n"
        "  |  |-x [D]\n"
        "  |  |-2. [E]\n"
        "  |-x [D]\n");
  CHECK(pp(ifelse(c, Vars{x, x}, Vars{x, x})[1]) == "ifelse{2}.1(c, x, x, x, x)");
  CHECK(to_dot(y).find("[label=\"ifelse\", shape=ellipse") != std::string::npos);
}
