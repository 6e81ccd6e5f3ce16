#include "ops/jacobian.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::check_close;
using test::error_of;

namespace {

/// The rows of the Jacobian, each a gradient of its own.
Var unrolled(const Var& f, int n, const Var& x) {
  Args rows;
  for (int i = 0; i < n; ++i) rows.emplace_back(grad(f[i], x, {.disconnected_inputs = Disconnected::zero}));
  return stack(rows);
}

int count_ops(const Vars& outputs, const std::string& name) {
  int n = 0;
  for (const NodePtr& node : toposort(outputs))
    n += node->kind == Node::Kind::apply && node->op->name() == name;
  return n;
}

}  // namespace

TEST_CASE("a Jacobian has the gradients of the elements for rows") {
  for (const DType dtype : {float32, float64}) {
    const Var x = variable(test::unknown(dtype, 1), "x"), m = variable(test::unknown(dtype, 2), "m"),
              r = row("r", dtype);
    const Shared W = shared(test::random({4, 3}, dtype, 1), "W");
    const Var f = tanh(dot(x, W)) * sum(sqr(m), {.axis = 0}) + sum(exp(r), {.axis = 0});
    const Vars all = {x, m, r, W};
    const Vars J = jacobian(f, all);
    const test::Tensors values = {test::random({4}, dtype, 2), test::random({2, 3}, dtype, 3),
                                  test::random({1, 3}, dtype, 4)};
    for (std::size_t i = 0; i < all.size(); ++i)
      for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode}) {
        CHECK(J[i].dtype() == dtype);
        CHECK(J[i].type().stretch == all[i].type().stretch << 1);
        check_close(test::evaluate(J[i], {x, m, r}, values, mode),
                    test::evaluate(unrolled(f, 3, all[i]), {x, m, r}, values, mode), test::ulps(dtype, 8),
                    test::ulps(dtype, 8), "Jacobian by " + all[i].name());
      }
  }
}

TEST_CASE("Jacobians of no element and of one, and of a scalar") {
  const Var x = dvector("x"), m = dmatrix("m");
  const Var f = sqr(dot(m, x));
  const Function J = function({.inputs = {x, m}, .outputs = jacobian(f, {x, m})});
  for (const std::int64_t n : {3, 0, 1, 3}) {
    const Tensor tm = test::random({n, 2}, float64, 1), tx = test::random({2}, float64, 2);
    const Values values = J(tx, tm);
    CHECK(values[0].shape() == Sizes{n, 2});
    CHECK(values[1].shape() == Sizes{n, n, 2});
    if (n > 0)
      check_close(values[0], test::evaluate(unrolled(f, static_cast<int>(n), x), {x, m}, {tx, tm}), 1e-14, 0,
                  "n = " + std::to_string(n));
  }
  CHECK(jacobian(sum(f), x).ndim() == 1);
  CHECK(jacobian(f, x).type().shape == Sizes{-1, -1});
  CHECK(jacobian(f, x).shape(0).dtype() == int64);
  const Shared b = shared(Tensor::zeros({5}, float64), "b");
  CHECK(jacobian(sqr(b), b).type().shape == Sizes{5, 5});
}

TEST_CASE("only what depends on the row is computed again") {
  const Var x = dvector("x");
  const Shared W = shared(test::random({4, 3}, float64, 1), "W");
  const Vars J = {jacobian(tanh(dot(x, W)), x)};
  CHECK(count_ops(J, "rows") == 1);
  CHECK(count_ops(J, "tanh") == 1);
  CHECK(count_ops(J, "sub") == 1);
}

TEST_CASE("a random draw is drawn once, whatever the number of rows") {
  RandomStreams rng(7);
  const Var x = dvector("x");
  const Var mask = rng.uniform({.size = {x.shape(0)}, .dtype = float64});
  const Function f = function({.inputs = {x}, .outputs = {mask, jacobian(mask * sqr(x), x)}});
  const Values y = f(Tensor{1., 2., 3.});
  for (int i = 0; i < 3; ++i)
    CHECK(y[1].at<double>(i, i) == doctest::Approx(2 * (i + 1) * y[0].at<double>(i)).epsilon(1e-14));
}

