#include "ops/op_from_graph.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using damo::test::error_of;

namespace {

constexpr Mode all_modes[] = {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode};

std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }

}  // namespace

TEST_CASE("a graph as one operation, which is its graph in a function") {
  const Var x = dvector("x"), y = dvector("y"), z = dvector("z");
  const OpFromGraph f({x, y}, {x + y * 2, sum(x)}, {.name = "f"});
  const Var e = f(x, y) + f(z * 3, x);
  CHECK(pp(e) == "(f(x, y) + f((z * 3.), x))");
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function g = function({.inputs = {x, y, z}, .outputs = {e, f.all({z, x})[1]}, .mode = mode});
    const Values v = g(doubles({1., 2.}), doubles({3., 4.}), doubles({5., 6.}));
    CHECK(numbers(v[0]) == std::vector<double>{7 + 17, 10 + 22});
    CHECK(v[1].item() == 11);
  }
  const auto plain = function({.inputs = {x, y, z}, .outputs = (x + y * 2) + (z * 3 + x * 2)});
  const auto same_graph = function({.inputs = {x, y, z}, .outputs = e});
  CHECK(equal_computations(plain.outputs(), same_graph.outputs()));
}

TEST_CASE("types and sizes are those of the arguments") {
  const Var x = matrix("x", float32), y = matrix("y", float32);
  const OpFromGraph product({x, y}, {dot(x, y)}, {.name = "product"});
  const Var a = constant(Tensor::zeros({2, 3}, float32)), b = constant(Tensor::zeros({4, 5}, float32));
  CHECK(to_string(product(a, a.T()).type()) == "float32 (2, 2)");
  CHECK(error_of([&] { product(a, b); }).starts_with("dot: the inner sizes differ, 3 and 4\n"));
  CHECK(error_of([&] { product(a, dmatrix("d")); }) ==
        "product: input 1 is float32 (?, ?), not float64 (?, ?)\n  float32 (2, 3)   <constant>\n  float64 "
        "(?, ?)   d\n"
        "  at HERE");
  CHECK(error_of([&] { product(a); }).starts_with("product: it takes 2 inputs, not 1\n"));
  // A row is as good as a matrix, and does not stretch inside.
  const OpFromGraph plus({x, y}, {x + y});
  const Function f = function({.inputs = {x, y}, .outputs = plus(x, addbroadcast(y, {0}))});
  CHECK(error_of([&] {
          f(Tensor{{1.}, {2.}}, Tensor{{1.}});
        }).find("the sizes of axis 0 differ") != std::string::npos);
  CHECK(numbers(f(Tensor{{1.}}, Tensor{{2.}})) == std::vector<double>{3});
}

TEST_CASE("shared variables, random draws and literals inside") {
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    RandomStreams streams(1), other(1);
    const Shared W = shared(doubles({1., 2.}), "W");
    const Var x = dvector("x"), s = dscalar("s");
    const OpFromGraph f({x, s}, {x * W * s + streams.uniform({.size = {2}, .dtype = float64})});
    const Function g = function({.inputs = {x}, .outputs = f(x, 2), .updates = {{W, W + 1}}, .mode = mode});
    const Function h = function({.outputs = other.uniform({.size = {2}, .dtype = float64})});
    for (int call = 0; call < 3; ++call) {
      const std::vector<double> got = numbers(g(doubles({1., 1.}))), u = numbers(h());
      CHECK(got[0] == doctest::Approx(u[0] + 2 * (1 + call)));
      CHECK(got[1] == doctest::Approx(u[1] + 2 * (2 + call)));
    }
    CHECK(identical(streams.states()[0].get_value(), other.states()[0].get_value()));
  }
}

