#include "tests/ops/op_forms.h"

#include <string>
#include <utility>

namespace damo::test {
namespace {

using One = Var (*)(const Arg&);
using Two = Var (*)(const Arg&, const Arg&);
using Reduction = Var (*)(const Arg&, const ReduceArgs&);
using X = const Vars&;

class Forms {
 public:
  std::vector<OpForm> all;

  void add(const std::string& function, const std::string& arguments, std::size_t n,
           std::function<Vars(const Vars&)> build) {
    all.push_back({function, function + "(" + arguments + ")", n, std::move(build)});
  }

  void one(const std::string& name, One f) {
    add(name, "x", 1, [f](X x) { return Vars{f(x[0])}; });
  }

  void two(const std::string& name, Two f) {
    add(name, "x, y", 2, [f](X x) { return Vars{f(x[0], x[1])}; });
    add(name, "x, x", 1, [f](X x) { return Vars{f(x[0], x[0])}; });
    add(name, "x, 2", 1, [f](X x) { return Vars{f(x[0], 2)}; });
    add(name, "x, 0", 1, [f](X x) { return Vars{f(x[0], 0)}; });
    add(name, "1, x", 1, [f](X x) { return Vars{f(1, x[0])}; });
    add(name, ".5, x", 1, [f](X x) { return Vars{f(.5, x[0])}; });
    add(name, "x, -1", 1, [f](X x) { return Vars{f(x[0], -1)}; });
    add(name, "x, y[0]", 2, [f](X x) { return Vars{f(x[0], x[1][0])}; });
    add(name, "row(x), y", 2, [f](X x) { return Vars{f(shape_padleft(x[0]), x[1])}; });
  }

