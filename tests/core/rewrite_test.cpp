#include "core/rewrite.h"

#include <doctest/doctest.h>

#include "core/op.h"
#include "core/walk.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::at;
using damo::test::error_of;

namespace {

const Var& a() {
  static const Var v = wild("a");
  return v;
}
const Var& b() {
  static const Var v = wild("b");
  return v;
}

Var once(const Var& v, const Rule& r, const RewriteArgs& args = {}) { return rewrite({v}, {r}, args)[0]; }

bool fires(const Var& v, const Rule& r) { return !same(once(v, r), v); }

}  // namespace

TEST_CASE("a rule is two expressions over wildcards") {
  const Rule r = rule("log_sigmoid", log(sigmoid(a())), -softplus(-a()));
  CHECK(r.kind == Rule::Kind::exact);
  const Var x = matrix("x"), y = vector("y", float64), z = scalar("z");
  CHECK(equal_computations({once(log(sigmoid(x)), r)}, {-softplus(-x)}));
  CHECK(equal_computations({once(log(sigmoid(y)), r)}, {-softplus(-y)}));
  CHECK(equal_computations({once(log(sigmoid(z)), r)}, {-softplus(-z)}));
  CHECK(equal_computations({once(exp(log(sigmoid(x * y.astype(x.dtype()))) + 1), r)},
                           {exp(-softplus(-(x * y.astype(x.dtype()))) + 1)}));
  CHECK_FALSE(fires(log(tanh(x)), r));
}

TEST_CASE("a wildcard that stands twice is one expression") {
  const Rule r = rule("square", a() * a(), sqr(a()));
  const Var x = matrix("x"), y = matrix("y");
  CHECK(equal_computations({once(x * x, r)}, {sqr(x)}));
  CHECK_FALSE(fires(x * y, r));
  const Var e = exp(x);
  CHECK(equal_computations({once(e * e, r)}, {sqr(exp(x))}));
}

TEST_CASE("commuting ops match both ways") {
  const Rule r = rule("distribute", exp(a()) * b(), b() * softplus(a()));
  const Var x = matrix("x"), y = matrix("y");
  CHECK(equal_computations({once(exp(x) * y, r)}, {y * softplus(x)}));
  CHECK(equal_computations({once(y * exp(x), r)}, {y * softplus(x)}));
  const Rule minus = rule("minus", exp(a()) - b(), softplus(a()) - b());
  CHECK(fires(exp(x) - y, minus));
  CHECK_FALSE(fires(y - exp(x), minus));
}

TEST_CASE("a constant matches by value, of any dtype and rank") {
  const Rule r = rule("log1p", log(1 + a()), log1p(a()));
  const Var x = matrix("x"), d = matrix("d", float64);
  CHECK(fires(log(1 + x), r));
  CHECK(fires(log(x + 1.), r));
  CHECK(fires(log(1 + d), r));
  CHECK_FALSE(fires(log(2 + x), r));
  CHECK_FALSE(fires(log(x + d.astype(x.dtype())), r));
}

TEST_CASE("literals of a rule take the dtype of the operand beside them") {
  const Rule r = rule("scale", sigmoid(a()), tanh(a()) * 0.5 + 0.5);
  for (const DType dtype : {float32, float64}) {
    const Var y = once(sigmoid(matrix("x", dtype)), r);
    CHECK(y.dtype() == dtype);
    CHECK(y.node().inputs[1].dtype() == dtype);
  }
}

TEST_CASE("a rule fires only if dtype, rank and stretched axes stay the same") {
  const Rule to_x = rule("first", a() + b(), a());
  const Var x = matrix("x", float32), d = matrix("d", float64), v = vector("v", float32),
            r = row("r", float32);
  CHECK(same(once(x + v, to_x), x));
  CHECK_FALSE(fires(v + x, rule("first", sub(a(), b()) + 0, a())));
  CHECK_FALSE(fires(r - x, rule("first of difference", a() - b(), a())));
  CHECK(once(x - d, rule("first of difference", a() - b(), a())).dtype() == float64);
  CHECK_FALSE(fires(v - x, rule("first of difference", a() - b(), a())));
  CHECK(fires(x - v, rule("first of difference", a() - b(), a())));
}

