#include <doctest/doctest.h>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/run/threads.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;

// Products that use one matrix twice, for minibatches of one and of several examples.

namespace {

struct Threads {
  explicit Threads(int n) { set_threads(n); }
  ~Threads() { set_threads(0); }
};

/// How often a word occurs in the names of a function's ops.
int count(const Function& f, const std::string& word) {
  int n = 0;
  Vars roots = f.outputs();
  for (const NodePtr& node : toposort(roots))
    if (node->kind == Node::Kind::apply && node->op->name().find(word) == 0) ++n;
  return n;
}

/// A step of an autoencoder with tied weights (n columns, k hidden units), and of a layer that passes its
/// gradient on; everything that is computed, and the new values.
struct Step {
  Shared W, V;
  Function f;

  Step(std::int64_t n, std::int64_t k, DType dtype, const std::vector<std::string>& exclude)
      : W(shared(test::random({n, k}, dtype, 1, -.1, .1), "W")),
        V(shared(test::random({n, k}, dtype, 2, -.1, .1), "V")) {
    const Var x = variable(test::unknown(dtype, 2), "x"), h = variable(test::unknown(dtype, 2), "h"),
              d = variable(test::unknown(dtype, 2), "d");
    const Var y = sigmoid(dot(x, W));
    const Var z = dot(y, W.T()) * 1.5;
    const Var cost = sum(softplus(z) - x * z);
    const Var passed_on = tanh(dot(d, V.T()));
    f = function({.inputs = {x, h, d},
                  .outputs = {cost, passed_on, z},
                  .updates = {{W, W - 0.1 * grad(cost, W)}, {V, V - 0.2 * dot(h.T(), d)}},
                  .exclude = exclude});
  }
};

void check_steps(std::int64_t m, std::int64_t n, std::int64_t k, DType dtype) {
  INFO(m, " examples, W ", n, " x ", k, ", ", to_string(dtype), ", ", threads(), " threads");
  Step fast(n, k, dtype, {}), plain(n, k, dtype, {"sweep", "add_dot"});
  CHECK(count(fast.f, "dot_f_dot") == 1);
  CHECK(count(fast.f, "dot_and_add_dot") == 1);
  CHECK(count(plain.f, "dot_f_dot") == 0);
  for (std::uint32_t call = 0; call < 2; ++call) {
    Tensor x = test::random({m, n}, dtype, 10 + call, 0, 1);
    // Pixels are often exactly 0: such rows are skipped.
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; j += 3) copy_into(x[i][j].view(), Tensor::zeros({}, dtype).view());
    const Tensor h = test::random({m, n}, dtype, 20 + call, -1, 1),
                 d = test::random({m, k}, dtype, 30 + call, -1, 1);
    const Values a = fast.f(x, h, d), b = plain.f(x, h, d);
    // Sums of up to a thousand terms of order one, in another order.
    const double tolerance = test::ulps(dtype, 500);
    for (std::size_t i = 0; i < a.size(); ++i) test::check_close(a[i], b[i], tolerance, tolerance, "output");
    test::check_close(fast.W.get_value(), plain.W.get_value(), tolerance, tolerance, "W");
    test::check_close(fast.V.get_value(), plain.V.get_value(), tolerance, tolerance, "V");
  }
}

}  // namespace

TEST_CASE("a step with sweeps computes what it computes without them") {
  for (const int n_threads : {1, 2, 3}) {
    const Threads scope(n_threads);
    for (const DType dtype : {float32, float64}) {
      check_steps(1, 300, 257, dtype);
      check_steps(1, 784, 100, dtype);
      check_steps(1, 3, 2, dtype);
      check_steps(1, 1, 1, dtype);
      check_steps(20, 300, 257, dtype);
      check_steps(0, 5, 4, dtype);
    }
  }
}

TEST_CASE("with the same number of threads the bits are the same, run after run") {
  for (const int n_threads : {1, 2, 3}) {
    const Threads scope(n_threads);
    std::vector<Tensor> first;
    for (int run = 0; run < 3; ++run) {
      Step step(400, 300, float32, {});
      const Tensor x = test::random({1, 400}, float32, 5, 0, 1),
                   h = test::random({1, 400}, float32, 6, -1, 1),
                   d = test::random({1, 300}, float32, 7, -1, 1);
      std::vector<Tensor> now;
      for (int call = 0; call < 5; ++call)
        for (const Tensor& t : step.f(x, h, d)) now.push_back(t.copy());
      now.push_back(step.W.get_value());
      now.push_back(step.V.get_value());
      if (run == 0) first = now;
      for (std::size_t i = 0; i < now.size(); ++i) CHECK(identical(now[i], first[i]));
    }
  }
}

TEST_CASE("products on panels and rows agree with the oracle's order of magnitude, whatever the layout") {
  for (const int n_threads : {1, 2, 3}) {
    const Threads scope(n_threads);
    for (const DType dtype : {float32, float64})
      for (const auto& sizes : std::vector<std::array<std::int64_t, 3>>{{1, 300, 200},
                                                                        {200, 300, 1},
                                                                        {1, 1, 900},
                                                                        {300, 1, 200},
                                                                        {33, 129, 257},
                                                                        {257, 129, 33},
                                                                        {1, 0, 5}}) {
        const std::int64_t m = sizes[0], k = sizes[1], n = sizes[2];
        const Tensor a = test::random({m, k}, dtype, 1, -1, 1), b = test::random({k, n}, dtype, 2, -1, 1);
        const Var x = variable(test::unknown(dtype, 2), "x"), y = variable(test::unknown(dtype, 2), "y");
        // Each layout of the same numbers must give the same sums.
        const Tensor want = test::evaluate(dot(x, y), {x, y}, {a, b});
        for (const test::Layout& la : test::layouts(a))
          for (const test::Layout& lb : test::layouts(b)) {
            INFO(la.name, " times ", lb.name, ", ", m, " x ", k, " x ", n);
            test::check_close(test::evaluate(dot(x, y), {x, y}, {la.tensor, lb.tensor}), want,
                              test::ulps(dtype, 300), test::ulps(dtype, 300), "product");
          }
      }
  }
}
