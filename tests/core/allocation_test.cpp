#include <doctest/doctest.h>

#include "core/run/function.h"
#include "ops/ops.h"
#include "tests/expect.h"

#include <dlfcn.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {
std::atomic<bool> counting = false;
std::atomic<long> allocations = 0;
}  // namespace

// malloc itself is counted, not only operator new. The sanitizers bring their own: there nothing is counted.
#if defined(__GLIBC__) && !defined(DAMO_SANITIZED)

namespace {
/// OpenBLAS allocates for itself: on some processors its kernels for small products do so in every call.
bool is_in_openblas(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && std::strstr(info.dli_fname, "openblas") != nullptr;
}
void count(const void* caller) {
  if (counting && !is_in_openblas(caller)) ++allocations;
}
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t n) {
  count(__builtin_return_address(0));
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
  count(__builtin_return_address(0));
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
  count(__builtin_return_address(0));
  return __libc_realloc(p, n);
}
void* memalign(std::size_t alignment, std::size_t n) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
  count(__builtin_return_address(0));
  *p = __libc_memalign(alignment, n);
  return *p == nullptr ? ENOMEM : 0;
}
}

TEST_CASE("the count counts") {
  allocations = 0;
  counting = true;
  damo::Tensor::zeros({100}, damo::float32);
  counting = false;
  CHECK(allocations > 0);
}

#endif

using namespace damo;

namespace {

template <class F>
long allocations_of(F f) {
  allocations = 0;
  counting = true;
  f();
  counting = false;
  return allocations;
}

}  // namespace

TEST_CASE("a training step allocates nothing once it is warm") {
  const FloatXScope scope(float32);
  const Shared data = shared(test::random({200, 30}, float32, 1), "data");
  const Shared labels = shared(test::random({200}, float32, 2, 0, 10), "labels");
  const Shared W = shared(test::random({30, 10}, float32, 3), "W"),
               b = shared(Tensor::zeros({10}, float32), "b");
  const Var x = matrix("x"), y = ivector("y"), index = lscalar("index");
  RandomStreams streams(1);
  const Var mask = streams.binomial({.size = {x.shape(0), x.shape(1)}, .n = 1, .p = 0.7, .dtype = float32});
  const Var p = softmax(dot(mask * x, W) + b);
  const Var cost = -mean(log(p)[{arange(y.shape(0)), y}]);
  const Vars g = grad(cost, {W, b});
  const Function train =
      function({.inputs = {index},
                .updates = {{W, W - 0.1 * g[0]}, {b, b - 0.1 * g[1]}},
                .givens = {{x, data[slice(index * 20, (index + 1) * 20)]},
                           {y, cast(labels, int32)[slice(index * 20, (index + 1) * 20)]}}});
  const Tensor indices[] = {Tensor(0), Tensor(1), Tensor(2)};
  for (const Tensor& i : indices) train.call(&i, 1);
  CHECK(allocations_of([&] {
          for (const Tensor& i : indices) train.call(&i, 1);
        }) == 0);

  // The same with its cost as an output.
  const Function step = function({.inputs = {index},
                                  .outputs = cost,
                                  .updates = {{W, W - 0.1 * g[0]}, {b, b - 0.1 * g[1]}},
                                  .givens = {{x, data[slice(index * 20, (index + 1) * 20)]},
                                             {y, cast(labels, int32)[slice(index * 20, (index + 1) * 20)]}}});
  double total = 0;
  for (const Tensor& i : indices) total += double(step.call(&i, 1));
  CHECK(allocations_of([&] {
          for (const Tensor& i : indices) total += double(step.call(&i, 1));
        }) == 0);
  CHECK(total > 0);
}

TEST_CASE("a step over images allocates nothing once it is warm") {
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    const Shared W = shared(test::random({4, 2, 3, 3}, dtype, 1), "W"),
                 V = shared(test::random({3, 4, 3, 3}, dtype, 2), "V");
    const Var x = tensor4("x");
    const Var h = tanh(pool_2d(conv2d(x, W), 2, {.ignore_border = true}));
    const Var cost =
        mean(sqr(pool_2d(conv2d(h, V, {.border_mode = Border::half}), 2, {.mode = PoolMode::sum})));
    const Vars g = grad(cost, {W, V});
    const Function train = function({.inputs = {x}, .updates = {{W, W - 0.01 * g[0]}, {V, V - 0.01 * g[1]}}});
    const Tensor images = test::random({40, 2, 14, 12}, dtype, 3);
    for (int i = 0; i < 3; ++i) train.call(&images, 1);
    CHECK(allocations_of([&] {
            for (int i = 0; i < 3; ++i) train.call(&images, 1);
          }) == 0);
  }
}

TEST_CASE("choices allocate nothing either, on one side or the other") {
  const Shared W = shared(test::random({20, 10}, float64, 1), "W");
  const Var c = lscalar("c"), x = dmatrix("x");
  const Var y = ifelse(c % 4 < 2, tanh(dot(x, W)), dot(x, W * 2) + 1);
  const Var step = ifelse(sum(y) > -1e9, 0.1 * grad(sum(y), W), zeros_like(W));
  const Function f = function({.inputs = {c, x}, .updates = {{W, W - step}}});
  const Tensor t = test::random({5, 20}, float64, 2);
  std::vector<std::vector<Tensor>> calls;
  for (int i = 0; i < 8; ++i) calls.push_back({Tensor(i / 2 * 2), t});
  for (const auto& args : calls) f.call(args.data(), args.size());
  for (std::size_t i = 0; i < calls.size(); i += 2) {
    f.call(calls[i].data(), calls[i].size());
    CHECK(allocations_of([&] { f.call(calls[i + 1].data(), calls[i + 1].size()); }) == 0);
  }
}
