#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <iostream>
#include <streambuf>
#include <string>
#include <thread>
#include <vector>

#include "core/graph/print.h"
#include "core/run/function.h"
#include "core/run/threads.h"
#include "ops/ops.h"
#include "tests/expect.h"

/// What README.md says of threads: each thing that is allowed, for the thread sanitizer, and that the rest is
/// an Error.
using namespace damo;
using test::error_of;

namespace {

void on_threads(int n, const std::function<void(int)>& f) {
  std::vector<std::thread> threads;
  std::atomic<int> ready = 0;
  std::vector<std::string> errors(static_cast<std::size_t>(n));
  for (int t = 0; t < n; ++t)
    threads.emplace_back([&, t] {
      ++ready;
      while (ready < n) std::this_thread::yield();
      try {
        f(t);
      } catch (const std::exception& e) {
        errors[static_cast<std::size_t>(t)] = e.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& e : errors) CHECK(e == "");
}

/// Calls f when something is printed.
class Callback : public std::streambuf {
 public:
  explicit Callback(std::function<void()> f) : f_(std::move(f)) {}

 protected:
  int sync() override {
    f_();
    return 0;
  }
  int overflow(int c) override { return c; }

 private:
  std::function<void()> f_;
};

/// While one of these lives, Print calls f.
struct OnPrint {
  Callback callback;
  std::ostream stream;
  explicit OnPrint(std::function<void()> f) : callback(std::move(f)), stream(&callback) {
    stream.exceptions(std::ios::badbit);  // what f throws is thrown on
    set_print_stream(stream);
  }
  ~OnPrint() { set_print_stream(std::cerr); }
};

}  // namespace

TEST_CASE("graphs are built, differentiated and compiled in several threads, also of the same nodes") {
  const Var x = dmatrix("x");
  const Shared W = shared(test::random({4, 3}, float64, 1), "W");
  const Var h = tanh(dot(x, W));
  const Tensor a = test::random({5, 4}, float64, 2);
  const auto gradient = [&] {
    const Var cost = -mean(log(softmax(h * 2))) + sum(sqr(W));
    return Tensor(function({.inputs = {x}, .outputs = grad(cost, W)})(a));
  };
  const Tensor expected = gradient();
  on_threads(4, [&](int) {
    for (int i = 0; i < 3; ++i) CHECK(identical(gradient(), expected));
    CHECK(debugprint(h).find("tanh") != std::string::npos);
  });
}

TEST_CASE("copies of a function that updates nothing run in several threads") {
  const Shared W = shared(test::random({40, 30}, float64, 1), "W");
  const Var x = dmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = {tanh(dot(x, W)), sum(x, {.axis = 0})}});
  const Tensor a = test::random({50, 40}, float64, 2);
  const Values expected = f(a);
  on_threads(4, [&](int) {
    const Function mine = f.copy();
    for (int i = 0; i < 20; ++i) {
      const Values y = mine(a);
      CHECK(identical(y[0], expected[0]));
      CHECK(identical(y[1], expected[1]));
      CHECK(identical(W.get_value(), W.get_value({.borrow = true})));
    }
  });
}

TEST_CASE("copies that update variables of their own run in several threads") {
  RandomStreams streams(1);
  const Shared W = shared(Tensor::zeros({30}, float64), "W"),
               data = shared(test::random({30}, float64, 1), "data");
  const Var x = dvector("x"), noise = streams.normal({.size = {30}, .dtype = float64});
  const Function f = function({.inputs = {x}, .outputs = sum(W), .updates = {{W, W + x * data + 0 * noise}}});
  const Tensor a = test::random({30}, float64, 2);
  std::vector<Tensor> results(4);
  on_threads(4, [&](int t) {
    const Shared own = shared(Tensor::zeros({30}, float64), "own"),
                 state = shared(streams.states()[0].get_value(), "state");
    const Function mine = f.copy({.swap = {{W, own}, {streams.states()[0], state}}});
    for (int i = 0; i < 20; ++i) mine(a);
    results[static_cast<std::size_t>(t)] = own.get_value();
  });
  for (const Tensor& r : results) CHECK(identical(r, results[0]));
  CHECK(double(f(a)) == 0);
}

TEST_CASE("results are passed on to other threads, and their memory is used again when all have let go") {
  const Var x = dvector("x");
  const Function f = function({.inputs = {x}, .outputs = x * 2});
  const Tensor a = test::random({1000}, float64, 1);
  const Tensor expected = f(a);
  std::atomic<int> n_read = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 20; ++i)
    readers.emplace_back([&, y = Tensor(f(a))]() mutable {
      n_read += identical(y, expected) ? 1 : 0;
      y = Tensor();
    });
  for (std::thread& reader : readers) reader.join();
  CHECK(n_read == 20);
}

TEST_CASE("floatX of a scope is that of its thread") {
  const FloatXScope outer(float64);
  on_threads(2, [&](int t) {
    CHECK(floatX() == float32);  // no scope's
    const FloatXScope scope(t == 0 ? float64 : float32);
    for (int i = 0; i < 100; ++i) {
      CHECK(matrix("x").dtype() == (t == 0 ? float64 : float32));
      const FloatXScope inner(t == 0 ? float32 : float64);
      CHECK(floatX() == (t == 0 ? float32 : float64));
      set_floatX(t == 0 ? float64 : float32);
      CHECK(floatX() == (t == 0 ? float64 : float32));
    }
    CHECK(floatX() == (t == 0 ? float64 : float32));
  });
  CHECK(floatX() == float64);
  CHECK(error_of([] { const FloatXScope scope(int32); }) == "floatX is float32 or float64, not int32");
  CHECK(floatX() == float64);
}

