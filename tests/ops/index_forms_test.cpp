#include <doctest/doctest.h>

#include "ops/index.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

Tensor counting(const Sizes& shape) {
  std::vector<double> v(static_cast<std::size_t>(shape.product()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  return Tensor(v, shape);
}

const Slice whole = slice(none, none);

Var i() { return constant(Tensor{1, 0}); }
Var j() { return constant(Tensor{2, 0}); }
Var vector_mask() { return constant(Tensor{1, 0, 1}.astype(bool_)); }
Var matrix_mask() { return constant(Tensor{{0, 1, 0, 1}, {1, 0, 0, 0}, {0, 0, 1, 0}}.astype(bool_)); }

/// x = 0, 1, ..., 23 of shape (2, 3, 4): an element is its own position.
struct Form {
  const char* text;
  std::vector<Index> index;
  Sizes shape;
  std::vector<int> want;
};

std::vector<int> upwards(int from, int to) {
  std::vector<int> v;
  for (int k = from; k < to; ++k) v.push_back(k);
  return v;
}

/// Shapes and elements as NumPy 1.24 gives them.
std::vector<Form> forms() {
  return {
      {"x[..., 1]", {ellipsis, 1}, {2, 3}, {1, 5, 9, 13, 17, 21}},
      {"x[0, ...]", {0, ellipsis}, {3, 4}, upwards(0, 12)},
      {"x[..., 0, :]", {ellipsis, 0, whole}, {2, 4}, {0, 1, 2, 3, 12, 13, 14, 15}},
      {"x[1, ..., 2]", {1, ellipsis, 2}, {3}, {14, 18, 22}},
      {"x[0, 1, 2, ...]", {0, 1, 2, ellipsis}, {}, {6}},
      {"x[...]", {ellipsis}, {2, 3, 4}, upwards(0, 24)},
      {"x[newaxis, 1]", {newaxis, 1}, {1, 3, 4}, upwards(12, 24)},
      {"x[:, newaxis, 1:]",
       {whole, newaxis, slice(1, none)},
       {2, 1, 2, 4},
       {4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23}},
      {"x[..., newaxis]", {ellipsis, newaxis}, {2, 3, 4, 1}, upwards(0, 24)},
      {"x[:, i]", {whole, i()}, {2, 2, 4}, {4, 5, 6, 7, 0, 1, 2, 3, 16, 17, 18, 19, 12, 13, 14, 15}},
      {"x[..., j]", {ellipsis, j()}, {2, 3, 2}, {2, 0, 6, 4, 10, 8, 14, 12, 18, 16, 22, 20}},
      {"x[i, newaxis, 1:]",
       {i(), newaxis, slice(1, none)},
       {2, 1, 2, 4},
       {16, 17, 18, 19, 20, 21, 22, 23, 4, 5, 6, 7, 8, 9, 10, 11}},
      {"x[i, newaxis, j]", {i(), newaxis, j()}, {2, 1, 4}, {20, 21, 22, 23, 0, 1, 2, 3}},
      {"x[newaxis, i, j]", {newaxis, i(), j()}, {1, 2, 4}, {20, 21, 22, 23, 0, 1, 2, 3}},
      {"x[:, newaxis, j]",
       {whole, newaxis, j()},
       {2, 1, 2, 4},
       {8, 9, 10, 11, 0, 1, 2, 3, 20, 21, 22, 23, 12, 13, 14, 15}},
      {"x[0, :, j]", {0, whole, j()}, {2, 3}, {2, 6, 10, 0, 4, 8}},
      {"x[:, 0, j]", {whole, 0, j()}, {2, 2}, {2, 0, 14, 12}},
      {"x[i, 0]", {i(), 0}, {2, 4}, {12, 13, 14, 15, 0, 1, 2, 3}},
      {"x[i, -3]", {i(), -3}, {2, 4}, {12, 13, 14, 15, 0, 1, 2, 3}},
      {"x[i, :, 1]", {i(), whole, 1}, {2, 3}, {13, 17, 21, 1, 5, 9}},
      {"x[:, j, 1:3]", {whole, j(), slice(1, 3)}, {2, 2, 2}, {9, 10, 1, 2, 21, 22, 13, 14}},
      {"x[::-1, j]",
       {slice(none, none, -1), j()},
       {2, 2, 4},
       {20, 21, 22, 23, 12, 13, 14, 15, 8, 9, 10, 11, 0, 1, 2, 3}},
      {"x[i crossed with j]",
       {i().dimshuffle({0, 'x'}), j()},
       {2, 2, 4},
       {20, 21, 22, 23, 12, 13, 14, 15, 8, 9, 10, 11, 0, 1, 2, 3}},
      {"x[:, m]",
       {whole, vector_mask()},
       {2, 2, 4},
       {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23}},
      {"x[:, M]", {whole, matrix_mask()}, {2, 4}, {1, 3, 4, 10, 13, 15, 16, 22}},
      {"x[..., newaxis, M]", {ellipsis, newaxis, matrix_mask()}, {2, 1, 4}, {1, 3, 4, 10, 13, 15, 16, 22}},
      {"x[1, m, 2]", {1, vector_mask(), 2}, {2}, {14, 22}},
      {"x[1, m]", {1, vector_mask()}, {2, 4}, {12, 13, 14, 15, 20, 21, 22, 23}},
      {"x[m, :, j]", {constant(Tensor{1, 1}.astype(bool_)), whole, j()}, {2, 3}, {2, 6, 10, 12, 16, 20}},
  };
}

}  // namespace

TEST_CASE("every form of an index: shape, elements, writing and the gradient") {
  const Tensor t = counting({2, 3, 4});
  const Var x = tensor3("x", float64);
  for (const Form& form : forms()) {
    INFO(form.text);
    const Var part = subtensor(x, form.index);
    const Var weights = 1 + arange(static_cast<std::int64_t>(form.want.size()));
    Args sizes;
    for (const std::int64_t n : form.shape) sizes.emplace_back(n);
    const Var w = weights.astype(float64).reshape(sizes);
    std::vector<double> doubled = t.to_vector<double>(), more = doubled, set = doubled, gradient(24, 0);
    double k = 1;
    for (const int p : form.want) {
      const auto at = static_cast<std::size_t>(p);
      doubled[at] *= 2;
      more[at] += k;
      set[at] = -1;
      gradient[at] += k++;
    }
    for (const test::Layout& layout : test::layouts(t)) {
      INFO(layout.name);
      const auto values = [&](const Var& v, Mode mode = Mode::FAST_RUN) {
        return test::evaluate(v, {x}, {layout.tensor}, mode).to_vector<double>();
      };
      const Tensor got = test::evaluate(part, {x}, {layout.tensor});
      CHECK(got.shape() == form.shape);
      CHECK(got.to_vector<int>() == form.want);
      CHECK(values(set_subtensor(part, part * 2)) == doubled);
      CHECK(values(set_subtensor(part, -1)) == set);
      CHECK(values(inc_subtensor(part, w)) == more);
      CHECK(values(grad(sum(part * w), x)) == gradient);
      CHECK(values(grad(sum(part * w), x), Mode::FAST_COMPILE) == gradient);
    }
    // With respect to the written values: where they went; to x: where none went.
    const Var v = variable(test::unknown(float64, part.ndim()), "v");
    const Var y = set_subtensor(part, v);
    const Var c = constant(counting({2, 3, 4}));
    const Tensor ones = Tensor::full(form.shape, float64, 1);
    const Vars g = grad(sum(y * c), {x, v});
    CHECK(test::evaluate(g[1], {x, v}, {t, ones}).to_vector<int>() == form.want);
    std::vector<double> rest = t.to_vector<double>();
    for (const int p : form.want) rest[static_cast<std::size_t>(p)] = 0;
    CHECK(test::evaluate(g[0], {x, v}, {t, ones}).to_vector<double>() == rest);
  }
}

TEST_CASE("new axes stretch") {
  const Var x = dvector("x"), y = dvector("y");
  const Var product = x[{whole, newaxis}] * y;
  CHECK(product.ndim() == 2);
  CHECK(test::evaluate(product, {x, y}, {Tensor{1., 2.}, Tensor{3., 4., 5.}}).to_vector<double>() ==
        std::vector<double>{3, 4, 5, 6, 8, 10});
  CHECK(x[newaxis].type().stretch == 1U);
}

TEST_CASE("masks known only in the call, of the full and of a leading rank") {
  const Var x = dmatrix("x"), r = dvector("r"), v = dvector("v");
  const Tensor t = counting({3, 4});
  const Var big = x > 5;
  CHECK(test::evaluate(x[big], {x}, {t}).to_vector<int>() == upwards(6, 12));
  CHECK(test::evaluate(x[r > 0], {x, r}, {t, Tensor{1., -1., 1.}}).to_vector<int>() ==
        std::vector<int>{0, 1, 2, 3, 8, 9, 10, 11});
  CHECK(test::evaluate(set_subtensor(x[big], 0), {x}, {t}).to_vector<int>() ==
        std::vector<int>{0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0});
  CHECK(test::evaluate(inc_subtensor(x[x > 9], v), {x, v}, {t, Tensor{100., 200.}}).to_vector<int>() ==
        std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 110, 211});
  CHECK(test::evaluate(x[x > 99], {x}, {t}).shape() == Sizes{0});
  CHECK(test::evaluate(x[r > 0], {x, r}, {Tensor::zeros({0, 4}, float64), Tensor::zeros({0}, float64)})
            .shape() == Sizes{0, 4});
  // Another number of places in each call.
  const Function f = function({.inputs = {x}, .outputs = {sum(sqr(x[big])), grad(sum(sqr(x[big])), x)}});
  for (const double shift : {0., 3., -20., 20., 0.}) {
    const Tensor moved = test::evaluate(x + shift, {x}, {t});
    double want = 0;
    std::vector<double> gradient;
    for (const double e : moved.to_vector<double>()) {
      want += e > 5 ? e * e : 0;
      gradient.push_back(e > 5 ? 2 * e : 0);
    }
    const Values values = f(moved);
    CHECK(Tensor(values[0]).item() == want);
    CHECK(Tensor(values[1]).to_vector<double>() == gradient);
  }
  const std::vector<std::vector<Sizes>> shapes = {{{3, 4}}, {{1, 1}}, {{0, 3}}, {{5, 2}}};
  test::expect_op({.name = "x[x > 0]",
                   .build = [](const Vars& a) { return exp(a[0][a[0] > 0]); },
                   .shapes = shapes,
                   .twice = true});
  test::expect_op({.name = "a row by a mask",
                   .build =
                       [](const Vars& a) {
                         return a[0][{sum(a[0], {.axis = 1}) > 0, slice(none, none, -1)}];
                       },
                   .shapes = shapes,
                   .twice = true});
  test::expect_op({.name = "x[x > 0] set to its square",
                   .build = [](const Vars& a) { return set_subtensor(a[0][a[0] > 0], sqr(a[0][a[0] > 0])); },
                   .shapes = shapes});
  test::expect_op({.name = "the mean of what is positive",
                   .build = [](const Vars& a) { return a[0] - sum(a[0][a[0] > 0]); },
                   .shapes = shapes});
}

