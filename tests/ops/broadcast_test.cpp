#include <doctest/doctest.h>

#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

/// A variable whose axes of size 1 stretch, and a value for it.
struct Operand {
  Var v;
  Tensor value;
};

Operand operand(const Sizes& shape, DType dtype, std::uint32_t seed) {
  Type type(dtype, Sizes(shape.size(), -1));
  for (int i = 0; i < shape.size(); ++i)
    if (shape[i] == 1) {
      type.shape[i] = 1;
      type.stretch |= 1U << i;
    }
  return {variable(type, "x" + std::to_string(seed)), test::random(shape, dtype, seed, .5, 2)};
}

}  // namespace

TEST_CASE("declared axes of size 1 and missing leading axes are stretched") {
  const std::vector<std::pair<Sizes, Sizes>> cases = {{{3, 4}, {1, 4}},
                                                      {{3, 4}, {3, 1}},
                                                      {{3, 4}, {1, 1}},
                                                      {{3, 1}, {1, 4}},
                                                      {{1, 4}, {3, 4}},
                                                      {{3, 4}, {4}},
                                                      {{4}, {3, 4}},
                                                      {{3, 4}, {1}},
                                                      {{3, 4}, {}},
                                                      {{}, {3, 4}},
                                                      {{2, 3, 4}, {3, 1}},
                                                      {{2, 1, 4}, {1, 3, 1}},
                                                      {{1}, {5}},
                                                      {{1}, {1}},
                                                      {{0, 4}, {1, 4}},
                                                      {{3, 0}, {3, 1}},
                                                      {{1, 4}, {0, 1}},
                                                      {{2, 3, 4}, {2, 1, 1}},
                                                      {{2, 3, 4, 2}, {3, 1, 1}},
                                                      {{1, 1}, {1, 1}}};
  for (const auto& [a, b] : cases)
    for (const DType dtype : {float32, float64}) {
      const std::string what = to_string(a) + " and " + to_string(b) + " " + to_string(dtype);
      const Operand x = operand(a, dtype, 1), y = operand(b, dtype, 2);
      const Var z = x.v / y.v;
      const Tensor want = test::oracle({z}, {{x.v, x.value}, {y.v, y.value}})[0];
      for (const test::Layout& lx : test::layouts(x.value))
        for (const test::Layout& ly : test::layouts(y.value))
          test::check_close(test::evaluate(z, {x.v, y.v}, {lx.tensor, ly.tensor}), want, test::ulps(dtype, 1),
                            0, what + ", " + lx.name + ", " + ly.name);
      // The gradient has the operand's own shape and stretched axes: it is summed over those that were
      // stretched.
      const Vars g = grad(sum(sqr(z)), {x.v, y.v});
      CHECK(g[0].type().stretch == x.v.type().stretch);
      CHECK(g[1].type().stretch == y.v.type().stretch);
      CHECK(test::evaluate(g[0], {x.v, y.v}, {x.value, y.value}).shape() == a);
      CHECK(test::evaluate(g[1], {x.v, y.v}, {x.value, y.value}).shape() == b);
      INFO(what);
      CHECK(error_of([&, &first = a, &second = b] {
              // Of points known by shape alone, with the same declarations.
              const auto declared = [](const Var& v, const Sizes& shape) {
                std::vector<int> axes;
                for (int i = 0; i < shape.size(); ++i)
                  if (shape[i] == 1) axes.push_back(i);
                return addbroadcast(v, axes);
              };
              verify_grad([&](const Vars& v) { return declared(v[0], first) / declared(v[1], second); },
                          {x.value, y.value});
            }) == "no error");
    }
}

TEST_CASE("the result stretches only where all operands do") {
  const Var m = matrix("m"), r = row("r"), c = col("c"), v = vector("v"), s = scalar("s");
  CHECK((m + r).type().stretch == 0);
  CHECK((r + r).type().stretch == 1U);
  CHECK((c * c).type().stretch == 2U);
  CHECK((r + c).type().stretch == 0);
  CHECK((r + s).type().stretch == 1U);
  CHECK((r + v).type().stretch == 1U);
  CHECK(tanh(r).type().stretch == 1U);
  CHECK((v + s).type().stretch == 0);
  CHECK(v.dimshuffle({'x', 0}).type().stretch == 1U);
  CHECK(sum(m, {.axis = 1, .keepdims = true}).type().stretch == 2U);
}

