#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace damo {

/// Where a minimization is. Plain data: saved between two iterations and given back later, it makes the
/// search go on as if it had never stopped.
struct CgState {
  std::vector<double> x = {};          ///< where it stands
  std::vector<double> gradient = {};   ///< of f there; empty before the first iteration, as is the direction
  std::vector<double> direction = {};  ///< the next one to search along
  double f = 0;                        ///< there
  double f_before = 0;                 ///< one iteration earlier
  std::int64_t iteration = 0;          ///< how many are done
  std::int64_t n_f = 0;                ///< calls of f
  std::int64_t n_fprime = 0;           ///< calls of fprime
};

/// Why a minimization ended.
enum class CgEnd {
  converged,        ///< no |df/dx_i| is above gtol
  no_progress,      ///< f does not fall along the steepest descent: as a rule, rounding is all that is left
  iteration_limit,  ///< maxiter iterations are done
  not_finite,  ///< f or its gradient is NaN or infinite, where the search stands or at every step it tries
};

/// What was the end, in words: "the gradient is small".
const char* to_string(CgEnd end);

/// The arguments by the names of SciPy's fmin_cg.
struct FminCgArgs {
  std::function<double(const std::vector<double>& x)> f = {};
  std::function<std::vector<double>(const std::vector<double>& x)> fprime = {};  ///< its gradient
  std::function<void(const CgState&)> callback = {};                             ///< after each iteration
  double gtol = 1e-5;
  std::int64_t maxiter = -1;  ///< -1: 200 times the number of variables
  double c1 = 1e-4;           ///< a step lets f fall by at least c1 times what its slope promises,
  double c2 = 0.4;            ///< and the slope at its end is at most c2 times as steep
};

struct CgResult {
  CgState state;
  CgEnd end;
};

/// Minimizes f by nonlinear conjugate gradients, from `start`, of which only x need be set: directions by
/// Polak and Ribiere, restarted along the steepest descent where they would not descend (Nocedal and Wright,
/// "Numerical Optimization", section 5.2), steps by a line search for the strong Wolfe conditions (section
/// 3.5). Throws Error if f or fprime is missing, there is nothing to vary, a size does not fit, or not
/// 0 < c1 < c2 < 1.
CgResult fmin_cg(const FminCgArgs& args, CgState start);

}  // namespace damo