  void reduction(const std::string& name, Reduction f) {
    add(name, "x", 1, [f](X x) { return Vars{f(x[0], {})}; });
    add(name, "x, axis=0", 1, [f](X x) { return Vars{f(x[0], {.axis = 0})}; });
    add(name, "x, axis=-1", 1, [f](X x) { return Vars{f(x[0], {.axis = -1})}; });
    add(name, "x, axis=1, keepdims", 1, [f](X x) { return Vars{f(x[0], {.axis = 1, .keepdims = true})}; });
    add(name, "x, axis=(0, 1)", 1, [f](X x) { return Vars{f(x[0], {.axis = {0, 1}})}; });
    add(name, "x, keepdims", 1, [f](X x) { return Vars{f(x[0], {.keepdims = true})}; });
  }
};

void add_elementwise(Forms& forms) {
  const std::pair<const char*, One> ones[] = {{"neg", neg},
                                              {"exp", exp},
                                              {"exp2", exp2},
                                              {"expm1", expm1},
                                              {"log", log},
                                              {"log2", log2},
                                              {"log10", log10},
                                              {"log1p", log1p},
                                              {"sqrt", sqrt},
                                              {"sqr", sqr},
                                              {"inv", inv},
                                              {"abs", abs},
                                              {"sgn", sgn},
                                              {"sigmoid", sigmoid},
                                              {"softplus", softplus},
                                              {"sin", sin},
                                              {"cos", cos},
                                              {"tan", tan},
                                              {"arcsin", arcsin},
                                              {"arccos", arccos},
                                              {"arctan", arctan},
                                              {"sinh", sinh},
                                              {"cosh", cosh},
                                              {"tanh", tanh},
                                              {"arcsinh", arcsinh},
                                              {"arccosh", arccosh},
                                              {"arctanh", arctanh},
                                              {"deg2rad", deg2rad},
                                              {"rad2deg", rad2deg},
                                              {"ceil", ceil},
                                              {"floor", floor},
                                              {"trunc", trunc},
                                              {"round_half_to_even", round_half_to_even},
                                              {"round_half_away_from_zero", round_half_away_from_zero},
                                              {"isnan", isnan},
                                              {"isinf", isinf},
                                              {"zero_grad", zero_grad},
                                              {"consider_constant", consider_constant},
                                              {"disconnected_grad", disconnected_grad},
                                              {"erf", erf},
                                              {"erfc", erfc},
                                              {"erfinv", erfinv},
                                              {"erfcinv", erfcinv},
                                              {"gamma", gamma},
                                              {"gammaln", gammaln},
                                              {"psi", psi},
                                              {"tri_gamma", tri_gamma},
                                              {"softsign", softsign},
                                              {"hard_sigmoid", hard_sigmoid},
                                              {"ultra_fast_sigmoid", ultra_fast_sigmoid},
                                              {"selu", selu}};
  for (const auto& [name, f] : ones) forms.one(name, f);
  const std::pair<const char*, Two> twos[] = {{"add", add},
                                              {"sub", sub},
                                              {"mul", mul},
                                              {"mul_no_nan", mul_no_nan},
                                              {"true_div", true_div},
                                              {"int_div", int_div},
                                              {"mod", mod},
                                              {"pow", pow},
                                              {"maximum", maximum},
                                              {"minimum", minimum},
                                              {"arctan2", arctan2},
                                              {"eq", eq},
                                              {"neq", neq},
                                              {"lt", lt},
                                              {"le", le},
                                              {"gt", gt},
                                              {"ge", ge},
                                              {"binary_crossentropy", binary_crossentropy},
                                              {"categorical_crossentropy", categorical_crossentropy}};
  for (const auto& [name, f] : twos) forms.two(name, f);
  forms.add("round", "x", 1, [](X x) { return Vars{round(x[0])}; });
  forms.add("relu", "x", 1, [](X x) { return Vars{relu(x[0])}; });
  forms.add("relu", "x, .1", 1, [](X x) { return Vars{relu(x[0], .1)}; });
  forms.add("relu", "x, y", 2, [](X x) { return Vars{relu(x[0], x[1])}; });
  forms.add("elu", "x", 1, [](X x) { return Vars{elu(x[0])}; });
  forms.add("switch_", "x, y, x", 2, [](X x) { return Vars{switch_(x[0], x[1], x[0])}; });
  forms.add("switch_", "x, 1, y", 2, [](X x) { return Vars{switch_(x[0], 1, x[1])}; });
  forms.add("switch_", "1, x, y", 2, [](X x) { return Vars{switch_(1, x[0], x[1])}; });
  forms.add("switch_", "x > y, x, y", 2, [](X x) { return Vars{switch_(x[0] > x[1], x[0], x[1])}; });
  forms.add("clip", "x, 0, 1", 1, [](X x) { return Vars{clip(x[0], 0, 1)}; });
  forms.add("clip", "x, y, x", 2, [](X x) { return Vars{clip(x[0], x[1], x[0])}; });
  for (const DType dtype : {bool_, int8, int64, uint8, float32, float64})
    forms.add("cast", "x, " + std::string(to_string(dtype)), 1,
              [dtype](X x) { return Vars{cast(x[0], dtype)}; });
  forms.add("grad_clip", "x, -1, 1", 1, [](X x) { return Vars{grad_clip(x[0], -1, 1)}; });
  forms.add("grad_scale", "x, 2", 1, [](X x) { return Vars{grad_scale(x[0], 2)}; });
  forms.add("ifelse", "x.shape(0) > 2, x, y", 2,
            [](X x) { return Vars{ifelse(gt(x[0].shape(0), 2), x[0], x[1])}; });
  const std::pair<const char*, Two> logic[] = {{"bitwise_and", bitwise_and},
                                               {"bitwise_or", bitwise_or},
                                               {"bitwise_xor", bitwise_xor},
                                               {"and_", and_},
                                               {"or_", or_},
                                               {"xor_", xor_},
                                               {"logical_and", logical_and},
                                               {"logical_or", logical_or}};
  for (const auto& [name, f] : logic) forms.two(name, f);
  for (const auto& [name, f] : {std::pair<const char*, One>{"bitwise_not", bitwise_not},
                                {"invert", invert},
                                {"logical_not", logical_not}})
    forms.one(name, f);
  forms.add("isclose", "x, y", 2, [](X x) { return Vars{isclose(x[0], x[1])}; });
  forms.add("allclose", "x, y", 2, [](X x) { return Vars{allclose(x[0], x[1])}; });
}

void add_reductions(Forms& forms) {
  const std::pair<const char*, Reduction> all[] = {
      {"sum", sum},   {"prod", prod},     {"mean", mean},     {"var", var},
      {"std_", std_}, {"max", max},       {"min", min},       {"ptp", ptp},
      {"any", any},   {"all", damo::all}, {"argmax", argmax}, {"argmin", argmin}};
  for (const auto& [name, f] : all) forms.reduction(name, f);
  forms.reduction("norm", [](const Arg& x, const ReduceArgs& args) { return norm(x, 2, args); });
  forms.reduction("norm", [](const Arg& x, const ReduceArgs& args) { return norm(x, 3, args); });
  forms.reduction("max_and_argmax",
                  [](const Arg& x, const ReduceArgs& args) { return max_and_argmax(x, args).max; });
  forms.one("softmax", softmax);
  forms.one("log_softmax", log_softmax);
  forms.one("log_sum_exp", log_sum_exp);
  for (const int axis : {0, -1}) {
    const std::string text = "x, " + std::to_string(axis);
    forms.add("cumsum", text, 1, [axis](X x) { return Vars{cumsum(x[0], axis)}; });
    forms.add("cumprod", text, 1, [axis](X x) { return Vars{cumprod(x[0], axis)}; });
    forms.add("sort", text, 1, [axis](X x) { return Vars{sort(x[0], axis)}; });
    forms.add("argsort", text, 1, [axis](X x) { return Vars{argsort(x[0], axis)}; });
    forms.add("repeat", "x, 2, " + std::to_string(axis), 1,
              [axis](X x) { return Vars{repeat(x[0], 2, axis)}; });
    forms.add("roll", "x, 1, " + std::to_string(axis), 1, [axis](X x) { return Vars{roll(x[0], 1, axis)}; });
    forms.add("split", "x, (1, 2), " + std::to_string(axis), 1, [axis](X x) {
      return split(x[0], {1, 2}, axis);
    });
  }
  forms.add("sort", "x, none", 1, [](X x) { return Vars{sort(x[0], std::nullopt)}; });
  forms.add("searchsorted", "x, y", 2, [](X x) { return Vars{searchsorted(x[0], x[1])}; });
  forms.add("bincount", "x", 1, [](X x) { return Vars{bincount(x[0])}; });
  forms.add("bincount", "x, weights=y", 2, [](X x) { return Vars{bincount(x[0], {.weights = x[1]})}; });
}

void add_products(Forms& forms) {
  const std::pair<const char*, Two> twos[] = {{"dot", dot},
                                              {"outer", outer},
                                              {"batched_dot", batched_dot},
                                              {"solve", solve},
                                              {"solve_lower_triangular", solve_lower_triangular},
                                              {"solve_upper_triangular", solve_upper_triangular},
                                              {"kron", kron}};
  for (const auto& [name, f] : twos) {
    forms.add(name, "x, y", 2, [f = f](X x) { return Vars{f(x[0], x[1])}; });
    forms.add(name, "x, x", 1, [f = f](X x) { return Vars{f(x[0], x[0])}; });
    forms.add(name, "x, x.T", 1, [f = f](X x) { return Vars{f(x[0], x[0].T())}; });
    forms.add(name, "x, 2 y", 2, [f = f](X x) { return Vars{f(x[0], 2 * x[1])}; });
  }
  forms.add("dot", "x - x y", 2, [](X x) { return Vars{x[0] - .5 * dot(x[0], x[1])}; });
  forms.add("tensordot", "x, y, 1", 2, [](X x) { return Vars{tensordot(x[0], x[1], 1)}; });
  forms.add("tensordot", "x, y, 2", 2, [](X x) { return Vars{tensordot(x[0], x[1], 2)}; });
  forms.add("batched_tensordot", "x, y, 1", 2, [](X x) { return Vars{batched_tensordot(x[0], x[1], 1)}; });
  forms.add("matrix_dot", "x, y, x", 2, [](X x) { return Vars{matrix_dot({x[0], x[1], x[0]})}; });
  forms.add("solve_triangular", "x, y", 2, [](X x) { return Vars{solve_triangular(x[0], x[1])}; });
  forms.one("matrix_inverse", matrix_inverse);
  forms.one("pinv", pinv);
  forms.one("det", det);
  forms.add("slogdet", "x", 1, [](X x) {
    const SlogDet d = slogdet(x[0]);
    return Vars{d.sign, d.log_abs};
  });
  forms.add("cholesky", "x", 1, [](X x) { return Vars{cholesky(x[0])}; });
  forms.add("eigh", "x", 1, [](X x) { return Vars{eigh(x[0]).w}; });
  forms.add("eigh", "x), sum(w", 1, [](X x) { return Vars{sum(eigh(x[0]).w)}; });
  for (const Border border : {Border::valid, Border::full, Border::half}) {
    const std::string mode = border == Border::valid ? "valid" : border == Border::full ? "full" : "half";
    forms.add("conv2d", "x, y, " + mode, 2,
              [border](X x) { return Vars{conv2d(x[0], x[1], {.border_mode = border})}; });
  }
  forms.add("conv2d", "x, y, subsample=2, no flip", 2,
            [](X x) { return Vars{conv2d(x[0], x[1], {.subsample = 2, .filter_flip = false})}; });
  forms.add("conv2d_grad_wrt_inputs", "x, y, (1, 1, 5, 5)", 2, [](X x) {
    return Vars{conv2d_grad_wrt_inputs(x[0], x[1], {1, 1, 5, 5})};
  });
  forms.add("conv2d_grad_wrt_weights", "x, y, (1, 1, 3, 3)", 2, [](X x) {
    return Vars{conv2d_grad_wrt_weights(x[0], x[1], {1, 1, 3, 3})};
  });
  for (const PoolMode mode : {PoolMode::max, PoolMode::sum, PoolMode::average_inc_pad})
    for (const bool ignore : {false, true})
      forms.add("pool_2d", "x, 2, mode " + std::to_string(static_cast<int>(mode)) + (ignore ? ", cut" : ""),
                1, [=](X x) { return Vars{pool_2d(x[0], 2, {.ignore_border = ignore, .mode = mode})}; });
  forms.add("pool_2d", "x, 3, stride=1, pad=1", 1, [](X x) {
    return Vars{pool_2d(x[0], 3, {.ignore_border = true, .stride = RowsCols(1), .pad = 1})};
  });
}

void add_movements(Forms& forms) {
  forms.one("transpose", transpose);
  forms.one("zeros_like", zeros_like);
  forms.one("ones_like", ones_like);
  forms.one("identity_like", identity_like);
  forms.add("shape", "x", 1, [](X x) { return Vars{shape(x[0])}; });
  forms.add("shape", "x, 0", 1, [](X x) { return Vars{shape(x[0], 0)}; });
  forms.add("flatten", "x", 1, [](X x) { return Vars{flatten(x[0])}; });
  forms.add("flatten", "x, 2", 1, [](X x) { return Vars{flatten(x[0], 2)}; });
  forms.add("dimshuffle", "x, (1, 0)", 1, [](X x) { return Vars{dimshuffle(x[0], {1, 0})}; });
  forms.add("dimshuffle", "x, (x, 0)", 1, [](X x) { return Vars{dimshuffle(x[0], {'x', 0})}; });
  forms.add("dimshuffle", "x, (0, x, 1)", 1, [](X x) { return Vars{dimshuffle(x[0], {0, 'x', 1})}; });
  forms.add("reshape", "x, (-1)", 1, [](X x) { return Vars{reshape(x[0], {-1})}; });
  forms.add("reshape", "x, (3, -1)", 1, [](X x) { return Vars{reshape(x[0], {3, -1})}; });
  forms.add("reshape", "x, y.shape", 2, [](X x) { return Vars{reshape(x[0], x[1].shape())}; });
  forms.add("reshape", "x, (x.shape(1), x.shape(0))", 1, [](X x) {
    return Vars{reshape(x[0], {x[0].shape(1), x[0].shape(0)})};
  });
  forms.add("alloc", "x, (2, x.shape(0))", 1, [](X x) { return Vars{alloc(x[0], {2, x[0].shape(0)})}; });
  forms.add("alloc", "x, (3, 3)", 1, [](X x) { return Vars{alloc(x[0], {3, 3})}; });
  forms.add("alloc", "x, y.shape", 2, [](X x) { return Vars{alloc(x[0], x[1].shape())}; });
  forms.add("zeros", "x.shape", 1, [](X x) { return Vars{zeros(x[0].shape())}; });
  forms.add("ones", "x.shape", 1, [](X x) { return Vars{ones(x[0].shape())}; });
  forms.add("full", "(2, 3), x", 1, [](X x) { return Vars{full({2, 3}, x[0])}; });
  forms.add("full_like", "x, 2", 1, [](X x) { return Vars{full_like(x[0], 2)}; });
  forms.add("full_like", "x, y[0]", 2, [](X x) { return Vars{full_like(x[0], x[1][0])}; });
  forms.two("fill", fill);
  for (const int axis : {0, 1}) {
    const std::string a = std::to_string(axis);
    forms.add("join", a + ", x, y", 2, [axis](X x) { return Vars{join(axis, {x[0], x[1]})}; });
    forms.add("join", a + ", x, x", 1, [axis](X x) { return Vars{join(axis, {x[0], x[0]})}; });
    forms.add("concatenate", "(x, y), " + a, 2, [axis](X x) {
      return Vars{concatenate({x[0], x[1]}, axis)};
    });
    forms.add("stack", "(x, y), " + a, 2, [axis](X x) { return Vars{stack({x[0], x[1]}, axis)}; });
    forms.add("addbroadcast", "x, " + a, 1, [axis](X x) { return Vars{addbroadcast(x[0], {axis})}; });
    forms.add("addbroadcast", "x, " + a + " + y", 2,
              [axis](X x) { return Vars{addbroadcast(x[0], {axis}) + x[1]}; });
    forms.add("unbroadcast", "row(x), 0", 1, [](X x) { return Vars{unbroadcast(shape_padleft(x[0]), {0})}; });
    forms.add("shape_padaxis", "x, " + a, 1, [axis](X x) { return Vars{shape_padaxis(x[0], axis)}; });
    forms.add("take", "x, (0, 2), axis=" + a, 1, [axis](X x) {
      return Vars{take(x[0], constant(Tensor{0, 2}), {.axis = axis})};
    });
    forms.add("take", "x, y, axis=" + a, 2, [axis](X x) { return Vars{take(x[0], x[1], {.axis = axis})}; });
    forms.add("diagonal", "x, " + a, 1, [axis](X x) { return Vars{diagonal(x[0], axis)}; });
    forms.add("trace", "x, " + a, 1, [axis](X x) { return Vars{trace(x[0], axis)}; });
    forms.add("diag", "x, " + a, 1, [axis](X x) { return Vars{diag(x[0], axis)}; });
    forms.add("tril", "x, " + a, 1, [axis](X x) { return Vars{tril(x[0], axis)}; });
    forms.add("triu", "x, " + a, 1, [axis](X x) { return Vars{triu(x[0], axis)}; });
  }
  forms.add("swapaxes", "x, 0, 1", 1, [](X x) { return Vars{swapaxes(x[0], 0, 1)}; });
  forms.add("squeeze", "col(x)", 1, [](X x) { return Vars{squeeze(shape_padright(x[0]))}; });
  forms.add("shape_padleft", "x", 1, [](X x) { return Vars{shape_padleft(x[0])}; });
  forms.add("shape_padright", "x, 2", 1, [](X x) { return Vars{shape_padright(x[0], 2)}; });
  forms.add("tile", "x, (2)", 1, [](X x) { return Vars{tile(x[0], {2})}; });
  forms.add("tile", "x, (2, 1)", 1, [](X x) { return Vars{tile(x[0], {2, 1})}; });
  forms.add("repeat", "x, y, 0", 2, [](X x) { return Vars{repeat(x[0], x[1], 0)}; });
  forms.add("roll", "x, 2", 1, [](X x) { return Vars{roll(x[0], 2)}; });
  forms.add("take", "x, y, wrap", 2, [](X x) { return Vars{take(x[0], x[1], {.mode = OutOfRange::wrap})}; });
  forms.add("choose", "x, (y, y)", 2, [](X x) { return Vars{choose(x[0], {x[1], x[1]})}; });
  forms.add("specify_shape", "x, (3, 3)", 1, [](X x) { return Vars{specify_shape(x[0], {3, 3})}; });
  forms.add("arange", "x.shape(0)", 1, [](X x) { return Vars{arange(x[0].shape(0))}; });
  forms.add("arange", "x", 1, [](X x) { return Vars{arange(x[0])}; });
  forms.add("eye", "x.shape(0)", 1, [](X x) { return Vars{eye(x[0].shape(0))}; });
  forms.add("tri", "x.shape(0)", 1, [](X x) { return Vars{tri(x[0].shape(0))}; });
  forms.add("mgrid", "0 : x.shape(0)", 1, [](X x) { return mgrid({slice(0, x[0].shape(0)), slice(0, 2)}); });
  forms.add("ogrid", "0 : x.shape(0)", 1, [](X x) { return ogrid({slice(0, x[0].shape(0)), slice(0, 2)}); });
  forms.add("nonzero", "x", 1, [](X x) { return nonzero(x[0]); });
  forms.add("flatnonzero", "x", 1, [](X x) { return Vars{flatnonzero(x[0])}; });
  forms.add("nonzero_values", "x", 1, [](X x) { return Vars{nonzero_values(x[0])}; });
}

void add_indexing(Forms& forms) {
  const std::pair<const char*, Var (*)(X)> parts[] = {
      {"x[0]", [](X x) { return x[0][0]; }},
      {"x[-1]", [](X x) { return x[0][-1]; }},
      {"x[2]", [](X x) { return x[0][2]; }},
      {"x[1:3]", [](X x) { return x[0][slice(1, 3)]; }},
      {"x[::-1]", [](X x) { return x[0][slice(none, none, -1)]; }},
      {"x[:, 0]",
       [](X x) {
         return x[0][{slice(none, none), 0}];
       }},
      {"x[..., 1:]",
       [](X x) {
         return x[0][{ellipsis, slice(1, none)}];
       }},
      {"x[newaxis]", [](X x) { return x[0][newaxis]; }},
      {"x[[0, 2, 0]]",
       [](X x) {
         return x[0][constant(Tensor{0, 2, 0})];
       }},
      {"x[[0, 1], [1, 0]]",
       [](X x) {
         return x[0][{constant(Tensor{0, 1}), constant(Tensor{1, 0})}];
       }},
      {"x[:, [1, 1]]",
       [](X x) {
         return x[0][{slice(none, none), constant(Tensor{1, 1})}];
       }},
      {"x[x > 0]", [](X x) { return x[0][x[0] > 0]; }},
  };
  for (const auto& [text, f] : parts) {
    forms.all.push_back({"subtensor", text, 1, [f = f](X x) { return Vars{f(x)}; }});
    forms.all.push_back(
        {"subtensor", std::string(text) + " of x + y", 2, [f = f](X x) { return Vars{f({x[0] + x[1]})}; }});
    forms.add("set_subtensor", std::string(text) + ", 2", 1,
              [f = f](X x) { return Vars{set_subtensor(f(x), 2)}; });
    forms.add("set_subtensor", std::string(text) + ", y", 2,
              [f = f](X x) { return Vars{set_subtensor(f(x), x[1])}; });
    forms.add("inc_subtensor", std::string(text) + ", y", 2,
              [f = f](X x) { return Vars{inc_subtensor(f(x), x[1])}; });
    forms.add("inc_subtensor", std::string(text) + ", itself", 1,
              [f = f](X x) { return Vars{inc_subtensor(f(x), f(x))}; });
  }
  forms.all.push_back({"subtensor", "x[y]", 2, [](X x) { return Vars{x[0][x[1]]}; }});
  forms.all.push_back({"subtensor", "x[y] of an integer", 2, [](X x) { return Vars{x[0][{x[1], 0}]}; }});
  forms.add("set_subtensor", "x[y], 1", 2, [](X x) { return Vars{set_subtensor(x[0][x[1]], 1)}; });
  forms.add("inc_subtensor", "x[y], 1", 2, [](X x) { return Vars{inc_subtensor(x[0][x[1]], 1)}; });
  forms.add("minibatch", "x, y, 2", 2, [](X x) { return Vars{minibatch(x[0], x[1], 2)}; });
  forms.add("checked_index", "x, 3", 1, [](X x) { return Vars{checked_index(x[0], 3, "things")}; });
}

}  // namespace

const std::vector<OpForm>& op_forms() {
  static const std::vector<OpForm> all = [] {
    Forms forms;
    add_elementwise(forms);
    add_reductions(forms);
    add_products(forms);
    add_movements(forms);
    add_indexing(forms);
    return forms.all;
  }();
  return all;
}

}  // namespace damo::test
