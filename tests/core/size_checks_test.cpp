#include "core/graph/size_checks.h"

#include <doctest/doctest.h>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

/// Sizes that must agree are checked, whatever the rules leave of the operands.
using namespace damo;
using test::error_of;

namespace {

/// The error of a call in that mode, or "no error".
std::string error_in(Mode mode, const Outputs& y, const Vars& x, const test::Tensors& values) {
  const Function f = function({.inputs = std::vector<In>(x.begin(), x.end()),
                               .outputs = y,
                               .name = "f",
                               .on_unused_input = OnUnusedInput::ignore,
                               .mode = mode});
  return error_of([&] { f.call(values.data(), values.size()); });
}

test::Tensors vectors(std::int64_t n, std::int64_t m) {
  return {test::random({n}, float64, 1), test::random({m}, float64, 2)};
}

struct Case {
  const char* name;
  Var y;
};

}  // namespace

TEST_CASE("a rule that removes an operand keeps its size check") {
  const Var a = dvector("a"), b = dvector("b");
  const Var sum_ = a + b, t = tanh(a);
  const std::vector<Case> cases = {
      {"an element", (a + b)[-1]},
      {"a slice", (a + b)[slice(0, 2)]},
      {"steps", (a * b - 1)[slice(none, none, 2)]},
      {"the shape", sum_.shape()},
      {"the size", sum_.shape(0)},
      {"the shape of more", softmax(exp(a) - b).shape()},
      {"a size in use", sum_.shape(0) * a},
      {"ones", ones_like(a) * b},
      {"ones, on the right", b * ones_like(t)},
      {"zeros", zeros_like(a) + b},
      {"fill", fill(a, 1) + b},
      {"fill with a scalar", fill(a, sum(b)) * b},
      {"alloc", alloc(1., {a.shape(0)}) - b},
      {"full_like", full_like(a, 2) / b},
      {"0 times", 0 * a + b},
      {"times 0", b - t * 0},
      {"zeros times", zeros_like(a) * b},
      {"0 times both", 0 * (a + b)},
      {"a gradient", grad(sum(a + b), a)},
      {"a gradient of the other", grad(sum(a - b), b)},
      {"a gradient that is 0", grad(sum(0 * a + b), a)},
      {"arange", arange((a + b).shape(0))},
      {"a choice", switch_(ones_like(a) > 0, b, 0.)},
      {"the shape of a choice", switch_(a > 0, b, 0.).shape()},
      {"behind a row", (sum_.dimshuffle({'x', 0}) * 0).shape(1)},
      {"a mean", mean(0 * (a + b))},
      {"more operands", (ones_like(a) * b)[slice(0, 1)] + 0 * a[0]},
      {"a sum of three", (ones_like(a) + zeros_like(b)) * 2},
      {"of subtraction", zeros_like(a + -b)},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const std::string error = error_in(Mode::FAST_COMPILE, c.y, {a, b}, vectors(3, 5));
    CHECK(error.find("the sizes of axis") != std::string::npos);
    CHECK(error.find("size_checks_test.cpp:") != std::string::npos);
    CHECK(error_in(Mode::FAST_RUN, c.y, {a, b}, vectors(3, 5)) == error);
    CHECK(error_in(Mode::DebugMode, c.y, {a, b}, vectors(3, 5)).find("the sizes of axis") !=
          std::string::npos);
    CHECK(error_in(Mode::FAST_RUN, c.y, {a, b}, vectors(3, 1)) != "no error");
    CHECK(error_in(Mode::FAST_RUN, c.y, {a, b}, vectors(4, 4)) == "no error");
    // Called again with sizes that agree, then with others.
    const Function f = function({.inputs = {a, b}, .outputs = c.y, .on_unused_input = OnUnusedInput::ignore});
    f(vectors(3, 3)[0], vectors(3, 3)[1]);
    CHECK(error_of([&] { f(vectors(3, 3)[0], vectors(3, 5)[1]); }) != "no error");
    f(vectors(2, 2)[0], vectors(2, 2)[1]);
  }
}

TEST_CASE("the error names the op, its operands and the line of the graph as it was written") {
  const Var a = dvector("a"), b = dvector("b");
  const int line = __LINE__ + 1;
  const Var y = (a + b).shape(0);
  CHECK(error_in(Mode::FAST_RUN, y, {a, b}, vectors(3, 5)) ==
        "add: the sizes of axis 0 differ, 3 and 5\n  float64 (3,)   a\n  float64 (5,)   b\n  " +
            test::at(line) + ", in function \"f\"");
}

