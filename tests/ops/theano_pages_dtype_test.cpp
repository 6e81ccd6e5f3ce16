#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/ops/theano_pages.h"
#include "tests/support.h"

using namespace damo;
using nlohmann::json;
using test::error_of;

// Theano's tables of result dtypes: every entry of them.

namespace {

using Build1 = std::function<Var(const Var&)>;
using Build2 = std::function<Var(const Var&, const Var&)>;

const std::map<std::string, Build2>& of_two() {
  static const std::map<std::string, Build2> all = {
      {"add", [](const Var& a, const Var& b) { return a + b; }},
      {"mul", [](const Var& a, const Var& b) { return a * b; }},
      {"truediv", [](const Var& a, const Var& b) { return a / b; }},
      {"floordiv", [](const Var& a, const Var& b) { return int_div(a, b); }},
      {"pow", [](const Var& a, const Var& b) { return pow(a, b); }},
      {"gt", [](const Var& a, const Var& b) { return a > b; }},
  };
  return all;
}

const std::map<std::string, Build1>& of_one() {
  static const std::map<std::string, Build1> all = {
      {"sum", [](const Var& x) { return sum(x); }},
      {"mean", [](const Var& x) { return mean(x); }},
      {"prod", [](const Var& x) { return prod(x); }},
      {"exp", [](const Var& x) { return exp(x); }},
      {"sqr", [](const Var& x) { return sqr(x); }},
      {"max", [](const Var& x) { return max(x); }},
      {"argmax", [](const Var& x) { return argmax(x); }},
      {"times_py_float", [](const Var& x) { return x * 2.5; }},
      {"times_py_int", [](const Var& x) { return x * 2; }},
      {"true_div_pyint", [](const Var& x) { return x / 2; }},
  };
  return all;
}

/// Damo has no unsigned dtype but uint8: sums and products of it are int64.
std::string dtype_here(const std::string& dtype) { return dtype == "uint64" ? "int64" : dtype; }

Tensor two_ones() { return Tensor{1, 1}; }

}  // namespace

TEST_CASE("result dtypes of operations on two arrays") {
  for (const test::Page& page : test::theano_pages()) {
    const FloatXScope scope(page.floatX);
    const json& table = page.content["dtype_binary"];
    INFO(page.name);
    CHECK(table.size() >= 49);
    std::size_t n_checked = 0;
    for (const auto& [key, row] : table.items()) {
      const std::string pair = key;
      const std::size_t comma = pair.find(',');
      const Var a = vector("a", dtype_from_string(pair.substr(0, comma))),
                b = vector("b", dtype_from_string(pair.substr(comma + 1)));
      for (const auto& [op, dtype] : row.items()) {
        const std::string name = op;
        INFO(name, " of ", pair);
        REQUIRE(of_two().contains(name));
        const Var y = of_two().at(name)(a, b);
        CHECK(to_string(y.dtype()) == dtype.get<std::string>());
        // What the types promise, the values keep.
        CHECK(test::evaluate(y, {a, b}, {two_ones(), two_ones()}).dtype() == y.dtype());
        ++n_checked;
      }
    }
    CHECK(n_checked >= table.size() * 6);
  }
}

TEST_CASE("result dtypes of operations on one array, and beside Python's numbers") {
  for (const test::Page& page : test::theano_pages()) {
    const FloatXScope scope(page.floatX);
    const json& table = page.content["dtype_unary"];
    INFO(page.name);
    CHECK(table.size() >= 7);
    std::size_t n_checked = 0;
    for (const auto& [key, row] : table.items()) {
      const std::string given = key;
      const Var x = vector("x", dtype_from_string(given));
      for (const auto& [op, dtype] : row.items()) {
        const std::string name = op;
        INFO(name, " of ", given);
        REQUIRE(of_one().contains(name));
        const Var y = of_one().at(name)(x);
        CHECK(to_string(y.dtype()) == dtype_here(dtype.get<std::string>()));
        CHECK(test::evaluate(y, {x}, {two_ones()}).dtype() == y.dtype());
        ++n_checked;
      }
    }
    CHECK(n_checked >= table.size() * 10);
  }
}

TEST_CASE("functions of floats give float32 for narrow integers, float64 for wide ones") {
  using Function1 = Var (*)(const Arg&);
  constexpr Function1 functions[] = {
      exp,     exp2,    log,       log2,    log10,   sqrt,    sin,      cos,          tan,
      arcsin,  arccos,  arctan,    sinh,    cosh,    tanh,    erf,      erfc,         erfinv,
      erfcinv, psi,     tri_gamma, gamma,   gammaln, deg2rad, rad2deg,  relu,         elu,
      selu,    sigmoid, softplus,  arcsinh, arccosh, arctanh, softsign, hard_sigmoid, ultra_fast_sigmoid};
  for (const DType floats : {float32, float64}) {
    const FloatXScope scope(floats);
    for (const Function1 f : functions) {
      INFO(label(f(vector("x"))));
      for (const DType narrow : {bool_, int8, uint8, int16, float32})
        CHECK(f(vector("x", narrow)).dtype() == float32);
      for (const DType wide : {int32, int64, float64}) CHECK(f(vector("x", wide)).dtype() == float64);
    }
  }
  const Var i = ivector("i"), b = bvector("b");
  CHECK(arctan2(b, b).dtype() == float32);
  CHECK(arctan2(b, i).dtype() == float64);
}

