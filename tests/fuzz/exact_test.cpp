#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/expect.h"
#include "tests/fuzz/random_program.h"
#include "tests/oracle.h"

using namespace damo;

// Floats that hold small whole numbers and halves, and now and then Inf or NaN, under operations that do not
// round: whatever the order of sums and products, every element agrees with the oracle (but for the sign of
// zeros), also at ties and in what a comparison chooses, gradients with them.

namespace {

const std::uint32_t n_graphs = test::n_random(300, 40);
constexpr std::int64_t size = 4;  // a power of 2: means do not round

class Exact {
 public:
  Exact(std::uint32_t seed, DType dtype) : engine_(seed), dtype_(dtype) {
    for (int ndim : {2, 2, 1, 1, 0}) {
      inputs_.push_back(variable(test::unknown(dtype, ndim), "x" + std::to_string(inputs_.size())));
      pool_.push_back(inputs_.back());
    }
    for (int i = 0; i < 10; ++i) pool_.push_back(next());
    for (int i = 0; i < 3; ++i) outputs_.push_back(pool_[pool_.size() - 1 - static_cast<std::size_t>(i)]);
    const Var y = outputs_[0];
    outputs_.push_back(mean(y));
    for (const Var& g :
         grad(sum(y) + mean(outputs_[1]), inputs_, {.disconnected_inputs = Disconnected::zero}))
      outputs_.push_back(g);
    for (const Var& g : Lop(outputs_[1], {inputs_[0], inputs_[2]}, 2.)) outputs_.push_back(g);
  }

  const Vars& inputs() const { return inputs_; }
  const Vars& outputs() const { return outputs_; }

  std::vector<Tensor> values(std::uint32_t seed, bool with_rare) const {
    const double common[] = {0, 0, 1, 1, -1, 2, -2, .5};
    const double rare[] = {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()};
    std::mt19937 engine(seed);
    std::vector<Tensor> all;
    for (const Var& v : inputs_) {
      const Sizes shape(v.ndim(), size);
      std::vector<double> elements(static_cast<std::size_t>(shape.product()));
      for (double& x : elements)
        x = with_rare && engine() % 12 == 0 ? rare[engine() % 3] : common[engine() % std::size(common)];
      all.push_back(test::tensor(dtype_, shape, elements));
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

  Var next() {
    const Var a = any(), b = pick(3) == 0 ? any(0) : any(a.ndim());
    const int axis = a.ndim() == 2 ? pick(2) : 0;
    const auto bounded = [](const Var& v) { return clip(v, -4, 4); };
    switch (pick(30)) {
      case 0: return bounded(a + b);
      case 1: return bounded(a - b);
      case 2: return bounded(a * b);
      case 3: return maximum(a, b);
      case 4: return minimum(a, b);
      case 5: return maximum(a, 0) + minimum(0, b);
      case 6: return abs(a);
      case 7: return bounded(sqr(a));
      case 8: return switch_(a > b, a, b);
      case 9: return switch_(eq(a, b), a, -b);
      case 10: return relu(a);
      case 11: return clip(a, -1, b);
      case 12: return a.ndim() == 0 ? -a : max(a, {.axis = axis});
      case 13: return a.ndim() == 0 ? -a : min(a, {.axis = axis});
      case 14: return a.ndim() == 0 ? -a : mean(a, {.axis = axis});
      case 15: return a.ndim() == 0 ? -a : bounded(sum(a, {.axis = axis, .keepdims = true}) - a);
      case 16: return max(any(2));
      case 17: return bounded(dot(any(2), any(2)));
      case 18: return bounded(dot(any(2), any(1)));
      case 19: return bounded(dot(any(1), any(1)));
      case 20: return any(2)[cast(argmax(any(1)), int32)];
      case 21: return set_subtensor(any(2)[constant(Tensor{1, 1, 2})], any(1));
      case 22: return bounded(inc_subtensor(any(2)[constant(Tensor{3, 0, 3})], any(1)));
      case 23: return a.ndim() == 0 ? a : sort(a, axis);
      case 24: return any(2).T();
      case 25: return bounded(outer(any(1), any(1)));
      case 26: return any(2) - any(0) * dot(any(2), any(2)) * .5;
      case 27: return bounded(pow(a, 2) - pow(b, 3));
      case 28: return bounded(any(2) * any(1).dimshuffle({0, 'x'}) - any(1));
      default: return a.ndim() == 0 ? floor(a) : bounded(prod(a, {.axis = axis}));
    }
  }

  std::mt19937 engine_;
  DType dtype_;
  Vars inputs_, pool_, outputs_;
};

/// Equal elements, NaN where NaN is.
bool are_equal(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return false;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] != y[i] && !(std::isnan(x[i]) && std::isnan(y[i]))) return false;
  return true;
}

}  // namespace

TEST_CASE("where nothing rounds, every element agrees with the oracle, at ties, with Inf and NaN") {
  for (const DType dtype : {float64, float32})
    for (std::uint32_t seed = test::first_seed(); seed <= n_graphs; ++seed) {
      const Exact graph(seed, dtype);
      const Rewrites& phases = default_rewrites();
      const struct {
        std::string name;
        Rewrites rewrites;
      } ways[] = {{"as written", {}}, {"rewritten", phases}, {"one phase", {phases[seed % phases.size()]}}};
      for (const auto& way : ways) {
        const Function f = compile(
            {.inputs = graph.inputs(), .outputs = graph.outputs(), .on_unused_input = OnUnusedInput::ignore},
            way.rewrites, Here());
        for (const bool with_rare : {false, true}) {
          const std::vector<Tensor> values = graph.values(seed, with_rare);
          VarMap<Tensor> by;
          for (std::size_t i = 0; i < values.size(); ++i) by.emplace(graph.inputs()[i], values[i]);
          const std::vector<Tensor> want = test::oracle(graph.outputs(), by);
          const Values got = f.call(values.data(), values.size());
          for (std::size_t i = 0; i < want.size(); ++i) {
            INFO("seed ", seed, ", dtype ", size_of(dtype) * 8, ", ", way.name,
                 std::string(with_rare ? ", with NaN" : ""), ", result ", i, ": ", pp(graph.outputs()[i]));
            CHECK_MESSAGE(are_equal(got[i], want[i]), got[i], "\nbut\n", want[i]);
          }
        }
      }
    }
}
