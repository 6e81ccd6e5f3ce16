#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <new>
#include <thread>

#include <fmt/format.h>
#include "core/run/threads.h"

#include "models/SdA.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"

// Each allocation of a call fails in turn: the call throws, leaves every variable and random state as it was,
// and the next one does what it would have done.

namespace {

/// How many allocations, of all threads, may still succeed; more than there are: all of them.
constexpr long never = 1L << 40;
std::atomic<long> left = never;
std::atomic<bool> only_one = false;

void* allocate(std::size_t n, std::size_t alignment) {
  if (left.load(std::memory_order_relaxed) < never / 2) {
    const long k = left.fetch_sub(1);
    if (k == 0 || (k < 0 && !only_one)) throw std::bad_alloc();
  }
  void* p = nullptr;
  if (posix_memalign(&p, alignment < sizeof(void*) ? sizeof(void*) : alignment, n == 0 ? 1 : n) != 0)
    throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t n) { return allocate(n, alignof(std::max_align_t)); }
void* operator new(std::size_t n, std::align_val_t a) { return allocate(n, static_cast<std::size_t>(a)); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept try {
  return operator new(n, a);
} catch (const std::bad_alloc&) {
  return nullptr;
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept try {
  return operator new(n);
} catch (const std::bad_alloc&) {
  return nullptr;
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace damo::test {
namespace {

/// Calls f, whose first call of all is in a thread with no memory of its own yet, with the k-th allocation
/// failing, for each k; returns how many there are.
long expect_all_or_nothing(const std::string& name, const Function& f, const std::vector<Tensor>& args,
                           int n_threads = 1) {
  INFO(name);
  const std::vector<Shared> variables = f.updated();
  const std::vector<Tensor> before = values_of(variables);
  const auto restore = [&] {
    for (std::size_t i = 0; i < variables.size(); ++i) variables[i].set_value(before[i]);
  };
  set_threads(n_threads);
  f.copy().call(args.data(), args.size());
  const std::vector<Tensor> after = values_of(variables);
  CHECK_FALSE(all_identical(before, after));
  restore();
  long n_allocations = 0;
  for (const bool one : {false, true}) {
    only_one = one;
    for (long k = 0;; ++k) {
      bool failed = false, unchanged = false, done = false;
      const Function fresh = f.copy();
      if (n_threads > 1) set_threads(n_threads);  // new threads
      std::thread([&] {
        left = k;
        try {
          const Values y = fresh.call(args.data(), args.size());
          left = never;
        } catch (const std::exception&) {
          left = never;
          failed = true;
        }
        if (!failed) return;
        unchanged = all_identical(values_of(variables), before);
        fresh.call(args.data(), args.size());
        done = true;
      }).join();
      if (!failed) break;
      n_allocations = std::max(n_allocations, k + 1);
      REQUIRE(unchanged);
      REQUIRE(done);
      REQUIRE(all_identical(values_of(variables), after));
      restore();
    }
    restore();
  }
  set_threads(0);
  return n_allocations;
}

TEST_CASE("logistic regression") {
  const Datasets data = tiny_datasets();
  const Var x = matrix("x"), y = ivector("y");
  const LogisticRegression classifier({.input = x, .n_in = tiny_n_in, .n_out = tiny_n_out});
  const Var cost = classifier.negative_log_likelihood(y);
  const Vars g = grad(cost, {classifier.W, classifier.b});
  const Function f = function(
      {.inputs = {x, y},
       .outputs = cost,
       .updates = {{classifier.W, classifier.W - 0.1 * g[0]}, {classifier.b, classifier.b - 0.1 * g[1]}}});
  const Tensor images = test::random({20, tiny_n_in}, floatX(), 1);
  const Tensor labels = test::random({20}, int32, 2, 0, tiny_n_out);
  CHECK(expect_all_or_nothing("batch 20", f, {images, labels}) > 5);
}

TEST_CASE("a stack of autoencoders, one example or some at a time") {
  const Datasets data = tiny_datasets();
  RandomState rng(89677);
  const SdA sda({.numpy_rng = rng, .n_ins = tiny_n_in, .hidden_layers_sizes = {8, 6}, .n_outs = tiny_n_out});
  for (const int batch_size : {1, 4, 20}) {
    int layer = 0;
    for (const Function& f : sda.pretraining_functions(data.train.x, batch_size))
      CHECK(expect_all_or_nothing(fmt::format("layer {}, batch {}", layer++, batch_size), f, {Tensor(1)}) >
            5);
    const auto fns = sda.build_finetune_functions(data, batch_size, 0.1);
    CHECK(expect_all_or_nothing(fmt::format("finetuning, batch {}", batch_size), fns.train, {Tensor(1)}) > 5);
  }
}

TEST_CASE("a step on two threads") {
  const Shared W = shared(test::random({300, 400}, float32, 1), "W"),
               b = shared(Tensor::zeros({400}, float32), "b"),
               V = shared(test::random({400, 30}, float32, 2), "V");
  const Var x = fmatrix("x");
  const Var cost = sum(sqr(dot(tanh(dot(x, W) + b), V)));
  const Vars g = grad(cost, {W, b, V});
  const Function f =
      function({.inputs = {x},
                .outputs = cost,
                .updates = {{W, W - 1e-3 * g[0]}, {b, b - 1e-3 * g[1]}, {V, V - 1e-3 * g[2]}}});
  for (const std::int64_t rows : {1, 20, 100})
    CHECK(expect_all_or_nothing(fmt::format("{} rows", rows), f, {test::random({rows, 300}, float32, 3)}, 2) >
          5);
}

TEST_CASE("variables of any size, and momentum") {
  const Shared W = shared(test::random({5, 4}, float64, 1), "W", {.resizable = true}),
               n = shared(Tensor(0.).astype(float64), "n"), v = shared(Tensor::zeros({5, 4}, float64), "v");
  const Var x = dmatrix("x");
  const Function f = function({.inputs = {x},
                               .outputs = {sum(W), n},
                               .updates = {{n, n + 1}, {v, 0.9 * v + x}, {W, join(0, {W, x})}}});
  CHECK(expect_all_or_nothing("growing", f, {test::random({5, 4}, float64, 2)}) > 5);
}

TEST_CASE("a function that has got through can no longer fail, but with other sizes it can") {
  const Shared W = shared(test::random({30, 10}, float32, 1), "W"),
               b = shared(Tensor::zeros({10}, float32), "b");
  const Var x = fmatrix("x");
  const Vars g = grad(sum(sqr(tanh(dot(x, W) + b))), {W, b});
  const Function f = function({.inputs = {x}, .updates = {{W, W - 1e-3 * g[0]}, {b, b - 1e-3 * g[1]}}});
  std::thread([&] {
    for (const std::int64_t rows : {3, 1, 40, 2}) {
      const Tensor a = test::random({rows, 30}, float32, 2);
      f(a);
      f(a);
      left = 0;
      const auto call = [&](const Tensor& t) {
        try {
          f.call(&t, 1);
          return true;
        } catch (const std::exception&) {
          return false;
        }
      };
      const bool same_again = call(a);
      left = never;
      CHECK(same_again);
      const Tensor other = test::random({rows + 50, 30}, float32, 2);
      const std::vector<Tensor> before = values_of({W, b});
      left = 0;
      const bool other_sizes = call(other);
      left = never;
      CHECK_FALSE(other_sizes);
      CHECK(all_identical(values_of({W, b}), before));
    }
  }).join();
}

}  // namespace
}  // namespace damo::test
