#include "core/graph/shared.h"

#include <doctest/doctest.h>

#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;
using damo::test::error_of;

TEST_CASE("a shared variable has its tensor's dtype, rank and sizes") {
  const Shared W = shared(Tensor::zeros({784, 500}, float32), "W");
  CHECK(W.dtype() == float32);
  CHECK(W.type().shape == Sizes{784, 500});
  CHECK(W.type().stretch == 0);
  CHECK(W.name() == "W");
  CHECK(W.node().kind == Node::Kind::shared);
  CHECK(shared(Tensor{1, 2}).dtype() == int64);
  CHECK_FALSE(Shared().is_set());

  const Shared b = shared(Tensor::zeros({1, 5}, float32), "b", {.broadcastable = {true, false}});
  CHECK(b.type().stretch == 1U);
  const Shared x = shared(Tensor::zeros({20, 5}, float32), "x", {.resizable = true});
  CHECK(x.type().shape == Sizes{-1, -1});

  CHECK(error_of([] { shared(Tensor()); }) == "a shared variable needs a value, not an empty Tensor");
  CHECK(error_of([] {
          shared(Tensor::zeros({2, 3}, float32), "b", {.broadcastable = {true, false}});
        }) == "shared: axis 0 has size 2, only an axis of size 1 can be broadcastable");
  CHECK(error_of([] {
          shared(Tensor::zeros({2, 3}, float32), "b", {.broadcastable = {true}});
        }) == "shared: broadcastable has 1 entries for a tensor of shape (2, 3)");
  CHECK(error_of([] { Shared(matrix("x")); }) == "x is not a shared variable");
}

TEST_CASE("get_value copies, and with borrow is the live memory") {
  const Tensor value = Tensor{1., 2.}.astype(float64);
  const Shared s = shared(value, "s");
  value.at<double>(0) = 100;
  CHECK(s.get_value().at<double>(0) == 1);
  s.get_value().at<double>(0) = 50;
  CHECK(s.get_value().at<double>(0) == 1);
  CHECK(s.get_value({.borrow = true}).data() == s.get_value({.borrow = true}).data());
  CHECK(s.get_value().data() != s.get_value({.borrow = true}).data());

  const Shared kept = shared(value, "kept", {.borrow = true});
  CHECK(kept.get_value({.borrow = true}).data() == value.data());
}

TEST_CASE("a whole number that does not fit is an error, wherever it is given to a variable") {
  const Shared s = shared(Tensor{1, 2}.astype(int8), "s"), u = shared(Tensor{1}.astype(uint8), "u"),
               i = shared(Tensor(5).astype(int32), "i"), t = shared(Tensor(true), "t");
  CHECK(error_of([&] {
          s.set_value(Tensor{1, 300});
        }) == "set_value of s: it holds int8, and the new value does not fit");
  CHECK(error_of([&] { u.set_value(Tensor{-1}); }).ends_with("and the new value does not fit"));
  CHECK(error_of([&] { i.set_value(Tensor(1LL << 31)); }).ends_with("and the new value does not fit"));
  CHECK(error_of([&] { t.set_value(Tensor(2)); }).ends_with("and the new value does not fit"));
  CHECK(s.get_value().to_vector<int>() == std::vector<int>{1, 2});
  s.set_value(Tensor{-128, 127});
  u.set_value(Tensor{255});
  i.set_value(Tensor(-(1LL << 31)));
  t.set_value(Tensor(0));
  CHECK(s.get_value().to_vector<int>() == std::vector<int>{-128, 127});
  // Literals in expressions, updates and givens.
  const Shared one = shared(Tensor(1).astype(int8), "one");
  CHECK(error_of([&] { Update(one, 300); }) == "300 does not fit int8\n  at HERE");
  CHECK(error_of([&] { Update(one, 300.); }) == "300 does not fit int8\n  at HERE");
  CHECK(error_of([&] { Update(one, 1e300); }) == "1e+300 cannot stand where int8 is expected\n  at HERE");
  CHECK(error_of([&] { Given(bscalar("b"), -129); }) == "-129 does not fit int8\n  at HERE");
  CHECK(Update(one, 100.).value.node().value.item() == 100);
}

TEST_CASE("set_value keeps the memory's address") {
  const Shared s = shared(Tensor::zeros({2, 2}, float32), "s");
  const void* const memory = s.get_value({.borrow = true}).data();
  s.set_value(Tensor{{1, 2}, {3, 4}});
  CHECK(s.get_value().to_vector<int>() == std::vector<int>{1, 2, 3, 4});
  CHECK(s.get_value({.borrow = true}).data() == memory);
  s.set_value(Tensor{{1, 2}, {3, 4}}.astype(float32).transposed());
  CHECK(s.get_value().to_vector<int>() == std::vector<int>{1, 3, 2, 4});
  // From its own memory: the old elements, not those being written.
  s.set_value(s.get_value({.borrow = true}).transposed());
  CHECK(s.get_value().to_vector<int>() == std::vector<int>{1, 2, 3, 4});
  s.set_value(s.get_value({.borrow = true}).reversed(0));
  CHECK(s.get_value().to_vector<int>() == std::vector<int>{3, 4, 1, 2});
}

TEST_CASE("set_value of another dtype, rank or size is an error that names the cure") {
  const Shared s = shared(Tensor::zeros({2, 2}, float32), "s");
  CHECK(error_of([&] {
          s.set_value(Tensor::zeros({2, 2}, float64));
        }) == "set_value of s: it holds float32 (2, 2), the new value is float64 (2, 2)");
  CHECK(error_of([&] { s.set_value(Tensor::zeros({2}, float32)); }) ==
        "set_value of s: it holds float32 (2, 2), the new value is float32 (2,)");
  CHECK(error_of([&] {
          s.set_value(Tensor::zeros({3, 2}, float32));
        }) ==
        "set_value of s: it holds float32 (2, 2), the new value is float32 (3, 2): other sizes need a "
        "variable made "
        "with shared(value, name, {.resizable = true})");
  CHECK(error_of([&] { s.set_value(Tensor()); }) == "set_value of s: the tensor is empty");
  CHECK(s.get_value().to_vector<int>() == std::vector<int>(4, 0));

  const Shared i = shared(Tensor{1, 2}.astype(int32), "i");
  CHECK(error_of([&] { i.set_value(Tensor{1.5, 2}); }) != "no error");
  CHECK(i.get_value().to_vector<int>() == std::vector<int>{1, 2});
}

TEST_CASE("a resizable variable takes other sizes, and functions follow") {
  const Shared s = shared(Tensor::full({2, 2}, float32, 1), "s", {.resizable = true});
  const Function f = function({.outputs = {sum(s), s.shape(0)}});
  CHECK(f()[0].item() == 4);
  s.set_value(Tensor::full({5, 3}, float32, 2));
  CHECK(f()[0].item() == 30);
  CHECK(f()[1].item<int>() == 5);
  s.set_value(Tensor::full({0, 3}, float32, 2));
  CHECK(f()[0].item() == 0);
  CHECK(error_of([&] { s.set_value(Tensor::zeros({2}, float32)); }) ==
        "set_value of s: it holds float32 (0, 3), the new value is float32 (2,)");
}
