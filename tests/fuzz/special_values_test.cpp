#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/expect.h"
#include "tests/fuzz/random_program.h"

using namespace damo;
using test::RandomGraph;
using test::RandomProgram;

// Zeros, ties, large numbers, Inf and NaN among the values: where each stands is compared as well. Rules that
// are exact, or change rounding alone, keep the places; the others may put a number there, but take none
// away.

namespace {

const std::uint32_t n_graphs = test::n_random(150, 20);

using KindOfRule = Rule::Kind;

/// FAST_RUN's rules and passes of some kinds alone.
Rewrites only(bool finite) {
  Rewrites phases = default_rewrites();
  for (Phase& phase : phases) {
    const auto other = [&](const auto& r) { return (r.kind == KindOfRule::finite) != finite; };
    std::erase_if(phase.rules, other);
    std::erase_if(phase.passes, other);
  }
  return phases;
}

char sort_of(double v) { return std::isnan(v) ? 'n' : std::isinf(v) ? (v > 0 ? '+' : '-') : '.'; }

/// Where got is none of what is allowed, "" if nowhere. With `mended`, a number may stand where NaN or Inf
/// did. Values are compared in float64 if `rounding` is given, relative to the largest.
std::string fault(const Tensor& got, const Tensor& want, bool mended, double rounding) {
  if (!(got.shape() == want.shape())) return "shapes differ";
  const std::vector<double> x = got.to_vector<double>(), y = want.to_vector<double>();
  double scale = 1;
  for (const double v : y)
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool same_sort = sort_of(x[i]) == sort_of(y[i]);
    const bool fine = mended ? !std::isfinite(y[i]) || same_sort : same_sort;
    const bool close = rounding == 0 || !std::isfinite(x[i]) || !std::isfinite(y[i]) ||
                       std::abs(x[i] - y[i]) <= rounding * scale;
    if (!fine || !close)
      return std::to_string(y[i]) + " became " + std::to_string(x[i]) + " at " + std::to_string(i);
  }
  return {};
}

std::string fault(const std::vector<Tensor>& got, const std::vector<Tensor>& want, bool mended,
                  double rounding) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::string f = fault(got[i], want[i], mended, rounding);
    if (!f.empty()) return "result " + std::to_string(i) + ": " + f;
  }
  return {};
}

}  // namespace

TEST_CASE("zeros, ties, Inf and NaN: places are kept, or mended by rules that may") {
  for (const DType dtype : {float64, float32})
    for (std::uint32_t seed = test::first_seed(); seed <= n_graphs; ++seed) {
      INFO("seed ", seed, ", dtype ", size_of(dtype) * 8);
      const RandomProgram program(seed, dtype, RandomGraph::Kind::without_choice);
      const Function written = program.compiled(Rewrites{}), kept = program.compiled(only(false)),
                     mended = program.compiled(only(true)), fast = program.compiled(default_rewrites());
      // In float32, 200 and 1 leave few digits when they have been multiplied and subtracted.
      const double rounding = dtype == float64 ? 1e-7 : 0;
      for (const std::uint32_t rows : {3U, 1U, 4U}) {
        INFO(rows, " rows");
        const std::vector<Tensor> values = program.g.special_values(rows, seed * 10 + rows);
        const std::vector<Tensor> want = program.wanted(values),
                                  as_written = program.results(written, values),
                                  by_finite = program.results(mended, values);
        CHECK_MESSAGE(fault(as_written, want, false, rounding) == "", "as written");
        CHECK_MESSAGE(fault(program.results(kept, values), as_written, false, rounding) == "", "kept");
        CHECK_MESSAGE(fault(by_finite, as_written, true, 0) == "", "mended");
        CHECK_MESSAGE(fault(program.results(fast, values), by_finite, true, rounding) == "", "rewritten");
      }
    }
}
