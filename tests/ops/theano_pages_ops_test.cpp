#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/ops/theano_pages.h"
#include "tests/support.h"

using namespace damo;
using nlohmann::json;
using test::check_close;

// Values, dtypes and gradients recorded from Theano 1.0.5: of one op after the other,
// each cost being sum(y * cos(1 + arange(y.size)).reshape(y.shape)).

namespace {

Var labels() { return constant(Tensor{2, 0}.astype(int32)); }
Var indices(std::initializer_list<Nested> list) { return constant(Tensor(list)); }

const std::map<std::string, test::Build>& cases() {
  static const std::map<std::string, test::Build> all = {
      {"neg", [](const Vars& x) { return -x[0]; }},
      {"exp", [](const Vars& x) { return exp(x[0]); }},
      {"sin", [](const Vars& x) { return sin(x[0]); }},
      {"cos", [](const Vars& x) { return cos(x[0]); }},
      {"tanh", [](const Vars& x) { return tanh(x[0]); }},
      {"sqr", [](const Vars& x) { return sqr(x[0]); }},
      {"abs_", [](const Vars& x) { return abs(x[0]); }},
      {"sgn", [](const Vars& x) { return sgn(x[0]); }},
      {"expm1", [](const Vars& x) { return expm1(x[0]); }},
      {"log", [](const Vars& x) { return log(x[0]); }},
      {"log1p", [](const Vars& x) { return log1p(x[0]); }},
      {"sqrt", [](const Vars& x) { return sqrt(x[0]); }},
      {"inv", [](const Vars& x) { return inv(x[0]); }},
      {"sigmoid", [](const Vars& x) { return sigmoid(x[0]); }},
      {"softplus", [](const Vars& x) { return softplus(x[0]); }},
      {"relu", [](const Vars& x) { return relu(x[0]); }},
      {"add", [](const Vars& x) { return x[0] + x[1]; }},
      {"sub", [](const Vars& x) { return x[0] - x[1]; }},
      {"mul", [](const Vars& x) { return x[0] * x[1]; }},
      {"true_div", [](const Vars& x) { return x[0] / x[1]; }},
      {"int_div", [](const Vars& x) { return int_div(x[0], x[1]); }},
      {"mod", [](const Vars& x) { return x[0] % x[1]; }},
      {"pow", [](const Vars& x) { return pow(x[0], x[1]); }},
      {"maximum", [](const Vars& x) { return maximum(x[0], x[1]); }},
      {"minimum", [](const Vars& x) { return minimum(x[0], x[1]); }},
      {"clip", [](const Vars& x) { return clip(x[0], -0.5, 1.0); }},
      {"switch", [](const Vars& x) { return switch_(x[0] > x[1], x[0] * 2, sqr(x[1])); }},
      {"bcast_row", [](const Vars& x) { return x[0] * x[1]; }},
      {"bcast_col",
       [](const Vars& x) {
         return x[0] + x[1].dimshuffle({0, 'x'});
       }},
      {"sigmoid_extreme", [](const Vars& x) { return sigmoid(x[0]); }},
      {"softplus_extreme", [](const Vars& x) { return softplus(x[0]); }},
      {"log_sigmoid_ext", [](const Vars& x) { return log(sigmoid(x[0])); }},
      {"log_1msigmoid_ext", [](const Vars& x) { return log(1 - sigmoid(x[0])); }},
      {"mean_keepdims", [](const Vars& x) { return mean(x[0], {.axis = 1, .keepdims = true}); }},
      {"norm2", [](const Vars& x) { return norm(x[0]); }},
      {"ptp", [](const Vars& x) { return ptp(x[0]); }},
      {"prod_with_zero", [](const Vars& x) { return prod(x[0], {.axis = 1}); }},
      {"softmax", [](const Vars& x) { return softmax(x[0]); }},
      {"logsoftmax", [](const Vars& x) { return log_softmax(x[0]); }},
      {"log_of_softmax", [](const Vars& x) { return log(softmax(x[0])); }},
      {"nll_advidx",
       [](const Vars& x) {
         return -mean(log(softmax(x[0]))[{arange(2), labels()}]);
       }},
      {"cat_xent_idx", [](const Vars& x) { return categorical_crossentropy(softmax(x[0]), labels()); }},
      {"cat_xent_dist", [](const Vars& x) { return categorical_crossentropy(softmax(x[0]), x[1]); }},
      {"bin_xent", [](const Vars& x) { return binary_crossentropy(x[0], x[1]); }},
      {"sigm_bin_xent", [](const Vars& x) { return binary_crossentropy(sigmoid(x[0]), x[1]); }},
      {"dot_mm", [](const Vars& x) { return dot(x[0], x[1]); }},
      {"dot_mv", [](const Vars& x) { return dot(x[0], x[1]); }},
      {"dot_vm", [](const Vars& x) { return dot(x[0], x[1]); }},
      {"dot_vv", [](const Vars& x) { return dot(x[0], x[1]); }},
      {"outer", [](const Vars& x) { return outer(x[0], x[1]); }},
      {"transpose", [](const Vars& x) { return x[0].T(); }},
      {"reshape",
       [](const Vars& x) {
         return x[0].reshape({3, 2});
       }},
      {"flatten", [](const Vars& x) { return x[0].flatten(); }},
      {"dimshuffle",
       [](const Vars& x) {
         return x[0].dimshuffle({1, 'x', 0});
       }},
      {"sub_row", [](const Vars& x) { return x[0][1]; }},
      {"sub_slice",
       [](const Vars& x) {
         return x[0][{slice(none, none), slice(none, none, 2)}];
       }},
      {"sub_neg",
       [](const Vars& x) {
         return x[0][{slice(none, none, -1), slice(1, none)}];
       }},
      {"advsub1",
       [](const Vars& x) {
         return x[0][indices({1, 0, 1})];
       }},
      {"advsub",
       [](const Vars& x) {
         return x[0][{indices({1, 0, 1}), indices({2, 2, 2})}];
       }},
      {"set_subt", [](const Vars& x) { return set_subtensor(x[0][0], x[1]); }},
      {"inc_subt",
       [](const Vars& x) {
         return inc_subtensor(x[0][{slice(none, none), 1}], x[1]);
       }},
      {"inc_adv_dup",
       [](const Vars& x) {
         return inc_subtensor(x[0][indices({0, 0})], x[1]);
       }},
      {"join",
       [](const Vars& x) {
         return join(1, {x[0], x[1]});
       }},
      {"stack",
       [](const Vars& x) {
         return stack({x[0], x[1]});
       }},
      {"alloc",
       [](const Vars& x) {
         return alloc(x[0][0], {2, 3});
       }},
      {"matrix_inverse", [](const Vars& x) { return matrix_inverse(x[0]); }},
      {"det", [](const Vars& x) { return det(x[0]); }},
      {"cholesky", [](const Vars& x) { return cholesky(x[0]); }},
      {"solve", [](const Vars& x) { return solve(x[0], x[1]); }},
      // images
      {"conv2d_valid", [](const Vars& x) { return conv2d(x[0], x[1]); }},
      {"conv2d_full", [](const Vars& x) { return conv2d(x[0], x[1], {.border_mode = Border::full}); }},
      {"conv2d_half", [](const Vars& x) { return conv2d(x[0], x[1], {.border_mode = Border::half}); }},
      {"conv2d_stride2", [](const Vars& x) { return conv2d(x[0], x[1], {.subsample = 2}); }},
      {"conv2d_noflip", [](const Vars& x) { return conv2d(x[0], x[1], {.filter_flip = false}); }},
      {"maxpool2_ignore", [](const Vars& x) { return pool_2d(x[0], 2, {.ignore_border = true}); }},
      {"maxpool2_noignore_5",
       [](const Vars& x) {
         return pool_2d(x[0][{slice(none, none), slice(none, none), slice(none, 5), slice(none, 5)}], 2);
       }},
      {"avgpool2",
       [](const Vars& x) {
         return pool_2d(x[0], 2, {.ignore_border = true, .mode = PoolMode::average_inc_pad});
       }},
      {"sumpool3s1",
       [](const Vars& x) {
         return pool_2d(x[0], 3, {.ignore_border = true, .stride = 1, .mode = PoolMode::sum});
       }},
      {"cumsum", [](const Vars& x) { return cumsum(x[0]); }},
      {"cumprod1", [](const Vars& x) { return cumprod(x[0], 1); }},
      {"tensordot",
       [](const Vars& x) {
         return tensordot(x[0], x[1], {{1}, {0}});
       }},
      {"batched_dot", [](const Vars& x) { return batched_dot(x[0], x[1]); }},
      {"tile",
       [](const Vars& x) {
         return tile(x[0], {2, 1});
       }},
      {"repeat", [](const Vars& x) { return repeat(x[0], 2, 1); }},
      {"diag", [](const Vars& x) { return diag(x[0]); }},
      {"tril", [](const Vars& x) { return tril(x[0]); }},
      {"sort", [](const Vars& x) { return sort(x[0]); }},
      {"argsort", [](const Vars& x) { return argsort(x[0]); }},
      {"roll", [](const Vars& x) { return roll(x[0], 1, 1); }},
      {"eye_mul", [](const Vars& x) { return x[0] * eye(2, 3); }},
      {"trace", [](const Vars& x) { return trace(x[0]); }},
      {"tan", [](const Vars& x) { return tan(x[0]); }},
      {"sinh", [](const Vars& x) { return sinh(x[0]); }},
      {"cosh", [](const Vars& x) { return cosh(x[0]); }},
      {"arctan", [](const Vars& x) { return arctan(x[0]); }},
      {"arcsinh", [](const Vars& x) { return arcsinh(x[0]); }},
      {"ceil", [](const Vars& x) { return ceil(x[0]); }},
      {"floor", [](const Vars& x) { return floor(x[0]); }},
      {"round", [](const Vars& x) { return round(x[0]); }},
      {"erf", [](const Vars& x) { return erf(x[0]); }},
      {"log2", [](const Vars& x) { return log2(x[0]); }},
      {"log10", [](const Vars& x) { return log10(x[0]); }},
      {"gammaln", [](const Vars& x) { return gammaln(x[0]); }},
      {"psi", [](const Vars& x) { return psi(x[0]); }},
      {"gamma", [](const Vars& x) { return gamma(x[0]); }},
      {"arccosh", [](const Vars& x) { return arccosh(x[0]); }},
      {"arcsin", [](const Vars& x) { return arcsin(x[0]); }},
      {"arccos", [](const Vars& x) { return arccos(x[0]); }},
      {"arctanh", [](const Vars& x) { return arctanh(x[0]); }},
      {"erfinv", [](const Vars& x) { return erfinv(x[0]); }},
      {"erfcinv", [](const Vars& x) { return erfcinv(x[0]); }},
      {"erfc", [](const Vars& x) { return erfc(x[0]); }},
      {"relu_.1", [](const Vars& x) { return relu(x[0], 0.1); }},
      {"elu", [](const Vars& x) { return elu(x[0]); }},
      {"hard_sigmoid", [](const Vars& x) { return hard_sigmoid(x[0]); }},
      {"selu", [](const Vars& x) { return selu(x[0]); }},
      {"arctan2", [](const Vars& x) { return arctan2(x[0], x[1]); }},
      {"ultra_fast_sigmoid", [](const Vars& x) { return ultra_fast_sigmoid(x[0]); }},
  };
  return all;
}

/// "sum_axis1" and its like: a reduction along one axis, or of all.
test::Build reduction(const std::string& name) {
  using Function = Var (*)(const Arg&, const ReduceArgs&);
  static const std::map<std::string, Function> functions = {
      {"sum", sum}, {"mean", mean},     {"prod", prod},     {"max", max}, {"min", min},
      {"var", var}, {"argmax", argmax}, {"argmin", argmin}, {"std", std_}};
  const std::size_t underscore = name.find("_axis");
  const std::string which = name.substr(0, underscore);
  const std::string axis = underscore == std::string::npos ? "" : name.substr(underscore + 5);
  const ReduceArgs args = axis == "None" ? ReduceArgs{} : ReduceArgs{.axis = axis == "1" ? 1 : 0};
  const auto found = functions.find(which);
  if (found == functions.end() || underscore == std::string::npos) return {};
  return [f = found->second, args](const Vars& x) { return f(x[0], args); };
}

/// Theano computes psi and its derivative by AS 103 and AS 121, to 3e-10 and 2e-9; here they have all digits.
double rtol_of(const std::string& name, const test::Page& page) {
  return std::max(page.rtol, name == "psi" ? 3e-9 : name == "gammaln" || name == "gamma" ? 5e-10 : 0);
}

void check_case(const std::string& name, const json& record, const test::Page& page, const test::Build& build,
                Mode mode) {
  const DType dtype = page.floatX;
  const double rtol = rtol_of(name, page);
  Vars x;
  test::Tensors values;
  for (const json& arg : record["args"]) {
    values.push_back(test::tensor_from_json(arg, dtype));
    x.push_back(variable(test::unknown(dtype, values.back().ndim()), "x" + std::to_string(x.size())));
  }
  const Var y = build(x);
  CHECK(to_string(y.dtype()) == record["y_dtype"].get<std::string>());
  check_close(test::evaluate(y, x, values, mode), test::tensor_from_json(record["y"], y.dtype()), rtol,
              page.atol, name);
  if (!record.contains("grads")) return;
  Var n = constant(Tensor(1));
  for (int i = 0; i < y.ndim(); ++i) n = n * y.shape(i);
  const Var weights = cos(cast(1 + arange(n), float64));
  Args sizes;
  for (int i = 0; i < y.ndim(); ++i) sizes.emplace_back(y.shape(i));
  const Var cost = y.ndim() == 0 ? y * cos(cast(1, float64)) : sum(y * weights.reshape(sizes));
  const Vars g = grad(cost, x);
  for (std::size_t i = 0; i < x.size(); ++i)
    check_close(test::evaluate(g[i], x, values, mode), test::tensor_from_json(record["grads"][i], dtype),
                rtol, page.atol, name + ", gradient " + std::to_string(i));
}

}  // namespace

TEST_CASE("ops: value, dtype and gradient of every case") {
  for (const test::Page& page : test::theano_pages()) {
    const FloatXScope scope(page.floatX);
    for (const auto& [key, record] : page.content["ops"].items()) {
      const std::string name = key;
      INFO(page.name, ", ", name);
      const auto found = cases().find(name);
      const test::Build build = found != cases().end() ? found->second : reduction(name);
      CHECK_MESSAGE(static_cast<bool>(build), "there is no such op");
      if (!build) continue;
      for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE}) {
        // As it is written, log(sigmoid(x)) loses what the rules save.
        if (mode == Mode::FAST_COMPILE && name.ends_with("sigmoid_ext")) continue;
        check_case(name, record, page, build, mode);
      }
    }
  }
  if (test::theano_pages().front().name == "theano_pages_float64")
    CHECK(test::golden("theano_pages_float64")["ops"].size() >= 145);
}
