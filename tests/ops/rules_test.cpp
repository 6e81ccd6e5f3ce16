#include "ops/rewrite/rules.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/graph/walk.h"
#include "ops/kernels/scalar_op.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;

namespace {

/// Every rule of FAST_RUN and of grad that is written as a pattern, and those that are functions.
std::vector<Rule> all_rules(bool patterns) {
  std::vector<Rule> rules;
  std::set<std::string> names;
  const auto take = [&](const Rule& r) {
    if (r.before.is_set() == patterns && names.insert(r.name).second) rules.push_back(r);
  };
  for (const Phase& phase : default_rewrites())
    for (const Rule& r : phase.rules) take(r);
  for (const Rule& r : stabilizing_rules()) take(r);
  return rules;
}

/// The expression with its wildcards replaced by variables of one dtype and rank, rebuilt by the operators
/// themselves: literals take the dtype of the operand beside them, as in a user's code.
Var instance(const Var& pattern, VarMap<Var>& by, DType dtype, int ndim) {
  const Node& node = pattern.node();
  if (node.kind == Node::Kind::input) {
    Var& v = by[pattern];
    if (!v.is_set()) v = variable(test::unknown(dtype, ndim), node.name);
    return v;
  }
  if (node.kind == Node::Kind::constant)
    return constant(node.value.astype(node.weak ? dtype : node.value.dtype()));
  Vars inputs;
  for (const Var& x : node.inputs) inputs.push_back(instance(x, by, dtype, ndim));
  return apply(node.op, std::move(inputs));
}

struct Sides {
  Var before, after;
  Vars x;
};

Sides sides(const Rule& r, DType dtype, int ndim) {
  VarMap<Var> by;
  Sides s{instance(r.before, by, dtype, ndim), instance(r.after, by, dtype, ndim), {}};
  for (const auto& [wildcard, v] : by) s.x.push_back(v);
  return s;
}

}  // namespace

TEST_CASE("there are rules, each with a name of its own") {
  std::multiset<std::string> names;
  for (const Phase& phase : default_rewrites()) {
    CHECK_FALSE(phase.name.empty());
    for (const Rule& r : phase.rules) names.insert(r.name);
    for (const Pass& p : phase.passes) names.insert(p.name);
  }
  CHECK(names.size() > 10);
  for (const std::string& name : names) {
    INFO(name);
    CHECK(names.count(name) == 1);
    CHECK_FALSE(name.empty());
  }
}

TEST_CASE("both sides of every rule agree where they are finite, and no finite value is lost") {
  for (const Rule& r : all_rules(true))
    for (const DType dtype : {float32, float64})
      for (const double range : {1., 3., 50.}) {
        INFO(r.name, " ", to_string(dtype), ", operands up to ", range);
        const Sides s = sides(r, dtype, 2);
        VarMap<Tensor> values;
        for (const Var& v : s.x)
          values.emplace(
              v, test::random({20, 25}, dtype, static_cast<std::uint32_t>(values.size() + 1), -range, range));
        const std::vector<Tensor> y = test::oracle({s.before, s.after}, values);
        REQUIRE(y[0].shape() == y[1].shape());
        CHECK(y[0].dtype() == y[1].dtype());
        const std::vector<double> before = y[0].to_vector<double>(), after = y[1].to_vector<double>();
        // Each node of both sides is rounded: some units of the largest number on the way, which is at
        // least 1.
        const double tolerance = test::ulps(dtype, 8);
        std::size_t lost = 0, wrong = 0, freed = 0;
        for (std::size_t i = 0; i < before.size(); ++i) {
          if (!std::isfinite(before[i])) {
            if (std::isfinite(after[i])) ++freed;
          } else if (!std::isfinite(after[i])) {
            ++lost;
          } else if (r.kind != Rule::Kind::finite || std::abs(before[i]) < 10) {
            // Beyond 10, the left side of a finite rule has lost digits that the right side keeps.
            const double conditioning =
                r.kind == Rule::Kind::finite ? std::exp(std::min(std::abs(before[i]), 10.)) : 1;
            if (!(std::abs(after[i] - before[i]) <=
                  tolerance * conditioning * std::max(1., std::abs(before[i]))))
              ++wrong;
          }
        }
        CHECK(lost == 0);
        CHECK(wrong == 0);
        if (r.kind != Rule::Kind::finite) CHECK(freed == 0);
      }
}

