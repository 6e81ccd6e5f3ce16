#include "core/graph/graph.h"

#include <doctest/doctest.h>

#include <concepts>
#include <type_traits>

#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::at;
using damo::test::error_of;

namespace {

template <class A, class B>
concept Comparable = requires(A a, B b) {
  a == b;
};

static_assert(!Comparable<Var, Var>, "x == y would read as eq(x, y)");
static_assert(!Comparable<Shared, Shared>);
static_assert(!std::is_constructible_v<bool, Var>, "if (x > 0) must not compile");
static_assert(!std::is_convertible_v<Shared, bool>);

}  // namespace

TEST_CASE("variables have the dtype and rank of their constructor") {
  struct Row {
    Var v;
    DType dtype;
    int ndim;
  };
  const DType X = floatX();
  const Row table[] = {
      {scalar("v"), X, 0},           {vector("v"), X, 1},        {matrix("v"), X, 2},
      {tensor3("v"), X, 3},          {tensor4("v"), X, 4},       {bscalar("v"), int8, 0},
      {iscalar("v"), int32, 0},      {lscalar("v"), int64, 0},   {fscalar("v"), float32, 0},
      {dscalar("v"), float64, 0},    {bvector("v"), int8, 1},    {ivector("v"), int32, 1},
      {lvector("v"), int64, 1},      {fvector("v"), float32, 1}, {dvector("v"), float64, 1},
      {bmatrix("v"), int8, 2},       {imatrix("v"), int32, 2},   {lmatrix("v"), int64, 2},
      {fmatrix("v"), float32, 2},    {dmatrix("v"), float64, 2}, {matrix("v", bool_), bool_, 2},
      {vector("v", uint8), uint8, 1}};
  for (const Row& row : table) {
    INFO(to_string(row.v.type()));
    CHECK(row.v.dtype() == row.dtype);
    CHECK(row.v.ndim() == row.ndim);
    CHECK(row.v.type().shape == Sizes(row.ndim, -1));
    CHECK(row.v.type().stretch == 0);
    CHECK(row.v.name() == "v");
    CHECK(row.v.node().kind == Node::Kind::input);
  }
  CHECK(row("r").type().shape == Sizes{1, -1});
  CHECK(row("r").type().stretch == 1U);
  CHECK(col("c").type().shape == Sizes{-1, 1});
  CHECK(col("c").type().stretch == 2U);
}

TEST_CASE("a Var is a handle") {
  const Var x = matrix("x"), copy = x, other = matrix("x");
  CHECK(same(x, copy));
  CHECK_FALSE(same(x, other));
  CHECK(VarHash()(x) == VarHash()(copy));
  copy.named("renamed");
  CHECK(x.name() == "renamed");
  CHECK(same(x.named("x"), x));

  const Var empty;
  CHECK_FALSE(empty.is_set());
  CHECK(label(empty) == "<empty>");
  const std::string message = "an empty Var was used: it was declared but never given an expression";
  CHECK(error_of([&] { empty.type(); }) == message);
  CHECK(error_of([&] { empty.name(); }) == message);
  CHECK(error_of([&] { empty + x; }) ==
        "add: an input is an empty Var: it was declared but never given an expression\n  at HERE");
}

TEST_CASE("a constant is a copy of its tensor, with known sizes") {
  const Tensor value = Tensor{{1., 2., 3.}}.astype(float64);
  const Var c = constant(value, "c");
  value.at<double>(0, 0) = 100;
  CHECK(c.node().value.at<double>(0, 0) == 1);
  CHECK(c.name() == "c");
  CHECK(c.type().shape == Sizes{1, 3});
  CHECK(constant(Tensor(7)).type().has_value);
  CHECK(constant(Tensor(7)).type().value == 7);
  CHECK(error_of([] { constant(Tensor()); }) == "an empty Tensor cannot be a constant");
  CHECK(error_of([] { matrix("x") + Tensor(); }) == "an empty Tensor cannot stand in an expression");
}

TEST_CASE("messages name a Var by its name, its value or its op") {
  const Var x = matrix("x");
  CHECK(label(x) == "x");
  CHECK(label(matrix()) == "<unnamed input>");
  CHECK(label(shared(Tensor{1.})) == "<unnamed shared>");
  CHECK(label(constant(Tensor(3))) == "3");
  CHECK(label(constant(Tensor(2.5))) == "2.5");
  CHECK(label(constant(Tensor{1, 2})) == "<constant>");
  CHECK(label(tanh(x)) == "tanh");
  CHECK(label(tanh(x).named("hidden")) == "hidden");
}

