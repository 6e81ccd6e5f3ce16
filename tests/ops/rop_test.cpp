#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;

// Rop is two Lops: against Lop it would be vacuous, so every op's is compared with differences along a
// direction, and so are second derivatives. float64.

namespace {

using test::Build;

Tensor numbers(std::initializer_list<Nested> list) { return Tensor(list); }
Var W() { return constant(test::random({4, 2}, float64, 3)); }
Var X() { return constant(test::random({3, 4}, float64, 4, .3, 1.4)); }
/// A regular matrix made of x.
Var square(const Var& x) {
  return dot(x, x.T()) + constant(Tensor{{3., 0., 0.}, {.5, 4., 0.}, {-.5, 1., 3.}}.astype(float64));
}
/// Images (1, 2, 4, 3) and filters (2, 2, 2, 2) of the same 12 numbers.
Var images(const Var& x) { return join(0, {flatten(x), flatten(sqr(x))}).reshape({1, 2, 4, 3}); }
Var filters(const Var& x) { return join(0, {flatten(x), flatten(x)[slice(0, 4)]}).reshape({2, 2, 2, 2}); }

struct Row {
  const char* name;
  Build f;
};

const std::vector<Row>& table() {
  static const std::vector<Row> rows = {
      {"neg", [](const Vars& x) { return -x[0]; }},
      {"exp", [](const Vars& x) { return exp(x[0]); }},
      {"expm1", [](const Vars& x) { return expm1(x[0]); }},
      {"log", [](const Vars& x) { return log(x[0]); }},
      {"log1p", [](const Vars& x) { return log1p(x[0]); }},
      {"sqrt", [](const Vars& x) { return sqrt(x[0]); }},
      {"sqr", [](const Vars& x) { return sqr(x[0]); }},
      {"inv", [](const Vars& x) { return inv(x[0]); }},
      {"abs", [](const Vars& x) { return abs(x[0] - .7); }},
      {"sgn", [](const Vars& x) { return sgn(x[0] - .7) * x[0]; }},
      {"sin", [](const Vars& x) { return sin(x[0]); }},
      {"cos", [](const Vars& x) { return cos(x[0]); }},
      {"tanh", [](const Vars& x) { return tanh(x[0]); }},
      {"sigmoid", [](const Vars& x) { return sigmoid(x[0]); }},
      {"softplus", [](const Vars& x) { return softplus(x[0]); }},
      {"exp2", [](const Vars& x) { return exp2(x[0]); }},
      {"log2", [](const Vars& x) { return log2(x[0]); }},
      {"log10", [](const Vars& x) { return log10(x[0]); }},
      {"tan", [](const Vars& x) { return tan(x[0]); }},
      {"arctan", [](const Vars& x) { return arctan(x[0]); }},
      {"sinh", [](const Vars& x) { return sinh(x[0]); }},
      {"cosh", [](const Vars& x) { return cosh(x[0]); }},
      {"arcsinh", [](const Vars& x) { return arcsinh(x[0]); }},
      {"deg2rad", [](const Vars& x) { return deg2rad(x[0]); }},
      {"rad2deg", [](const Vars& x) { return rad2deg(x[0]); }},
      {"erf", [](const Vars& x) { return erf(x[0]); }},
      {"erfc", [](const Vars& x) { return erfc(x[0]); }},
      {"gamma", [](const Vars& x) { return gamma(x[0]); }},
      {"gammaln", [](const Vars& x) { return gammaln(x[0]); }},
      {"relu", [](const Vars& x) { return relu(x[0]); }},
      {"elu", [](const Vars& x) { return elu(x[0]); }},
      {"selu", [](const Vars& x) { return selu(x[0]); }},
      {"softsign", [](const Vars& x) { return softsign(x[0]); }},
      {"arcsin, arccos, arctanh", [](const Vars& x) { return arcsin(x[0] / 2) * arccos(x[0] / 3) + arctanh(x[0] / 2); }},
      {"arccosh", [](const Vars& x) { return arccosh(x[0] + 1); }},
      {"arctan2", [](const Vars& x) { return arctan2(x[0], X()) + arctan2(X(), sqr(x[0])); }},
      {"erfinv, erfcinv", [](const Vars& x) { return erfinv(x[0] / 2) + erfcinv(x[0]); }},
      {"hard_sigmoid", [](const Vars& x) { return hard_sigmoid(x[0]) * x[0]; }},
      {"relu with a slope", [](const Vars& x) { return sqr(relu(x[0] - .7, .1)); }},
      {"elu with a factor", [](const Vars& x) { return elu(x[0] - .7, .5); }},
      {"mul_no_nan", [](const Vars& x) { return mul_no_nan(x[0], sqr(x[0])); }},
      {"cast", [](const Vars& x) { return cast(x[0], float64) * 2; }},
      {"add, sub", [](const Vars& x) { return x[0] + X() - x[0].T()[0][0]; }},
      {"mul", [](const Vars& x) { return x[0] * X() * x[0]; }},
      {"true_div", [](const Vars& x) { return X() / x[0] + x[0] / X(); }},
      {"int_div, mod", [](const Vars& x) { return x[0] % .45 + int_div(x[0], .45) * x[0]; }},
      {"pow of x", [](const Vars& x) { return pow(x[0], 2.5); }},
      {"pow to x", [](const Vars& x) { return pow(X(), x[0]); }},
      {"pow", [](const Vars& x) { return pow(x[0], x[0]); }},
      {"maximum", [](const Vars& x) { return maximum(x[0], X()) * x[0]; }},
      {"minimum", [](const Vars& x) { return minimum(x[0], X()) * x[0]; }},
      {"switch", [](const Vars& x) { return switch_(gt(x[0], X()), sqr(x[0]), exp(x[0])); }},
      {"clip", [](const Vars& x) { return clip(sqr(x[0]), .3, 1.2); }},
      {"broadcast", [](const Vars& x) { return x[0] / sum(x[0], {.axis = 1, .keepdims = true}) * x[0][0]; }},
      {"sum", [](const Vars& x) { return sum(sqr(x[0]), {.axis = 1}); }},
      {"sum of all", [](const Vars& x) { return sum(exp(x[0])); }},
      {"mean", [](const Vars& x) { return mean(sqr(x[0]), {.axis = 0, .keepdims = true}); }},
      {"var", [](const Vars& x) { return var(x[0], {.axis = 1}); }},
      {"prod", [](const Vars& x) { return prod(x[0], {.axis = 0}); }},
      {"max", [](const Vars& x) { return max(sqr(x[0]), {.axis = 0}); }},
      {"min", [](const Vars& x) { return min(sqr(x[0]), {.axis = 1}); }},
      {"std", [](const Vars& x) { return std_(x[0], {.axis = 1}); }},
      {"ptp", [](const Vars& x) { return ptp(sqr(x[0]), {.axis = 1}); }},
      {"norm", [](const Vars& x) { return norm(x[0], 2, {.axis = 0}); }},
      {"norm of order 3", [](const Vars& x) { return norm(x[0], 3); }},
      {"max_and_argmax", [](const Vars& x) { return max_and_argmax(sqr(x[0]), {.axis = 1}).max; }},
      {"cumsum", [](const Vars& x) { return cumsum(sqr(x[0]), 1); }},
      {"cumprod", [](const Vars& x) { return cumprod(x[0], 0); }},
      {"dot", [](const Vars& x) { return dot(x[0], W()); }},
      {"dot with itself", [](const Vars& x) { return dot(x[0].T(), x[0]); }},
      {"dot with vectors", [](const Vars& x) { return dot(dot(x[0][1], x[0].T()), x[0]); }},
      {"dot of vectors", [](const Vars& x) { return dot(x[0][1], x[0][2]); }},
      {"outer", [](const Vars& x) { return outer(x[0][0], x[0][1]); }},
      {"a layer", [](const Vars& x) { return tanh(dot(x[0], W()) + 1); }},
      {"batched_dot", [](const Vars& x) { return batched_dot(images(x[0])[0], images(sqr(x[0]))[0].dimshuffle({0, 2, 1})); }},
      {"tensordot", [](const Vars& x) { return tensordot(x[0], images(x[0])[0], {{1}, {1}}); }},
      {"conv2d", [](const Vars& x) { return conv2d(images(x[0]), filters(x[0])); }},
      {"conv2d with a border and steps",
       [](const Vars& x) {
         return conv2d(images(x[0]), filters(x[0]), {.border_mode = 1, .subsample = 2, .filter_flip = false});
       }},
      {"pool_2d", [](const Vars& x) { return pool_2d(sqr(images(x[0])), 2); }},
      {"pool_2d, sum",
       [](const Vars& x) {
         return pool_2d(sqr(images(x[0])), 2, {.stride = 1, .mode = PoolMode::sum});
       }},
      {"pool_2d, mean",
       [](const Vars& x) {
         return pool_2d(sqr(images(x[0])), 2, {.ignore_border = true, .pad = 1, .mode = PoolMode::average_exc_pad});
       }},
      {"softmax", [](const Vars& x) { return softmax(x[0]); }},
      {"log_softmax", [](const Vars& x) { return log_softmax(x[0]); }},
      {"log_sum_exp", [](const Vars& x) { return log_sum_exp(x[0]); }},
      {"binary_crossentropy", [](const Vars& x) { return binary_crossentropy(sigmoid(x[0]), x[0] / 2); }},
      {"categorical_crossentropy",
       [](const Vars& x) {
         return categorical_crossentropy(softmax(x[0]), constant(numbers({1, 0, 3})));
       }},
      {"dimshuffle",
       [](const Vars& x) {
         return sqr(x[0]).dimshuffle({1, 'x', 0});
       }},
      {"reshape",
       [](const Vars& x) {
         return sin(x[0].T().reshape({2, -1}));
       }},
      {"flatten", [](const Vars& x) { return exp(x[0].flatten()); }},
      {"alloc",
       [](const Vars& x) {
         return sqr(alloc(x[0][0], {2, 4}));
       }},
      {"join",
       [](const Vars& x) {
         return join(0, {sqr(x[0]), exp(x[0])});
       }},
      {"stack",
       [](const Vars& x) {
         return stack({sqr(x[0][0]), exp(x[0][1])});
       }},
      {"index",
       [](const Vars& x) {
         return exp(x[0][{slice(none, none, -1), slice(1, none)}]);
       }},
      {"picked",
       [](const Vars& x) {
         return sqr(x[0][constant(numbers({2, 0, 2}))]);
       }},
      {"picked pairs",
       [](const Vars& x) {
         return sqr(x[0][{constant(numbers({2, 0, 2})), constant(numbers({1, 1, 1}))}]);
       }},
      {"set_subtensor", [](const Vars& x) { return set_subtensor(x[0][0], sqr(x[0][1])); }},
      {"inc_subtensor", [](const Vars& x) { return inc_subtensor(sqr(x[0])[slice(0, 2)], exp(x[0][1])); }},
      {"inc_subtensor, picked",
       [](const Vars& x) {
         return inc_subtensor(sqr(x[0])[constant(numbers({1, 1}))], exp(x[0][slice(0, 2)]));
       }},
      {"swapaxes, squeeze", [](const Vars& x) { return sqr(squeeze(swapaxes(shape_padleft(x[0]), 1, 2))); }},
      {"tile", [](const Vars& x) { return sqr(tile(x[0], {2, 1})); }},
      {"repeat", [](const Vars& x) { return exp(repeat(x[0], 2, 1)); }},
      {"repeat by a vector", [](const Vars& x) { return exp(repeat(x[0], constant(numbers({2, 0, 1})), 0)); }},
      {"roll", [](const Vars& x) { return x[0] * roll(x[0], 1, 1); }},
      {"split", [](const Vars& x) { return exp(split(x[0], {1, 2, 1}, 1)[1]); }},
      {"fill", [](const Vars& x) { return sqr(fill(X(), x[0][0][0])) * full({3, 4}, x[0][1][1]); }},
      {"diag", [](const Vars& x) { return exp(diag(x[0][0])); }},
      {"diagonal, trace", [](const Vars& x) { return exp(diagonal(x[0])) * trace(sqr(x[0])); }},
      {"tril, triu", [](const Vars& x) { return sqr(tril(x[0])) + exp(triu(x[0], 1)); }},
      {"sort", [](const Vars& x) { return sqr(sort(x[0], 1)) * x[0]; }},
      {"take", [](const Vars& x) { return sqr(take(x[0], constant(numbers({2, 0, 2})), {.axis = 1})); }},
      {"choose", [](const Vars& x) { return choose(constant(numbers({1, 0, 1, 0})), {sqr(x[0]), exp(x[0])}); }},
      {"nonzero_values", [](const Vars& x) { return sqr(nonzero_values(x[0])); }},
      {"ifelse", [](const Vars& x) { return ifelse(gt(x[0][0][0], 0), sqr(x[0]), exp(x[0])); }},
      {"specify_shape", [](const Vars& x) { return sqr(specify_shape(x[0], {3, 4})); }},
      {"Assert", [](const Vars& x) { return exp(Assert("positive")(x[0], all(gt(x[0], 0)))); }},
      {"OpFromGraph",
       [](const Vars& x) {
         const Var a = dmatrix("a");
         return OpFromGraph({a}, {a * tanh(a)})(x[0]);
       }},
      {"matrix_inverse", [](const Vars& x) { return matrix_inverse(square(x[0])); }},
      {"pinv", [](const Vars& x) { return pinv(x[0]); }},
      {"det", [](const Vars& x) { return det(square(x[0]) / 4); }},
      {"slogdet", [](const Vars& x) { return slogdet(square(x[0])).log_abs; }},
      {"cholesky", [](const Vars& x) { return cholesky(square(x[0])); }},
      {"upper cholesky", [](const Vars& x) { return cholesky(square(x[0]), {.lower = false}); }},
      {"solve", [](const Vars& x) { return solve(square(x[0]), x[0]); }},
      {"solve for a vector", [](const Vars& x) { return solve(square(x[0]), x[0].T()[0]); }},
      {"solve_triangular",
       [](const Vars& x) { return solve_triangular(square(x[0]), x[0], {.lower = true}); }},
      {"eigenvalues", [](const Vars& x) { return eigh(square(x[0])).w; }},
      {"eigenvectors", [](const Vars& x) { return sqr(eigh(square(x[0])).v); }},
      {"kron",
       [](const Vars& x) {
         return kron(x[0], x[0][{slice(0, 2), slice(1, 3)}]);
       }},
      {"jacobian", [](const Vars& x) { return jacobian(tanh(dot(x[0][0], W())), x[0]); }},
      {"grad_scale", [](const Vars& x) { return sqr(grad_scale(x[0], 1)); }},
  };
  return rows;
}

/// J v by differences: (f(x + h v) - f(x - h v)) / 2h.
Tensor directional(const Build& f, const Tensor& x, const Tensor& v) {
  const Var p = dmatrix("p");
  const Function value = function({.inputs = {p}, .outputs = f({p})});
  constexpr double h = 1e-6;
  std::vector<double> above = x.to_vector<double>(), below = above;
  const std::vector<double> along = v.to_vector<double>();
  for (std::size_t i = 0; i < along.size(); ++i) {
    above[i] += h * along[i];
    below[i] -= h * along[i];
  }
  const Tensor up = value(Tensor(above, x.shape())), down = value(Tensor(below, x.shape()));
  std::vector<double> slope = up.to_vector<double>();
  const std::vector<double> d = down.to_vector<double>();
  for (std::size_t i = 0; i < slope.size(); ++i) slope[i] = (slope[i] - d[i]) / (2 * h);
  return Tensor(slope, up.shape());
}

void check_rop(const Build& f, const std::string& name) {
  const Tensor x = test::random({3, 4}, float64, 1, .2, 1.5), v = test::random({3, 4}, float64, 2);
  const Var p = dmatrix("p"), d = dmatrix("d");
  const Tensor got = test::evaluate(Rop(f({p}), {p}, {d}), {p, d}, {x, v});
  // Differences with h = 1e-6: h^2 of truncation, 1e-16 / h of rounding
  test::check_close(got, directional(f, x, v), 1e-7, 1e-8, "Rop of " + name);
}

}  // namespace

