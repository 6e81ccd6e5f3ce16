#include <doctest/doctest.h>

#include <set>

#include <algorithm>
#include <cmath>

#include "core/graph/walk.h"
#include "core/run/frame.h"
#include "tests/expect.h"
#include "tests/fuzz/random_program.h"

using namespace damo;
using test::RandomGraph;
using test::RandomProgram;

namespace {

const std::uint32_t n_graphs = test::n_random(150, 12);

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

void check_same(const Tensor& got, const Tensor& want, const std::string& what) {
  INFO(what);
  REQUIRE(got.shape() == want.shape());
  CHECK(got.dtype() == want.dtype());
  CHECK(largest_difference(got, want) <= tolerance(want.dtype()));
}

}  // namespace

TEST_CASE(
    "random graphs agree with the oracle: as written, rewritten, and by each phase alone, for batches") {
  for (const DType dtype : {float64, float32})
    for (std::uint32_t seed = test::first_seed(); seed <= n_graphs; ++seed) {
      INFO("seed ", seed, ", dtype ", size_of(dtype) * 8);
      const RandomProgram program(seed, dtype);
      std::vector<Function> functions = {program.compiled(default_rewrites()), program.compiled(Rewrites{})};
      // Each graph is rewritten by one of the phases, so that all have their turn.
      const Rewrites& phases = default_rewrites();
      functions.push_back(program.compiled({phases[seed % phases.size()]}));
      for (const std::int64_t rows : {3, 1, 6, 3}) {
        INFO(rows, " rows");
        const std::vector<Tensor> values =
            program.g.values(rows, seed * 10 + static_cast<std::uint32_t>(rows));
        const std::vector<Tensor> want = program.wanted(values);
        for (const Function& f : functions) {
          const std::vector<Tensor> got = program.results(f, values);
          REQUIRE(got.size() == want.size());
          for (std::size_t i = 0; i < got.size(); ++i)
            check_same(got[i], want[i], "result " + std::to_string(i));
        }
      }
    }
}

TEST_CASE("sizes in a branch are not looked at before its condition is known") {
  // In the first of these, sizes of a branch were inferred by the condition of the call before.
  std::vector<std::uint32_t> seeds{670};
  for (std::uint32_t seed = test::first_seed(); seed <= n_graphs; ++seed) seeds.push_back(seed);
  for (const std::uint32_t seed : seeds) {
    INFO("seed ", seed);
    const RandomProgram program(seed, float64);
    const Function f = program.compiled(default_rewrites());
    const Schedule& schedule = f.frame().schedule();
    for (const Segment& segment : schedule.segments) {
      std::set<int> waiting;
      for (const SizeItem& item : segment.items) waiting.insert(item.y.begin(), item.y.end());
      for (const SizeItem& item : segment.items) {
        for (int b = item.branch; b > 0; b = schedule.branches[b].parent) {
          const int condition = schedule.branches[b].condition;
          CHECK(!(schedule[condition].is_known_early() && waiting.contains(condition)));
        }
        for (const int y : item.y) waiting.erase(y);
      }
    }
  }
  const RandomProgram program(670, float64);
  const Function f = program.compiled(default_rewrites());
  for (const std::int64_t rows : {3, 1, 6, 3}) {
    const std::vector<Tensor> values = program.g.values(rows, static_cast<std::uint32_t>(6700 + rows)),
                              want = program.wanted(values), got = program.results(f, values);
    for (std::size_t i = 0; i < got.size(); ++i) check_same(got[i], want[i], "result " + std::to_string(i));
  }
}

TEST_CASE("the same call twice gives the same bits, and so does a copy") {
  for (std::uint32_t seed = test::first_seed(); seed <= n_graphs / 4; ++seed) {
    INFO("seed ", seed);
    const RandomProgram program(seed, float32);
    const Function f = program.compiled(default_rewrites()), copy = f.copy();
    const std::vector<Tensor> values = program.g.values(4, seed), others = program.g.values(2, seed + 1);
    const std::vector<Tensor> first = program.results(f, values);
    program.results(f, others);
    for (const Function& again : {f, copy}) {
      const std::vector<Tensor> second = program.results(again, values);
      for (std::size_t i = 0; i < first.size(); ++i) CHECK(identical(first[i], second[i]));
    }
  }
}

TEST_CASE("rewriting twice changes nothing, merging twice neither") {
  for (std::uint32_t seed = test::first_seed(); seed <= n_graphs; ++seed) {
    INFO("seed ", seed);
    Vars now = merge(RandomProgram(seed, float32).expected);
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
  for (std::uint32_t seed = test::first_seed(); seed <= n_graphs; ++seed) {
    INFO("seed ", seed);
    // Built anew for each argument list: the graph over the variables that verify_grad makes.
    const auto f = [&](const Vars& p) {
      RandomGraph g(seed, p[0].dtype(), 3, RandomGraph::Kind::smooth);
      g.grow(15);
      const Vars x = g.inputs();
      const Var cost = g.cost();
      VarMap<Var> by;
      for (std::size_t i = 0; i < p.size(); ++i) by.emplace(x[i], p[i]);
      by.emplace(x.back(), constant(Tensor{2, 5}));
      return substitute({cost}, by)[0];
    };
    const RandomGraph g(seed, float64, 3, RandomGraph::Kind::smooth);
    std::vector<Tensor> floats = g.values(2, seed);
    floats.pop_back();
    CHECK(test::error_of([&] { verify_grad(f, floats); }) == "no error");
  }
}