TEST_CASE("gradients: of the graph, twice, and given") {
  const auto square_and_sum = [](DType dtype) {
    const Var x = variable(test::unknown(dtype, 1), "x"), W = variable(test::unknown(dtype, 2), "W");
    return OpFromGraph({x, W}, {tanh(dot(W, x)), sum(sqr(x)), W.T()});
  };
  for (const DType dtype : {float32, float64}) {
    const std::vector<Tensor> points = {test::random({3}, dtype, 1), test::random({2, 3}, dtype, 2)};
    const test::Build build = [&](const Vars& v) {
      const Vars y = square_and_sum(v[0].dtype()).all({sin(v[0]), v[1]});
      return y[0] * y[1] + sum(y[2]);
    };
    CHECK(error_of([&] { verify_grad(build, points); }) == "no error");
    CHECK(error_of([&] {
            verify_grad([&](const Vars& v) { return grad(sum(sqr(build(v))), v[1]); }, points);
          }) == "no error");
  }
  const Var x = dvector("x"), y = dvector("y");
  const OpFromGraph f({x, y}, {x * y}, {.grad_overrides = [](const Vars& v, const Vars&, const Vars& g) {
                        return Vars{g[0] * v[1] * 100, Var()};
                      }});
  const Function g = function({.inputs = {x, y}, .outputs = grad(sum(f(x, y)), x)});
  CHECK(numbers(g(doubles({1.}), doubles({3.}))) == std::vector<double>{300});
  CHECK(error_of([&] { grad(sum(f(x, y)), y); }).find("does not depend on y") != std::string::npos);
  const OpFromGraph wrong(
      {x}, {x * 2},
      {.name = "wrong", .grad_overrides = [](const Vars&, const Vars&, const Vars&) { return Vars{}; }});
  CHECK(error_of([&] { grad(sum(wrong(x)), x); }) == "wrong: the given gradient has 0 parts for 1 inputs");
}

TEST_CASE("a part that an output does not depend on is not connected; integers have no gradient") {
  const Var x = dvector("x"), y = dvector("y"), i = lvector("i");
  const OpFromGraph f({x, y, i}, {x[i] * 2});
  const Var cost = sum(f(x, y, i));
  CHECK(error_of([&] { grad(cost, y); }).find("does not depend on y") != std::string::npos);
  const Function g = function({.inputs = {x, i}, .outputs = grad(cost, x), .givens = {{y, x}}});
  CHECK(numbers(g(doubles({1., 2.}), Tensor(std::vector<std::int64_t>{1, 1}))) == std::vector<double>{0, 4});
}

TEST_CASE("one inside another, under ifelse, many times") {
  const Var x = dscalar("x"), c = iscalar("c");
  OpFromGraph f({x}, {x + 1});
  for (int k = 0; k < 6; ++k) f = OpFromGraph({x}, {f(f(x))});
  const Var y = ifelse(c, f(x), f(f(x)));
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Function g = function({.inputs = {c, x}, .outputs = {y, grad(y, x)}, .mode = mode});
    CHECK(g(1, 0.)[0].item() == 64);
    CHECK(g(0, 0.)[0].item() == 128);
    CHECK(g(0, 0.)[1].item() == 1);
  }
}

TEST_CASE("givens and substitute reach inside") {
  const Shared s = shared(doubles({2.}), "s");
  const Var x = dvector("x"), y = dvector("y");
  const Var h = tanh(x);
  const OpFromGraph f({x}, {h * s});
  const OpFromGraph g({x}, {f(x) + 1});
  const Function a = function({.inputs = {x, y}, .outputs = g(x), .givens = {{s, y}}});
  CHECK(numbers(a(doubles({0.5}), doubles({10.})))[0] == doctest::Approx(std::tanh(.5) * 10 + 1));
  const Function b = function({.inputs = {x, y}, .outputs = g(exp(x)) + x * 0, .givens = {{h, y}}});
  CHECK(numbers(b(doubles({0.5}), doubles({10.})))[0] == doctest::Approx(21));
}

TEST_CASE("how it is printed") {
  const Var x = fvector("x");
  const Shared s = shared(Tensor(1.f), "s");
  const OpFromGraph f({x}, {exp(x) * s}, {.name = "f"});
  CHECK(debugprint(f(tanh(x)), {.types = false}) ==
        "f [A]\n"
        " |-tanh [B]\n"
        " |  |-x [C]\n"
        " |-s [D]\n"
        "inside f, output 0\n"
        " mul [E]\n"
        "  |-exp [F]\n"
        "  |  |-x [C]\n"
        "  |-s [G]\n");
  const std::string dot_text = to_dot(f(tanh(x)));
  CHECK(dot_text.find("  subgraph cluster0 {\n  label=\"f\";\n") != std::string::npos);
}

