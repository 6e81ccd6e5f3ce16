#include <doctest/doctest.h>

#include <functional>
#include <set>

#include "core/run/frame.h"
#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

// Several tables that are updated at positions: all positions are checked, then all is written in place.

namespace {

constexpr std::int64_t rows = 200, columns = 30;
constexpr std::int64_t table_bytes = rows * columns * 8;

Shared table(const std::string& name, std::uint32_t seed) {
  return shared(test::random({rows, columns}, float64, seed), name);
}

Tensor ints(std::initializer_list<Nested> list) { return Tensor(list).astype(int32); }

/// The tables, their updates, and what else the function takes.
struct Model {
  std::vector<Shared> tables;
  Vars inputs;
  std::function<Updates(const std::vector<Shared>&)> updates;
};

/// A model's updates compiled over its tables.
Function compiled(const Model& m, Mode mode) {
  return function({.inputs = m.inputs, .updates = m.updates(m.tables), .name = "f", .mode = mode});
}

std::vector<Tensor> values(const std::vector<Shared>& tables) {
  std::vector<Tensor> all;
  for (const Shared& t : tables) all.push_back(t.get_value());
  return all;
}

bool same_values(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!identical(a[i], b[i])) return false;
  return true;
}

std::vector<const void*> places(const std::vector<Shared>& tables) {
  std::vector<const void*> all;
  for (const Shared& t : tables) all.push_back(t.get_value({.borrow = true}).data());
  return all;
}

/// Once a table is being written, nothing can fail that was not checked before.
void check_order(const Function& f) {
  std::set<const Node*> checked;
  bool writes = false;
  for (const Segment& segment : f.frame().schedule().segments)
    for (const Step& step : segment.steps) {
      if (step.checks != nullptr) checked.insert(step.node.get());
      if (writes && step.op->can_fail()) CHECK((step.checks == nullptr && checked.contains(step.node.get())));
      writes = writes || step.overwritten >= 0;
    }
}

/// Calls it with good positions: the tables get the values that FAST_COMPILE and DebugMode give them. With a
/// bad one in any of the inputs nothing changes, whatever the mode. Returns the bytes of the arena.
std::int64_t check_model(const Model& m, const Tensor& good) {
  const std::vector<Tensor> before = values(m.tables);
  std::vector<Tensor> inputs(m.inputs.size(), good), after;
  std::int64_t bytes = 0;
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::DebugMode}) {
    INFO(to_string(mode));
    for (std::size_t i = 0; i < before.size(); ++i) m.tables[i].set_value(before[i]);
    const Function f = compiled(m, mode);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      std::vector<Tensor> bad = inputs;
      bad[i] = good.copy();
      bad[i].at<std::int32_t>(1) = static_cast<std::int32_t>(rows);
      const std::string message = error_of([&] { f.call(bad.data(), bad.size()); });
      CHECK_MESSAGE(message.find("index 200 at position 1 is out of range for axis 0 of size 200\n") !=
                        std::string::npos,
                    message);
      CHECK(message.find(", in function \"f\"") != std::string::npos);
      CHECK(same_values(values(m.tables), before));
    }
    const std::vector<const void*> memory = places(m.tables);
    f.call(inputs.data(), inputs.size());
    CHECK(places(m.tables) == memory);
    check_order(f);
    CHECK_FALSE(same_values(values(m.tables), before));
    if (after.empty())
      after = values(m.tables);
    else
      for (std::size_t i = 0; i < after.size(); ++i)
        for (std::size_t k = 0; k < rows * columns; ++k)
          CHECK(m.tables[i].get_value().to_vector<double>()[k] ==
                doctest::Approx(after[i].to_vector<double>()[k]).epsilon(1e-12));
    if (mode == Mode::FAST_RUN) bytes = f.frame().arena_bytes();
  }
  return bytes;
}

}  // namespace

TEST_CASE("two tables at positions, as word2vec updates them") {
  const Var c = ivector("c"), o = ivector("o");
  const Model m{
      {table("E", 1), table("O", 2)}, {c, o}, [=](const std::vector<Shared>& t) {
        const Var e = t[0][c], u = t[1][o];
        const Var loss = -mean(log(sigmoid(sum(e * u, {.axis = 1}))));
        const Vars g = grad(loss, {e, u});
        return Updates{{t[0], inc_subtensor(e, -0.1 * g[0])}, {t[1], inc_subtensor(u, -0.1 * g[1])}};
      }};
  CHECK(check_model(m, ints({3, 7, 7})) < table_bytes);
}

TEST_CASE("three tables, set and increased") {
  const Var a = ivector("a"), b = ivector("b"), c = ivector("c");
  const Model m{{table("A", 1), table("B", 2), table("C", 3)}, {a, b, c}, [=](const std::vector<Shared>& t) {
                  return Updates{{t[0], set_subtensor(t[0][a], t[1][b])},
                                 {t[1], inc_subtensor(t[1][b], t[2][c])},
                                 {t[2], inc_subtensor(t[2][c], t[0][a] + 1)}};
                }};
  CHECK(check_model(m, ints({5, 9, 5})) < table_bytes);
}

TEST_CASE("one table twice, beside another") {
  const Var a = ivector("a"), b = ivector("b"), c = ivector("c");
  const Model m{{table("A", 1), table("B", 2)}, {a, b, c}, [=](const std::vector<Shared>& t) {
                  const Var once = inc_subtensor(t[0][a], t[1][c]);
                  return Updates{{t[0], inc_subtensor(once[b], 2.)}, {t[1], inc_subtensor(t[1][c], 1.)}};
                }};
  CHECK(check_model(m, ints({5, 9, 5})) < table_bytes);
}

