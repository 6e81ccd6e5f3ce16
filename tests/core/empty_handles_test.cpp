#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/run/function.h"
#include "core/run/print_function.h"
#include "core/run/profile.h"
#include "ops/ops.h"
#include "tests/expect.h"

using namespace damo;

namespace {

struct Use {
  std::string name;
  std::function<void()> f;
};

const std::vector<Use>& uses() {
  static const Function f;
  static const Tensor t;
  static const Var v;
  static const Shared s;
  static const Var x = vector("x");
  static const std::vector<Use> all = {
      {"Function()", [] { f(); }},
      {"Function({})",
       [] {
         f({{"x", 1}});
       }},
      {"Function.call", [] { f.call(nullptr, 0); }},
      {"Function.copy", [] { f.copy(); }},
      {"Function.name", [] { f.name(); }},
      {"Function.outputs", [] { f.outputs(); }},
      {"Function.updated", [] { f.updated(); }},
      {"Function.trace", [] { f.trace(); }},
      {"Function.memory", [] { f.memory(); }},
      {"Function.frame", [] { f.frame(); }},
      {"debugprint(Function)", [] { debugprint(f); }},
      {"to_dot(Function)", [] { to_dot(f); }},
      {"measured", [] { measured(f); }},
      {"profile", [] { profile(f); }},
      {"Tensor.dtype", [] { t.dtype(); }},
      {"Tensor.shape", [] { t.shape(); }},
      {"Tensor.shape(0)", [] { t.shape(0); }},
      {"Tensor.strides", [] { t.strides(); }},
      {"Tensor.ndim", [] { t.ndim(); }},
      {"Tensor.size", [] { t.size(); }},
      {"Tensor.is_contiguous", [] { t.is_contiguous(); }},
      {"Tensor.view", [] { t.view(); }},
      {"Tensor.data", [] { t.data(); }},
      {"Tensor.at", [] { t.at<float>(); }},
      {"Tensor.at(0)", [] { t.at<float>(0); }},
      {"Tensor.item", [] { t.item(); }},
      {"Tensor.item<int>", [] { t.item<int>(); }},
      {"Tensor.span", [] { t.span<float>(); }},
      {"Tensor.to_vector", [] { t.to_vector<double>(); }},
      {"Tensor.copy", [] { t.copy(); }},
      {"Tensor.contiguous", [] { t.contiguous(); }},
      {"Tensor.astype its own", [] { t.astype(float32); }},
      {"Tensor.astype", [] { t.astype(float64); }},
      {"Tensor[]", [] { t[0]; }},
      {"Tensor.slice", [] { t.slice(0, 0, 0); }},
      {"Tensor.reversed", [] { t.reversed(0); }},
      {"Tensor.transposed", [] { t.transposed(); }},
      {"Tensor.reshaped", [] { t.reshaped({1}); }},
      {"identical, both", [] { identical(t, t); }},
      {"identical, first", [] { identical(t, Tensor(1.)); }},
      {"identical, second", [] { identical(Tensor(1.), t); }},
      {"shared", [] { shared(t); }},
      {"constant", [] { constant(t); }},
      {"Arg(Tensor)", [] { x + t; }},
      {"set_value", [] { shared(Tensor(1.)).set_value(t); }},
      {"Values.item", [] { Values().item(); }},
      {"Values[]", [] { Values()[0]; }},
      {"Values as Tensor", [] { static_cast<void>(Tensor(Values{})); }},
      {"Values.bind", [] { Values().bind<1>(); }},
      {"an empty argument", [] { function({.inputs = {x}, .outputs = x * 2})(t); }},
      {"Var.node", [] { v.node(); }},
      {"Var.type", [] { v.type(); }},
      {"Var.dtype", [] { v.dtype(); }},
      {"Var.ndim", [] { v.ndim(); }},
      {"Var.name", [] { v.name(); }},
      {"Var.named", [] { v.named("v"); }},
      {"Var.T", [] { v.T(); }},
      {"Var.dimshuffle", [] { v.dimshuffle({0}); }},
      {"Var.reshape", [] { v.reshape({1}); }},
      {"Var.flatten", [] { v.flatten(); }},
      {"Var.shape", [] { v.shape(); }},
      {"Var.shape(0)", [] { v.shape(0); }},
      {"Var.astype", [] { v.astype(float32); }},
      {"Var[]", [] { v[0]; }},
      {"x[Var]", [] { x[v]; }},
      {"Var.eval", [] { v.eval(); }},
      {"eval of a given",
       [] {
         x.eval({{v, 1.}});
       }},
      {"Var + 1", [] { v + 1; }},
      {"-Var", [] { -v; }},
      {"tanh", [] { tanh(v); }},
      {"dot", [] { dot(x, v); }},
      {"sum", [] { sum(v); }},
      {"join",
       [] {
         join(0, {x, v});
       }},
      {"apply of no op", [] { apply(OpPtr(), Vars{x}); }},
      {"grad of", [] { grad(v, x); }},
      {"grad to", [] { grad(sum(x), v); }},
      {"pp", [] { pp(v); }},
      {"debugprint(Var)", [] { debugprint(v); }},
      {"to_dot(Var)", [] { to_dot(v); }},
      {"an input", [] { function({.inputs = {v}}); }},
      {"an output", [] { function({.outputs = v}); }},
      {"a given",
       [] {
         function({.outputs = x * 2, .givens = {{v, x}}});
       }},
      {"what is given",
       [] {
         function({.outputs = x * 2, .givens = {{x, v}}});
       }},
      {"an update",
       [] {
         function({.updates = {{s, x}}});
       }},
      {"its new value",
       [] {
         function({.updates = {{shared(Tensor(1.)), v}}});
       }},
      {"Shared.get_value", [] { s.get_value(); }},
      {"Shared.get_value borrowed", [] { s.get_value({.borrow = true}); }},
      {"Shared.set_value", [] { s.set_value(1.); }},
      {"Shared * 2", [] { s * 2; }},
  };
  return all;
}

}  // namespace

TEST_CASE("whatever an empty handle is asked for is an Error") {
  for (const Use& use : uses()) {
    INFO(use.name);
    CHECK_THROWS_AS(use.f(), Error);
  }
}

TEST_CASE("an empty handle can be copied, asked whether it is empty, and printed") {
  const Tensor t, u = t;
  CHECK_FALSE(u.is_set());
  CHECK(to_string(u) == "<no tensor>");
  CHECK(u.use_count() == 0);
  CHECK(label(Var()) == "<empty>");
  CHECK_FALSE(Function(Function()).is_set());
  CHECK_FALSE(Shared(Var()).is_set());
  CHECK(test::error_of([] { Function().name(); }) ==
        "an empty Function was used: it was declared but never compiled");
  CHECK(test::error_of([] { Tensor().astype(float32); }) ==
        "an empty Tensor was used: it has no elements, and no shape");
}
