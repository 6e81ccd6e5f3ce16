#include <doctest/doctest.h>

#include "core/graph/shared.h"
#include "ops/index.h"
#include "tests/expect.h"

using namespace damo;
using test::error_of;

TEST_CASE("positions out of range") {
  const Var x = fmatrix("x"), y = ivector("y"), n = lscalar("n");
  const int line = __LINE__ + 1;
  const Var picked = x[{arange(y.shape(0)), y}];
  const Function f = function({.inputs = {x, y}, .outputs = picked, .name = "f"});
  const Tensor t = Tensor::zeros({2, 10}, float32);
  CHECK(
      error_of([&] {
        f(t, Tensor{3, 10});
      }) ==
      "advanced_subtensor: index 10 at position 1 is out of range for axis 1 of size 10\n  float32 (2, 10)   "
      "x\n  int64 (2,)        "
      "arange\n  int32 (2,)        y\n  " +
          test::at(line) + ", in function \"f\"");
  CHECK(error_of([&] {
          f(t, Tensor{-11, 0});
        }).starts_with("advanced_subtensor: index -11 at position 0 is out of range for axis 1 of size 10"));
  CHECK(Tensor(f(t, Tensor{-10, 9})).size() == 2);
  CHECK(error_of([&] {
          f(t, Tensor{1, 2, 3});
        }).find("index 2 at position 2 is out of range for axis 0 of size 2") != std::string::npos);

  const Function g = function({.inputs = {x, n}, .outputs = x[n], .name = "g"});
  CHECK(error_of([&] { g(t, 2); }).starts_with("subtensor{i}: index 2 is out of range for axis 0 of size 2"));
  CHECK(
      error_of([&] { g(t, -3); }).starts_with("subtensor{i}: index -3 is out of range for axis 0 of size 2"));
  CHECK(Tensor(g(t, -2)).size() == 10);
  // The gradient of what was picked, and a write, fail as the pick itself.
  const Function h = function({.inputs = {x, y}, .outputs = set_subtensor(x[y], 1), .name = "h"});
  CHECK(error_of([&] {
          h(t, Tensor{2});
        }).starts_with("advanced_set_subtensor: index 2 at position 0 is out of range for axis 0 of size 2"));
  const Var m = imatrix("m");
  const Function two = function({.inputs = {x, m, n}, .outputs = x[{n, m}]});
  CHECK(error_of([&] {
          two(t, Tensor{{1, 2, 3}, {4, 5, 10}}, 1);
        })
            .starts_with(
                "advanced_subtensor: index 10 at position (1, 2) is out of range for axis 1 of size 10"));
  CHECK(
      error_of([&] {
        two(t, Tensor{{1, 2, 3}}, 2);
      }).starts_with("advanced_subtensor: index 2 at position (0, 0) is out of range for axis 0 of size 2"));
}

TEST_CASE("indices that cannot be") {
  const Shared W = shared(Tensor::zeros({3, 4}, float32), "W");
  const Var x = fmatrix("x"), v = fvector("v"), s = fscalar("s");
  CHECK(error_of([&] { W[3]; }) ==
        "subtensor{i}: index 3 is out of range for axis 0 of size 3\n  float32 (3, 4)   W\n  int64 ()        "
        " 3\n  at HERE");
  CHECK(error_of([&] {
          W[{0, 0, 0}];
        }).starts_with("subtensor{i, i, i}: 3 indices for 2 dimensions\n  float32 (3, 4)   W"));
  CHECK(error_of([&] {
          x[slice(none, none, 0)];
        }).starts_with("subtensor{::c}: the step of a slice is 0\n  float32 (?, ?)   x"));
  CHECK(
      error_of([&] { x[s]; }) ==
      "subtensor: a bound of a slice is an integer scalar, not float32 ()\n  float32 (?, ?)   x\n  at HERE");
  CHECK(error_of([&] { x[v]; }) ==
        "subtensor: an index array holds integers or bools, not float32 (?,)\n  float32 (?, ?)   x\n  at "
        "HERE");
  const Var n = lscalar("n");
  const Function f = function({.inputs = {x, n}, .outputs = x[slice(none, none, n)], .name = "f"});
  CHECK(error_of([&] { f(Tensor{{1.}}, 0); }).find("the step of a slice is 0") != std::string::npos);
}

TEST_CASE("values that do not fit the part") {
  const Shared W = shared(Tensor::zeros({3, 4}, float32), "W");
  const Var x = fmatrix("x"), v = fvector("v"), d = dvector("d");
  CHECK(error_of([&] {
          set_subtensor(x, 0);
        }).starts_with("set_subtensor: the first argument must be an indexed expression, x[...], not x"));
  CHECK(error_of([&] {
          inc_subtensor(tanh(x), 0);
        }).starts_with("inc_subtensor: the first argument must be an indexed expression, x[...], not tanh"));
  CHECK(error_of([&] {
          set_subtensor(x[0], d);
        }).starts_with("set_subtensor: values of float64 (?,) do not fit in float32 (?,)"));
  CHECK(error_of([&] { set_subtensor(W[0], Tensor::zeros({3}, float32)); })
            .starts_with("set_subtensor{i}: the new values have shape (3,), the indexed part (4,)\n  float32 "
                         "(3, 4)   W"));
  CHECK(error_of([&] {
          set_subtensor(W[0], Tensor::zeros({3, 4}, float32));
        }).starts_with("set_subtensor{i}: the new values have 2 dimensions, the indexed part has 1"));
  const Function f = function({.inputs = {x, v}, .outputs = inc_subtensor(x[slice(0, 2)], v), .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({3, 4}, float32), Tensor::zeros({3}, float32));
        }).starts_with("inc_subtensor{a:b}: the new values have shape (3,), the indexed part (2, 4)"));
}

TEST_CASE("minibatches, and the index past them") {
  const Shared data = shared(test::random({83, 2}, float64, 1), "data");
  const Var index = lscalar("index");
  const int line = __LINE__ + 1;
  const Var x = minibatch(data, index, 20);
  const Function f = function({.inputs = {index}, .outputs = x, .name = "train"});
  CHECK(identical(Tensor(f(0)), data.get_value().slice(0, 0, 20)));
  CHECK(identical(Tensor(f(3)), data.get_value().slice(0, 60, 80)));
  CHECK(error_of([&] { f(4); }) ==
        "checked_index: index 4 is past the data: there are 4 minibatches of 20, counted from 0\n  int64 ()  "
        " index\n  "
        "int64 ()   4\n  " +
            test::at(line) + ", in function \"train\"");
  CHECK(error_of([&] {
          f(-1);
        }).starts_with("checked_index: index -1 is past the data: there are 4 minibatches of 20"));
  CHECK(error_of([&] {
          minibatch(data, index, 0);
        }).starts_with("minibatch: the batch size is 0, not a positive number"));
  CHECK(identical(Tensor(f(1)), data.get_value().slice(0, 20, 40)));
}