TEST_CASE("elements of tables, and tables beside a matrix that is updated whole") {
  const Var a = ivector("a"), b = ivector("b");
  const Model m{{table("A", 1), table("B", 2), table("W", 3)}, {a, b}, [=](const std::vector<Shared>& t) {
                  const Var x = t[0][{a, arange(3)}], y = t[1][{b, arange(3)}];
                  const Var cost = sum(sqr(t[2])) + sum(x * y);
                  return Updates{{t[0], inc_subtensor(x, y)},
                                 {t[2], t[2] - 0.1 * grad(cost, t[2])},
                                 {t[1], inc_subtensor(y, x)}};
                }};
  CHECK(check_model(m, ints({5, 9, 5})) < table_bytes);
}

TEST_CASE("a check that needs what another table will hold") {
  // The rows of B that are written come out of the new A: one of the two is not in place, and all is right.
  const Var a = ivector("a"), b = ivector("b");
  const Model m{{table("A", 1), table("B", 2)}, {a, b}, [=](const std::vector<Shared>& t) {
                  const Var next = inc_subtensor(t[0][a], 1.);
                  const Var place = cast(abs(next[{b, 0}]), int32);
                  return Updates{{t[0], next}, {t[1], inc_subtensor(t[1][place], 1.)}};
                }};
  check_model(m, ints({5, 9, 5}));
}

TEST_CASE("positions that are a variable, updated in the same call") {
  const Shared A = table("A", 1), B = table("B", 2), at = shared(ints({1, 2}), "at");
  const Function f =
      function({.updates = {{at, at + 1}, {A, inc_subtensor(A[at], 1.)}, {B, inc_subtensor(B[at], 1.)}}});
  const Tensor a = A.get_value(), b = B.get_value();
  f();
  for (int i = 0; i < 4; ++i) {
    const bool changed = i == 1 || i == 2;
    CHECK(A.get_value().at<double>(i, 0) == doctest::Approx(a.at<double>(i, 0) + changed));
    CHECK(B.get_value().at<double>(i, 0) == doctest::Approx(b.at<double>(i, 0) + changed));
  }
  CHECK(at.get_value().to_vector<int>() == std::vector<int>{2, 3});
  CHECK(f.frame().arena_bytes() < table_bytes);
  at.set_value(ints({1, 300}));
  const Tensor a1 = A.get_value(), b1 = B.get_value();
  CHECK(error_of([&] { f(); }).find("index 300 at position 1 is out of range") != std::string::npos);
  CHECK(identical(A.get_value(), a1));
  CHECK(identical(B.get_value(), b1));
  CHECK(at.get_value().to_vector<int>() == std::vector<int>{1, 300});
}

TEST_CASE("two assertions, and tables in a branch") {
  const Shared A = table("A", 1), B = table("B", 2);
  const Var n = scalar("n", float64), a = ivector("a"), use = iscalar("use");
  const Function f = function({.inputs = {n},
                               .updates = {{A, Assert("n is negative")(A * 2, ge(n, 0.))},
                                           {B, Assert("n is large")(B * 2, lt(n, 10.))}},
                               .name = "f"});
  const Tensor a0 = A.get_value(), b0 = B.get_value();
  CHECK(error_of([&] { f(-1.); }).find("assert: n is negative\n") == 0);
  CHECK(error_of([&] { f(10.); }).find("assert: n is large\n") == 0);
  CHECK(identical(A.get_value(), a0));
  CHECK(identical(B.get_value(), b0));
  f(1.);
  CHECK(B.get_value().at<double>(3, 4) == 2 * b0.at<double>(3, 4));
  CHECK(f.frame().arena_bytes() < table_bytes);

  const Function g =
      function({.inputs = {a, use},
                .updates = {{A, ifelse(use, inc_subtensor(A[a], 1.), A)}, {B, inc_subtensor(B[a], 1.)}}});
  const Tensor a1 = A.get_value(), b1 = B.get_value();
  for (const int taken : {0, 1}) {
    CHECK(error_of([&] { g(ints({1, 200}), taken); }).find("index 200 at position 1") != std::string::npos);
    CHECK(identical(A.get_value(), a1));
    CHECK(identical(B.get_value(), b1));
  }
  g(ints({1, 2}), 0);
  CHECK(identical(A.get_value(), a1));
  CHECK(B.get_value().at<double>(2, 0) == b1.at<double>(2, 0) + 1);
  g(ints({1, 2}), 1);
  CHECK(A.get_value().at<double>(2, 0) == a1.at<double>(2, 0) + 1);
}

TEST_CASE("rows that are drawn") {
  RandomStreams streams(7);
  const Shared A = table("A", 1), B = table("B", 2);
  const Var at = streams.choice({.size = {4}, .a = 5});
  const Function f = function({.updates = {{A, inc_subtensor(A[at], 1.)}, {B, inc_subtensor(B[at], 1.)}}});
  const Tensor a = A.get_value(), b = B.get_value();
  f();
  double in_a = 0, in_b = 0;
  for (int i = 0; i < rows; ++i) {
    in_a += A.get_value().at<double>(i, 0) - a.at<double>(i, 0);
    in_b += B.get_value().at<double>(i, 0) - b.at<double>(i, 0);
  }
  CHECK(in_a == doctest::Approx(4));
  CHECK(in_b == doctest::Approx(4));
}
