#include "models/sizes.h"

#include "core/tensor/check.h"

namespace damo {

void check_layer(const std::string& model, const Var& input, int n_in, int n_out) {
  check(input.is_set(), "{}: the input is not set", model);
  check(n_in > 0 && n_out > 0,
        "{}: a layer needs at least one unit on either side, not {} inputs and {} outputs", model, n_in,
        n_out);
}

void check_shape(const std::string& model, const std::string& name, const Shared& param, const Sizes& shape) {
  const Sizes found = param.get_value({.borrow = true}).shape();
  check(found == shape, "{}: {} has shape {}, and this layer needs {}", model, name, found, shape);
}

std::int64_t n_minibatches(const Shared& x, int batch_size) {
  const std::int64_t n = x.get_value({.borrow = true}).shape(0);
  check(batch_size > 0, "the batch size is {}, and must be at least 1", batch_size);
  check(batch_size <= n, "the batch size is {}, and {} has only {} examples", batch_size, label(x), n);
  return n / batch_size;
}

}  // namespace damo
