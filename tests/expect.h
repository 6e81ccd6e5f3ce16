#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ops/ops.h"

/// What the tests of core and ops say in few words.
namespace damo::test {

using Build = std::function<Var(const Vars&)>;
using Tensors = std::vector<Tensor>;

/// The message of the Error that f throws, or "no error". Where it names a line of this very statement, HERE
/// stands.
std::string error_of(const std::function<void()>& f, Here here = {});

/// "at tests/core/function_test.cpp:14": how a message names the caller's line.
std::string at(int line, const char* file = __builtin_FILE());

/// A tensor of `dtype` from its elements in row-major order.
Tensor tensor(DType dtype, const Sizes& shape, const std::vector<double>& elements);

/// Uniform in [low, high), cast to `dtype`.
Tensor random(const Sizes& shape, DType dtype, std::uint32_t seed, double low = -1, double high = 1);

/// A type of unknown sizes.
Type unknown(DType dtype, int ndim);

struct Layout {
  std::string name;
  Tensor tensor;
};
/// The same elements in other memory: column-major, every second or third element, backwards, at an offset.
std::vector<Layout> layouts(const Tensor& t);

/// The value of `output` in a function of `inputs`.
Tensor evaluate(const Var& output, const Vars& inputs, const Tensors& values, Mode mode = Mode::FAST_RUN);

/// How many random cases to try: n, or fewer with the sanitizers, times $DAMO_FUZZ if that is set, for a
/// longer search.
std::uint32_t n_random(std::uint32_t n, std::optional<std::uint32_t> sanitized = {});

/// How far two correct computations of one op may be apart: some units in the last place.
double ulps(DType dtype, double n);

/// A row of a table of ops: built over variables of unknown sizes and compared with the oracle for every list
/// of shapes, in both float dtypes, in both modes and in all layouts; its gradient with finite differences.
struct OpRow {
  std::string name;
  Build build;
  std::vector<std::vector<Sizes>> shapes;  ///< of the inputs, case by case
  double low = -2;
  double high = 2;
  bool differentiable = true;
  bool twice = false;  ///< the gradient has a gradient too
  double n_ulps = 8;
};
void expect_op(const OpRow& row);

}  // namespace damo::test
