#include <doctest/doctest.h>

#include <cmath>
#include <sstream>
#include <thread>
#include <type_traits>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

TEST_CASE("inputs by position and by name, with defaults") {
  const Var x = dscalar("x"), y = dscalar("y"), lr = dscalar("lr");
  const Function f = function({.inputs = {x, In(y, 10.), In(lr, 100.)}, .outputs = x + y * lr, .name = "f"});
  CHECK(f.name() == "f");
  CHECK(double(f(1)) == 1001);
  CHECK(double(f(1, 2)) == 201);
  CHECK(double(f(1, 2, 3)) == 7);
  CHECK(double(f({{"x", 1}})) == 1001);
  CHECK(double(f({{"lr", 2}, {"x", 1}})) == 21);
  CHECK(double(f({{"y", 3}, {"lr", .5}, {"x", 1}})) == 2.5);
  // A default is not changed by a call that gives another value.
  CHECK(double(f(1)) == 1001);
}

TEST_CASE("an input may be named for keywords only, and Param is In") {
  static_assert(std::is_same_v<Param, In>);
  const Var a = dscalar(), b = dscalar("b");
  const Function f = function({.inputs = {In(a, 1., "alpha"), Param(b, 2.)}, .outputs = a - b});
  CHECK(double(f({{"alpha", 5}})) == 3);
  CHECK(double(f({{"b", 5}})) == -4);
  CHECK(double(f()) == -1);
}

TEST_CASE("outputs: none, one, many, twice the same, an input, a constant, a variable") {
  const Var x = dvector("x");
  const Shared s = shared(Tensor{1., 2.}.astype(float64), "s");
  const Var y = x * 2;
  CHECK(function({.inputs = {x}, .on_unused_input = OnUnusedInput::ignore})(Tensor{1., 2.}).size() == 0);

  const Function f = function({.inputs = {x}, .outputs = {y, y, x, constant(Tensor(7)), s, sum(y)}});
  const Values v = f(Tensor{3., 4.});
  REQUIRE(v.size() == 6);
  CHECK(v[0].to_vector<double>() == std::vector<double>{6, 8});
  CHECK(v[1].to_vector<double>() == std::vector<double>{6, 8});
  CHECK(v[2].to_vector<double>() == std::vector<double>{3, 4});
  CHECK(v[3].item<int>() == 7);
  CHECK(v[4].to_vector<double>() == std::vector<double>{1, 2});
  CHECK(v[5].item() == 14);
  CHECK(error_of([&] { v[6]; }).find("6") != std::string::npos);
}

TEST_CASE("a single output converts to a tensor or a number") {
  const Var x = dvector("x");
  const Function total = function({.inputs = {x}, .outputs = sum(x)});
  const double number = total(Tensor{1., 2.});
  CHECK(number == 3);
  const Tensor t = total(Tensor{1., 2.});
  CHECK(t.ndim() == 0);
  CHECK(total(Tensor{1., 2.}).item<int>() == 3);
  const Function two = function({.inputs = {x}, .outputs = {sum(x), x}});
  CHECK(error_of([&] { static_cast<void>(static_cast<double>(two(Tensor{1.}))); }) != "no error");
  CHECK(error_of([&] {
          static_cast<void>(static_cast<double>(function({.inputs = {x}, .outputs = x})(Tensor{1., 2.})));
        }) == "item() needs exactly one element, not a tensor of shape (2,)");
  double sum_of_all = 0;
  for (const Tensor& part : two(Tensor{2.})) sum_of_all += part.to_vector<double>()[0];
  CHECK(sum_of_all == 4);
}

TEST_CASE("values convert to an input's dtype where nothing is lost, and literals always") {
  const Var f = fvector("f"), i = ivector("i"), s = fscalar("s"), n = iscalar("n");
  const Function g = function({.inputs = {f, i, s, n}, .outputs = {f + 0, i + 0, s + 0, n + 0}});
  const Values v = g(Tensor{1., 2.5}, Tensor{1, 2}, .1, 3);
  CHECK(v[0].dtype() == float32);
  CHECK(v[0].to_vector<float>() == std::vector<float>{1, 2.5});
  CHECK(v[1].dtype() == int32);
  CHECK(v[2].item<float>() == .1f);
  CHECK(v[3].item<int>() == 3);
  // int16 into float32, int8 into int32: every value fits.
  const Values w =
      g(Tensor{1, 2}.astype(int16), Tensor{-1, 2}.astype(int8), Tensor(true), Tensor(5).astype(int8));
  CHECK(w[0].to_vector<int>() == std::vector<int>{1, 2});
  CHECK(w[1].to_vector<int>() == std::vector<int>{-1, 2});
  CHECK(w[2].item() == 1);
  CHECK(w[3].item<int>() == 5);
}