TEST_CASE("a literal is weak: it takes the smallest dtype that holds it, or the neighbour's") {
  CHECK(Arg(3).dtype() == int8);
  CHECK(Arg(-129).dtype() == int16);
  CHECK(Arg(127).dtype() == int8);
  CHECK(Arg(128).dtype() == int16);
  CHECK(Arg(40000).dtype() == int32);
  CHECK(Arg(3000000000).dtype() == int64);
  CHECK(Arg(true).dtype() == bool_);
  {
    const FloatXScope scope(float32);
    CHECK(Arg(.5).dtype() == float32);
  }
  {
    const FloatXScope scope(float64);
    CHECK(Arg(.5).dtype() == float64);
  }
  CHECK(Arg(3).is_literal());
  CHECK_FALSE(Arg(3).is_float_literal());
  CHECK(Arg(3.).is_float_literal());
  CHECK_FALSE(Arg(matrix("x")).is_literal());

  CHECK(Arg(3).var(float64).dtype() == float64);
  CHECK(Arg(3).var(float64).node().value.item() == 3);
  CHECK(Arg(3.).var(int32).node().value.item<int>() == 3);
  CHECK(error_of([] { Arg(3.5).var(int32); }) == "3.5 cannot stand where int32 is expected\n  at HERE");
  CHECK(error_of([] { Arg(300).var(int8); }) == "300 does not fit int8\n  at HERE");
}

TEST_CASE("a node knows the user's line") {
  const Var x = matrix("x");
  const int line = __LINE__ + 1;
  const Var y = x * 2;
  CHECK(to_string(y.node().where) == at(line));
  CHECK(to_string(x.T().node().where) == at(__LINE__));
  CHECK(to_string(x[0].node().where) == at(__LINE__));
  CHECK(to_string(x[{0, slice(1, 2)}].node().where) == at(__LINE__));
  CHECK(to_string(scalar("s").node().where) == at(__LINE__));
  CHECK(to_string(shared(Tensor{1.}, "s").node().where) == at(__LINE__));
  CHECK(to_string((x + 1).node().where) == at(__LINE__));
  CHECK(to_string((1 + x).node().where) == at(__LINE__));
  CHECK(to_string(sum(x, {.axis = 0}).node().where) == at(__LINE__));
  CHECK(to_string(zeros({2, 3}).node().where) == at(__LINE__));
  CHECK(to_string(x.reshape({3, -1}).node().where) == at(__LINE__));
  CHECK(to_string(Where{}) == "");
}

TEST_CASE("every node of a composed function belongs to the line that called it") {
  const Var x = matrix("x");
  const Var y = mean(x);
  const int line = __LINE__ - 1;
  Vars stack = {y};
  int nodes = 0;
  while (!stack.empty()) {
    const Var v = stack.back();
    stack.pop_back();
    if (v.node().kind != Node::Kind::apply) continue;
    CHECK(to_string(v.node().where) == at(line));
    ++nodes;
    for (const Var& input : v.node().inputs) stack.push_back(input);
  }
  CHECK(nodes >= 1);
}

TEST_CASE("only the outermost scope sets the line") {
  const Where outer{"outer.cpp", 1}, inner{"inner.cpp", 2};
  CHECK_FALSE(Scope::where().is_set());
  {
    const Scope a(outer);
    const Scope b(inner);
    CHECK(to_string(Scope::where()) == "at outer.cpp:1");
    CHECK(to_string(matrix("x").node().where) == "at outer.cpp:1");
  }
  CHECK_FALSE(Scope::where().is_set());
  {
    const Var x = matrix("x", float32, Here("x.cpp", 3));
    const Scope a(outer);
    const Scope b(x.node(), {Origin::Kind::gradient, "tanh"});
    CHECK(to_string(Scope::where()) == "at x.cpp:3");
    CHECK(Scope::origin().of == "tanh");
  }
  CHECK(Scope::origin().kind == Origin::Kind::user);
}

TEST_CASE("a node of a gradient knows of which node, and the user's line of it") {
  const Var x = vector("x");
  const int line = __LINE__ + 1;
  const Var y = tanh(x);
  const Var cost = sum(y);
  const Var g = grad(cost, x);
  bool found = false;
  Vars stack = {g};
  while (!stack.empty()) {
    const Var v = stack.back();
    stack.pop_back();
    if (v.node().kind != Node::Kind::apply) continue;
    if (v.node().origin.kind == Origin::Kind::gradient && v.node().origin.of == "tanh") {
      found = true;
      CHECK(to_string(v.node().where) == at(line));
    }
    for (const Var& input : v.node().inputs) stack.push_back(input);
  }
  CHECK(found);
}
