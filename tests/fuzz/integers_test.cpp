#include <doctest/doctest.h>

#include <random>

#include "tests/expect.h"
#include "tests/oracle.h"

using namespace damo;

// Random expressions over integers and booleans: exact, so every bit must agree with the oracle. Scalars
// among them are computed before the kernels run, as sizes and bounds are.

namespace {

const std::uint32_t n_graphs = test::n_random(600, 100);

class Integers {
 public:
  explicit Integers(std::uint32_t seed) : engine_(seed) {
    const DType dtypes[] = {bool_, int8, int16, int32, int64, uint8};
    for (const DType dtype : dtypes) {
      add_input(Type(dtype, {-1, -1}));
      add_input(Type(dtype, {-1}));
    }
    add_input(Type(int64, {}));
    add_input(Type(int32, {}));
    for (int i = 0; i < 14; ++i) pool_.push_back(next());
  }

  const Vars& inputs() const { return inputs_; }
  Vars outputs() const { return {pool_.end() - 6, pool_.end()}; }

  std::vector<Tensor> values(std::int64_t rows, std::int64_t columns, std::uint32_t seed) const {
    std::vector<Tensor> all;
    for (const Var& v : inputs_) {
      const Sizes shape = v.ndim() == 2 ? Sizes{rows, columns} : v.ndim() == 1 ? Sizes{columns} : Sizes{};
      all.push_back(
          test::random(shape, v.dtype(), seed++, v.dtype() == uint8 || v.dtype() == bool_ ? 0 : -9, 9));
    }
    return all;
  }

 private:
  int pick(int n) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(n)); }
  Var any() { return pool_[static_cast<std::size_t>(pick(static_cast<int>(pool_.size())))]; }
  Var any(int ndim) {
    while (true)
      if (const Var v = any(); v.ndim() == ndim) return v;
  }
  void add_input(const Type& type) {
    inputs_.push_back(variable(type, "x" + std::to_string(inputs_.size())));
    pool_.push_back(inputs_.back());
  }
  DType any_dtype() {
    const DType dtypes[] = {bool_, int8, int16, int32, int64, uint8};
    return dtypes[pick(6)];
  }

  Var next() {
    const Var a = any(), b = pick(4) == 0 ? any(0) : any();
    switch (pick(20)) {
      case 0: return a + b;
      case 1: return a.dtype() == bool_ && b.dtype() == bool_ ? a + b : a - b;
      case 2: return a * b;
      case 3: return int_div(a, b);
      case 4: return a % b;
      case 5: return maximum(a, b);
      case 6: return minimum(a, b);
      case 7: return switch_(a > b, a, b);
      case 8: return a.dtype() == bool_ ? a * b : -a;
      case 9: return a.dtype() == bool_ ? abs(a) : abs(a) + sgn(a);
      case 10: return sqr(a) - 3;
      case 11: return cast(a, any_dtype());
      case 12: return a.dtype() == bool_ ? b : clip(a, 0, 5);
      case 13: return eq(a, b) * 2 + neq(a, 0) + le(a, b);
      case 14: return sum(any(2), {.axis = 0});
      case 15: return max(any(1));
      case 16: return sum(any(1)) + prod(any(0)) + any(2).shape(0);
      case 17: return any(2)[slice(none, none, -1)] + any(1)[slice(none, none, -1)];
      case 18: return dot(any(2), any(1))[0] + argmax(any(1));
      default: return inc_subtensor(any(2)[0], 1);
    }
  }

  std::mt19937 engine_;
  Vars inputs_, pool_;
};

}  // namespace

TEST_CASE("random integer expressions agree with the oracle bit for bit, in both modes") {
  for (std::uint32_t seed = 1; seed <= n_graphs; ++seed) {
    INFO("seed ", seed);
    const Integers graph(seed);
    const Vars x = graph.inputs(), y = graph.outputs();
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
      const Function f = function({.inputs = std::vector<In>(x.begin(), x.end()),
                                   .outputs = y,
                                   .on_unused_input = OnUnusedInput::ignore,
                                   .mode = mode});
      for (const auto& sizes : {Sizes{3, 4}, Sizes{1, 5}, Sizes{3, 4}}) {
        const std::vector<Tensor> values =
            graph.values(sizes[0], sizes[1], seed * 3 + static_cast<std::uint32_t>(sizes[1]));
        VarMap<Tensor> by;
        for (std::size_t i = 0; i < x.size(); ++i) by.emplace(x[i], values[i]);
        const std::vector<Tensor> want = test::oracle(y, by);
        const Values got = f.call(values.data(), values.size());
        for (std::size_t i = 0; i < want.size(); ++i) {
          INFO("mode ", static_cast<int>(mode), ", ", pp(y[i]));
          CHECK(got[i].dtype() == y[i].dtype());
          CHECK(identical(got[i], want[i]));
        }
      }
    }
  }
}