TEST_CASE("a parameter is updated through a mask, and kept if that fails") {
  const Shared W = shared(counting({2, 3}), "W");
  const Var m = variable(test::unknown(bool_, 2), "m"), v = dvector("v");
  const Function f =
      function({.inputs = {m, v}, .outputs = sum(W), .updates = {{W, set_subtensor(W[m], v)}}, .name = "f"});
  const Tensor mask = Tensor{{1, 0, 0}, {0, 0, 1}}.astype(bool_);
  CHECK(Tensor(f(mask, Tensor{7., 8.})).item() == 15);
  CHECK(W.get_value().to_vector<double>() == std::vector<double>{7, 1, 2, 3, 4, 8});
  CHECK(error_of([&] {
          f(mask, Tensor{1., 2., 3.});
        }).starts_with("advanced_set_subtensor: the new values have shape (3,), the indexed part (2,)"));
  CHECK(error_of([&] {
          f(Tensor{{1, 0}, {0, 1}}.astype(bool_), Tensor{1., 2.});
        })
            .starts_with(
                "flatnonzero: axis 1 of the mask has size 2, the axis that it indexes has size 3\n  bool (2, "
                "2)   m"));
  CHECK(W.get_value().to_vector<double>() == std::vector<double>{7, 1, 2, 3, 4, 8});
}

