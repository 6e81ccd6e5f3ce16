#include "models/datasets.h"

#include <doctest/doctest.h>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"

namespace damo::test {
namespace {

TEST_CASE("a data set is shared without a copy, its labels as floatX seen as int32") {
  const Tensor x = Tensor::full({4, 3}, floatX(), 0.5);
  const auto [shared_x, y] = shared_dataset("some", x, Tensor{3, 1, 0, 2});
  CHECK(shared_x.get_value({.borrow = true}).data() == x.data());
  CHECK(shared_x.name() == "some_x");
  CHECK(y.dtype() == int32);
  const Tensor labels = function({.outputs = y})();
  CHECK(identical(labels, Tensor{3, 1, 0, 2}.astype(int32)));
}

TEST_CASE("another precision is converted") {
  const SharedDataset data = tiny_dataset("some", 5, 1);
  const FloatXScope scope(float64);
  const Tensor x = data.x.get_value();
  CHECK(shared_dataset("other", x, Tensor{0, 1, 2, 1, 0}).x.dtype() == float64);
}

TEST_CASE("examples and labels must agree") {
  const Tensor x = Tensor::zeros({4, 3}, floatX());
  CHECK(error_of([&] {
          shared_dataset("some", x, Tensor{1, 2});
        }) == "some: x has shape (4, 3) and y (2,), and they must be (n, n_in) and (n,)");
  CHECK(error_of([&] {
          shared_dataset("some", Tensor{1., 2.}, Tensor{1, 2});
        }) == "some: x has shape (2,) and y (2,), and they must be (n, n_in) and (n,)");
}

}  // namespace
}  // namespace damo::test
