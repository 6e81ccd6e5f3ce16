#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/walk.h"
#include "tests/expect.h"
#include "tests/fuzz/random_graph.h"
#include "tests/oracle.h"

using namespace damo;
using test::RandomGraph;

namespace {

#ifdef DAMO_SANITIZED
const std::uint32_t n_graphs = test::n_random(40);
#else
const std::uint32_t n_graphs = test::n_random(1000);
#endif

/// Rounding grows along some thirty operations and their gradients; a wrong operand or element is of order
/// one.
double tolerance(DType dtype) { return dtype == float32 ? 2e-3 : 1e-9; }

double largest_difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double scale = 1, difference = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    scale = std::max(scale, std::abs(y[i]));
    difference =
        std::isnan(x[i]) != std::isnan(y[i]) ? INFINITY : std::max(difference, std::abs(x[i] - y[i]));
  }
  return difference / scale;
}

void check_same(const Tensor& got, const Tensor& want, const char* what) {
  INFO(what);
  REQUIRE(got.shape() == want.shape());
  CHECK(got.dtype() == want.dtype());
  CHECK(largest_difference(got, want) <= tolerance(want.dtype()));
}

struct Graph {
  RandomGraph g;
  Vars outputs;
  Var new_value;

  Graph(std::uint32_t seed, DType dtype) : g(seed, dtype, 2 + seed % 4) {
    g.grow(8 + static_cast<int>(seed % 25));
    outputs = g.outputs(3);
    new_value = g.new_value();
    const Var cost = g.cost();
    outputs.push_back(cost);
    for (const Var& v : grad(cost, {g.inputs()[0], g.inputs()[2], g.W()})) outputs.push_back(v);
  }

  Function compiled(const Rewrites& rewrites) const {
    const Vars x = g.inputs();
    return compile({.inputs = std::vector<In>(x.begin(), x.end()),
                    .outputs = outputs,
                    .updates = {{g.W(), new_value}},
                    .on_unused_input = OnUnusedInput::ignore},
                   rewrites, Here());
  }
};

}  // namespace

TEST_CASE(
    "random graphs agree with the oracle: as written, rewritten, and by each phase alone, for batches") {
  for (const DType dtype : {float64, float32})
    for (std::uint32_t seed = 1; seed <= n_graphs; ++seed) {
      INFO("seed ", seed, ", dtype ", size_of(dtype) * 8);
      const Graph graph(seed, dtype);
      std::vector<Function> functions = {graph.compiled(default_rewrites()), graph.compiled(Rewrites{})};
      // Each graph is rewritten by one of the phases, so that all have their turn.
      const Rewrites& phases = default_rewrites();
      functions.push_back(graph.compiled({phases[seed % phases.size()]}));
      const Tensor W0 = graph.g.W().get_value();
      for (const std::int64_t rows : {3, 1, 6, 3}) {
        INFO(rows, " rows");
        const std::vector<Tensor> values = graph.g.values(rows, seed * 10 + static_cast<std::uint32_t>(rows));
        const Vars x = graph.g.inputs();
        VarMap<Tensor> by;
        for (std::size_t i = 0; i < x.size(); ++i) by.emplace(x[i], values[i]);
        Vars all = graph.outputs;
        all.push_back(graph.new_value);
        graph.g.W().set_value(W0);
        const std::vector<Tensor> want = test::oracle(all, by);

        for (const Function& f : functions) {
          graph.g.W().set_value(W0);
          const Values got = f.call(values.data(), values.size());
          REQUIRE(got.size() + 1 == want.size());
          for (std::size_t i = 0; i < got.size(); ++i) check_same(got[i], want[i], "an output");
          check_same(graph.g.W().get_value(), want.back(), "the new value");
        }
      }
    }
}

TEST_CASE("the same call twice gives the same bits, and so does a copy") {
  for (std::uint32_t seed = 1; seed <= n_graphs / 4; ++seed) {
    INFO("seed ", seed);
    const Graph graph(seed, float32);
    const Function f = graph.compiled(default_rewrites()), copy = f.copy();
    const Tensor W0 = graph.g.W().get_value();
    const std::vector<Tensor> values = graph.g.values(4, seed), others = graph.g.values(2, seed + 1);
    const Values first = f.call(values.data(), values.size());
    const Tensor W1 = graph.g.W().get_value();
    graph.g.W().set_value(W0);
    f.call(others.data(), others.size());
    for (const Function& g : {f, copy}) {
      graph.g.W().set_value(W0);
      const Values again = g.call(values.data(), values.size());
      for (std::size_t i = 0; i < first.size(); ++i) CHECK(identical(first[i], again[i]));
      CHECK(identical(graph.g.W().get_value(), W1));
    }
  }
}

TEST_CASE("rewriting twice changes nothing, merging twice neither") {
  for (std::uint32_t seed = 1; seed <= n_graphs; ++seed) {
    INFO("seed ", seed);
    const Graph graph(seed, float32);
    Vars now = merge(graph.outputs);
    CHECK(equal_computations(merge(now), now));
    for (const Phase& phase : default_rewrites()) {
      if (phase.rules.empty()) continue;
      now = merge(rewrite(now, phase.rules));
      Trace trace;
      const Vars again = rewrite(now, phase.rules, {.trace = &trace});
      INFO(phase.name, trace.empty() ? "" : ": " + trace[0].rule + ": " + pp(trace[0].before));
      CHECK(trace.empty());
      CHECK(equal_computations(again, now));
    }
  }
}

TEST_CASE("gradients of random graphs agree with differences") {
  for (std::uint32_t seed = 1; seed <= n_graphs; ++seed) {
    INFO("seed ", seed);
    // Built anew for each argument list: the graph over the variables that verify_grad makes.
    const auto f = [&](const Vars& p) {
      RandomGraph g(seed, p[0].dtype(), 3, true);
      g.grow(15);
      const Vars x = g.inputs();
      const Var cost = g.cost();
      VarMap<Var> by;
      for (std::size_t i = 0; i < x.size(); ++i) by.emplace(x[i], p[i]);
      return substitute({cost}, by)[0];
    };
    const RandomGraph g(seed, float64, 3, true);
    CHECK(test::error_of([&] { verify_grad(f, g.values(2, seed)); }) == "no error");
  }
}
