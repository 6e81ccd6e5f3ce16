#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::at;
using damo::test::error_of;

// Building a function: each message names the function, the variable and the line of the call.

TEST_CASE("inputs that cannot be inputs") {
  const Var x = matrix("x"), other = matrix("x"), y = tanh(x);
  const Shared W = shared(Tensor{1.}, "W");
  CHECK(error_of([&] { function({.inputs = {W}, .outputs = W, .name = "f"}); }) ==
        "function \"f\": W is a shared variable, which is no input: set_value changes it, and .givens puts "
        "something else in its place\n  at HERE");
  CHECK(error_of([&] {
          function({.inputs = {x, y}, .outputs = y});
        }) ==
        "function \"<unnamed>\": tanh is an expression or a constant, not a variable that can be an input\n  "
        "at HERE");
  CHECK(error_of([&] {
          function({.inputs = {x, x}, .outputs = y, .name = "f"});
        }) == "function \"f\": input x stands twice\n  at HERE");
  CHECK(error_of([&] {
          function({.inputs = {x, other}, .outputs = y + other, .name = "f"});
        }) == "function \"f\": two inputs are named x\n  at HERE");
  CHECK(error_of([&] { function({.inputs = {Var()}, .outputs = y, .name = "f"}); }) ==
        "function \"f\": an input is an empty Var\n  at HERE");
  CHECK(error_of([&] { function({.inputs = {x}, .outputs = Var(), .name = "f"}); }) ==
        "function \"f\": an output is an empty Var\n  at HERE");
}

TEST_CASE("an input that is missing, and one that is not used") {
  const int made = __LINE__ + 1;
  const Var x = matrix("x"), y = matrix("y");
  CHECK(error_of([&] { function({.inputs = {y}, .outputs = x + y, .name = "train"}); }) ==
        "function \"train\": x, which the outputs or updates depend on, is not among the inputs, and has no "
        "value (made " +
            at(made) + ")\n  at HERE");
  CHECK(error_of([&] {
          function({.inputs = {x, y}, .outputs = tanh(x), .name = "f"});
        }) ==
        "function \"f\": no output or update depends on input y: leave it out, or say .on_unused_input = "
        "OnUnusedInput::ignore\n  at HERE");
  const Function f = function({.inputs = {x, y}, .outputs = x * 2, .on_unused_input = OnUnusedInput::ignore});
  CHECK(Tensor(f(Tensor{{1}}, Tensor{{2}})).to_vector<int>() == std::vector<int>{2});
  // An input whose only use a given replaces is not used either.
  CHECK(error_of([&] {
          function({.inputs = {x, y}, .outputs = x + y, .givens = {{x, y}}, .name = "f"});
        }).starts_with("function \"f\": no output or update depends on input x"));
  // An input that only an update uses is used.
  const Shared s = shared(Tensor::zeros({1, 1}, x.dtype()), "s");
  CHECK(error_of([&] { function({.inputs = {x}, .updates = {{s, s + x}}}); }) == "no error");
}