TEST_CASE("a cost that is made of a Jacobian has gradients") {
  // The contractive penalty, whose closed form is sum_j (h_j (1 - h_j))^2 sum_i W_ij^2.
  const Var x = dvector("x"), W = dmatrix("W");
  const Var h = sigmoid(dot(x, W));
  const Var penalty = sum(sqr(jacobian(h, x)));
  const Var closed = sum(sqr(h * (1 - h)) * sum(sqr(W), {.axis = 0}));
  const test::Tensors at = {test::random({4}, float64, 1), test::random({4, 3}, float64, 2)};
  check_close(test::evaluate(penalty, {x, W}, at), test::evaluate(closed, {x, W}, at), 1e-14, 0, "penalty");
  for (const Var& v : {x, W}) {
    const Var g = grad(penalty, v), wanted = grad(closed, v);
    check_close(test::evaluate(g, {x, W}, at), test::evaluate(wanted, {x, W}, at), 1e-13, 1e-15,
                "gradient by " + v.name());
    check_close(test::evaluate(grad(sum(sin(g)), W), {x, W}, at),
                test::evaluate(grad(sum(sin(wanted)), W), {x, W}, at), 1e-12, 1e-14,
                "second derivatives by " + v.name());
  }
  for (const DType dtype : {float32, float64})
    CHECK(error_of([&] {
            verify_grad([](const Vars& v) { return jacobian(sigmoid(dot(v[0], v[1])), v[1]); },
                        {test::random({3}, dtype, 1), test::random({3, 2}, dtype, 2)});
          }) == "no error");
}

TEST_CASE("a Jacobian of a Jacobian") {
  const Var x = dvector("x");
  const Var J = jacobian(pow(x, 3), x);
  const Var JJ = jacobian(J.flatten(), x);
  const Tensor y = test::evaluate(JJ, {x}, {Tensor{1., 2.}});
  check_close(y, Tensor{{6., 0.}, {0., 0.}, {0., 0.}, {0., 12.}}, 1e-14, 0, "third derivatives");
  const Var H = hessian(sum(exp(x) * x[0]), x);
  const Var third = jacobian(H.flatten(), x);
  const double e = std::exp(1.), e2 = std::exp(2.);
  // f = x0 e^x0 + x0 e^x1
  check_close(test::evaluate(third, {x}, {Tensor{1., 2.}}),
              Tensor(std::vector<double>{4 * e, 0, 0, e2, 0, e2, e2, e2}, {4, 2}), 1e-13, 1e-15, "third");
}

TEST_CASE("Hessians, and their products with vectors") {
  const Var x = dvector("x"), y = dvector("y"), v = dvector("v"), w = dvector("w");
  const Var cost = sum(exp(x) * sum(x)) + sum(sqr(y)) * x[0];
  const Vars H = hessian(cost, {x, y});
  const test::Tensors at = {test::random({3}, float64, 1), test::random({2}, float64, 2)};
  const Tensor hx = test::evaluate(H[0], {x, y}, at);
  check_close(hx, hx.transposed(), 1e-14, 1e-16, "symmetric");
  check_close(test::evaluate(H[0], {x, y}, at), test::evaluate(unrolled(grad(cost, x), 3, x), {x, y}, at),
              1e-14, 1e-16, "by x");
  check_close(test::evaluate(dot(H[0], v), {x, y, v}, {at[0], at[1], at[0]}),
              test::evaluate(hessian_times_vector(cost, x, v), {x, y, v}, {at[0], at[1], at[0]}), 1e-13,
              1e-15, "H v");
  // The blocks off the diagonal: d^2 cost / dy dx0 = 2 y.
  const Vars Hv = hessian_times_vector(cost, {x, y}, {v, w});
  const test::Tensors all = {at[0], at[1], Tensor{1., 0., 0.}, Tensor{0., 0.}};
  check_close(test::evaluate(Hv[1], {x, y, v, w}, all), test::evaluate(2 * y, {y}, {at[1]}), 1e-14, 0, "2 y");
  // A gradient that does not depend on x has zeros.
  CHECK(test::evaluate(hessian(sum(3 * x), x), {x}, {Tensor{1., 2.}}).to_vector<double>() ==
        std::vector<double>{0, 0, 0, 0});
  CHECK(test::evaluate(hessian_times_vector(sum(3 * x), x, v), {x, v}, {Tensor{1., 2.}, Tensor{1., 1.}})
            .to_vector<double>() == std::vector<double>{0, 0});
}

TEST_CASE("givens may change what a Jacobian is made of") {
  const Shared data = shared(test::random({2, 3}, float64, 1), "data");
  const Var x = dvector("x"), other = dmatrix("other");
  const Var J = jacobian(tanh(dot(data, x)), x);
  const Function f = function({.inputs = {x, other}, .outputs = J, .givens = {{data, other}}});
  const Tensor t = test::random({5, 3}, float64, 2), at = test::random({3}, float64, 3);
  check_close(f(at, t), test::evaluate(unrolled(tanh(dot(other, x)), 5, x), {x, other}, {at, t}), 1e-14,
              1e-16, "other data");
}

