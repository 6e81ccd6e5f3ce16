#include "core/run/print_function.h"

#include <doctest/doctest.h>

#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using test::error_of;

TEST_CASE("pp writes an expression as one line of mathematics") {
  const Var x = fmatrix("x"), y = fvector("y"), i = ivector("i");
  const Shared W = shared(Tensor::zeros({3, 2}, float32), "W");
  CHECK(pp(x) == "x");
  CHECK(pp(x * 2 + y) == "((x * 2.) + y)");
  CHECK(pp(2 - x) == "(2. - x)");
  CHECK(pp(-x) == "(-x)");
  CHECK(pp(x / y) == "(x / y)");
  CHECK(pp(pow(x, y)) == "(x ** y)");
  CHECK(pp(int_div(i, 2)) == "(i // 2)");
  CHECK(pp(i % 2) == "(i % 2)");
  CHECK(pp(x > 0.5) == "(x > 0.5)");
  CHECK(pp(neq(i, i)) == "(i != i)");
  CHECK(pp(tanh(dot(x, W) + 1)) == "tanh((dot(x, W) + 1.))");
  CHECK(pp(switch_(x > 0, x, y)) == "switch((x > 0.), x, y)");
  CHECK(pp(sum(sqr(x), {.axis = 0})) == "sum{axis=0}(sqr(x))");
  CHECK(pp(x.T()) == "dimshuffle{1, 0}(x)");
  CHECK(pp(x[slice(1, 3)]) == "subtensor{a:b}(x, 1, 3)");
  CHECK(pp(cast(i, float32)) == "cast{float32}(i)");
  CHECK(pp(fmatrix()) == "<unnamed input>");
  CHECK(pp(x + constant(Tensor{1., 2.}.astype(float32))) == "(x + <constant>)");
}

TEST_CASE("debugprint writes the graph as a tree, a node met again by its letter alone") {
  const Var x = fmatrix("x");
  const Var e = exp(x).named("e");
  const Var y = (e + e) * x;
  CHECK(debugprint(y) ==
        "mul <float32 (?, ?)> [A]\n"
        " |-add <float32 (?, ?)> [B]\n"
        " |  |-exp 'e' <float32 (?, ?)> [C]\n"
        " |  |  |-x <float32 (?, ?)> [D]\n"
        " |  |-exp 'e' <float32 (?, ?)> [C] (above)\n"
        " |-x <float32 (?, ?)> [D]\n");
  CHECK(debugprint(y, {.types = false}) ==
        "mul [A]\n"
        " |-add [B]\n"
        " |  |-exp 'e' [C]\n"
        " |  |  |-x [D]\n"
        " |  |-exp 'e' [C] (above)\n"
        " |-x [D]\n");
  CHECK(debugprint({tanh(e), e}, {.types = false}) ==
        "tanh [A]\n |-exp 'e' [B]\n    |-x [C]\nexp 'e' [B] (above)\n");
}

TEST_CASE("leaves are written by name, value and kind; outputs of one node by number") {
  const Shared W = shared(Tensor::zeros({3, 2}, float32), "W");
  CHECK(debugprint(W) == "W <float32 (3, 2)> [A]\n");
  CHECK(debugprint(constant(Tensor(7))) == "7 <int64 ()> [A]\n");
  CHECK(debugprint(constant(Tensor{1, 2})) == "<constant> <int64 (2,)> [A]\n");
  CHECK(debugprint(row("r", float32)) == "r <float32 (1, ?)> [A]\n");
  RandomStreams streams(1);
  CHECK(debugprint(streams.uniform({.size = {2}, .dtype = float32}), {.types = false}) ==
        "random_uniform.0 [A]\n |-random_state_0 [B]\n |-0. [C]\n |-1. [D]\n |-2 [E]\n");
}

TEST_CASE("letters go on after Z") {
  const Var x = fvector("x");
  Var y = x;
  for (int i = 0; i < 30; ++i) y = tanh(y);
  const std::string text = debugprint(y, {.types = false});
  CHECK(text.find("tanh [Z]\n") != std::string::npos);
  CHECK(text.find("tanh [AA]\n") != std::string::npos);
  CHECK(text.find("x [AE]\n") != std::string::npos);
}

