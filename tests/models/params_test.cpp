#include "models/params.h"

#include <doctest/doctest.h>

#include "core/data/npz.h"
#include "tests/expect.h"
#include "tests/models/tiny.h"
#include "tests/support.h"

namespace damo::test {
namespace {

NamedParams two_params() {
  return {{"W", shared(Tensor{{1., 2.}, {3., 4.}}, "W")}, {"b", shared(Tensor{5., 6.}, "b")}};
}

TEST_CASE("parameters survive a file, in either precision") {
  const std::string path = temp_dir() + "/model.npz";
  const NamedParams saved = two_params();
  save_params(path, saved);
  for (const DType dtype : {float32, float64}) {
    const FloatXScope scope(dtype);
    const NamedParams loaded = two_params();
    const void* address = loaded[0].second.get_value({.borrow = true}).data();
    loaded[0].second.set_value(Tensor::zeros({2, 2}, dtype));
    loaded[1].second.set_value(Tensor::zeros({2}, dtype));
    load_params(path, loaded);
    check_close(loaded[0].second.get_value(), saved[0].second.get_value(), 0, 0, "W");
    check_close(loaded[1].second.get_value(), saved[1].second.get_value(), 0, 0, "b");
    CHECK(loaded[0].second.dtype() == dtype);
    CHECK(loaded[0].second.get_value({.borrow = true}).data() == address);
  }
}

TEST_CASE("a file that does not fit the model is an error and changes nothing") {
  const std::string path = temp_dir() + "/model.npz";
  const NamedParams params = two_params();
  const std::vector<Tensor> before = values_of({params[0].second, params[1].second});
  const auto message = [&](const std::vector<std::pair<std::string, Tensor>>& arrays) {
    save_npz(path, arrays);
    return error_of([&] { load_params(path, params); });
  };
  const Tensor W = Tensor::zeros({2, 2}, float32), b = Tensor::zeros({2}, float32);
  CHECK(message({{"W", W}}) == path + " holds no parameter b, which this model has");
  CHECK(message({{"W", W}, {"b", b}, {"c", b}}) == path + " holds c, which this model does not have");
  CHECK(message({{"W", W}, {"b", W}}) ==
        path + " holds b as float32 (2, 2), and this model needs float32 (2,)");
  CHECK(message({{"W", W}, {"b", Tensor::zeros({2}, int32)}}) ==
        path + " holds b as int32 (2,), and this model needs float32 (2,)");
  CHECK(error_of([&] { load_params(path + "x", params); }).find(path + "x") != std::string::npos);
  CHECK(all_identical(values_of({params[0].second, params[1].second}), before));
}

TEST_CASE("a prefix stands before every name") {
  const NamedParams named = prefixed("layer0.", two_params());
  CHECK(named[0].first == "layer0.W");
  CHECK(named[1].first == "layer0.b");
}

}  // namespace
}  // namespace damo::test