TEST_CASE("literals are weak") {
  for (const DType floats : {float32, float64}) {
    const FloatXScope scope(floats);
    INFO("floatX = ", to_string(floats));
    const Var f = vector("f", float32), d = vector("d", float64), i8 = vector("i8", int8),
              i32 = vector("i32", int32), i64 = vector("i64", int64);
    CHECK((f * 0.1).dtype() == float32);
    CHECK((0.1 * f).dtype() == float32);
    CHECK((f * 3).dtype() == float32);
    CHECK((f + 100).dtype() == float32);
    CHECK((f + 100000).dtype() == float64);  // as with an int32 array
    CHECK((d * 0.1).dtype() == float64);
    CHECK((i8 + 1).dtype() == int8);
    CHECK((i8 + 300).dtype() == int16);
    CHECK((i32 + 3000000000).dtype() == int64);
    CHECK((i64 + 1).dtype() == int64);
    CHECK((i8 / 2).dtype() == floats);
    CHECK((i64 / 2).dtype() == floats);
    CHECK((f / 3).dtype() == float32);
    CHECK((1 / f).dtype() == float32);
    CHECK(maximum(f, 0).dtype() == float32);
    CHECK(switch_(f > 0, f, 0).dtype() == float32);
    CHECK(switch_(f > 0, 1, 0).dtype() == int8);
    CHECK(clip(f, 0, 1).dtype() == float32);
    CHECK(clip(i8, 0, 1).dtype() == int8);
    CHECK((f > 0.5).dtype() == bool_);
    CHECK((-f).dtype() == float32);
    CHECK(damo::sqrt(2.).dtype() == floats);
    CHECK(damo::exp(1).dtype() == float32);
    CHECK(add(1, 2).dtype() == int8);
  }
}

TEST_CASE("float32 and integers of more than 16 bits give float64") {
  const FloatXScope scope(float32);
  const Var f = fvector("f"), i = ivector("i"), l = lvector("l");
  CHECK((f + i).dtype() == float64);
  CHECK((f * l).dtype() == float64);
  CHECK((f + vector("s", int16)).dtype() == float32);
  CHECK(mean(i).dtype() == float64);
  CHECK((i / l).dtype() == float32);
  CHECK(mean(f).dtype() == float32);
  CHECK(sum(f).dtype() == float32);
  CHECK(mean(neq(i, l)).dtype() == float64);
}

TEST_CASE("a float32 graph with its gradient and updates holds no float64 node") {
  const FloatXScope scope(float32);
  const Var x = matrix("x"), y = ivector("y"), lr = scalar("lr");
  const Shared W = shared(Tensor::zeros({4, 3}, float32), "W"), b = shared(Tensor::zeros({3}, float32), "b");
  const Var p = softmax(dot(tanh(x) * 0.5, W) + b);
  const Var cost = -mean(log(p)[{arange(y.shape(0)), y}]) + 0.001 * sum(sqr(W)) + abs(W)[{0, 0}] * 1e-4;
  const Vars g = grad(cost, {W, b});
  const Function f = function(
      {.inputs = {x, y, In(lr, 0.1)}, .outputs = cost, .updates = {{W, W - lr * g[0]}, {b, b - lr * g[1]}}});
  Vars stack = f.outputs();
  int nodes = 0;
  while (!stack.empty()) {
    const Var v = stack.back();
    stack.pop_back();
    ++nodes;
    INFO(label(v));
    CHECK(v.dtype() != float64);
    for (const Var& input : v.node().inputs) stack.push_back(input);
  }
  CHECK(nodes > 10);
}

TEST_CASE("3.5 for an integer is an error") {
  const Var i = iscalar("i");
  CHECK(error_of([&] { function({.inputs = {In(i, 3.5)}, .outputs = i + 1, .name = "f"})(); })
            .starts_with("function \"f\": input i is int32 (), the value is float64 (): a float does not "
                         "convert to an integer"));
  const Shared n = shared(Tensor(1).astype(int32), "n");
  CHECK(error_of([&] {
          function({.updates = {{n, 2.5}}});
        }).starts_with("2.5 cannot stand where int32 is expected"));
  CHECK(error_of([&] {
          function({.updates = {{n, 3000000000}}});
        }).starts_with("3000000000 does not fit int32"));
}

TEST_CASE("booleans are added and multiplied, never subtracted") {
  const Var a = vector("a", bool_), b = vector("b", bool_);
  const Tensor yes = Tensor{1, 1}.astype(bool_), half = Tensor{1, 0}.astype(bool_);
  CHECK(test::error_of([&] { a - b; }).find("sub: not defined for bool") == 0);
  CHECK(test::error_of([&] { -a; }).find("neg: not defined for bool") == 0);
  CHECK((a - cast(b, int8)).dtype() == int8);
  // A sum of two is their or: one byte, 0 or 1.
  CHECK(identical(test::evaluate(a + b, {a, b}, {yes, half}), yes));
  CHECK(identical(test::evaluate(inc_subtensor(a[slice(0, 1)], b[slice(0, 1)]), {a, b}, {yes, half}), yes));
}
