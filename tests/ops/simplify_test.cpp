#include <doctest/doctest.h>

#include "core/graph/print.h"
#include "core/graph/walk.h"
#include "ops/ops.h"
#include "ops/rewrite/rules.h"

using namespace damo;

// What the rules do, one line each: an expression, and what becomes of it in the phases stabilize and
// simplify.

namespace {

Var simplified(const Var& v) {
  Vars now = merge({v});
  for (const Phase& phase : default_rewrites())
    if (!phase.rules.empty()) now = merge(rewrite(now, phase.rules));
  return now[0];
}

void check(const Arg& before, const Arg& after) {
  const Var output = simplified(before.var());
  INFO("Input:    ", pp(before.var()));
  INFO("Output:   ", pp(output));
  INFO("Expected: ", pp(after.var()));
  INFO(to_string(before.where));
  CHECK(equal_computations({output}, merge({after.var()})));
  CHECK(equal_computations({simplified(output)}, {output}));
}

/// Nothing is done to it.
void check_stays(const Arg& v) { check(v, v); }

const Var x = matrix("x", float32), y = matrix("y", float32), d = matrix("d", float64),
          v = vector("v", float32), s = scalar("s", float32), r = row("r", float32), i = lvector("i"),
          b = vector("b", bool_), n = lscalar("n");
const Shared W = shared(Tensor::full({3, 4}, float32, .5), "W");

}  // namespace

TEST_CASE("simplify: neutral and absorbing numbers") {
  check(x + 0, x);
  check(0 + x, x);
  check(x - 0, x);
  check(x * 1, x);
  check(1 * x, x);
  check(x / 1, x);
  check(i + 0, i);
  check(i * 1, i);
  check(x + 0 * s, x);
  check(s * 0, constant(Tensor::zeros({}, float32)));
  check((x + 0) * 1 - 0, x);
  check(exp(x * 1) + 0, exp(x));
  check_stays(x + 1);
  check_stays(0 - x);
  check_stays(1 / x);
  check(i / 1, cast(i, float32));
  check(b + 0, cast(b, int8));
}

TEST_CASE("simplify: signs") {
  check(-(-x), x);
  check(-(-(-x)), -x);
  check(x + -y, x - y);
  check(-y + x, x - y);
  check(x - -y, x + y);
  check(x - -(-y), x - y);
  check(x + -(-y), x + y);
  check(i - -i, i + i);
  check(-x - y, -(x + y));
  check(-(x - y), y - x);
  check(-x - -y, y - x);
  check(-(-x - y), x + y);
  check_stays(-(x + y));
}

TEST_CASE("simplify: powers") {
  check(pow(x, 1), x);
  check(pow(x, 2), sqr(x));
  check(pow(x, -1), inv(x));
  check(pow(d, 2), sqr(d));
  check(pow(i, 1), i);
  check(pow(i, 2), sqr(i));
  check_stays(pow(i, -1));
  check_stays(pow(x, 0.5));  // of -inf it is inf
  check_stays(pow(i, 0.5));
  check_stays(pow(x, 3));
  check_stays(pow(x, y));
}

TEST_CASE("simplify: logarithms and exponentials") {
  check(log(softmax(x)), log_softmax(x));
  check(log(sigmoid(x)), -softplus(-x));
  check(log(sigmoid(-x)), -softplus(x));
  check(log(1 - sigmoid(x)), -softplus(x));
  check(log1p(-sigmoid(x)), -softplus(x));
  check(log(1 + exp(x)), softplus(x));
  check(log(exp(x) + 1), softplus(x));
  check(log1p(exp(x)), softplus(x));
  check(log(1 + x), log1p(x));
  check(log(exp(x)), x);
  check(1 / (1 + exp(-x)), sigmoid(x));
  check(inv(exp(-x) + 1), sigmoid(x));
  check(log(1 / (1 + exp(-x))), -softplus(-x));
  check(-log(sigmoid(v)), softplus(-v));
  check_stays(log(2 + x));
  check_stays(exp(log(x)));
}

TEST_CASE("simplify: axes in another order") {
  check(x.T().T(), x);
  check(x.T().T().T(), x.T());
  check(v.dimshuffle({'x', 0}).dimshuffle({1, 0}), v.dimshuffle({0, 'x'}));
  check(x.dimshuffle({0, 'x', 1}).dimshuffle({2, 0, 1}), x.dimshuffle({1, 0, 'x'}));
  check(r.dimshuffle({1}).dimshuffle({'x', 0}), r.dimshuffle({'x', 1}));
  check_stays(x.T());
}

TEST_CASE("simplify: sizes are those of what an expression is made of") {
  check(tanh(x).shape(0), x.shape(0));
  check(exp(tanh(x + 1) * 2).shape(1), x.shape(1));
  check(sum(tanh(x), {.axis = 1}).shape(0), x.shape(0));
  check(x.T().shape(0), x.shape(1));
  check(dot(x, y).shape(0), x.shape(0));
  check(softmax(x).shape(1), x.shape(1));
  check((x + r).shape(0), x.shape(0));
  check(zeros({n, 3}, float32).shape(0), n);
  check(zeros({n, 3}, float32).shape(1), constant(Tensor(3)));
  check(W.shape(0), constant(Tensor(3)));
  check(tanh(W.T()).shape(0), constant(Tensor(4)));
  check_stays(x.shape(0));
}

TEST_CASE("simplify: parts of what is computed element by element") {
  check(cast(W, float64)[slice(0, 2)], cast(W[slice(0, 2)], float64));
  check(tanh(x * s)[slice(0, n)], tanh(x[slice(0, n)] * s));
  check(exp(exp(x))[slice(1, 3)], exp(exp(x[slice(1, 3)])));
  check_stays(exp(dot(x, y))[slice(1, 3)]);
  check_stays((x + v)[slice(1, 3)]);
}

TEST_CASE("simplify: what is stretched beside an array that has the size") {
  check(x * alloc(s, {x.shape(0), x.shape(1)}), x * s);
  check(x + alloc(v, {x.shape(0), x.shape(1)}), x + v);
  check(alloc(s, {x.shape(0), x.shape(1)}) - x, s - x);
  check_stays(exp(alloc(s, {n, n})));
}

TEST_CASE("simplify: choices") {
  check(ifelse(1, tanh(x), exp(x)), tanh(x));
  check(ifelse(0, tanh(x), exp(x)), exp(x));
  check(ifelse(tanh(W).shape(0) > 2, x, y), x);
  check_stays(ifelse(n, x, y));
}

TEST_CASE("simplify: constants") {
  check(exp(constant(Tensor::zeros({}, float32))), constant(Tensor::full({}, float32, 1)));
  check(x * (constant(Tensor(2.F)) * 3), x * 6);
  check((constant(Tensor(2)) + 3) * n, 5 * n);
}