TEST_CASE("updates of another type") {
  const FloatXScope scope(float32);
  const Shared W = shared(Tensor::zeros({2, 3}, float32), "W"), n = shared(Tensor(0), "n");
  const Var d = W.astype(float64);
  const int made = __LINE__ - 1;
  CHECK(error_of([&] {
          function({.updates = {{W, d}}, .name = "train"});
        }) ==
        "function \"train\": the update of W has another type\n  float32 (2, 3)   W\n  float64 (2, 3)   its "
        "new value\n  " +
            at(made) + "\n  at HERE");
  CHECK(error_of([&] {
          function({.updates = {{W, sum(W, {.axis = 0})}}, .name = "f"});
        })
            .starts_with("function \"f\": the update of W has another type\n  float32 (2, 3)   W\n  float32 "
                         "(3,)     its new value"));
  CHECK(error_of([&] {
          function({.updates = {{W, W.T()}}, .name = "f"});
        })
            .starts_with("function \"f\": the update of W has another type\n  float32 (2, 3)   W\n  float32 "
                         "(3, 2)   its new value"));
  // What the new value is made of, first to last, down to what differs; the line of the call once.
  const Var lr = dscalar("lr"), m = dmatrix("m"), k = iscalar("k"), deep = tanh(W * 2 - lr * sqr(W) * 0.5);
  const int deep_made = __LINE__ - 1;
  CHECK(error_of([&] {
          function({.inputs = {lr}, .updates = {{W, W - lr * W}}, .name = "f"});
        }) ==
        "function \"f\": the update of W has another type\n  float32 (2, 3)   W\n  float64 (2, 3)   its new "
        "value\n  float64 ()       lr, which makes it so\n  " +
            at(deep_made) + "\n  at HERE");
  CHECK(error_of([&] {
          function({.inputs = {lr}, .updates = {{W, deep}}, .name = "f"});
        }).find("\n  float64 ()       lr, which makes it so\n  " + at(deep_made)) != std::string::npos);
  CHECK(error_of([&] {
          function({.inputs = {k}, .updates = {{W, exp(W * k)}}, .name = "f"});
        }) ==
        "function \"f\": the update of W has another type\n  float32 (2, 3)   W\n  float64 (2, 3)   its new "
        "value\n  float64 (2, 3)   mul, which makes it so\n  at HERE");
  CHECK(error_of([&] {
          function({.updates = {{W, W + zeros({4, 2, 3}, float32)}}, .name = "f"});
        }).find("\n  float32 (4, 2, 3)   alloc, which makes it so\n  at HERE") != std::string::npos);
  CHECK(error_of([&] {
          function({.updates = {{W, tanh(join(0, {W, W}))}}, .name = "f"});
        }).find("\n  float32 (4, 3)   join{0}, which makes it so\n  at HERE") != std::string::npos);
  CHECK(error_of([&] {
          function({.updates = {{W, Var()}}});
        }) == "updates: what stands for W is an empty Var\n  at HERE");
  CHECK(error_of([&] {
          function({.updates = {{Shared(), W}}});
        }) == "updates: the variable is an empty Var\n  at HERE");
  CHECK(error_of([&] {
          function({.updates = {{W, W + 1}, {W, W + 2}}, .name = "f"});
        }) == "function \"f\": W is updated twice\n  at HERE");
  // A literal takes the variable's dtype, if it can.
  function({.updates = {{n, 5}}})();
  CHECK(n.get_value().item<int>() == 5);
  CHECK(error_of([&] {
          function({.updates = {{n, 3.5}}});
        }) == "3.5 cannot stand where int64 is expected\n  at HERE");
}

TEST_CASE("an update whose size only the call knows") {
  const Var x = fmatrix("x");
  const Shared W = shared(Tensor::full({2, 3}, float32, 1), "W");
  const int made = __LINE__ + 1;
  const Function f = function({.inputs = {x}, .updates = {{W, x * 2}}, .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({2, 4}, float32));
        }) ==
        "function \"f\": the update of W has another size\n  float32 (2, 3)   W\n  float32 (2, 4)   its new "
        "value\n  " +
            at(made));
  CHECK(W.get_value().to_vector<int>() == std::vector<int>(6, 1));
  f(Tensor::full({2, 3}, float32, 3));
  CHECK(W.get_value().to_vector<int>() == std::vector<int>(6, 6));
}

TEST_CASE("givens of another type") {
  const Var x = fmatrix("x"), v = fvector("v"), d = dmatrix("d");
  const int made = __LINE__ - 1;
  CHECK(error_of([&] {
          function({.inputs = {v}, .outputs = tanh(x), .givens = {{x, v}}, .name = "f"});
        }) ==
        "function \"f\": the given for x has another type\n  float32 (?, ?)   x\n  float32 (?,)   its "
        "replacement\n  " +
            at(made) + "\n  at HERE");
  CHECK(error_of([&] {
          function({.inputs = {d}, .outputs = tanh(x), .givens = {{x, d}}, .name = "f"});
        })
            .starts_with(
                "function \"f\": the given for x has another type\n  float32 (?, ?)   x\n  float64 (?, ?)"));
  CHECK(error_of([&] {
          function({.inputs = {d}, .outputs = tanh(x), .givens = {{x, x + 1}, {x, x + 2}}, .name = "f"});
        }) == "function \"f\": x is given twice\n  at HERE");
  CHECK(error_of([&] {
          function({.outputs = x, .givens = {{Var(), x}}});
        }) == "givens: the variable is an empty Var\n  at HERE");
  CHECK(error_of([&] {
          function({.outputs = x, .givens = {{x, Var()}}});
        }) == "givens: what stands for x is an empty Var\n  at HERE");
  CHECK(error_of([&] {
          function({.outputs = x, .givens = {{Shared(), 1.}}});
        }) == "givens: the variable is an empty Var\n  at HERE");
}

