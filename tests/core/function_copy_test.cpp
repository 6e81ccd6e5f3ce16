#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/run/branches.h"
#include "core/run/frame.h"
#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

namespace {

constexpr Mode all_modes[] = {Mode::FAST_RUN, Mode::FAST_COMPILE, Mode::NanGuardMode, Mode::DebugMode};

std::vector<double> numbers(const Tensor& t) { return t.to_vector<double>(); }

Tensor doubles(std::initializer_list<Nested> list) { return Tensor(list).astype(float64); }

/// What f writes to standard error.
template <class F>
std::string printed(F f) {
  std::FILE* const file = std::tmpfile();
  std::fflush(stderr);
  const int before = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  f();
  std::fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

}  // namespace

TEST_CASE("a copy plans nothing again: it shares the schedule, and has a frame of its own") {
  const Var x = vector("x", float64);
  const Shared w = shared(doubles({1, 2}), "w");
  const Function f = function({.inputs = {x}, .outputs = sum(w * x), .updates = {{w, w + x}}, .name = "f"}),
                 g = f.copy();
  CHECK(&g.frame() != &f.frame());
  CHECK(&g.frame().schedule() == &f.frame().schedule());
  const Function h = f.copy({.name = "h"}), without = f.copy({.delete_updates = true});
  CHECK(&h.frame().schedule() != &f.frame().schedule());
  CHECK(&without.frame().schedule() != &f.frame().schedule());
  CHECK(f(Tensor{1., 1.}).item() == 3);
  CHECK(g(Tensor{1., 1.}).item() == 5);
  CHECK(without(Tensor{1., 1.}).item() == 7);
  CHECK(h(Tensor{1., 1.}).item() == 7);
}

TEST_CASE("a copy with other variables reads and updates those") {
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    const Shared a = shared(doubles({1., 2.}), "a"), b = shared(doubles({10., 20.}), "b"),
                 c = shared(doubles({0., 0.}), "c");
    const Var x = dvector("x");
    const Function f = function({.inputs = {x},
                                 .outputs = log(sigmoid(a / 10)) * 0 + a + x,
                                 .updates = {{a, a + x}, {c, c + a}},
                                 .name = "f",
                                 .mode = mode});
    const Function g = f.copy({.swap = {{a, b}}, .name = "g"});
    CHECK(g.name() == "g");
    CHECK(numbers(g(doubles({1., 1.}))) == std::vector<double>{11, 21});
    CHECK(numbers(a.get_value()) == std::vector<double>{1, 2});
    CHECK(numbers(b.get_value()) == std::vector<double>{11, 21});
    CHECK(numbers(c.get_value()) == std::vector<double>{10, 20});
    CHECK(numbers(f(doubles({1., 1.}))) == std::vector<double>{2, 3});
    CHECK(numbers(a.get_value()) == std::vector<double>{2, 3});
    CHECK(numbers(b.get_value()) == std::vector<double>{11, 21});
    // Both ways at once.
    const Function h = f.copy({.swap = {{a, c}, {c, a}}});
    CHECK(h.name() == "f");
    CHECK(numbers(h(doubles({0., 0.}))) == std::vector<double>{11, 22});
    CHECK(numbers(a.get_value()) == std::vector<double>{13, 25});
  }
}

TEST_CASE("a copy without updates leaves variables and random states as they are") {
  for (const Mode mode : all_modes) {
    INFO(to_string(mode));
    RandomStreams streams(1);
    const Shared a = shared(doubles({1., 2.}), "a");
    const Var x = dvector("x"), u = streams.uniform({.size = {2}, .dtype = float64});
    const Function f = function({.inputs = {x, In(dvector("y"), doubles({0.}))},
                                 .outputs = {u, log(sigmoid(a)) + 0 * u},
                                 .updates = {{a, a + x}},
                                 .on_unused_input = OnUnusedInput::ignore,
                                 .mode = mode});
    const Function g = f.copy({.delete_updates = true});
    CHECK(g.updated().empty());
    CHECK(g.outputs().size() == 2);
    const Values first = g(doubles({1., 1.})), second = g(doubles({1., 1.}));
    CHECK(identical(first[0], second[0]));
    CHECK(numbers(a.get_value()) == std::vector<double>{1, 2});
    CHECK(identical(f(doubles({1., 1.}))[0], first[0]));
    CHECK(numbers(a.get_value()) == std::vector<double>{2, 3});
    CHECK_FALSE(identical(f(doubles({1., 1.}))[0], first[0]));
    const Tensor state = streams.states()[0].get_value();
    const Shared other_state = shared(state, "other_state");
    const Function h = f.copy({.swap = {{streams.states()[0], other_state}}});
    CHECK(identical(h(doubles({1., 1.}))[0], f(doubles({1., 1.}))[0]));
    CHECK(identical(other_state.get_value(), streams.states()[0].get_value()));
  }
}

