#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/graph/walk.h"
#include "ops/ops.h"
#include "ops/rewrite/rules.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;

// The rules and passes that no pattern can say, each by what it is for.

namespace {

struct Case {
  std::string rule;
  test::Build build;
  std::vector<Sizes> shapes;
};

Shared weights() {
  static const Shared W = shared(test::random({4, 3}, float64, 9), "W");
  return W;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"constant",
       [](const Vars& x) {
         return x[0] + exp(constant(Tensor{1., 2.}.astype(float64)));
       },
       {{3, 2}}},
      {"dimshuffles",
       [](const Vars& x) {
         return x[0].T().dimshuffle({'x', 1, 0}) + 1;
       },
       {{3, 2}}},
      {"dimshuffles", [](const Vars& x) { return tanh(x[0].T().T()); }, {{3, 2}}},
      {"transpose_dot", [](const Vars& x) { return dot(x[0], x[1]).T(); }, {{3, 2}, {2, 4}}},
      {"transpose_dot",
       [](const Vars& x) { return dot(dot(x[0], x[1]), x[2]).T(); },
       {{3, 2}, {2, 4}, {4, 5}}},
      {"unused_alloc",
       [](const Vars& x) {
         return x[0] * alloc(x[1], {x[0].shape(0), x[0].shape(1)});
       },
       {{3, 2}, {2}}},
      {"unused_alloc", [](const Vars& x) { return grad(sum(sqr(x[0])), x[0]); }, {{3, 2}}},
      {"slice_lift", [](const Vars&) { return cast(weights(), float32)[slice(1, 3)]; }, {}},
      {"slice_lift",
       [](const Vars&) {
         return (weights() * 2 + 1)[{slice(1, 3), slice(none, none, -1)}];
       },
       {}},
      {"add_dot", [](const Vars& x) { return weights() - 0.5 * dot(x[0], x[1]); }, {{4, 2}, {2, 3}}},
      {"add_dot",
       [](const Vars& x) { return 0.5 * (dot(x[0], x[1]) - weights()) + x[2]; },
       {{4, 2}, {2, 3}, {4, 3}}},
      {"cross_entropy",
       [](const Vars& x) {
         const Var y = log_softmax(x[0])[{arange(2), constant(Tensor{2, 0}.astype(int32))}];
         return sum(y) + dot(x[2], Lop(y, {x[0]}, x[1])[0].T());
       },
       {{2, 3}, {2}, {3}}},
      {"cross_entropy",
       [](const Vars& x) {
         // Fewer labels than rows.
         const Var y = log_softmax(x[0])[{arange(2), constant(Tensor{-1, 1})}];
         return sum(y) + dot(x[2], Lop(y, {x[0]}, x[1])[0].T());
       },
       {{3, 3}, {2}, {3}}},
      {"size",
       [](const Vars& x) { return sum(tanh(dot(x[0], x[1]) + 1), {.axis = 1}).shape(0); },
       {{3, 2}, {2, 4}}},
      {"size", [](const Vars& x) { return softmax(x[0].T() * x[1]).shape(0); }, {{3, 2}, {3}}},
      {"size",
       [](const Vars& x) {
         return alloc(x[0], {x[1].shape(1), 3}).dimshuffle({'x', 1, 0}).shape(2);
       },
       {{3}, {2, 4}}},
      {"mul_0", [](const Vars& x) { return x[0] - 0.5 * grad(0. * sum(abs(x[1])), x[1]); }, {{2, 3}, {2, 3}}},
      {"mul_0",
       [](const Vars& x) {
         return x[0].dimshuffle({0, 'x'}) * 0;
       },
       {{4}}},
      {"exp_sigmoid", [](const Vars& x) { return -(2 * exp(x[0])) * x[1] * sigmoid(-x[0]); }, {{3}, {3}}},
      {"exp_sigmoid", [](const Vars& x) { return sigmoid(x[0] - x[1]) * exp(x[1] - x[0]); }, {{3}, {3}}},
      {"log_sum_exp", [](const Vars& x) { return log(sum(exp(x[0]), {.axis = 1})); }, {{3, 4, 2}}},
      {"log_sum_exp",
       [](const Vars& x) {
         return log(mean(exp(x[0]), {.axis = {0, 2}}));
       },
       {{3, 4, 2}}},
      {"softmax", [](const Vars& x) { return exp(x[0]) / sum(exp(x[0]), {.axis = 0}); }, {{3, 4}}},
      {"softmax",
       [](const Vars& x) {
         const Var e = exp(x[0]);
         return e / sum(e, {.axis = {0, 2}, .keepdims = true});
       },
       {{3, 4, 2}}},
      {"lift", [](const Vars& x) { return 1 / (1 + exp(x[0])[slice(1, 3)]); }, {{3, 4}}},
      {"lift",
       [](const Vars& x) {
         return 1 / (1 + exp(x[0])[{1, 2}]);
       },
       {{3, 4}}},
      {"lift",
       [](const Vars& x) { return exp(x[0]).T().flatten() / (1 + exp(x[0]).T().flatten()); },
       {{3, 4}}},
      {"one_minus_sigmoid", [](const Vars& x) { return 1 - sigmoid(x[0]); }, {{3, 4}}},
      {"one_minus_sigmoid", [](const Vars& x) { return 1 - sigmoid(-x[0]); }, {{3, 4}}},
      {"ifelse", [](const Vars& x) { return ifelse(1, tanh(x[0]), exp(x[0])) * 2; }, {{3, 2}}},
      {"ifelse",
       [](const Vars& x) {
         return ifelse(false, {x[0], x[1]}, {exp(x[0]), exp(x[1])})[1];
       },
       {{3, 2}, {2}}},
      {"equal_choice",
       [](const Vars& x) {
         const Var y = tanh(x[0]);
         return ifelse(x[0].shape(0) > 5, y, y) * 2;
       },
       {{3, 2}}},
      {"fuse_sum", [](const Vars& x) { return sum(sqr(x[0]) + x[1]); }, {{3, 2}, {2}}},
      {"fuse_sum", [](const Vars& x) { return sum(abs(x[0]), {.axis = 0}) * 2; }, {{3, 2}}},
      {"fuse_sum",
       [](const Vars& x) {
         return sum(x[0] * x[0], {.axis = {1, 2}});
       },
       {{3, 2, 4}}},
      {"fuse", [](const Vars& x) { return tanh(x[0] * 2 + x[1]) * sigmoid(x[0]) - 1; }, {{3, 2}, {2}}},
      {"fuse",
       [](const Vars& x) { return switch_(x[0] > 0, exp(-x[0]), x[1]) / mean(sqr(x[0])); },
       {{3, 2}, {}}},
      {"fuse_scalars",
       [](const Vars& x) {
         const Var t = tanh(x[0] + x[1]) * x[0];
         return exp(t) * sum(x[2] - t) + sqr(t);
       },
       {{}, {}, {3}}},
      {"sweep", [](const Vars& x) { return dot(tanh(dot(x[0], x[1].T())), x[1]); }, {{1, 2}, {3, 2}}},
      {"sweep",
       [](const Vars& x) {
         const Var z = dot(x[0], x[1].T()) + x[2];
         return dot(sigmoid(z) - x[3], x[1]) * mean(softplus(z));
       },
       {{4, 2}, {3, 2}, {3}, {4, 3}}},
  };
  return all;
}