// Calling a function.

TEST_CASE("values that do not fit an input") {
  const Var x = fmatrix("x"), n = iscalar("n"), k = bscalar("k");
  const Function f = function({.inputs = {x, In(n, 1), In(k, 1)}, .outputs = sum(x) + n + k, .name = "f"});
  const Tensor good = Tensor::zeros({2, 3}, float32);
  CHECK(error_of([&] { f(); }) == "function \"f\": input x is missing");
  CHECK(error_of([&] { f(good, 1, 1, 1); }) == "function \"f\" takes 3 inputs, not 4");
  CHECK(error_of([&] {
          f({{"x", good}, {"lr", 1}});
        }) == "function \"f\" has no input lr: its inputs are x, n, k");
  CHECK(error_of([&] { f({{"x", good}, {"x", good}}); }) == "function \"f\": input x is given twice");
  CHECK(error_of([&] { f({{"n", 1}}); }) == "function \"f\": input x is missing");
  CHECK(error_of([&] {
          f(Tensor::zeros({2, 3}, float64));
        }) ==
        "function \"f\": input x is float32 (?, ?), the value is float64 (2, 3): convert it with astype");
  CHECK(error_of([&] {
          f(Tensor::zeros({2, 3}, int32));
        }) == "function \"f\": input x is float32 (?, ?), the value is int32 (2, 3): convert it with astype");
  CHECK(error_of([&] { f(Tensor::zeros({6}, float32)); }) ==
        "function \"f\": input x is float32 (?, ?), the value is float32 (6,)");
  CHECK(error_of([&] { f(1); }) == "function \"f\": input x is float32 (?, ?), the value is int64 ()");
  CHECK(
      error_of([&] { f(good, 3.5); }) ==
      "function \"f\": input n is int32 (), the value is float64 (): a float does not convert to an integer");
  CHECK(error_of([&] { f(good, 1, 300); }) ==
        "function \"f\": input k is int8 (), the value is int64 (): the value does not fit");
  CHECK(error_of([&] { f(good, Tensor(std::vector<std::int64_t>{1}, {})); }) ==
        "function \"f\": input n is int32 (), the value is int64 (): convert it with astype");
  CHECK(double(f(good)) == 2);

  CHECK(error_of([&] { Function()(1); }) == "an empty Function was called");
  CHECK(error_of([&] { Function()({{"x", 1}}); }) == "an empty Function was called");
  const Function constants = function({.outputs = constant(Tensor(1)), .name = "none"});
  CHECK(error_of([&] { constants({{"x", 1}}); }) == "function \"none\" has no input x: its inputs are none");
}

TEST_CASE("a value whose sizes differ from those declared") {
  const Var r = row("r", float32), known = variable(Type(float32, {2, 3}), "known");
  const Function f = function({.inputs = {r, known}, .outputs = r + known, .name = "f"});
  const Tensor good = Tensor::zeros({2, 3}, float32);
  CHECK(error_of([&] { f(good, good); }) ==
        "function \"f\": input r is float32 (1, ?), the value is float32 (2, 3)");
  CHECK(error_of([&] {
          f(Tensor::zeros({1, 3}, float32), Tensor::zeros({3, 3}, float32));
        }) == "function \"f\": input known is float32 (2, 3), the value is float32 (3, 3)");
  CHECK(Tensor(f(Tensor::zeros({1, 3}, float32), good)).shape() == Sizes{2, 3});
}

TEST_CASE("asking for outputs that are not there") {
  const Var x = scalar("x");
  const Function f = function({.inputs = {x}, .outputs = {x * 2, x * 3}});
  CHECK(error_of([&] { f(1)[2]; }) == "output 2 was asked for, but the function returns 2");
  CHECK(error_of([&] { f(1).item(); }) == "a single value was asked for, but the function returns 2");
  CHECK(error_of([&] { Values().item(); }) == "a single value was asked for, but the function returns 0");
}