TEST_CASE("copies of a function may run at the same time") {
  const Var x = dvector("x");
  const Function f = function({.inputs = {x}, .outputs = hessian(sum(exp(x) * sum(x)), x)});
  const Tensor at = test::random({6}, float64, 1);
  const Tensor want = f(at);
  std::vector<std::thread> threads;
  std::vector<int> wrong(2, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&wrong, &f, &at, &want, t] {
      const Function mine = f.copy();
      for (int i = 0; i < 50; ++i) wrong[t] += identical(mine(at), want) ? 0 : 1;
    });
  for (std::thread& t : threads) t.join();
  CHECK(wrong == std::vector<int>{0, 0});
}

TEST_CASE("what has no Jacobian or Hessian") {
  const Var x = fvector("x"), y = fvector("y"), m = fmatrix("m"), k = ivector("k");
  const Var f = (x * 2).named("f");
  CHECK(error_of([&] { jacobian(m * 2, m); }) ==
        "jacobian: f must be a vector, not of 2 dimensions: flatten it\n  float32 (?, ?)   mul\n  at HERE");
  CHECK(error_of([&] {
          jacobian(f, y);
        }).starts_with("grad: the cost f does not depend on y, or not through anything with a gradient"));
  CHECK(error_of([&] { jacobian(f, k); }).starts_with("grad: there is no gradient with respect to integers"));
  CHECK(error_of([&] { hessian(sum(m), m); }) ==
        "hessian: m must be a vector, not of 2 dimensions: flatten it\n  at HERE");
  CHECK(error_of([&] { hessian(f, x); }).starts_with("grad: the cost must be a scalar"));
  CHECK(error_of([&] { hessian_times_vector(sum(f), x, m); }) ==
        "hessian_times_vector: x has 1 dimensions, its direction 2\n  at HERE");
  CHECK(error_of([&] {
          hessian_times_vector(sum(f), Vars{x}, Vars{x, y});
        }) == "hessian_times_vector: 1 variables, but 2 directions\n  at HERE");
  const Vars parts = jacobian(f, {x, y}, {.disconnected_inputs = Disconnected::ignore});
  CHECK(parts[0].is_set());
  CHECK_FALSE(parts[1].is_set());
  const Vars zero = jacobian(f, {x, y}, {.disconnected_inputs = Disconnected::zero});
  CHECK(test::evaluate(zero[1], {x, y}, {Tensor{1., 2.}, Tensor{1., 2., 3.}}).shape() == Sizes{2, 3});
}

TEST_CASE("an error inside a row names the line and the function") {
  const Var x = dvector("x"), m = dmatrix("m");
  const int line = __LINE__ + 1;
  const Var y = solve(m, x);
  const Function f = function({.inputs = {x, m}, .outputs = jacobian(y, x), .name = "f"});
  const std::string message = error_of([&] { f(Tensor{1., 2.}, Tensor{{1., 2.}, {2., 4.}}); });
  CHECK(message.find("the matrix is singular to working precision: pivot 1 is 0") != std::string::npos);
  CHECK(message.find(test::at(line)) != std::string::npos);
  CHECK(message.ends_with(", in function \"rows\", in function \"f\""));
}

TEST_CASE("a function and its modes see what runs in the rows") {
  const Var x = vector("x", float64);
  const Var J = jacobian(tanh(x) * x, x);
  const Function f = function({.inputs = {x}, .outputs = J});
  CHECK(debugprint(f).find("inside rows, output 0") != std::string::npos);
  CHECK(to_dot(f).find("label=\"rows\"") != std::string::npos);
  const auto is_inside = [](const Firing& firing) { return firing.is_inside; };
  CHECK(std::any_of(f.trace().begin(), f.trace().end(), is_inside));
  const Tensor at = test::tensor(float64, {3}, {.5, -1, 2});
  const Tensor want = f(at);
  for (const Mode mode : {Mode::FAST_COMPILE, Mode::DebugMode, Mode::NanGuardMode})
    test::check_close(function({.inputs = {x}, .outputs = J, .mode = mode})(at), want, 1e-14, 1e-14, "mode");
  const Function g = f.copy();
  test::check_close(g(at), want, 0, 0, "a copy");
  CHECK(f.memory().find("\ninside rows: ") != std::string::npos);

  const Function guarded = function(
      {.inputs = {x}, .outputs = jacobian(log(x) * x, x), .name = "guarded", .mode = Mode::NanGuardMode});
  const std::string found = error_of([&] { guarded(test::tensor(float64, {2}, {1, 0})); });
  CHECK(found.find("holds ") != std::string::npos);
}
