#include "core/rewrite/rewrite.h"

#include <doctest/doctest.h>

#include "core/graph/op.h"
#include "core/graph/walk.h"
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

TEST_CASE("what a rule makes is rewritten at once, however deep") {
  // One size leads to the next, 100 000 of them, and each comes up twice.
  const Rule down = rule("down", [](const Var& v) -> Var {
    const Node& outer = v.node();
    if (outer.op->name() != "exp" || outer.inputs[0].node().kind != Node::Kind::apply) return {};
    const Node& inner = outer.inputs[0].node();
    return inner.op->name() == "tanh" ? exp(inner.inputs[0]) : Var();
  });
  const Var x = vector("x");
  Var h = x, total = x;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    h = tanh(h);
    if (i % 1000 == 0) total = total + exp(h);
  }
  Trace trace;
  const Var y = once(exp(h), down, {.trace = &trace});
  CHECK(equal_computations({y}, {exp(x)}));
  CHECK(trace.size() == n);
  const Vars both = rewrite({exp(h), total}, {down});
  CHECK(toposort(both).size() == 102);
}

TEST_CASE("equal expressions that rules make are rewritten once") {
  int calls = 0;
  const Rule root = rule("root", sqrt(a()), exp(log(a()) * 0.5));
  const Rule count = rule("count", [&](const Var& v) -> Var {
    if (v.node().op->name() == "log") ++calls;
    return {};
  });
  const Var x = vector("x");
  const Vars y = rewrite({log(x), sqrt(x) + 1, sqrt(x) + 2}, {root, count});
  CHECK(calls == 1);
  CHECK(toposort(y).size() == 9);  // x, log, 0.5, mul, exp, and two sums with their numbers
}

namespace {

std::string message_of(const Var& v, const std::vector<Rule>& rules, const RewriteArgs& args = {}) {
  try {
    rewrite({v}, rules, args);
  } catch (const Bug& bug) {
    return bug.what();
  }
  return "no error";
}

std::string again(const std::string& what) {
  return "damo has a bug: the rules do not come to an end: " + what + " again and again";
}

}  // namespace

TEST_CASE("rules that never end are a bug of theirs") {
  const Var x = matrix("x"), y = matrix("y"), z = matrix("z");
  const Rule flip = rule("flip", a() - b(), -(b() - a()));
  CHECK(message_of(x - y, {flip}) == again("flip fires"));
  CHECK(message_of(exp(tanh(x - y)) * 2, {flip}) == again("flip fires"));
  const Rule swap = rule("swap", a() * b(), b() * a());
  CHECK(message_of(x * y, {swap}) == again("swap fires"));
  CHECK(message_of(x * x, {swap}) == "no error");  // x x is what it was
  const Var c = wild("c");
  const Rule distribute = rule("distribute", a() * (b() + c), a() * b() + a() * c),
             collect = rule("collect", a() * b() + a() * c, a() * (b() + c));
  CHECK(message_of((x + y) * z, {distribute}) == "no error");
  CHECK(message_of(x * y + z * x, {collect}) == "no error");
  for (const Var& v : {(x + y) * z, x * y + z * x, x * y + x * z, exp(x * (z + 1))})
    for (const auto& rules : {std::vector{distribute, collect}, std::vector{collect, distribute}}) {
      const std::string message = message_of(v, rules);
      CHECK((message == again("distribute, collect fire") || message == again("collect, distribute fire")));
    }
  CHECK(message_of((x + y) * z, {distribute, collect}, {.exclude = {"collect"}}) == "no error");
  const Rule half = rule("half", a() / 2, a() * 0.5), twice = rule("twice", a() * 0.5, a() / 2);
  CHECK(message_of(exp(x) / 2, {half, twice}) == again("half, twice fire"));
}

TEST_CASE("rules whose expressions grow for ever are found by their form") {
  const Var x = matrix("x"), y = matrix("y");
  CHECK(message_of(tanh(x), {rule("nest", tanh(a()), tanh(tanh(a())))}) == again("nest fires"));
  CHECK(message_of(tanh(x), {rule("step", tanh(a()), tanh(a() + 1))}) == again("step fires"));
  CHECK(message_of(x * exp(y), {rule("move", a() * b(), exp(b()) * (a() + 1))}) == again("move fires"));
  const std::vector<Rule> two = {rule("there", exp(a()), log(a() + 1)),
                                 rule("back", log(a()), exp(sqr(a())))};
  CHECK(message_of(exp(x), two) == again("there, back fire"));
  // A zero that another rule takes away.
  const std::vector<Rule> undone = {rule("add", tanh(a()), tanh(a() + 0)), rule("add_0", a() + 0, a())};
  CHECK(message_of(tanh(x), undone) == again("add fires"));
}

TEST_CASE("a set of rules is tested for loops") {
  const Var c = wild("c");
  const Rule distribute = rule("distribute", a() * (b() + c), a() * b() + a() * c),
             collect = rule("collect", a() * b() + a() * c, a() * (b() + c));
  CHECK(loop_in({distribute}).empty());
  CHECK(loop_in({collect}).empty());
  CHECK(loop_in({distribute, collect}) == std::vector<std::string>{"distribute", "collect"});
  CHECK(loop_in({distribute, collect}, {"distribute"}).empty());
  CHECK(loop_in({rule("nest", tanh(a()), tanh(tanh(a())))}) == std::vector<std::string>{"nest"});
  CHECK(loop_in({}).empty());
  std::vector<Rule> all;
  for (const Phase& phase : default_rewrites()) {
    CHECK(loop_in(phase.rules).empty());
    all.insert(all.end(), phase.rules.begin(), phase.rules.end());
  }
  CHECK(loop_in(all).empty());
}

TEST_CASE("a side that does not exist for the types at hand is no replacement") {
  const Rule r = rule("inverse", pow(a(), -1), inv(a()));
  CHECK(fires(pow(vector("x"), -1), r));
  for (const DType dtype : {int8, int16, int32, int64, uint8}) {
    const Var x = vector("x", dtype);
    CHECK_FALSE(fires(pow(x, constant(Tensor(-1).astype(int8))), r));
  }
  // Its literal would not fit beside integers.
  const Rule scale = rule("scale", a() + a(), a() * 2.5);
  CHECK(fires(vector("x") + vector("x"), rule("other", a() + b(), a() * 2.5)));
  const Var i = lvector("i");
  CHECK_FALSE(fires(i + i, scale));
}

TEST_CASE("an output may become what others of its node are made of") {
  const auto [sign, log_det] = slogdet(matrix("x"));
  for (const auto& pair : {std::pair(sign, log_det), std::pair(log_det, sign)}) {
    const Var &from = pair.first, &to = pair.second;
    const Rule other = rule("other", [&](const Var& v) { return same(v, from) ? exp(to) * 2 : Var(); });
    const Vars y = rewrite({from, to}, {other});
    CHECK(same(y[1], to));
    CHECK(equal_computations({y[0]}, {exp(to) * 2}));
  }
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