TEST_CASE("a function is printed after rewriting, with its outputs and new values") {
  const Var x = fmatrix("x"), y = fmatrix("y");
  const Shared W = shared(Tensor::zeros({3, 2}, float32), "W");
  const Function f = function({.inputs = {x}, .outputs = {tanh(x * 2) + x, x}});
  CHECK(debugprint(f) ==
        "output 0\n"
        " fused{(tanh((#0 * #1)) + #0)} <float32 (?, ?)> [A]\n"
        "  |-x <float32 (?, ?)> [B]\n"
        "  |-2. <float32 ()> [C]\n"
        "output 1\n"
        " copy <float32 (?, ?)> [D]\n"
        "  |-x <float32 (?, ?)> [B]\n");
  const Function plain = function({.inputs = {x}, .outputs = tanh(x * 2) + x, .mode = Mode::FAST_COMPILE});
  CHECK(debugprint(plain, {.types = false}) ==
        "output 0\n"
        " add [A]\n"
        "  |-tanh [B]\n"
        "  |  |-mul [C]\n"
        "  |     |-x [D]\n"
        "  |     |-2. [E]\n"
        "  |-x [D]\n");
  const Function update =
      function({.inputs = {x, y}, .updates = {{W, W + dot(x.T(), y)}}, .name = "accumulate"});
  CHECK(debugprint(update, {.types = false}) ==
        "new value of W\n"
        " add_dot [A]\n"
        "  |-W [B]\n"
        "  |-1. [C]\n"
        "  |-1. [C]\n"
        "  |-dimshuffle{1, 0} [D]\n"
        "  |  |-x [E]\n"
        "  |-y [F]\n");
}

TEST_CASE("outputs are printed under their titles") {
  const Var x = vector("x");
  CHECK(debugprint({-x, x}, {.types = false, .titles = {"minus", "plus"}}) ==
        "minus\n neg [A]\n  |-x [B]\nplus\n x [B]\n");
  CHECK(to_dot({-x, x}, {"minus", "plus"}).find("out1 [label=\"plus\", shape=plaintext]") !=
        std::string::npos);
  CHECK(error_of([&] {
          debugprint({-x, x}, {.titles = {"minus"}});
        }) == "debugprint: 1 titles for 2 outputs");
  CHECK(error_of([&] { to_dot({-x, x}, {"a", "b", "c"}); }) == "to_dot: 3 titles for 2 outputs");
}

TEST_CASE("the saturated cost of an autoencoder, before and after compilation") {
  const Var x = fmatrix("x"), a = fmatrix("a");
  const Var z = sigmoid(a);
  const Var cost = sum(x * log(z) + (1 - x) * log(1 - z));
  CHECK(pp(cost) == "sum(((x * log(sigmoid(a))) + ((1. - x) * log((1. - sigmoid(a))))))");
  const Function f = function({.inputs = {x, a}, .outputs = cost});
  const std::string text = debugprint(f);
  CHECK(text.find("log") == std::string::npos);
  CHECK(text.find("sigmoid") == std::string::npos);
  CHECK(text.find("softplus") != std::string::npos);
}

TEST_CASE("to_dot is the graph in Graphviz's language") {
  const Var x = fvector("x");
  const Shared s = shared(Tensor{1., 2.}.astype(float32), "quoted \"s\"");
  CHECK(to_dot(exp(x) * s) ==
        "digraph damo {\n"
        "  node [fontname=\"Helvetica\", fontsize=11];\n"
        "  n0 [label=\"x\", shape=box, style=filled, fillcolor=lightgreen];\n"
        "  n1 [label=\"exp\", shape=ellipse, style=filled, fillcolor=white];\n"
        "  n0 -> n1 [label=\"float32 (?,)\", fontsize=9];\n"
        "  n2 [label=\"quoted \\\"s\\\"\", shape=box, style=filled, fillcolor=lightblue];\n"
        "  n3 [label=\"mul\", shape=ellipse, style=filled, fillcolor=white];\n"
        "  n1 -> n3 [label=\"float32 (?,)\", fontsize=9];\n"
        "  n2 -> n3 [label=\"float32 (2,)\", fontsize=9];\n"
        "  out0 [label=\"output 0\", shape=plaintext];\n"
        "  n3 -> out0 [label=\"float32 (2,)\", fontsize=9];\n"
        "}\n");
  const std::string gradient = to_dot(grad(sum(tanh(x)), x));
  CHECK(gradient.find("fillcolor=mistyrose") != std::string::npos);
  CHECK(gradient.find("fillcolor=lightgrey") != std::string::npos);
  const Function f = function({.inputs = {x}, .updates = {{s, s + x}}, .name = "f"});
  CHECK(to_dot(f).find("out0 [label=\"new value of quoted \\\"s\\\"\", shape=plaintext]") !=
        std::string::npos);
}
