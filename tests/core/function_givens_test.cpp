#include <doctest/doctest.h>

#include "core/graph/walk.h"
#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

namespace {
std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }
}  // namespace

TEST_CASE("a given stands in the place of an input, a variable or an inner node") {
  const Var x = dvector("x"), z = dvector("z");
  const Shared s = shared(Tensor{1., 2.}.astype(float64), "s"),
               other = shared(Tensor{10., 20.}.astype(float64), "other");
  const Var inner = x * 2, y = inner + s;
  const Tensor t = Tensor{3., 4.};
  CHECK(numbers(function({.inputs = {z}, .outputs = y, .givens = {{x, z + 1}}})(t)) ==
        std::vector<double>{9, 12});
  CHECK(numbers(function({.inputs = {x}, .outputs = y, .givens = {{s, other}}})(t)) ==
        std::vector<double>{16, 28});
  CHECK(numbers(function({.inputs = {z}, .outputs = y, .givens = {{inner, z}}})(t)) ==
        std::vector<double>{4, 6});
  CHECK(numbers(function({.outputs = y, .givens = {{x, s}}})()) == std::vector<double>{3, 6});
  CHECK(numbers(function({.outputs = y, .givens = {{x, constant(Tensor{1., 1.}.astype(float64))}}})()) ==
        std::vector<double>{3, 4});
  CHECK(numbers(function({.inputs = {z}, .outputs = {x}, .givens = {{x, z}}})(t)) ==
        std::vector<double>{3, 4});
}

TEST_CASE("a number may be given") {
  const Var x = dscalar("x"), n = lscalar("n");
  const Function f = function({.outputs = x * n, .givens = {{x, 2.5}, {n, 4}}});
  CHECK(double(f()) == 10);
  CHECK(error_of([&] {
          function({.outputs = n + 1, .givens = {{n, 2.5}}});
        }) == "2.5 cannot stand where int64 is expected\n  at HERE");
}

TEST_CASE("givens apply to updates as well, not to the variables updated") {
  const Var x = dvector("x"), z = dvector("z");
  const Shared s = shared(Tensor{1., 2.}.astype(float64), "s");
  const Function f = function({.inputs = {z}, .updates = {{s, s + x}}, .givens = {{x, z * 10}}});
  f(Tensor{1., 2.});
  CHECK(numbers(s.get_value()) == std::vector<double>{11, 22});
}

TEST_CASE("givens are applied at once, not one after the other") {
  const Var x = dscalar("x"), y = dscalar("y"), z = dscalar("z");
  const Function swap = function({.inputs = {x, y}, .outputs = x - y, .givens = {{x, y}, {y, x}}});
  CHECK(double(swap(5, 3)) == -2);
  const Function chain = function({.inputs = {y, z}, .outputs = x + 100 * y, .givens = {{x, y * 2}, {y, z}}});
  CHECK(double(chain(5, 3)) == 310);
  const Function backwards =
      function({.inputs = {y, z}, .outputs = x + 100 * y, .givens = {{y, z}, {x, y * 2}}});
  CHECK(double(backwards(5, 3)) == 310);
  const Function itself = function({.inputs = {x}, .outputs = x * 2, .givens = {{x, x + 1}}});
  CHECK(double(itself(5)) == 12);
}

TEST_CASE("a node that a given replaces need not be computed") {
  const Var x = dvector("x"), missing = dvector("missing"), z = dvector("z");
  const Var costly = tanh(missing);
  const Function f = function({.inputs = {x, z}, .outputs = costly + x, .givens = {{costly, z}}});
  CHECK(numbers(f(Tensor{1., 2.}, Tensor{3., 4.})) == std::vector<double>{4, 6});
}

TEST_CASE("the tutorials' minibatches: a symbolic slice of a shared variable") {
  const Var x = fmatrix("x"), y = ivector("y"), index = lscalar("index");
  const Shared data = shared(test::random({83, 5}, float32, 1), "data");
  const Shared labels = shared(test::random({83}, float32, 2, 0, 10), "labels");
  const Var ints = cast(labels, int32);
  const std::int64_t batch = 20;
  const Function f = function({.inputs = {index},
                               .outputs = {x + 0, y + 0, sum(x, {.axis = 0})},
                               .givens = {{x, data[slice(index * batch, (index + 1) * batch)]},
                                          {y, ints[slice(index * batch, (index + 1) * batch)]}}});
  const Tensor all = data.get_value();
  for (const int i : {0, 4, 1, 3, 5}) {
    const std::int64_t begin = std::min<std::int64_t>(i * batch, 83),
                       end = std::min<std::int64_t>((i + 1) * batch, 83);
    const Values v = f(i);
    INFO("minibatch ", i);
    CHECK(v[0].to_vector<float>() == all.slice(0, begin, end).to_vector<float>());
    CHECK(v[1].to_vector<int>() == labels.get_value().astype(int32).slice(0, begin, end).to_vector<int>());
    CHECK(v[2].shape() == Sizes{5});
  }
  // The labels of one minibatch are cast, not all of them.
  for (const NodePtr& node : toposort(f.outputs())) {
    if (node->kind != Node::Kind::apply) continue;
    CHECK_FALSE(node->types[0] == Type(int32, {83}));
  }
}

TEST_CASE("a given of known size where the size was not known") {
  const Var x = dmatrix("x"), r = row("r", float64);
  const Shared s = shared(Tensor{{1., 2.}}.astype(float64), "s");
  // x + r stretches axis 0 of r, whatever stands there.
  const Function f = function({.inputs = {x}, .outputs = x + r, .givens = {{r, s}}});
  CHECK(numbers(f(Tensor{{1., 1.}, {2., 2.}})) == std::vector<double>{2, 3, 3, 4});
  // x + m does not stretch m, even if a row stands there.
  const Var m = dmatrix("m");
  const Function g = function({.inputs = {x, r}, .outputs = x + m, .givens = {{m, r}}});
  CHECK(numbers(g(Tensor{{1., 1.}}, Tensor{{5., 6.}})) == std::vector<double>{6, 7});
  CHECK(error_of([&] { g(Tensor{{1., 1.}, {2., 2.}}, Tensor{{5., 6.}}); }) != "no error");
}