TEST_CASE("strided values are read through their strides") {
  const Var x = dmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = {x * 2, sum(x, {.axis = 0}), dot(x, x.T())}});
  const Tensor t = test::random({4, 3}, float64, 1);
  const Values want = f(t);
  const std::vector<Tensor> expected(want.begin(), want.end());
  for (const test::Layout& layout : test::layouts(t)) {
    INFO(layout.name);
    const Values v = f(layout.tensor);
    for (std::size_t i = 0; i < 3; ++i) CHECK(v[i].to_vector<double>() == expected[i].to_vector<double>());
  }
}

TEST_CASE("one tensor may be passed twice") {
  const Var x = dmatrix("x"), y = dmatrix("y");
  const Function f = function({.inputs = {x, y}, .outputs = {x - y, dot(x, y)}});
  const Tensor t = Tensor{{1., 2.}, {3., 4.}}.astype(float64);
  const Values v = f(t, t);
  CHECK(v[0].to_vector<double>() == std::vector<double>(4, 0));
  CHECK(v[1].to_vector<double>() == std::vector<double>{7, 10, 15, 22});
  CHECK(Tensor(f(t, t.transposed())[0]).to_vector<double>() == std::vector<double>{0, -1, 1, 0});
}

TEST_CASE("a copy has memory of its own and the same variables") {
  const Shared s = shared(Tensor(0.).astype(float64), "s");
  const Var x = dscalar("x");
  const Function f = function({.inputs = {x}, .outputs = s + x, .updates = {{s, s + x}}, .name = "f"});
  const Function g = f.copy();
  CHECK(g.name() == "f");
  CHECK(&g.frame() != &f.frame());
  CHECK(double(f(1)) == 1);
  CHECK(double(g(2)) == 3);
  CHECK(s.get_value().item() == 3);
  const Function handle = f;
  CHECK(&handle.frame() == &f.frame());
  CHECK_FALSE(Function().is_set());
}

TEST_CASE("copies run at the same time") {
  const Var x = dmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = sum(tanh(dot(x, x)))});
  const Tensor t = test::random({40, 40}, float64, 3);
  const double want = f(t);
  std::vector<std::thread> threads;
  std::vector<double> got(4, 0);
  for (std::size_t i = 0; i < got.size(); ++i)
    threads.emplace_back([&, i, g = f.copy()] {
      for (int k = 0; k < 20; ++k) got[i] = g(t);
    });
  for (std::thread& thread : threads) thread.join();
  for (const double value : got) CHECK(value == want);
}

TEST_CASE("FAST_COMPILE runs the graph as it was written") {
  const Var x = dvector("x");
  const Var y = log(sigmoid(x));
  const Function fast = function({.inputs = {x}, .outputs = y});
  const Function plain = function({.inputs = {x}, .outputs = y, .mode = Mode::FAST_COMPILE});
  CHECK(fast(Tensor{-800.}).item() == -800);
  CHECK(std::isinf(plain(Tensor{-800.}).item()));
  CHECK_FALSE(fast.trace().empty());
  CHECK(plain.trace().empty());
  REQUIRE(fast.outputs().size() == 1);
  const Function excluded = function({.inputs = {x}, .outputs = y, .exclude = {"log_sigmoid"}});
  CHECK(std::isinf(excluded(Tensor{-800.}).item()));
}

TEST_CASE("several outputs are bound at once, and all are printed") {
  const Var x = dvector("x");
  const Function f = function({.inputs = {x}, .outputs = {x * 2, sum(x)}});
  const auto [doubled, total] = f(Tensor{1., 2.}).bind<2>();
  CHECK(doubled.to_vector<double>() == std::vector<double>{2, 4});
  CHECK(total.item() == 3);
  CHECK(error_of([&] {
          f(Tensor{1., 2.}).bind<3>();
        }) == "3 values were asked for, but the function returns 2");
  std::ostringstream out;
  out << f(Tensor{1., 2.});
  CHECK(out.str() == "[2. 4.]\n3.");
}
