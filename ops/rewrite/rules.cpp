#include "ops/rewrite/rules.h"

#include <limits>

#include "ops/array/reduction.h"
#include "ops/elemwise.h"
#include "ops/rewrite/passes.h"
#include "ops/softmax.h"

namespace damo {
const std::vector<Rule>& stabilizing_rules() {
  static const std::vector<Rule> rules = [] {
    const Var x = wild("x"), y = wild("y"), norm = root_or_zero(x);
    constexpr auto finite = Rule::Kind::finite, close = Rule::Kind::close;
    constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
    // clang-format off
    return std::vector<Rule>{
        rule("log_softmax",      log(softmax(x)),            log_softmax(x),        finite),
        rule("log_sigmoid",      log(sigmoid(x)),            -softplus(-x),         finite),
        rule("log_1m_sigmoid",   log(1 - sigmoid(x)),        -softplus(x),          finite),
        rule("log1p_m_sigmoid",  log1p(-sigmoid(x)),         -softplus(x),          finite),
        rule("log1p_m1_sigmoid", log1p(-1 * sigmoid(x)),     -softplus(x),          finite),
        rule("log_mul_sigmoid",  log(y * sigmoid(x)),        log(y) - softplus(-x), finite),
        rule("log_1p_exp",       log(1 + exp(x)),            softplus(x),           finite),
        rule("log1p_exp",        log1p(exp(x)),              softplus(x),           finite),
        rule("log_exp",          log(exp(x)),                x,                     finite),
        rule("logistic_neg",     1 / (1 + exp(-x)),          sigmoid(x),            finite),
        rule("logistic",         1 / (1 + exp(x)),           sigmoid(-x),           finite),
        rule("inv_logistic_neg", inv(1 + exp(-x)),           sigmoid(x),            finite),
        rule("inv_logistic",     inv(1 + exp(x)),            sigmoid(-x),           finite),
        rule("exp_logistic",     exp(x) / (1 + exp(x)),      sigmoid(x),            finite),
        rule("exp_over_two",     exp(x) / (exp(x) + exp(y)), sigmoid(x - y),        finite),
        rule("mul_logistic_neg", y / (1 + exp(-x)),          y * sigmoid(x),        finite),
        rule("mul_logistic",     y / (1 + exp(x)),           y * sigmoid(-x),       finite),
        rule("exp_sigmoid",      join_exp_and_sigmoid,       finite),
        rule("log_sum_exp",      log_of_sum_exp,             finite),
        rule("softmax",          softmax_instead,            finite),
        // What is subtracted from 1, or divides it, comes back with all its digits.
        rule("log_1p",           log(1 + x),                 log1p(x),              finite),
        rule("log1p_m1",         log1p(x - 1),               log(x),                finite),
        rule("log1p_neg_1m",     log1p(-(1 - x)),            log(x),                finite),
        rule("log_1m_1m",        log(1 - (1 - x)),           log(x),                finite),
        rule("log_over",         log(1 / x),                 -log(x),               finite),
        rule("log_inv",          log(inv(x)),                -log(x),               finite),
        rule("lift",             lift_function,              finite),
        // Smooth, though made of what is not.
        rule("sqr_abs",         sqr(abs(x)),           sqr(x)),
        rule("abs_abs",         abs(x) * abs(x),       sqr(x)),
        rule("pow_abs",         pow(abs(x), 2),        sqr(x)),
        rule("sqr_norm",        sqr(norm),             x,              finite),
        rule("norm_norm",       norm * norm,           x,              finite),
        rule("pow_norm",        pow(norm, 2),          x,              finite),
        rule("sqr_sqrt",        sqr(sqrt(x)),          switch_(x >= 0, x, undefined), close),
        rule("sqrt_sqrt",       sqrt(x) * sqrt(x),     switch_(x >= 0, x, undefined), close),
        rule("pow_sqrt",        pow(sqrt(x), 2),       switch_(x >= 0, x, undefined), close),
    };
    // clang-format on
  }();
  return rules;
}

const Rewrites& default_rewrites() {
  static const Rewrites phases = [] {
    const Var x = wild("x"), y = wild("y");
    constexpr auto finite = Rule::Kind::finite, close = Rule::Kind::close;
    // clang-format off
    const std::vector<Rule> simplify = {
        rule("constant",      [](const Var& v) { return fold_constant(v); }),
        rule("add_0",         x + 0,              x,          close),
        rule("sub_0",         x - 0,              x,          close),
        rule("mul_1",         x * 1,              x),
        rule("mul_0",         drop_product_with_zero, finite),
        rule("div_1",         x / 1,              x),
        rule("neg_neg",       -(-x),              x),
        rule("neg_sub",       -(x - y),           y - x,      close),
        rule("neg_minus",     -x - y,             -(x + y),   close),
        rule("add_neg",       x + -y,             x - y),
        rule("sub_neg",       x - -y,             x + y),
        rule("pow_1",         pow(x, 1),          x),
        rule("pow_2",         pow(x, 2),          sqr(x),     close),
        rule("pow_minus_1",   pow(x, -1),         inv(x),     close),
        rule("dimshuffles",   join_dimshuffles),
        rule("unused_alloc",  drop_alloc_beside_full_operand),
        rule("slice_lift",    lift_slice),
        rule("size",          size_instead),
        rule("ifelse",        drop_choice),
    };
    // clang-format on
    return Rewrites{
        {"stabilize", stabilizing_rules(), {{"one_minus_sigmoid", subtract_from_one, finite}}},
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