TEST_CASE(
    "one function in two threads, and copies that update the same variable, are Errors or run in turn") {
  const Shared n = shared(Tensor(0.).astype(float64), "n");
  const Function f = function({.outputs = n, .updates = {{n, n + 1}}, .name = "f"});
  const Function reader = function({.outputs = n * 2, .name = "reader"});
  for (const bool copies : {false, true}) {
    n.set_value(0.);
    std::atomic<int> counted = 0, refused = 0;
    on_threads(4, [&](int t) {
      const Function mine = copies ? f.copy() : f, my_reader = reader.copy();
      for (int i = 0; i < 500; ++i) try {
          if (t == 3) {
            my_reader();
          } else {
            mine();
            ++counted;
          }
        } catch (const Error& e) {
          const std::string what = e.what();
          const bool known =
              what.starts_with("function \"f\": n, which it updates, is used by another call") ||
              what.starts_with("function \"reader\": n, which it uses, is written by another call") ||
              what == "function \"f\" is running already: give each thread its own by copy()";
          CHECK(known);
          ++refused;
        }
    });
    CHECK(double(Tensor(n.get_value()).item()) == counted);
    CHECK(counted > 0);
    CHECK(counted + refused <= 2000);
  }
}

TEST_CASE("set_value and get_value beside running functions are Errors, or done") {
  for (const bool resizable : {false, true}) {
    const Shared W = shared(Tensor::zeros({100}, float64), "W", {.resizable = resizable});
    const Function f = function({.outputs = sum(W), .updates = {{W, W + 1}}});
    std::atomic<int> done = 0;
    on_threads(3, [&](int t) {
      for (int i = 0; i < 300; ++i) try {
          if (t == 0) f();
          if (t == 1) W.set_value(Tensor::zeros({resizable ? 50 + i % 100 : 100}, float64));
          if (t == 2) {
            const Tensor value = W.get_value({.borrow = i % 2 == 0 && resizable});
            CHECK(value.ndim() == 1);
          }
          ++done;
        } catch (const Error& e) {
          CHECK(std::string(e.what()).find("W") != std::string::npos);
        }
    });
    CHECK(done > 0);
  }
}

TEST_CASE("what is called while a function runs") {
  const Shared W = shared(Tensor::zeros({3}, float64), "W"), V = shared(Tensor::zeros({3}, float64), "V"),
               other = shared(Tensor::zeros({3}, float64), "other", {.resizable = true});
  Function f;
  const int line = __LINE__ + 1;
  f = function({.outputs = sum(print_value(W + V, "sum")), .updates = {{W, W + 1}}, .name = "f"});
  const auto error_within = [&](const std::function<void()>& g) {
    std::string what;
    {
      const OnPrint scope([&] { what = error_of(g); });
      f();
    }
    return what;
  };
  CHECK(error_within([&] {
          W.set_value(Tensor{1., 2., 3.});
        }) == "set_value of W: a function that uses it is running");
  CHECK(error_within([&] {
          V.set_value(Tensor{1., 2., 3.});
        }) == "set_value of V: a function that uses it is running");
  CHECK(error_within([&] { W.get_value(); }) == "get_value of W: a function that updates it is running");
  CHECK(error_within([&] { V.get_value(); }) == "no error");
  CHECK(error_within([&] { other.set_value(Tensor::zeros({4}, float64)); }) == "no error");
  CHECK(error_within([&] { f(); }) ==
        "function \"f\" is running already: give each thread its own by copy()");
  const Function copy = f.copy({.name = "copy"});
  CHECK(error_within([&] { copy(); }) ==
        "function \"copy\": W, which it updates, is used by another call at this moment\n  " +
            test::at(line));
  const Function sums = function({.outputs = sum(V) + sum(other)});
  CHECK(error_within([&] { sums(); }) == "no error");
  // Its Error is that of the call, which then has done nothing.
  const Tensor before = W.get_value();
  {
    const OnPrint scope([&] { W.set_value(before); });
    CHECK(error_of([&] { f(); }).find("set_value of W: a function that uses it is running") !=
          std::string::npos);
  }
  CHECK(identical(W.get_value(), before));
  // The handle may be given away: the call keeps what it needs.
  {
    const OnPrint scope([&] { f = Function(); });
    CHECK(f.call(nullptr, 0).size() == 1);
  }
  CHECK_FALSE(f.is_set());
  CHECK_FALSE(identical(W.get_value(), before));
  W.set_value(before);
}

TEST_CASE("the number of threads may change while functions run") {
  const Var x = fmatrix("x");
  const Function f = function({.inputs = {x}, .outputs = tanh(dot(x, x))});
  const Tensor a = test::random({100, 100}, float32, 1);
  std::atomic<bool> stop = false;
  std::thread other([&] {
    for (int n = 1; !stop; n = n % 3 + 1) set_threads(n);
  });
  for (int i = 0; i < 50; ++i) CHECK(Tensor(f(a)).size() == 10000);
  stop = true;
  other.join();
  set_threads(0);
}
