#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>

#include "tests/expect.h"
#include "tests/ops/op_forms.h"

using namespace damo;
using test::OpForm;

// Gradients and second derivatives of every form of every function that has a gradient, against differences,
// at points where formulas fail: 0, 1, -1, ties, the ends of ranges.

namespace {

struct Point {
  const char* name;
  std::vector<double> elements;  ///< in turn
};
const std::vector<Point> points = {{"zeros", {0}},
                                   {"ones", {1}},
                                   {"minus ones", {-1}},
                                   {"ties", {.5, .5, .25}},
                                   {"zeros among others", {0, .5, .75, 0, 1.5}},
                                   {"the unit matrix", {1, 0, 0, 0}},
                                   {"a multiple", {2, 0, 0, 0}},
                                   {"all kinds", {0, 1, -1, .5, -.5, 2, 1, 0}}};
const std::vector<Sizes> shapes = {{3}, {3, 3}, {1, 1, 4, 4}};

Tensor at(const Point& p, const Sizes& shape, std::size_t turn) {
  std::vector<double> all;
  for (std::int64_t i = 0; i < shape.product(); ++i)
    all.push_back(p.elements[(static_cast<std::size_t>(i) + turn) % p.elements.size()]);
  return test::tensor(float64, shape, all);
}

// Where there is no derivative, in some direction, at one of the points.

const std::set<std::string> ends_and_poles = {"log",
                                              "log2",
                                              "log10",
                                              "log1p",
                                              "sqrt",
                                              "inv",
                                              "arcsin",
                                              "arccos",
                                              "arccosh",
                                              "arctanh",
                                              "erfinv",
                                              "erfcinv",
                                              "gamma",
                                              "gammaln",
                                              "true_div",
                                              "int_div",
                                              "mod",
                                              "pow",
                                              "arctan2",
                                              "binary_crossentropy",
                                              "categorical_crossentropy"};
const std::set<std::string> corners = {"abs",  "selu", "maximum", "minimum",       "relu", "switch_",
                                       "clip", "std_", "max",     "min",           "ptp",  "norm",
                                       "sort", "eigh", "pool_2d", "max_and_argmax"};
/// Whole numbers, the rank of a matrix, what a mask chooses; float32, whose steps differences see.
const std::set<std::string> steps = {
    "sgn",  "ceil",           "floor",     "trunc",         "round",         "round_half_to_even",
    "pinv", "nonzero_values", "subtensor", "set_subtensor", "inc_subtensor", "round_half_away_from_zero",
    "cast"};
/// The derivative has a corner.
const std::set<std::string> bends = {"softsign", "ultra_fast_sigmoid", "elu"};
/// The gradient is another one by definition.
const std::set<std::string> by_definition = {"zero_grad", "consider_constant", "disconnected_grad",
                                             "grad_clip", "grad_scale"};
/// Differences do not see that the value at the point itself belongs to nothing beside it, or that a tie
/// has another order on each side with the same slope.
const std::set<std::string> not_seen = {"switch_", "nonzero_values", "sort", "cast"};

/// Second derivatives go through eigenvectors, which equal eigenvalues do not have.
const std::set<std::string> without_second = {"eigh"};

bool has_no_derivative(const std::string& function, int order) {
  return ends_and_poles.contains(function) || corners.contains(function) || steps.contains(function) ||
         (order == 2 && bends.contains(function));
}

/// A sum of all that a form gives, along a line through a point.
class Line {
 public:
  Line(const OpForm& form, const Sizes& shape, const Point& p) {
    const Var t = dscalar("t");
    Vars moved, x;
    for (std::size_t i = 0; i < form.n_arrays; ++i) {
      x.push_back(variable(Type(float64, shape), "x" + std::to_string(i)));
      values_.push_back(at(p, shape, i));
      const Tensor v = test::random(shape, float64, static_cast<std::uint32_t>(i + 1), .5, 1.5);
      moved.push_back(x[i] + t * constant(v));
    }
    Var cost;
    for (const Var& y : form.build(moved)) {
      if (!y.type().is_float()) continue;
      const Var flat = flatten(y);
      const Var part = sum(flat * (1.25 + cos(cast(arange(flat.shape(0)), float64))));
      cost = cost.is_set() ? cost + part : part;
    }
    if (!cost.is_set()) throw Error("no result is a float");
    const Var slope = grad(cost, t), second = grad(slope, t, {.disconnected_inputs = Disconnected::zero});
    x.push_back(t);
    values_.emplace_back(0.);
    f_ = function({.inputs = x, .outputs = {cost, slope, second}, .on_unused_input = OnUnusedInput::ignore});
  }

  /// The sum, its slope, and the slope of that.
  std::array<double, 3> operator()(double t) {
    values_.back() = Tensor(t);
    const Values y = f_.call(values_.data(), values_.size());
    return {y[0].item(), y[1].item(), y[2].item()};
  }

 private:
  test::Tensors values_;
  Function f_;
};

/// One-sided differences of second order.
struct Differences {
  double left, right;
  double middle() const { return (left + right) / 2; }
};
Differences differences(Line& line, std::size_t k, double h) {
  const double here = line(0)[k];
  return {(3 * here - 4 * line(-h)[k] + line(-2 * h)[k]) / (2 * h),
          (-3 * here + 4 * line(h)[k] - line(2 * h)[k]) / (2 * h)};
}

bool are_close(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max({1., std::abs(a), std::abs(b)});
}

}  // namespace

TEST_CASE("first and second derivatives at special points, of every form of every function that has them") {
  std::set<std::string> rough[3];
  int n = 0;
  for (const OpForm& form : test::op_forms())
    for (const Sizes& shape : shapes)
      for (const Point& p : points) {
        if (by_definition.contains(form.function)) continue;
        std::optional<Line> line;
        // Not of these sizes, or not differentiable twice.
        if (test::error_of([&] {
              line.emplace(form, shape, p);
              (*line)(0);
            }) != "no error")
          continue;
        for (const int order : {1, 2}) {
          const auto k = static_cast<std::size_t>(order);
          const Differences near = differences(*line, k - 1, 1e-5), far = differences(*line, k - 1, 1e-4);
          const bool smooth = are_close(near.left, near.right, 1e-4) && are_close(near.left, far.left, 1e-2);
          INFO(form.text, " at ", std::string(p.name), " ", to_string(shape), ", derivative ", order, ": ",
               (*line)(0)[k], ", differences ", near.left, " and ", near.right);
          ++n;
          if (!smooth) {
            rough[order].insert(form.function);
            CHECK(has_no_derivative(form.function, order));
          } else if (!not_seen.contains(form.function) &&
                     !(order == 2 && without_second.contains(form.function))) {
            CHECK(are_close((*line)(0)[k], near.middle(), 2e-4));
          }
        }
      }
  CHECK(n > 10000);
  // The exceptions are such.
  for (const auto* list : {&ends_and_poles, &corners, &steps})
    for (const std::string& name : *list) CHECK_MESSAGE(rough[1].contains(name), name);
  for (const std::string& name : bends) CHECK_MESSAGE(rough[2].contains(name), name);
}