TEST_CASE("a failed call leaves every variable as it was, and the function usable") {
  const Var p = fmatrix("p"), y = ivector("y"), c = fvector("c");
  const Shared W = shared(Tensor::full({3}, float32, 1), "W"), n = shared(Tensor(0), "n");
  RandomStreams streams(7);
  const Var u = streams.uniform({.size = {3}, .dtype = float32});
  const auto value_of = [](const Shared& s) { return s.get_value(); };
  const Tensor W0 = value_of(W), n0 = value_of(n), state = value_of(streams.states()[0]);
  const auto untouched = [&] {
    return identical(value_of(W), W0) && identical(value_of(n), n0) &&
           identical(value_of(streams.states()[0]), state);
  };
  const Tensor good = Tensor::full({2, 4}, float32, 1), labels = Tensor{0, 3}.astype(int32),
               wrong = Tensor{0, 4}.astype(int32);
  const Function g = function({.inputs = {p, y, c},
                               .outputs = p[{arange(y.shape(0)), y}] + c,
                               .updates = {{W, W * 2 + u}, {n, n + 1}}});
  CHECK(error_of([&] { g(good, wrong, Tensor{1., 2.}); }) != "no error");
  CHECK(untouched());
  CHECK(error_of([&] { g(good, labels, Tensor{1., 2., 3.}); }) != "no error");
  CHECK(untouched());
  CHECK(error_of([&] { g(good, labels, Tensor{1., 2., 3.}); }) != "no error");
  CHECK(untouched());
  g(good, labels, Tensor{1., 2.});
  CHECK(n.get_value().item<int>() == 1);
  CHECK_FALSE(identical(value_of(streams.states()[0]), state));
}

TEST_CASE("after a failed call nothing of its sizes is left") {
  const Var x = fmatrix("x"), u = fmatrix("u"), v = fmatrix("v");
  const Function f = function({.inputs = {u, v, x}, .outputs = {dot(u, v), tanh(x) + exp(x)}, .name = "f"});
  const auto ones = [](std::int64_t m, std::int64_t n) { return Tensor::full({m, n}, float32, 1); };
  f(ones(2, 3), ones(3, 2), ones(2, 2));
  const std::string message = error_of([&] { f(ones(2, 4), ones(3, 2), ones(50, 60)); });
  CHECK(message.starts_with("dot: the inner sizes differ, 4 and 3"));
  CHECK(error_of([&] { f(ones(2, 4), ones(3, 2), ones(50, 60)); }) == message);
  const Values y = f(ones(2, 3), ones(3, 2), ones(50, 60));
  CHECK(y[0].shape() == Sizes{2, 2});
  REQUIRE(y[1].shape() == Sizes{50, 60});
  CHECK(y[1].at<float>(49, 59) == doctest::Approx(0.7615942f + 2.7182818f));
  // An input that is rejected after others were bound.
  CHECK(error_of([&] { f(ones(7, 3), ones(3, 2), Tensor::zeros({2, 2}, float64)); }) != "no error");
  CHECK(f(ones(7, 3), ones(3, 2), ones(1, 1))[0].shape() == Sizes{7, 2});
}

TEST_CASE("a concurrent call is an error") {
  const Var x = dmatrix("x");
  Var y = x;
  for (int i = 0; i < 20; ++i) y = tanh(dot(y, x));
  const Function f = function({.inputs = {x}, .outputs = y, .name = "f"});
  const Tensor t = test::random({60, 60}, float64, 1);
  const Tensor want = f(t);
  // Two threads call until they have met.
  std::atomic<bool> met = false;
  std::atomic<int> wrong = 0;
  const auto work = [&] {
    for (int i = 0; i < 2000 && !met; ++i) {
      const std::string message = error_of([&] {
        if (!identical(f(t), want)) ++wrong;
      });
      if (message == "no error") continue;
      if (message != "function \"f\" is running already: give each thread its own by copy()") ++wrong;
      met = true;
    }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(met);
  CHECK(wrong == 0);
  CHECK(identical(f(t), want));
}
