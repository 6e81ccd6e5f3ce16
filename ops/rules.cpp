#include "ops/rules.h"

#include "ops/elemwise.h"
#include "ops/passes.h"
#include "ops/softmax.h"

namespace damo {
const std::vector<Rule>& stabilizing_rules() {
  static const std::vector<Rule> rules = [] {
    const Var x = wild("x");
    constexpr auto finite = Rule::Kind::finite;
    // clang-format off
    return std::vector<Rule>{
        rule("log_softmax",     log(softmax(x)),       log_softmax(x), finite),
        rule("log_sigmoid",     log(sigmoid(x)),       -softplus(-x),  finite),
        rule("log_1m_sigmoid",  log(1 - sigmoid(x)),   -softplus(x),   finite),
        rule("log1p_m_sigmoid", log1p(-sigmoid(x)),    -softplus(x),   finite),
        rule("log_1p_exp",      log(1 + exp(x)),       softplus(x),    finite),
        rule("log1p_exp",       log1p(exp(x)),         softplus(x),    finite),
        rule("logistic",        1 / (1 + exp(-x)),     sigmoid(x),     finite),
        rule("inv_logistic",    inv(1 + exp(-x)),      sigmoid(x),     finite),
        rule("log_1p",          log(1 + x),            log1p(x)),
        rule("log_exp",         log(exp(x)),           x,              finite),
    };
    // clang-format on
  }();
  return rules;
}

const Rewrites& default_rewrites() {
  static const Rewrites phases = [] {
    const Var x = wild("x"), y = wild("y");
    constexpr auto finite = Rule::Kind::finite;
    // clang-format off
    const std::vector<Rule> simplify = {
        rule("constant",      [](const Var& v) { return fold_constant(v); }),
        rule("add_0",         x + 0,              x),
        rule("sub_0",         x - 0,              x),
        rule("mul_1",         x * 1,              x),
        rule("mul_0",         drop_product_with_zero, finite),
        rule("div_1",         x / 1,              x),
        rule("neg_neg",       -(-x),              x),
        rule("add_neg",       x + -y,             x - y),
        rule("sub_neg",       x - -y,             x + y),
        rule("pow_1",         pow(x, 1),          x),
        rule("pow_2",         pow(x, 2),          sqr(x)),
        rule("pow_half",      pow(x, 0.5),        sqrt(x)),
        rule("pow_minus_1",   pow(x, -1),         inv(x)),
        rule("dimshuffles",   join_dimshuffles),
        rule("unused_alloc",  drop_alloc_beside_full_operand),
        rule("slice_lift",    lift_slice),
        rule("size",          size_instead),
        rule("ifelse",        drop_choice),
    };
    // clang-format on
    return Rewrites{
        {"stabilize", stabilizing_rules(), {}},
        {"simplify", simplify, {{"equal_choice", drop_equal_choices}, {"transpose_dot", transpose_operands}}},
        {"specialize", {}, {{"cross_entropy", share_cross_entropy}, {"add_dot", accumulate_products}}},
        {"fuse",
         {},
         {{"fuse", fuse_elementwise},
          {"fuse_scalars", fuse_scalars},
          {"sweep", fuse_sweeps},
          {"fuse_sum", fuse_sums}}},
    };
  }();
  return phases;
}

}  // namespace damo