namespace {

struct SpecialPoint {
  std::string name;
  Tensor x;
};

std::vector<SpecialPoint> special_points() {
  const auto all = [](double v) { return Tensor::full({3, 4}, float64, v); };
  return {{"zeros", all(0)},       {"ones", all(1)},
          {"minus ones", all(-1)}, {"ties", Tensor{{1., 0., -1., 0.}, {0., 1., 1., -1.}, {-1., 1., 0., 0.}}},
          {"twenty", all(20)},     {"minus twenty", all(-20)}};
}

/// What picks other elements as soon as equal ones, or zeros, move: at such points its gradient is linear in
/// no neighbourhood.
bool chooses_by_value(const std::string& name) {
  static const std::vector<std::string> names = {"max",     "min",           "ptp", "max_and_argmax",
                                                 "pool_2d", "nonzero_values"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The elements of Rop at x, where f has a derivative along v: the differences on both sides agree.
int check_special(const Build& f, const std::string& name) {
  const Var p = dmatrix("p"), d = dmatrix("d");
  const Var y = f({p});
  const Function value = function({.inputs = {p}, .outputs = y}),
                 rop = function({.inputs = {p, d}, .outputs = Rop(y, {p}, {d})});
  const std::vector<double> v = test::random({3, 4}, float64, 2, .5, 1.5).to_vector<double>();
  int n = 0;
  for (const SpecialPoint& at : special_points()) {
    const std::vector<double> x = at.x.to_vector<double>();
    const double h = 1e-5 * std::max(1., std::abs(x[0]));
    const auto moved = [&](double step) -> std::optional<std::vector<double>> {
      std::vector<double> to = x;
      for (std::size_t i = 0; i < x.size(); ++i) to[i] += step * v[i];
      try {
        return Tensor(value(Tensor(to, at.x.shape()))).to_vector<double>();
      } catch (const Error&) {
        return std::nullopt;  // a singular matrix
      }
    };
    const auto up = moved(h), here = moved(0), down = moved(-h), far_up = moved(2 * h),
               far_down = moved(-2 * h);
    if (!up || !here || !down || !far_up || !far_down) continue;
    if (up->size() != here->size() || down->size() != here->size() || far_up->size() != here->size() ||
        far_down->size() != here->size())
      continue;  // as many elements as are not 0
    const std::vector<double> got = Tensor(rop(at.x, Tensor(v, at.x.shape()))).to_vector<double>();
    for (std::size_t i = 0; i < got.size(); ++i) {
      // Of second order, from each side.
      const double right = (-3 * (*here)[i] + 4 * (*up)[i] - (*far_up)[i]) / (2 * h),
                   left = (3 * (*here)[i] - 4 * (*down)[i] + (*far_down)[i]) / (2 * h);
      const double scale = std::max({1., std::abs((*here)[i]), std::abs(left)});
      if (!std::isfinite((*here)[i]) || !(std::abs(right - left) <= 1e-5 * scale)) continue;
      const double middle = ((*up)[i] - (*down)[i]) / (2 * h),
                   coarse = ((*far_up)[i] - (*far_down)[i]) / (4 * h), unsure = std::abs(coarse - middle);
      if (!(unsure <= 1e-4 * scale)) continue;  // it changes too fast for differences
      CHECK_MESSAGE(std::abs(got[i] - middle) <= 1e-6 * scale + unsure, name, " at ", at.name, ", element ",
                    i, ": ", got[i], ", by differences ", middle);
      ++n;
    }
  }
  return n;
}

}  // namespace

TEST_CASE("first and second derivatives of every op at special points") {
  int n_first = 0, n_second = 0;
  for (const Row& row : table()) {
    n_first += check_special(row.f, row.name);
    if (!chooses_by_value(row.name))
      n_second += check_special([&](const Vars& x) { return grad(sum(sin(row.f(x))), x[0]); },
                                "the gradient of " + std::string(row.name));
  }
  CHECK(n_first > 3000);
  CHECK(n_second > 4000);
}

TEST_CASE("Rop of every op against differences along a direction") {
  for (const Row& row : table()) check_rop(row.f, row.name);
}

TEST_CASE("second derivatives of every op against differences along a direction") {
  for (const Row& row : table())
    check_rop([&](const Vars& x) { return grad(sum(sin(row.f(x))), x[0]); },
              "the gradient of " + std::string(row.name));
}