/// The rule or pass of that name applied to v; an empty Var if there is none.
Var applied(const std::string& name, const Var& v, Trace& trace) {
  for (const Phase& phase : default_rewrites()) {
    for (const Rule& r : phase.rules)
      if (r.name == name) return rewrite({v}, {r}, {.trace = &trace})[0];
    for (const Pass& p : phase.passes)
      if (p.name == name) return p.run({v}, trace)[0];
  }
  return {};
}

}  // namespace

TEST_CASE("the rules and passes that are functions fire on their example and keep its value") {
  std::set<std::string> seen;
  for (const Case& c : cases()) {
    INFO(c.rule);
    seen.insert(c.rule);
    Vars x;
    test::Tensors values;
    for (const Sizes& shape : c.shapes) {
      x.push_back(variable(test::unknown(float64, shape.size()), "x" + std::to_string(x.size())));
      values.push_back(test::random(shape, float64, static_cast<std::uint32_t>(values.size() + 1)));
    }
    const Var y = c.build(x);
    Trace trace, again;
    const Var now = applied(c.rule, y, trace);
    REQUIRE(now.is_set());
    CHECK_FALSE(trace.empty());
    CHECK(now.type() == y.type());
    CHECK(equal_computations({applied(c.rule, now, again)}, {now}));
    CHECK(again.empty());
    // A folded constant, and a sum in another order, may differ in the last place.
    test::check_close(test::evaluate(now, x, values, Mode::FAST_COMPILE),
                      test::evaluate(y, x, values, Mode::FAST_COMPILE), test::ulps(float64, 2),
                      test::ulps(float64, 2), c.rule);
  }
  // What is new needs an example.
  std::set<std::string> functions;
  const auto take = [&](const std::vector<Rule>& rules) {
    for (const Rule& r : rules)
      if (!r.before.is_set()) functions.insert(r.name);
  };
  take(stabilizing_rules());
  for (const Phase& phase : default_rewrites()) {
    take(phase.rules);
    for (const Pass& p : phase.passes) functions.insert(p.name);
  }
  CHECK(functions == seen);
}