TEST_CASE("sizes of matrices, of products and of indexed parts are checked, too") {
  const Var m = dmatrix("m"), n = dmatrix("n"), v = dvector("v");
  const std::vector<Case> cases = {
      {"another axis than that asked for", (m + n).shape(0)},
      {"a row of a product of elements", (m * n)[0]},
      {"a vector along rows", (m + v).shape(0)},
      {"ones along rows", ones_like(v) * m},
      {"a product", dot(m, n.T()).shape(0)},
      {"a product times 0", 0 * dot(m, n.T()) + 1},
      {"a product with a vector", dot(m, v).shape(0)},
      {"a part that is set", set_subtensor(m[0], v).shape(0)},
      {"a join", join(0, {m, n}).shape(1)},
      {"specified", specify_shape(m, {n.shape(0), n.shape(1)}).shape(0)},
  };
  const auto values = [](std::int64_t columns, std::int64_t others) {
    return test::Tensors{test::random({2, columns}, float64, 1), test::random({2, others}, float64, 2),
                         test::random({others}, float64, 3)};
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const std::string error = error_in(Mode::FAST_COMPILE, c.y, {m, n, v}, values(3, 5));
    CHECK(error != "no error");
    CHECK(error_in(Mode::FAST_RUN, c.y, {m, n, v}, values(3, 5)) == error);
    CHECK(error_in(Mode::FAST_RUN, c.y, {m, n, v}, values(3, 3)) == "no error");
  }
}

TEST_CASE("what only small sizes break is checked, too: indices, empty axes, what is divided into rows") {
  const Var m = dmatrix("m"), t = tensor4("t", float64), v = dvector("v");
  const std::vector<Case> cases = {
      {"the shape of a row", m[2].shape(0)},
      {"from the end", m[-3].shape(0)},
      {"ones like a row", ones_like(m[2]) * v},
      {"0 times a row", 0 * m[2] + v},
      {"a row that is set", set_subtensor(m[2], v).shape(0)},
      {"a row that is added to", inc_subtensor(m[2], v).shape(1)},
      {"the largest", max(m, {.axis = 0}).shape(0)},
      {"where it is", ones_like(argmax(m, {.axis = 0})) * v},
      {"a parameter's shape", (t[0][0][2] + v).shape(0)},
      {"rows of three", t.reshape({3, -1}).shape(0) + 1},
      {"ones in rows of three", ones_like(t.reshape({3, -1}))[{0, 0}] + v},
  };
  const auto values = [](std::int64_t rows, const Sizes& shape) {
    return test::Tensors{test::random({rows, 4}, float64, 1), test::random(shape, float64, 2),
                         test::random({4}, float64, 3)};
  };
  for (const Case& c : cases) {
    INFO(c.name);
    const std::string error = error_in(Mode::FAST_COMPILE, c.y, {m, t, v}, values(0, {1, 1, 1, 4}));
    CHECK(error.find("size_checks_test.cpp:") != std::string::npos);
    CHECK(error_in(Mode::FAST_RUN, c.y, {m, t, v}, values(0, {1, 1, 1, 4})) == error);
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE})
      CHECK(error_in(mode, c.y, {m, t, v}, values(3, {1, 1, 3, 4})) == "no error");
  }
}

TEST_CASE("a check that fails comes before a shared variable is written") {
  const Var a = dvector("a"), b = dvector("b");
  const Shared s = shared(test::random({3}, float64, 1), "s");
  const Tensor before = s.get_value();
  const Updates updates = {{s, s + ones_like(a) * b[slice(0, 3)]}};
  const Function f = function({.inputs = {a, b}, .outputs = (a + b).shape(), .updates = updates});
  CHECK(error_of([&] { f(vectors(3, 5)[0], vectors(3, 5)[1]); }) != "no error");
  CHECK(identical(s.get_value(), before));
}

TEST_CASE("what a branch alone needs is not checked where another one is taken") {
  const Var a = dvector("a"), b = dvector("b"), c = iscalar("c");
  const Var y = ifelse(c, ones_like(a) * b, a);
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
    const Function f = function({.inputs = {c, a, b}, .outputs = y, .mode = mode});
    CHECK(error_of([&] { f(0, vectors(3, 5)[0], vectors(3, 5)[1]); }) == "no error");
  }
}

TEST_CASE("sizes that agree anyhow are not checked") {
  const auto n_lost = [](const Vars& written) {
    Vars rewritten = written;
    for (const Phase& phase : default_rewrites()) rewritten = rewrite(rewritten, phase.rules);
    return lost_size_checks(written, rewritten).size();
  };
  const Var x = dmatrix("x"), y = dmatrix("y");
  CHECK(n_lost({(x + tanh(x)).shape(0)}) == 0);
  CHECK(n_lost({ones_like(x) * exp(x)}) == 0);
  CHECK(n_lost({grad(sum(tanh(x * x.shape(0)) * x), x)}) == 0);
  CHECK(n_lost({x + y}) == 0);
  CHECK(n_lost({(x + y).shape(0), x * y}) == 0);
  CHECK(n_lost({(x + y).shape(0), tanh(y) - x, (x * 2 - y).shape(1)}) == 0);
  CHECK(n_lost({(x + y).shape(0)}) == 1);
  CHECK(n_lost({(x + y).shape(0), (x * y).shape(1), ones_like(x) * y}) == 1);
  const Shared W = shared(test::random({3, 4}, float64, 1), "W");
  CHECK(n_lost({0 * dot(x, W) + dot(tanh(x), W)}) == 0);
  CHECK(n_lost({tanh(x)[0], x[0].shape(0) + 1}) == 0);
  CHECK(n_lost({sum(sqr(softmax(dot(x, W)) - ones_like(dot(x, W)))), x.shape(0)}) == 0);
}
