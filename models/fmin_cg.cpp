#include "models/fmin_cg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/tensor/check.h"

namespace damo {
namespace {

using Point = std::vector<double>;

constexpr double infinite = std::numeric_limits<double>::infinity();

double inner(const Point& a, const Point& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double largest(const Point& a) {
  double most = 0;
  for (const double v : a) most = v == v ? std::max(most, std::abs(v)) : infinite;
  return most;
}

Point negated(Point a) {
  for (double& v : a) v = -v;
  return a;
}

/// The function and its gradient, counted.
class Objective {
 public:
  Objective(const FminCgArgs& args, CgState& state) : args_(args), state_(state) {}

  double f(const Point& x) const {
    ++state_.n_f;
    return args_.f(x);
  }
  Point gradient(const Point& x) const {
    ++state_.n_fprime;
    Point g = args_.fprime(x);
    check(g.size() == x.size(), "fmin_cg: fprime gives {} numbers for {} variables", g.size(), x.size());
    return g;
  }

 private:
  const FminCgArgs& args_;
  CgState& state_;
};

/// phi(alpha) = f(x + alpha p), and what is known of it at one alpha.
struct Trial {
  double alpha = 0;
  double phi = 0;
  double slope = 0;  ///< phi'(alpha)
  Point x = {};
  Point gradient = {};
};

/// A step along p that satisfies the strong Wolfe conditions
///     phi(alpha) <= phi(0) + c1 alpha phi'(0),    |phi'(alpha)| <= c2 |phi'(0)|,
/// by Nocedal and Wright's algorithms 3.5 and 3.6. Where phi is not finite, it counts as very large: the step
/// was too long.
class LineSearch {
 public:
  LineSearch(const FminCgArgs& args, const Objective& function, const CgState& state)
      : args_(args), function_(function), state_(state) {
    start_.phi = state.f;
    start_.slope = inner(state.gradient, state.direction);
  }

  /// Algorithm 3.5: longer and longer steps, until an interval holds a good one. None: f does not fall.
  std::optional<Trial> run() {
    constexpr int most_steps = 50;
    // The step of which the last iteration's fall would be the first-order prediction (3.60).
    const double promised = 1.01 * 2 * (state_.f - state_.f_before) / start_.slope;
    double alpha = promised > 0 ? std::min(1., promised) : 1.;
    Trial low = start_;
    for (int i = 0; i < most_steps; ++i, alpha *= 2) {
      Trial t = at(alpha);
      if (rises(t) || (i > 0 && t.phi >= low.phi) || !differentiate(t)) return zoom(low, t);
      if (std::abs(t.slope) <= -args_.c2 * start_.slope) return t;
      if (t.slope >= 0) return zoom(t, low);
      low = t;
    }
    return low;
  }

  /// Whether phi and its slope were finite at the last step that was tried.
  bool is_finite() const { return finite_; }

 private:
  /// Algorithm 3.6: the interval, which shrinks, has its lowest known point at `low`, and phi falls from
  /// there into it.
  std::optional<Trial> zoom(Trial low, Trial high) {
    constexpr int most_steps = 30;
    for (int i = 0; i < most_steps; ++i) {
      Trial t = at(between(low, high));
      if (rises(t) || t.phi >= low.phi || !differentiate(t)) {
        high = t;
        continue;
      }
      if (std::abs(t.slope) <= -args_.c2 * start_.slope) return t;
      if (t.slope * (high.alpha - low.alpha) >= 0) high = low;
      low = t;
    }
    // The slope is not as small as it should be, but f has fallen.
    if (low.alpha > 0) return low;
    return {};
  }

  /// The minimum of the parabola through phi(low), phi'(low) and phi(high); the middle if that is near an
  /// end.
  static double between(const Trial& low, const Trial& high) {
    const double d = high.alpha - low.alpha;
    const double part = -low.slope * d / (2 * (high.phi - low.phi - low.slope * d));
    return low.alpha + d * (part >= 0.1 && part <= 0.9 ? part : 0.5);
  }

  Trial at(double alpha) {
    Trial t{.alpha = alpha, .x = state_.x};
    for (std::size_t i = 0; i < t.x.size(); ++i) t.x[i] += alpha * state_.direction[i];
    t.phi = function_.f(t.x);
    finite_ = std::isfinite(t.phi);
    if (!finite_) t.phi = infinite;
    return t;
  }

  /// False if the gradient is not finite.
  bool differentiate(Trial& t) {
    t.gradient = function_.gradient(t.x);
    t.slope = inner(t.gradient, state_.direction);
    finite_ = std::isfinite(t.slope) && std::isfinite(largest(t.gradient));
    if (!finite_) t.phi = infinite;
    return finite_;
  }

  /// Whether f does not fall as it should.
  bool rises(const Trial& t) const {
    return !(t.phi <= start_.phi + args_.c1 * t.alpha * start_.slope) || !(t.phi < start_.phi);
  }

  const FminCgArgs& args_;
  const Objective& function_;
  const CgState& state_;
  Trial start_;
  bool finite_ = true;
};

void begin(const Objective& function, CgState& state) {
  state.f = function.f(state.x);
  state.gradient = function.gradient(state.x);
  state.direction = negated(state.gradient);
  // The first step then has a length of about 1.
  state.f_before = state.f + std::sqrt(inner(state.gradient, state.gradient)) / 2;
}

/// beta = max(0, g' . (g' - g) / g . g) (Polak and Ribiere, 5.44 and 5.45); p' = -g' + beta p.
void turn(CgState& state, const Point& gradient) {
  double numerator = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i)
    numerator += gradient[i] * (gradient[i] - state.gradient[i]);
  const double beta = std::max(0., numerator / inner(state.gradient, state.gradient));
  Point p = negated(gradient);
  for (std::size_t i = 0; i < p.size(); ++i) p[i] += beta * state.direction[i];
  // Descends enough (Gilbert and Nocedal 1992); else the steepest descent does.
  const bool descends = inner(p, gradient) <= -0.01 * inner(gradient, gradient);
  state.direction = descends ? std::move(p) : negated(gradient);
}

void check_arguments(const FminCgArgs& args, const CgState& start) {
  check(args.f && args.fprime, "fmin_cg: f and fprime must both be given");
  check(!start.x.empty(), "fmin_cg: x is empty, and must hold at least one variable");
  check(args.c1 > 0 && args.c1 < args.c2 && args.c2 < 1,
        "fmin_cg: c1 and c2 are {} and {}, and must be 0 < c1 < c2 < 1", args.c1, args.c2);
  const std::size_t n = start.x.size(), g = start.gradient.size(), p = start.direction.size();
  check((g == 0 && p == 0) || (g == n && p == n),
        "fmin_cg: the state has {} variables, a gradient of {} and a direction of {}", n, g, p);
}

}  // namespace

const char* to_string(CgEnd end) {
  switch (end) {
    case CgEnd::converged: return "the gradient is small";
    case CgEnd::no_progress: return "no step is found that makes the cost smaller";
    case CgEnd::iteration_limit: return "the limit of iterations is reached";
    case CgEnd::not_finite: return "the cost or its gradient is not finite";
  }
  return "";
}

CgResult fmin_cg(const FminCgArgs& args, CgState start) {
  check_arguments(args, start);
  CgState state = std::move(start);
  const Objective function(args, state);
  const auto maxiter = args.maxiter >= 0 ? args.maxiter : 200 * static_cast<std::int64_t>(state.x.size());
  if (state.gradient.empty()) begin(function, state);
  while (true) {
    const double steepest = largest(state.gradient);
    if (!std::isfinite(state.f) || !std::isfinite(steepest)) return {std::move(state), CgEnd::not_finite};
    if (steepest <= args.gtol) return {std::move(state), CgEnd::converged};
    if (state.iteration >= maxiter) return {std::move(state), CgEnd::iteration_limit};

    std::optional<Trial> next = LineSearch(args, function, state).run();
    if (!next) {
      state.direction = negated(state.gradient);
      LineSearch along_steepest(args, function, state);
      next = along_steepest.run();
      if (!next)
        return {std::move(state), along_steepest.is_finite() ? CgEnd::no_progress : CgEnd::not_finite};
    }
    turn(state, next->gradient);
    state.x = std::move(next->x);
    state.gradient = std::move(next->gradient);
    state.f_before = state.f;
    state.f = next->phi;
    ++state.iteration;
    if (args.callback) args.callback(state);
  }
}

}  // namespace damo