TEST_CASE("wrong graphs") {
  const Var x = dvector("x"), y = dvector("y");
  CHECK(error_of([&] { OpFromGraph({x}, {x + y}, {.name = "f"}); }) ==
        "f: y, which the outputs depend on, is not among the inputs\n  at HERE");
  CHECK(error_of([&] { OpFromGraph({x, x}, {x}); }) == "op_from_graph: input x stands twice\n  at HERE");
  CHECK(error_of([&] { OpFromGraph({x * 2}, {x}); }) ==
        "op_from_graph: mul is not a variable that can be an input\n  at HERE");
  CHECK(error_of([&] { OpFromGraph({x}, Vars{}); }) == "op_from_graph: there is no output\n  at HERE");
  CHECK(error_of([&] { OpFromGraph({x}, Vars{Var()}); }) ==
        "op_from_graph: an output is an empty Var\n  at HERE");
}

TEST_CASE("what a graph uses from outside is an input: gradients, givens and copies see it") {
  const Shared W = shared(doubles({3.}), "W"), b = shared(doubles({5.}), "b");
  const Var x = dvector("x");
  const OpFromGraph f({x}, {x * W}, {.name = "f"});
  const Var h = tanh(b);
  const OpFromGraph g({x}, {f(x) + x * h, b}, {.name = "g"});
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const auto value = [&](const Var& v) {
      return numbers(
          function({.inputs = {x}, .outputs = v, .on_unused_input = OnUnusedInput::ignore, .mode = mode})(
              doubles({2.})))[0];
    };
    CHECK(value(grad(sum(f(x)) + sum(W), W)) == 3);
    CHECK(value(grad(sum(f(x)), W)) == 2);
    CHECK(value(grad(sum(sqr(f(x))), W)) == 2 * 6 * 2);
    CHECK(value(grad(sum(grad(sum(sqr(f(x))), x)), W)) == 2 * 2 * 3 * 2);
    CHECK(value(Rop(f(x), {W}, {x})) == 4);
    // In a graph inside, through an expression, and as an output of its own.
    CHECK(value(grad(sum(g(x)), W)) == 2);
    CHECK(value(grad(sum(g(x)), h)) == 2);
    CHECK(value(grad(sum(g(x)), b)) == doctest::Approx(2 / std::pow(std::cosh(5.), 2)));
    CHECK(value(grad(sum(g.all({x})[1]), b)) == 1);
  }
  CHECK(error_of([&] { grad(sum(f(x)), b); }).find("does not depend on b") != std::string::npos);
  CHECK(pp(g(x)) == "g(x, W, tanh(b), b)");
  const Function given = function({.inputs = {x}, .outputs = g(x), .givens = {{h, x}}});
  CHECK(numbers(given(doubles({2.}))) == std::vector<double>{10});
  const Shared V = shared(doubles({7.}), "V");
  CHECK(numbers(function({.inputs = {x}, .outputs = f(x)}).copy({.swap = {{W, V}}})(doubles({2.}))) ==
        std::vector<double>{14});
  // An update reads the old value, also inside.
  const Function step = function({.inputs = {x}, .outputs = f(x), .updates = {{W, W - grad(sum(f(x)), W)}}});
  CHECK(numbers(step(doubles({2.}))) == std::vector<double>{6});
  CHECK(numbers(step(doubles({2.}))) == std::vector<double>{2});
}

TEST_CASE("the gradient of what is used from outside stays where an author gives others") {
  const Shared W = shared(doubles({3.}), "W");
  const Var x = dvector("x");
  const OpFromGraph f({x}, {x * W}, {.grad_overrides = [](const Vars& v, const Vars&, const Vars& g) {
                        CHECK(v.size() == 1);
                        return Vars{g[0] * 100};
                      }});
  const Vars g = grad(sum(f(x)), {x, W});
  const Function both = function({.inputs = {x}, .outputs = g});
  CHECK(numbers(both(doubles({2.}))[0]) == std::vector<double>{100});
  CHECK(numbers(both(doubles({2.}))[1]) == std::vector<double>{2});
}

