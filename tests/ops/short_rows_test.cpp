// Arrays of short rows: a tile takes several of them, beside operands that are the same in each row.
#include <doctest/doctest.h>

#include "core/run/function.h"
#include "core/run/threads.h"
#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;

namespace {

/// Small whole numbers, so that every order of additions gives the same.
Tensor whole(DType dtype, const Sizes& shape, int seed) {
  std::vector<double> v;
  for (int i = 0; i < shape.product(); ++i) v.push_back((i * 7 + seed) % 23 - 11);
  return test::tensor(dtype, shape, v);
}

void check_rows(DType dtype, std::int64_t rows, std::int64_t cols) {
  CAPTURE(rows);
  CAPTURE(cols);
  const Var x = matrix("x", dtype), b = vector("b", dtype), c = col("c", dtype), s = scalar("s", dtype);
  const Vars outputs = {(x + b) * s + b * s,
                        x * b - c,
                        x.T() + b.dimshuffle({0, 'x'}) * s,
                        sum(x, {.axis = 0}),
                        sum(x * b, {.axis = 0}),
                        sum((x - c) * s, {.axis = 0}),
                        sum(x * b, {.axis = 1}),
                        sum(x * b)};
  const Tensor wide = whole(dtype, {rows, 2 * cols}, 3);
  const Function f = function({.inputs = {x, b, c, s}, .outputs = outputs});
  for (const Tensor& xs : {whole(dtype, {rows, cols}, 3), wide.slice(1, 0, 2 * cols, 2)}) {
    const VarMap<Tensor> values = {
        {x, xs}, {b, whole(dtype, {cols}, 1)}, {c, whole(dtype, {rows, 1}, 5)}, {s, whole(dtype, {}, 14)}};
    const std::vector<Tensor> want = test::oracle(outputs, values);
    const Values got = f(values.at(x), values.at(b), values.at(c), values.at(s));
    for (std::size_t i = 0; i < want.size(); ++i)
      test::check_close(got[static_cast<int>(i)], want[i], 0, 0, "output " + std::to_string(i));
  }
}

}  // namespace

TEST_CASE("short rows beside one row, a column and a number, and their sums") {
  for (const int threads : {1, 3}) {
    set_threads(threads);
    for (const DType dtype : {DType::float32, DType::float64, DType::int8})
      for (const std::int64_t rows : {1, 2, 7, 53, 600})
        for (const std::int64_t cols : {1, 2, 3, 10, 16, 31, 100, 128, 129}) check_rows(dtype, rows, cols);
  }
  check_rows(DType::float32, 20000, 10);
  set_threads(0);
}