TEST_CASE("wrong swaps") {
  const Shared a = shared(doubles({1., 2.}), "a"), longer = shared(doubles({1., 2., 3.}), "longer"),
               b = shared(doubles({1., 2.}), "b"),
               ints = shared(Tensor(std::vector<std::int64_t>{1, 2}), "ints"),
               any_size = shared(doubles({1., 2.}), "any_size", {.resizable = true});
  const Function f = function({.outputs = a * 2, .updates = {{a, a + 1}, {b, b + 1}}, .name = "f"});
  CHECK(error_of([&] {
          f.copy({.swap = {{a, longer}}});
        }) ==
        "copy of function \"f\": longer cannot stand in the place of a\n  float64 (2,)   a\n  float64 (3,)   "
        "longer");
  CHECK(error_of([&] {
          f.copy({.swap = {{a, ints}}});
        }).starts_with("copy of function \"f\": ints cannot stand"));
  CHECK(error_of([&] {
          f.copy({.swap = {{a, any_size}}});
        }).find("any_size cannot stand") != std::string::npos);
  CHECK(error_of([&] {
          f.copy({.swap = {{longer, a}}});
        }) == "copy of function \"f\": it does not use longer");
  CHECK(error_of([&] { f.copy({.swap = {{a, b}}}); }) == "copy of function \"f\": b would be updated twice");
  CHECK(error_of([&] {
          f.copy({.swap = {{a, a}, {a, a}}});
        }) == "copy of function \"f\": a is swapped twice");
  CHECK(error_of([&] {
          f.copy({.swap = {{a, Shared()}}});
        }) == "copy of function \"f\": an empty Shared was given to swap");
  CHECK(error_of([] { Function().copy(); }) == "an empty Function has no copy");
}

TEST_CASE("eval compiles and runs at once") {
  const Var x = dvector("x"), y = dscalar("y");
  const Shared s = shared(doubles({1., 2.}), "s");
  CHECK(numbers((x * y).eval({{x, {1., 2.}}, {y, 3.}})) == std::vector<double>{3, 6});
  CHECK(numbers((s + 1).eval()) == std::vector<double>{2, 3});
  CHECK(s.eval().shape() == Sizes{2});
  // What is computed, and a variable, can be given too.
  const Var h = tanh(x);
  CHECK(numbers((h * 2 + s).eval({{h, {1., 1.}}})) == std::vector<double>{3, 4});
  CHECK(numbers((h * 0 + s).eval({{s, doubles({5., 5.})}, {x, {0., 0.}}})) == std::vector<double>{5, 5});
  CHECK(error_of([&] { x.eval(); }).starts_with("function \"eval\": x, which the outputs"));
  CHECK(error_of([&] { x.eval({{x, {1.}}, {y, 1.}}); }).find("depends on input y") != std::string::npos);
  CHECK(error_of([&] { y.eval({{y, {1.}}}); }).starts_with("function \"eval\": input y is float64 ()"));
}

TEST_CASE("an input that is not used can be an error, a line on standard error, or nothing") {
  const Var x = dvector("x"), y = dvector("y");
  int line = 0;
  const auto run = [&](OnUnusedInput what) {
    line = __LINE__ + 1;
    const Function f = function({.inputs = {x, y}, .outputs = x * 2, .name = "f", .on_unused_input = what});
    CHECK(numbers(f(doubles({1.}), doubles({2.}))) == std::vector<double>{2});
  };
  const std::string warning = printed([&] { run(OnUnusedInput::warn); });
  CHECK(warning == "function \"f\": no output or update depends on input y\n  " + test::at(line) + "\n");
  CHECK(printed([&] { run(OnUnusedInput::ignore); }) == "");
  CHECK(error_of([&] {
          run(OnUnusedInput::raise);
        }).starts_with("function \"f\": no output or update depends on"));
}

TEST_CASE("the branch that two branches have in common") {
  Branches all;
  std::vector<int> path{0};
  for (int i = 0; i < 300; ++i) path.push_back(all.child(path.back(), i % 7, i % 3 == 0));
  std::vector<int> other(path.begin(), path.begin() + 101);
  for (int i = 0; i < 50; ++i) other.push_back(all.child(other.back(), 8, true));
  CHECK(all.child(path[4], 4, false) == path[5]);
  CHECK(all.find(path[4], 4, false) == path[5]);
  CHECK(all.find(path[4], 4, true) == Branches::nowhere);
  for (std::size_t i = 0; i < path.size(); i += 7)
    for (std::size_t j = 0; j < path.size(); j += 5)
      CHECK(all.common(path[i], path[j]) == path[std::min(i, j)]);
  for (std::size_t i = 0; i < path.size(); i += 3)
    for (std::size_t j = 0; j < other.size(); j += 2)
      CHECK(all.common(path[i], other[j]) == path[std::min({i, j, std::size_t{100}})]);
  CHECK(all.common(Branches::nowhere, path[3]) == path[3]);
  CHECK(all.common(path[3], Branches::nowhere) == path[3]);
}