TEST_CASE("rules are applied until nothing changes, and then nothing changes") {
  const std::vector<Rule> rules = {rule("double_neg", -(-a()), a()), rule("exp_log", exp(log(a())), a())};
  const Var x = matrix("x");
  const Var y = -exp(log(-(-(-x))));
  const Vars now = rewrite({y}, rules);
  CHECK(same(now[0], x));
  const Var z = tanh(-(-x)) + exp(log(x));
  const Vars first = rewrite({z}, rules), second = rewrite(first, rules);
  CHECK(equal_computations(first, {tanh(x) + x}));
  CHECK(same(first[0], second[0]));
}

TEST_CASE("rules that never end are a bug of theirs") {
  const Rule flip = rule("flip", a() - b(), -(b() - a()));
  std::string message;
  try {
    once(matrix("x") - matrix("y"), flip);
  } catch (const Bug& bug) {
    message = bug.what();
  }
  CHECK(message == "damo has a bug: the rules do not come to an end: flip fires again and again");
}

TEST_CASE("no rule removes or looks through a fixed node") {
  const Rule r = rule("double_neg", -(-a()), a());
  const Var x = matrix("x");
  const Var inner = -x, outer = -inner;
  CHECK(same(once(outer, r), x));
  CHECK(same(once(outer, r, {.fixed = {inner}}), outer));
  CHECK(same(once(outer, r, {.fixed = {outer}}), outer));
  CHECK(same(once(outer, r, {.fixed = {x}}), x));
}

TEST_CASE("a rule can be excluded by its name") {
  const Rule r = rule("double_neg", -(-a()), a());
  const Var x = matrix("x");
  const Var y = -(-x);
  CHECK(same(once(y, r, {.exclude = {"double_neg"}}), y));
  CHECK(same(once(y, r, {.exclude = {"another"}}), x));
}

TEST_CASE("a function may stand for a pattern") {
  const Rule r = rule("no_names", [](const Var& v) -> Var {
    if (v.node().op->name() != "tanh") return {};
    return sigmoid(v.node().inputs[0]);
  });
  const Var x = matrix("x");
  CHECK(equal_computations({once(exp(tanh(x)), r)}, {exp(sigmoid(x))}));
  CHECK_FALSE(fires(exp(x), r));
}

TEST_CASE("each firing is recorded with both expressions and the user's line") {
  const Rule r = rule("log_sigmoid", log(sigmoid(a())), -softplus(-a()));
  const Var x = matrix("x");
  Trace trace;
  const int line = __LINE__ + 1;
  const Var y = log(sigmoid(x));
  const Var now = once(y, r, {.trace = &trace});
  REQUIRE(trace.size() == 1);
  CHECK(trace[0].rule == "log_sigmoid");
  CHECK(same(trace[0].before, y));
  CHECK(same(trace[0].after, now));
  CHECK(to_string(trace[0].where) == at(line));
  CHECK(now.node().origin.kind == Origin::Kind::rule);
  CHECK(now.node().origin.of == "log_sigmoid");
  CHECK(to_string(now.node().where) == at(line));
}

TEST_CASE("rewriting leaves the user's nodes and their names alone") {
  const Rule r = rule("add_zero", a() + 0, a());
  const Var x = matrix("x");
  const Var y = exp(x);
  const Var z = (y + 0).named("z");
  CHECK(same(once(z, r), y));
  CHECK(y.name().empty());
  CHECK(z.name() == "z");
}

TEST_CASE("merge leaves one node for equal computations") {
  const Var x = matrix("x"), y = matrix("y");
  const Vars now = merge({exp(x + 2) + exp(x + 2), exp(x + 2), exp(y + 2)});
  CHECK(same(now[0].node().inputs[0], now[0].node().inputs[1]));
  CHECK(same(now[0].node().inputs[0], now[1]));
  CHECK_FALSE(same(now[1], now[2]));
  CHECK(same(now[1].node().inputs[0].node().inputs[1], now[2].node().inputs[0].node().inputs[1]));
  CHECK_FALSE(same(merge({x + y, y - x})[0], merge({x + y, y - x})[1]));
  const Vars sums = merge({sum(x, {.axis = 0}), sum(x, {.axis = 1}), sum(x, {.axis = 0})});
  CHECK(same(sums[0], sums[2]));
  CHECK_FALSE(same(sums[0], sums[1]));
}

TEST_CASE("merge keeps apart what differs in dtype, value or sign of zero") {
  const Var x = matrix("x", float64);
  const Vars now = merge({x + Tensor(0.0), x + Tensor(-0.0), x + Tensor(1), x + Tensor(1.0)});
  for (std::size_t i = 0; i < now.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK_FALSE(same(now[i], now[j]));
}
