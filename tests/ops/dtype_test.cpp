#include <doctest/doctest.h>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using nlohmann::json;
using test::error_of;

// Theano's tables of result dtypes, recorded with floatX = float64. uint64 does not exist here: where
// Theano's sum and product of uint8 are uint64, Damo's are int64.

TEST_CASE("result dtypes of operations on two arrays") {
  const FloatXScope scope(float64);
  const json table = test::golden("theano_pages_float64")["dtype_binary"];
  CHECK(table.size() == 49);
  for (const auto& [key, row] : table.items()) {
    const std::string pair = key;
    const std::size_t comma = pair.find(',');
    const Var a = vector("a", dtype_from_string(pair.substr(0, comma))),
              b = vector("b", dtype_from_string(pair.substr(comma + 1)));
    INFO(pair);
    CHECK(to_string((a + b).dtype()) == row["add"].get<std::string>());
    CHECK(to_string((b * a).dtype()) == row["mul"].get<std::string>());
    CHECK(to_string((a / b).dtype()) == row["truediv"].get<std::string>());
    CHECK(to_string(int_div(a, b).dtype()) == row["floordiv"].get<std::string>());
    CHECK(to_string(pow(a, b).dtype()) == row["pow"].get<std::string>());
    CHECK(to_string((a > b).dtype()) == row["gt"].get<std::string>());
    // What the types promise, the values keep.
    for (const Var& y : {a + b, a / b, pow(a, b), maximum(a, b)})
      CHECK(test::evaluate(y, {a, b}, {Tensor{1, 1}, Tensor{1, 1}}).dtype() == y.dtype());
  }
}

TEST_CASE("result dtypes of operations on one array, and beside Python's numbers") {
  const FloatXScope scope(float64);
  const json table = test::golden("theano_pages_float64")["dtype_unary"];
  CHECK(table.size() == 7);
  for (const auto& [key, row] : table.items()) {
    const std::string name = key;
    const Var x = vector("x", dtype_from_string(name));
    INFO(name);
    const auto is = [&, &expected = row](const Var& y, const std::string& op) {
      if (!expected.contains(op)) return;
      INFO(op);
      const std::string want = expected[op].get<std::string>();
      CHECK(to_string(y.dtype()) == (want == "uint64" ? "int64" : want));
    };
    is(sum(x), "sum");
    is(mean(x), "mean");
    is(prod(x), "prod");
    is(exp(x), "exp");
    is(max(x), "max");
    is(argmax(x), "argmax");
    is(x * 2.5, "times_py_float");
    is(x * 2, "times_py_int");
    is(x / 2, "true_div_pyint");
    if (name != "bool") is(sqr(x), "sqr");
  }
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