TEST_CASE("each application draws anew, in order, and its gradient reads what was drawn") {
  const auto uniform = [](RandomStreams& s, const Var& size) {
    return s.uniform({.size = {size}, .dtype = float64});
  };
  const Var x = dvector("x"), a = dvector("a"), b = dvector("b"), n = lscalar("n");
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    RandomStreams streams(1), other(1);
    const OpFromGraph f({x}, {x * uniform(streams, x.shape(0))}, {.name = "f"});
    const OpFromGraph twice({x}, {f(x) - f(2 * x)}, {.name = "twice"});
    const Function u = function({.inputs = {n}, .outputs = uniform(other, n)});
    const auto next = [&] { return numbers(u(2)); };
    const Tensor ta = doubles({1., 10.}), tb = doubles({100., 1000.});

    const Function sum_of_two = function({.inputs = {a, b}, .outputs = f(a) + f(b), .mode = mode});
    for (int call = 0; call < 2; ++call) {
      const std::vector<double> y = numbers(sum_of_two(ta, tb)), u1 = next(), u2 = next();
      CHECK(y[0] == doctest::Approx(u1[0] + 100 * u2[0]).epsilon(1e-12));
      CHECK(y[1] == doctest::Approx(10 * u1[1] + 1000 * u2[1]).epsilon(1e-12));
    }
    const Function same_argument = function({.inputs = {a}, .outputs = {f(a), f(a)}, .mode = mode});
    {
      const Values y = same_argument(ta);
      const std::vector<double> u1 = next(), u2 = next();
      CHECK(numbers(y[0])[1] == doctest::Approx(10 * u1[1]));
      CHECK(numbers(y[1])[1] == doctest::Approx(10 * u2[1]));
    }
    const Var fa = f(a), fb = f(b);
    const Vars g = grad(sum(fa) + sum(sqr(fb)), {a, b});
    const Function gradients = function({.inputs = {a, b}, .outputs = {fa, fb, g[0], g[1]}, .mode = mode});
    {
      const Values y = gradients(ta, tb);
      const std::vector<double> u1 = next(), u2 = next();
      CHECK(numbers(y[2])[1] == doctest::Approx(u1[1]));
      CHECK(numbers(y[3])[1] == doctest::Approx(2 * u2[1] * u2[1] * 1000));
    }
    const Var t = twice(a);
    const Function nested = function({.inputs = {a}, .outputs = {t, grad(sum(t), a)}, .mode = mode});
    for (int call = 0; call < 2; ++call) {
      const Values y = nested(ta);
      const std::vector<double> u1 = next(), u2 = next();
      CHECK(numbers(y[0])[1] == doctest::Approx(10 * (u1[1] - 2 * u2[1])).epsilon(1e-12));
      CHECK(numbers(y[1])[1] == doctest::Approx(u1[1] - 2 * u2[1]).epsilon(1e-12));
    }
    // The gradient alone draws as well.
    const Function alone = function({.inputs = {a}, .outputs = grad(sum(f(a)), a), .mode = mode});
    CHECK(numbers(alone(ta))[0] == doctest::Approx(next()[0]));
    CHECK(identical(streams.states()[0].get_value(), other.states()[0].get_value()));
  }
}

TEST_CASE("a draw outside and the same one inside: one after the other") {
  RandomStreams streams(1), other(1);
  const Var u = streams.uniform({.size = {2}, .dtype = float64}), x = dvector("x");
  const OpFromGraph f({x}, {x * u});
  const Function g = function({.inputs = {x}, .outputs = {u, f(x)}});
  const Function h = function({.outputs = other.uniform({.size = {2}, .dtype = float64})});
  const Values y = g(doubles({1., 1.}));
  CHECK(numbers(y[0]) == numbers(h()));
  CHECK(numbers(y[1]) == numbers(h()));
}

TEST_CASE("equal graphs are one operation, whatever their inputs are called") {
  const Shared W = shared(doubles({3.}), "W");
  const Var x = dvector("x"), y = dvector("y");
  const Var a = OpFromGraph({x}, {exp(x) * W})(y), b = OpFromGraph({y}, {exp(y) * W})(y),
            c = OpFromGraph({y}, {exp(y) + W})(y);
  CHECK(a.node().op->same_as(*b.node().op));
  CHECK_FALSE(a.node().op->same_as(*c.node().op));
  CHECK(equal_computations({a}, {b}));
}