TEST_CASE("the sides of an exact rule have the same bits for all kinds of numbers") {
  int n_exact = 0;
  for (const Rule& r : all_rules(true))
    for (const DType dtype : {float32, float64}) {
      if (r.kind != Rule::Kind::exact) continue;
      ++n_exact;
      INFO(r.name, " ", to_string(dtype));
      const double inf = std::numeric_limits<double>::infinity();
      const double tiny = dtype == float32 ? 1e-40 : 1e-310, huge = dtype == float32 ? 3e38 : 1.7e308;
      const std::vector<double> numbers = {std::nan(""), inf, -inf, 0.,     -0.,  tiny, -tiny, 1,
                                           -1,           2.5, -7,   1 / 3., huge, -huge};
      const auto n = static_cast<std::int64_t>(numbers.size());
      const Sides s = sides(r, dtype, 2);
      REQUIRE(s.x.size() <= 2);
      test::Tensors values;
      for (std::size_t k = 0; k < s.x.size(); ++k) {
        std::vector<double> all;
        for (std::size_t i = 0; i < numbers.size(); ++i)
          for (std::size_t j = 0; j < numbers.size(); ++j) all.push_back(numbers[k == 0 ? i : j]);
        values.push_back(test::tensor(dtype, {n, n}, all));
      }
      const auto before = test::evaluate(s.before, s.x, values, Mode::FAST_COMPILE).to_vector<double>(),
                 after = test::evaluate(s.after, s.x, values, Mode::FAST_COMPILE).to_vector<double>();
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < before.size(); ++i) {
        const bool both_nan = std::isnan(before[i]) && std::isnan(after[i]);
        if (!both_nan && (before[i] != after[i] || std::signbit(before[i]) != std::signbit(after[i])))
          ++wrong;
      }
      CHECK(wrong == 0);
    }
  CHECK(n_exact >= 12);
}

TEST_CASE("powers that are roots have the values of powers") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const DType dtype : {float32, float64})
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
      const Var x = vector("x", dtype);
      const Tensor t = test::tensor(dtype, {7}, {-inf, -1, -0., 0, 4, inf, std::nan("")});
      const auto root = test::evaluate(pow(x, 0.5), {x}, {t}, mode).to_vector<double>(),
                 inverse = test::evaluate(pow(x, -0.5), {x}, {t}, mode).to_vector<double>(),
                 square = test::evaluate(pow(x, 2), {x}, {t}, mode).to_vector<double>(),
                 over = test::evaluate(pow(x, -1), {x}, {t}, mode).to_vector<double>();
      for (std::size_t i = 0; i < 7; ++i) {
        const double v = t.to_vector<double>()[i];
        CHECK(identical(Tensor(root[i] + 0.), Tensor(std::pow(v, 0.5) + 0.)));
        CHECK(std::signbit(root[i]) == std::signbit(std::pow(v, 0.5)));
        CHECK(std::signbit(inverse[i]) == std::signbit(std::pow(v, -0.5)));
        CHECK((inverse[i] == std::pow(v, -0.5) || std::isnan(std::pow(v, -0.5))));
        CHECK((square[i] == v * v || std::isnan(v)));
        CHECK((over[i] == 1 / v || std::isnan(v)));
        CHECK(std::signbit(over[i]) == std::signbit(1 / v));
      }
    }
}

TEST_CASE("every rule that may turn NaN or Inf into a number does so somewhere") {
  for (const Rule& r : all_rules(true)) {
    if (r.kind != Rule::Kind::finite) continue;
    INFO(r.name);
    const Sides s = sides(r, float32, 1);
    bool freed = false, better = false;
    for (const double sign : {-1., 1.}) {
      VarMap<Tensor> values;
      for (const Var& v : s.x)
        values.emplace(v, test::tensor(float32, {6},
                                       {sign * 30, sign * 95, sign * 120, sign * 300, sign * 1e-9, 1e-40}));
      const std::vector<Tensor> y = test::oracle({s.before, s.after}, values);
      for (std::size_t i = 0; i < 6; ++i) {
        const double before = y[0].to_vector<double>()[i], after = y[1].to_vector<double>()[i];
        if (!std::isfinite(before) && std::isfinite(after)) freed = true;
        if (std::isfinite(before) && before != after) better = true;
      }
    }
    CHECK((freed || better));
  }
}

TEST_CASE("every rule fires, for both dtypes and every rank, and then no more") {
  for (const Rule& r : all_rules(true))
    for (const DType dtype : {float32, float64})
      for (const int ndim : {0, 1, 2, 3}) {
        INFO(r.name, " ", to_string(dtype), " of rank ", ndim);
        // softmax has no scalars.
        VarMap<Var> by;
        Sides s;
        if (test::error_of([&] { s = sides(r, dtype, ndim); }) != "no error") {
          CHECK(ndim == 0);
          continue;
        }
        Trace trace;
        const Vars now = rewrite({s.before}, {r}, {.trace = &trace});
        CHECK(trace.size() >= 1);
        CHECK(equal_computations(now, {s.after}));
        CHECK(same(rewrite(now, {r})[0], now[0]));
      }
}