TEST_CASE("products are accumulated into what they are added to") {
  const Var x = dmatrix("x"), y = dmatrix("y"), lr = dscalar("lr");
  const Shared W = shared(test::random({3, 4}, float64, 1), "W");
  const Var g = dot(x.T(), y);
  const auto products = [&](const Var& next) {
    const Function f =
        function({.inputs = {x, y, lr}, .updates = {{W, next}}, .on_unused_input = OnUnusedInput::ignore});
    int n = 0;
    for (const Firing& firing : f.trace()) n += firing.rule == "add_dot" ? 1 : 0;
    return n;
  };
  CHECK(products(W - lr * g) == 1);
  CHECK(products(W - lr * (g + dot(tanh(y).T(), x).T())) == 1);
  CHECK(products(W - g * 0.1) == 1);
  CHECK(products(W + g) == 1);
  CHECK(products(0.9 * W - lr * g) == 1);
  CHECK(products(W - lr * tanh(g)) == 0);
  CHECK(products(W * g) == 0);
  // A factor that multiplies all of W is no pass of its own over W.
  const Var decayed = W - lr * grad(sum(dot(x, W) * y) + 0.5 * sum(sqr(W)), W);
  CHECK(products(decayed) == 1);
  const Function f =
      function({.inputs = {x, y, lr}, .updates = {{W, decayed}}, .on_unused_input = OnUnusedInput::ignore});
  CHECK(same(f.outputs()[0].node().inputs[0], W));
}

TEST_CASE("a chain of elementwise operations is one step") {
  const Var x = dmatrix("x"), y = dvector("y");
  const Function f = function({.inputs = {x, y}, .outputs = tanh(x * 2 + y) * sigmoid(x) - 1});
  CHECK(toposort(f.outputs()).size() <= 5);  // x, y, the literals, the chain
  const Function g =
      function({.inputs = {x, y}, .outputs = tanh(x * 2 + y) * sigmoid(x) - 1, .exclude = {"fuse"}});
  CHECK(toposort(g.outputs()).size() > 5);
  const Tensor a = test::random({5, 6}, float64, 1), b = test::random({6}, float64, 2);
  CHECK(identical(Tensor(f(a, b)), Tensor(g(a, b))));
}

TEST_CASE("scalars that need nothing but leaves and each other are one step, of at most 48 operations") {
  const Var a = dscalar("a"), b = dscalar("b");
  const auto n_steps = [](const Function& f) {
    int n = 0;
    for (const NodePtr& node : toposort(f.outputs())) n += node->kind == Node::Kind::apply ? 1 : 0;
    return n;
  };
  const auto build = [&](int length) {
    Var t = a;
    for (int i = 0; i < length; ++i) t = tanh(t * b) + a * t;
    return Outputs(grad(t, {a, b}));
  };
  const Function few = function({.inputs = {a, b}, .outputs = build(2)});
  CHECK(n_steps(few) == 1);
  const Function many = function({.inputs = {a, b}, .outputs = build(40)});
  CHECK(n_steps(many) > 4);
  CHECK(n_steps(many) < 20);
  const Function plain = function({.inputs = {a, b}, .outputs = build(40), .exclude = {"fuse_scalars"}});
  CHECK(n_steps(plain) > 100);
  for (int i = 0; i < 2; ++i) CHECK(identical(Tensor(many(0.9, 0.7)[i]), Tensor(plain(0.9, 0.7)[i])));
  // A branch that is not taken is not computed, so the same scalars stay apart there.
  const Var c = iscalar("c");
  const auto branch = [](const Var& x) {
    const Var t = exp(x), u = tanh(t * x) + t;
    return Vars{t, u, u * t + u};
  };
  const auto n_fired = [](const Function& f) {
    return std::count_if(f.trace().begin(), f.trace().end(),
                         [](const Firing& firing) { return firing.rule == "fuse_scalars"; });
  };
  Vars joined = branch(a);
  for (const Var& v : branch(b)) joined.push_back(v);
  CHECK(n_fired(function({.inputs = {a, b}, .outputs = joined})) == 6);
  CHECK(n_fired(function({.inputs = {c, a, b}, .outputs = ifelse(c, branch(a), branch(b))})) == 0);
}