TEST_CASE("an axis that happens to have size 1 is not stretched") {
  const Shared m = shared(Tensor::zeros({3, 4}, float32), "m"),
               one = shared(Tensor::zeros({1, 4}, float32), "one");
  const std::string cure =
      ": a size of 1 is stretched only where it is declared, by row, col, dimshuffle with 'x' or "
      "addbroadcast";
  CHECK(error_of([&] { m + one; }) == "add: the sizes of axis 0 differ, 3 and 1" + cure +
                                          "\n  float32 (3, 4)   m\n  float32 (1, 4)   one\n  at HERE");

  const Var x = fmatrix("x"), y = fmatrix("y"), v = fvector("v");
  int line = __LINE__ + 1;
  const Var z = x + y;
  const Function f = function({.inputs = {x, y}, .outputs = z, .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({3, 4}, float32), Tensor::zeros({1, 4}, float32));
        }) == "add: the sizes of axis 0 differ, 3 and 1" + cure +
                  "\n  float32 (3, 4)   x\n  float32 (1, 4)   y\n  " + test::at(line) +
                  ", in function \"f\"");
  CHECK(error_of([&] {
          f(Tensor::zeros({1, 4}, float32), Tensor::zeros({3, 4}, float32));
        }).starts_with("add: the sizes of axis 0 differ, 1 and 3" + cure));
  CHECK(Tensor(f(Tensor::zeros({1, 4}, float32), Tensor::zeros({1, 4}, float32))).shape() == Sizes{1, 4});
  const Function g = function({.inputs = {x, v}, .outputs = x * v, .name = "g"});
  CHECK(error_of([&] {
          g(Tensor::zeros({3, 4}, float32), Tensor::zeros({1}, float32));
        }).starts_with("mul: the sizes of axis 1 differ, 4 and 1" + cure));
  // Declared, it is.
  CHECK(test::evaluate(x + addbroadcast(y, {0}), {x, y},
                       {Tensor::zeros({3, 4}, float32), Tensor::zeros({1, 4}, float32)})
            .shape() == Sizes{3, 4});
  const Shared declared =
      shared(Tensor::zeros({1, 4}, float32), "declared", {.broadcastable = {true, false}});
  CHECK((m + declared).type().shape == Sizes{3, 4});
}

TEST_CASE("a fused chain finds the operands that do not fit as well") {
  const Var x = fmatrix("x"), y = fmatrix("y"), w = fmatrix("w");
  const int line = __LINE__ + 1;
  const Var inner = tanh(x) * y;
  const Function f = function({.inputs = {x, y, w}, .outputs = exp(inner + w) * 2, .name = "f"});
  const auto ones = [](std::int64_t m, std::int64_t n) { return Tensor::full({m, n}, float32, 1); };
  CHECK(Tensor(f(ones(2, 3), ones(2, 3), ones(2, 3))).shape() == Sizes{2, 3});
  const std::string message = error_of([&] { f(ones(2, 3), ones(2, 4), ones(2, 3)); });
  CHECK(message.find("the sizes of axis 1 differ, 3 and 4") != std::string::npos);
  CHECK(message.find("float32 (2, 4)   y") != std::string::npos);
  CHECK(message.ends_with(test::at(line) + ", in function \"f\""));
  CHECK(error_of([&] {
          f(ones(2, 3), ones(2, 3), ones(2, 1));
        }).find("the sizes of axis 1 differ, 3 and 1") != std::string::npos);
}

TEST_CASE("stride-0 operands: what addbroadcast, dimshuffle and alloc stretched") {
  for (const DType dtype : {float32, float64}) {
    const Var x = vector("x", dtype), m = matrix("m", dtype);
    const Var wide = alloc(x, {3, x.shape(0)});
    const Tensor t = test::random({4}, dtype, 1), u = test::random({3, 4}, dtype, 2);
    const Vars outputs = {
        wide * m,      dot(wide, m.T()), sum(wide, {.axis = 0}), sum(wide, {.axis = 1}),
        softmax(wide), wide.T() + m.T(), max(wide, {.axis = 1}), wide[slice(none, none, -1)] - m};
    const std::vector<Tensor> want = test::oracle(outputs, {{x, t}, {m, u}});
    for (std::size_t i = 0; i < outputs.size(); ++i)
      test::check_close(test::evaluate(outputs[i], {x, m}, {t, u}), want[i], test::ulps(dtype, 8),
                        test::ulps(dtype, 8), "output " + std::to_string(i) + " " + to_string(dtype));
    // An input whose memory is one row, shown three times.
    Tensor shown = t.reshaped({1, 4});
    View view = shown.view();
    view.shape[0] = 3;
    view.strides[0] = 0;
    const Tensor repeated = Tensor::over(view, std::make_shared<Tensor>(shown));
    test::check_close(
        test::evaluate(
            tanh(m) * dot(m, m.T())[{slice(none, none), slice(0, 1)}].flatten().dimshuffle({0, 'x'}), {m},
            {repeated}),
        test::oracle(
            {tanh(m) * dot(m, m.T())[{slice(none, none), slice(0, 1)}].flatten().dimshuffle({0, 'x'})},
            {{m, repeated.copy()}})[0],
        test::ulps(dtype, 8), 0, "a repeated row");
  }
}
