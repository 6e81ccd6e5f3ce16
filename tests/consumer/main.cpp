#include <cmath>
#include <cstdio>

#include <damo/core/tensor/processor.h>
#include <damo/models/logistic_regression.h>
#include <damo/ops/ops.h>

#include "core/tensor/error.h"

// One step of gradient descent on sum(w^2) from w = (1, 2, 3) with rate 0.25 halves w.
int main() {
  using namespace damo;
  const Shared w = shared(Tensor{1., 2., 3.}, "w");
  const Var rate = scalar("rate");
  const Var cost = sum(sqr(w));
  const Function step = function(
      {.inputs = {rate}, .outputs = cost, .updates = {{w, w - rate * grad(cost, w)}}, .name = "step"});
  const double before = step(0.25), after = step(0.);
  std::printf("%g, then %g, by the library for %s\n", before, after, instruction_set());
  return std::abs(before - 14) < 1e-6 && std::abs(after - 3.5) < 1e-6 ? consumer::success : consumer::failure;
}
