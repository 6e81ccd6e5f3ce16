#include "core/tensor/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

namespace {
Tensor counting(const Sizes& shape) {
  std::vector<double> v(static_cast<std::size_t>(shape.product()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  return Tensor(v, shape);
}
}  // namespace

TEST_CASE("a tensor is made of nested lists, vectors, numbers and sizes") {
  const Tensor m{{1, 2, 3}, {4, 5, 6}};
  CHECK(m.dtype() == int64);
  CHECK(m.shape() == Sizes{2, 3});
  CHECK(m.at<std::int64_t>(1, 0) == 4);
  CHECK(m.is_weak());

  const Tensor f = {{1, 2.5}, {3, 4}};
  CHECK(f.dtype() == floatX());
  CHECK(f.to_vector<double>() == std::vector<double>{1, 2.5, 3, 4});

  const Tensor v(std::vector<float>{1, 2, 3});
  CHECK(v.dtype() == float32);
  CHECK(v.shape() == Sizes{3});
  CHECK_FALSE(v.is_weak());
  CHECK(Tensor(std::vector<double>{1, 2, 3, 4}, {2, 2}).at<double>(1, 0) == 3);

  CHECK(Tensor(3).dtype() == int64);
  CHECK(Tensor(3).ndim() == 0);
  CHECK(Tensor(true).dtype() == bool_);
  CHECK(Tensor(2.5f).dtype() == float32);
  CHECK(Tensor(2.5).dtype() == float64);
  CHECK(Tensor(2.5).is_weak());

  CHECK(Tensor::zeros({2, 2}, int8).to_vector<int>() == std::vector<int>{0, 0, 0, 0});
  CHECK(Tensor::full({3}, float32, 1.5).to_vector<float>() == std::vector<float>{1.5f, 1.5f, 1.5f});
  CHECK(Tensor::full({}, bool_, 2).item<bool>());
  CHECK(Tensor::empty({0, 5}, float64).size() == 0);
  CHECK_FALSE(Tensor().is_set());
}

TEST_CASE("whole numbers keep their digits in lists") {
  const Tensor t = {9007199254740993, -9007199254740993, 9223372036854775807};
  CHECK(t.to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{9007199254740993, -9007199254740993, 9223372036854775807});
  CHECK(Tensor{{1, 2}, {9007199254740993, 4}}.at<std::int64_t>(1, 0) == 9007199254740993);
  CHECK(Tensor(9007199254740993).item<std::int64_t>() == 9007199254740993);
  CHECK(Tensor{1, 2.5}.to_vector<double>() == std::vector<double>{1, 2.5});
}

TEST_CASE("what cannot be a tensor is an error") {
  CHECK(error_of([] {
          Tensor{{1, 2}, {3}};
        }) == "the nested lists are ragged: 1 items where 2 were expected");
  CHECK(error_of([] { Tensor{{1, 2}, 3}; }) == "the nested lists are ragged: a number beside a list");
  CHECK(error_of([] {
          Tensor(std::vector<double>{1, 2, 3}, {2, 2});
        }) == "3 values do not fill the shape (2, 2)");
  CHECK(error_of([] { Tensor::zeros({2, -1}, float32); }) == "a tensor cannot have the shape (2, ?)");
  CHECK(error_of([] {
          Tensor::empty({784, 2147483647}, float32);
        }) == "float32 (784, 2147483647) is too large: a tensor has at most 1 TiB");
  // 2^64 bytes are no bytes in 64 bits.
  CHECK(error_of([] {
          Tensor::empty({std::int64_t{1} << 31, std::int64_t{1} << 30}, float64);
        }) == "float64 (2147483648, 1073741824) is too large: a tensor has at most 1 TiB");
  CHECK(Tensor::empty({std::int64_t{1} << 40, 0}, int8).size() == 0);
}

TEST_CASE("elements are read by index, as one number, and all together") {
  const Tensor t = counting({2, 3});
  CHECK(t.at<double>(1, 2) == 5);
  CHECK(t.span<double>()[4] == 4);
  CHECK(t[1].to_vector<double>() == std::vector<double>{3, 4, 5});
  CHECK(t[-1][0].item() == 3);
  CHECK(Tensor{{7}}.item<int>() == 7);

  CHECK(error_of([&] { t.at<float>(0, 0); }) == "the tensor holds float64, not float32");
  CHECK(error_of([&] { t.at<double>(0); }) == "1 indices for a tensor of shape (2, 3)");
  CHECK(error_of([&] { t.at<double>(0, 3); }) == "index 3 is out of range for axis 1 of shape (2, 3)");
  CHECK(error_of([&] { t.at<double>(-1, 0); }) == "index -1 is out of range for axis 0 of shape (2, 3)");
  CHECK(error_of([&] { t[2]; }) == "index 2 is out of range for axis 0 of shape (2, 3)");
  CHECK(error_of([&] { t.item(); }) == "item() needs exactly one element, not a tensor of shape (2, 3)");
  CHECK(error_of([] { Tensor().item(); }) == "an empty Tensor was used: it has no elements, and no shape");
  CHECK(error_of([&] { t.span<float>(); }) == "the tensor holds float64, not float32");
  CHECK(error_of([&] { t.transposed().span<double>(); }) ==
        "a tensor of shape (3, 2) and strides (1, 3) is not contiguous: take contiguous() first");
  CHECK(error_of([] { Tensor(1.5)[0]; }) == "a 0-d tensor cannot be indexed");
}

TEST_CASE("views share memory, copies do not") {
  const Tensor t = counting({3, 4});
  const Tensor view = t.slice(1, 1, 4, 2);
  CHECK(view.shape() == Sizes{3, 2});
  CHECK(view.to_vector<double>() == std::vector<double>{1, 3, 5, 7, 9, 11});
  view.at<double>(0, 0) = 100;
  CHECK(t.at<double>(0, 1) == 100);

  const Tensor copy = t.copy();
  copy.at<double>(0, 0) = -1;
  CHECK(t.at<double>(0, 0) == 0);

  CHECK(t.transposed().shape() == Sizes{4, 3});
  CHECK(t.transposed().at<double>(3, 2) == 11);
  CHECK(t.reversed(0).at<double>(0, 3) == 11);
  CHECK(t.reversed(1).contiguous().at<double>(2, 0) == 11);
  CHECK(t.reshaped({2, 6}).at<double>(1, 5) == 11);
  CHECK(t.reshaped({2, 6}).data() == t.data());
  CHECK(t.contiguous().data() == t.data());
  CHECK(t.astype(float64).data() == t.data());
  CHECK(t.slice(0, 1, 1).size() == 0);

  CHECK(error_of([&] { t.slice(1, 3, 2); }) == "slice 3:2:1 does not fit axis 1 of shape (3, 4)");
  CHECK(error_of([&] { t.reversed(2); }) == "axis 2 does not exist in shape (3, 4)");
  CHECK(error_of([&] { t.reshaped({5}); }) == "a tensor of shape (3, 4) cannot be reshaped to (5,)");
  CHECK(error_of([&] { t.transposed().reshaped({12}); }) ==
        "only a contiguous tensor can be reshaped without a copy: take contiguous() first");
}

TEST_CASE("memory lives as long as a handle to it") {
  Tensor row;
  {
    const Tensor t = counting({3, 4});
    row = t[1];
    CHECK(t.use_count() == 2);
  }
  CHECK(row.use_count() == 1);
  CHECK(row.to_vector<double>() == std::vector<double>{4, 5, 6, 7});

  bool released = false;
  std::vector<float> memory = {1, 2, 3};
  {
    const std::shared_ptr<void> owner(memory.data(), [&](void*) { released = true; });
    const Tensor t = Tensor::over({float32, {3}, {1}, memory.data()}, owner);
    CHECK(t.at<float>(2) == 3);
  }
  CHECK(released);
}

TEST_CASE("strided copies visit every element once") {
  const Tensor t = counting({3, 4, 5});
  for (const test::Layout& layout : test::layouts(t)) {
    INFO(layout.name);
    CHECK(identical(layout.tensor, t));
    CHECK(layout.tensor.astype(float32).to_vector<double>() == t.to_vector<double>());
  }
}

TEST_CASE("conversions are NumPy's") {
  const Tensor t(std::vector<double>{-1.7, 0, 2.9, 300});
  CHECK(t.astype(int32).to_vector<int>() == std::vector<int>{-1, 0, 2, 300});
  CHECK(t.astype(uint8).to_vector<int>() == std::vector<int>{255, 0, 2, 44});
  CHECK(t.astype(bool_).to_vector<int>() == std::vector<int>{1, 0, 1, 1});
  CHECK(Tensor(std::vector<std::int64_t>{129, -129}).astype(int8).to_vector<int>() ==
        std::vector<int>{-127, 127});
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK(Tensor(std::vector<double>{nan, inf}).astype(int64).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>(2, std::numeric_limits<std::int64_t>::min()));
  CHECK(Tensor(std::vector<double>{nan}).astype(bool_).item<bool>());
}

TEST_CASE("identical compares bit for bit") {
  CHECK(identical(Tensor{1, 2}, Tensor{1, 2}));
  CHECK_FALSE(identical(Tensor{1, 2}, Tensor{{1, 2}}));
  CHECK_FALSE(identical(Tensor{1, 2}, Tensor{1., 2.}));
  CHECK_FALSE(identical(Tensor(0.0), Tensor(-0.0)));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(identical(Tensor(nan), Tensor(nan)));
}

TEST_CASE("a tensor is written as NumPy writes it") {
  CHECK(to_string(Tensor{{1, 2}, {3, 4}}) == "[[1 2]\n [3 4]]");
  CHECK(to_string(Tensor{{1, 10}, {100, 1}}) == "[[  1  10]\n [100   1]]");
  CHECK(to_string(Tensor{1., 2.5}) == "[1.  2.5]");
  CHECK(to_string(Tensor(std::vector<double>{1. / 3, 2})) == "[0.33333333 2.        ]");
  CHECK(to_string(Tensor{1, 0}.astype(bool_)) == "[ True False]");
  CHECK(to_string(Tensor(true)) == "True");
  CHECK(to_string(Tensor(3)) == "3");
  CHECK(to_string(Tensor(3.0)) == "3.");
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK(to_string(Tensor(std::vector<double>{nan, 1.5, -inf})) == "[ nan  1.5 -inf]");
  CHECK(to_string(counting({2, 1, 2})) == "[[[0. 1.]]\n\n [[2. 3.]]]");
  CHECK(to_string(Tensor::zeros({0}, float32)) == "[]");
  CHECK(to_string(Tensor()) == "<no tensor>");
  std::ostringstream out;
  out << Tensor{1, 2};
  CHECK(out.str() == "[1 2]");
}

TEST_CASE("beyond 1000 elements only the edges are written") {
  CHECK(to_string(Tensor::zeros({2000}, int32)) == "[0 0 0 ... 0 0 0]");
  CHECK(to_string(Tensor::zeros({40, 50}, float32)) ==
        "[[0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n ...\n"
        " [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]]");
  CHECK(to_string(Tensor::zeros({200}, int32)).find("...") == std::string::npos);
}

TEST_CASE("float32 is printed with the shortest digits that tell it from its neighbours") {
  CHECK(to_string(Tensor{1.1, 2.99995}.astype(float32)) == "[1.1     2.99995]");
  CHECK(to_string(Tensor{0.1, 1e-20}.astype(float32)) == "[1.e-01 1.e-20]");
  CHECK(to_string(Tensor(16777216.).astype(float32)) == "16777216.");
}
