#include <damo/core/tensor/error.h>

#include "core/tensor/error.h"
#include "models/logistic_regression.h"
#include "ops/ops.h"

// Both names of a header are one header, and link.
int main() {
  using namespace damo;
  const Var x = vector("x");
  return function({.inputs = {x}, .outputs = sum(x)})(Tensor{1., 2.}).item() == 3 ? 0 : 1;
}