namespace {

/// The pattern as a user would write it for variables of these dtypes, one per wildcard in turn: operands are
/// promoted, literals take the dtype of what stands beside them.
Var written(const Var& pattern, VarMap<Var>& by, const std::vector<DType>& dtypes, int ndim) {
  const Node& node = pattern.node();
  if (node.kind == Node::Kind::input) {
    Var& v = by[pattern];
    if (!v.is_set()) v = variable(test::unknown(dtypes[(by.size() - 1) % dtypes.size()], ndim), node.name);
    return v;
  }
  Args args;
  for (const Var& x : node.inputs) {
    const bool is_number = x.node().kind == Node::Kind::constant && x.node().value.size() == 1;
    if (!is_number) {
      args.emplace_back(written(x, by, dtypes, ndim));
      continue;
    }
    const double number = x.node().value.item();
    args.push_back(number == std::floor(number) ? Arg(static_cast<std::int64_t>(number)) : Arg(number));
  }
  if (scalar_op(pattern) != nullptr) return elementwise(node.op, args);
  return apply_all(node.op, args)[static_cast<std::size_t>(pattern.output())];
}

Tensor numbers_of(DType dtype, int ndim, std::size_t k) {
  std::vector<double> all = {0, 1, 2, 3, 5, 100};
  if (dtype == bool_)
    all = {0, 1, 1, 0, 0, 1};
  else if (is_float(dtype))
    all = {.5, 1, -2, 3, -.25, 20};
  else if (dtype != uint8)
    all = {0, 1, -1, 3, -5, 100};
  std::rotate(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), all.end());
  if (ndim == 0) all.resize(1);
  return test::tensor(dtype, ndim == 0 ? Sizes{} : ndim == 1 ? Sizes{6} : Sizes{2, 3}, all);
}

}  // namespace

TEST_CASE("on every dtype each rule gives what the graph gives as it was written") {
  const std::vector<DType> dtypes = {bool_, int8, int16, int32, int64, uint8, float32, float64};
  int n_tried = 0;
  for (const Rule& r : all_rules(true))
    for (const DType one : dtypes)
      for (const DType other : dtypes)
        for (const int ndim : {0, 1, 2}) {
          INFO(r.name, " on ", to_string(one), " and ", to_string(other), " of rank ", ndim);
          VarMap<Var> by;
          Var v;
          // What cannot be written has no rule.
          if (test::error_of([&] { v = written(r.before, by, {one, other}, ndim); }) != "no error") continue;
          if (by.size() < 2 && one != other) continue;
          std::vector<In> x;
          test::Tensors values;
          for (const auto& [wildcard, in] : by) {
            values.push_back(numbers_of(in.dtype(), ndim, values.size()));
            x.emplace_back(in);
          }
          Tensor plain, fast;
          const auto run = [&](Mode mode, Tensor& y) {
            return test::error_of([&] {
              y = function({.inputs = x, .outputs = v, .mode = mode}).call(values.data(), values.size());
            });
          };
          const std::string error = run(Mode::FAST_COMPILE, plain);
          REQUIRE((run(Mode::FAST_RUN, fast) == "no error") == (error == "no error"));
          if (error != "no error") continue;
          ++n_tried;
          REQUIRE(fast.dtype() == plain.dtype());
          if (!is_float(plain.dtype())) {
            CHECK(identical(fast, plain));
            continue;
          }
          const std::vector<double> before = plain.to_vector<double>(), after = fast.to_vector<double>();
          for (std::size_t i = 0; i < before.size(); ++i) {
            // Of numbers up to 100, in float32: what the left side of a finite rule loses is 1e-7 of e^20.
            if (std::isfinite(before[i]) && r.kind != Rule::Kind::finite)
              CHECK(after[i] == doctest::Approx(before[i]).epsilon(1e-6));
            if (r.kind != Rule::Kind::finite) CHECK(std::isnan(after[i]) == std::isnan(before[i]));
          }
        }
  CHECK(n_tried > 1000);
}

TEST_CASE("every rule fires in a function of its whole phase, which keeps the value") {
  for (const Rule& r : all_rules(true)) {
    INFO(r.name);
    const Sides s = sides(r, float64, 2);
    const Function f = function({.inputs = std::vector<In>(s.x.begin(), s.x.end()), .outputs = s.before});
    CHECK_FALSE(f.trace().empty());
    test::Tensors values;
    for (const Var& v : s.x) {
      static_cast<void>(v);
      values.push_back(test::random({3, 4}, float64, static_cast<std::uint32_t>(values.size() + 1), .1, 1));
    }
    const std::vector<double> fast = Tensor(f.call(values.data(), values.size())).to_vector<double>();
    const std::vector<double> plain =
        test::evaluate(s.before, s.x, values, Mode::FAST_COMPILE).to_vector<double>();
    for (std::size_t i = 0; i < fast.size(); ++i) CHECK(fast[i] == doctest::Approx(plain[i]).epsilon(1e-14));
  }
}
