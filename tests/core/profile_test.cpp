#include "core/run/profile.h"

#include <doctest/doctest.h>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::at;
using damo::test::error_of;

namespace {

struct DefaultProfile {
  DefaultProfile() { set_default_profile(true); }
  ~DefaultProfile() { set_default_profile(false); }
};

}  // namespace

TEST_CASE("a profile counts calls, seconds, bytes and operations of each step") {
  const Var x = matrix("x", float32);
  const Shared W = shared(Tensor::zeros({30, 40}, float32), "W");
  const int line = __LINE__ + 1;
  const Var y = dot(x, W);
  const Var z = softmax(y).named("p");
  const Function f = function({.inputs = {x}, .outputs = z, .name = "predict", .profile = true});
  for (int i = 0; i < 3; ++i) f(Tensor::zeros({20, 30}, float32));
  const Profile& p = measured(f);
  CHECK(p.function == "predict");
  CHECK(p.calls == 3);
  REQUIRE(p.steps.size() == 2);
  const Profile::Line& product = p.steps[0];
  CHECK(product.op == "dot");
  CHECK(product.where == at(line));
  CHECK(product.calls == 3);
  CHECK(product.flops == 3 * 2. * 20 * 30 * 40);
  CHECK(product.bytes_read == 3 * 4. * (20 * 30 + 30 * 40));
  CHECK(product.bytes_written == 3 * 4. * 20 * 40);
  CHECK(product.seconds > 0);
  CHECK(p.steps[1].label == "p");
  CHECK(p.steps[1].flops == 0);
  CHECK(p.seconds >= p.steps[0].seconds + p.steps[1].seconds);

  const std::string text = profile(f);
  INFO(text);
  CHECK(text.starts_with("function \"predict\": 3 calls in 0.0"));
  CHECK(text.find(" s in 2 steps\n") != std::string::npos);
  CHECK(text.find("dot  " + at(line) + "\n") != std::string::npos);
  CHECK(text.find("softmax 'p'  " + at(line + 1) + "\n") != std::string::npos);
  CHECK(text.find("GFLOP/s") != std::string::npos);
}

TEST_CASE("a profile as text: by op and by step, the slowest first") {
  Profile p{"train", 2, .5, {}};
  p.steps = {{"exp", "", "at a.cpp:1", 2, .05, 1e9, 0, 0},
             {"dot", "y", "at a.cpp:2", 2, .2, 1e9, 1e9, 4e9},
             {"exp", "", "at a.cpp:3", 2, .15, 1e9, 0, 0}};
  CHECK(to_string(p) ==
        "function \"train\": 2 calls in 0.500000 s, of which 0.400000 s in 3 steps\n"
        "     %    seconds     calls    us/call   GFLOP/s     GB/s  op\n"
        "  50.0   0.200000         2  100000.00     20.00    10.00  dot\n"
        "  50.0   0.200000         4   50000.00         -    10.00  exp\n"
        "     %    seconds     calls    us/call   GFLOP/s     GB/s  step\n"
        "  50.0   0.200000         2  100000.00     20.00    10.00  dot 'y'  at a.cpp:2\n"
        "  37.5   0.150000         2   75000.00         -     6.67  exp  at a.cpp:3\n"
        "  12.5   0.050000         2   25000.00         -    20.00  exp  at a.cpp:1\n");
}

TEST_CASE("a function that is not profiled says how it would be") {
  const Var x = vector("x");
  const Function f = function({.inputs = {x}, .outputs = x * 2, .name = "f"});
  CHECK(error_of([&] { profile(f); }) == "function \"f\" is not profiled: make it with .profile = true");
  CHECK(error_of([&] { profile(Function()); }) == "an empty Function has no profile");
}

TEST_CASE("profiles of all functions, if that is the default, also of those that are gone") {
  const Var x = dvector("x");
  {
    const DefaultProfile on;
    const Function f = function({.inputs = {x}, .outputs = exp(x), .name = "short-lived"});
    const Function never_called = function({.inputs = {x}, .outputs = exp(x), .name = "idle"});
    f(Tensor{1.});
  }
  const Function f = function({.inputs = {x}, .outputs = exp(x), .name = "later", .profile = true});
  f(Tensor{1.});
  const std::string all = profiles();
  CHECK(all.find("function \"short-lived\": 1 call in ") != std::string::npos);
  CHECK(all.find("idle") == std::string::npos);
  CHECK(all.find("later") == std::string::npos);
}

TEST_CASE("a copy of a function has a profile of its own, an update is a step as others are") {
  const Shared s = shared(Tensor{1., 2.}, "s");
  const Function f = function({.updates = {{s, s * 2}}, .name = "double", .profile = true});
  f();
  const Function g = f.copy();
  g();
  g();
  CHECK(measured(f).calls == 1);
  CHECK(measured(g).calls == 2);
  CHECK(s.get_value().to_vector<double>() == std::vector<double>{8, 16});
}

TEST_CASE("memory: the arena, its buffers, views and overwrites") {
  const Var x = dmatrix("x");
  const int line = __LINE__ + 1;
  const Var y = dot(x, x).named("y");
  const Shared s = shared(Tensor::zeros({4}, float64), "s");
  const Function f = function({.inputs = {x},
                               .outputs = sum(softmax(y.T())),
                               .updates = {{s, s + 1}},
                               .name = "f",
                               .mode = Mode::FAST_COMPILE});
  f(Tensor::zeros({8, 8}, float64));
  const std::string text = f.memory();
  INFO(text);
  CHECK(
      text.starts_with("function \"f\": 1024 bytes of memory of its own\narena 0: 1024 bytes, 1024 used\n"));
  CHECK(text.find("  at 0, 512 bytes, steps 0 to 1: dot 'y', float64 (8, 8)  " + at(line) + "\n") !=
        std::string::npos);
  CHECK(text.find("view: dimshuffle{1, 0}, float64 (8, 8) in dot 'y', float64 (8, 8)") != std::string::npos);
  CHECK(text.find("overwrite: add") != std::string::npos);
  CHECK(text.find("over s, float64 (4,)") != std::string::npos);
  CHECK(error_of([&] { Function().memory(); }) == "an empty Function has no memory");
}