TEST_CASE("indices of the new forms that cannot be") {
  const Shared W = shared(Tensor::zeros({3, 4}, float32), "W");
  const Var x = fmatrix("x"), v = fvector("v");
  CHECK(error_of([&] {
          x[{ellipsis, 0, ellipsis}];
        }) == "subtensor: an index holds one ellipsis at most, not 2\n  float32 (?, ?)   x\n  at HERE");
  CHECK(error_of([&] {
          x[{ellipsis, 0, 0, 0}];
        }).starts_with("subtensor{i, i, i}: 3 indices for 2 dimensions\n  float32 (?, ?)   x"));
  CHECK(error_of([&] {
          x[{i(), i(), newaxis, i()}];
        }).starts_with("subtensor: 3 indices for 2 dimensions\n  float32 (?, ?)   x"));
  CHECK(error_of([&] {
          v[matrix_mask()];
        }).starts_with("subtensor: a mask of 2 dimensions at axis 0 of 1 dimensions\n  float32 (?,)   v"));
  CHECK(error_of([&] {
          W[vector_mask().dimshuffle({0, 'x'})];
        }).starts_with("flatnonzero: axis 1 of the mask has size 1, the axis that it indexes has size 4"));
  const Function f =
      function({.inputs = {x, v}, .outputs = set_subtensor(x[{newaxis, 0}], v[{newaxis}]), .name = "f"});
  CHECK(error_of([&] {
          f(Tensor::zeros({3, 4}, float32), Tensor::zeros({3}, float32));
        }).starts_with("set_subtensor{i}: the new values have shape (3,), the indexed part (4,)"));
  const Function g = function(
      {.inputs = {x}, .outputs = set_subtensor(x[{newaxis, slice(0, 2), 0}], x[{slice(0, 2), slice(0, 2)}])});
  CHECK(error_of([&] {
          g(Tensor::zeros({3, 4}, float32));
        }).starts_with("restretch: axis 0 is declared to have size 1, but has 2"));
}
