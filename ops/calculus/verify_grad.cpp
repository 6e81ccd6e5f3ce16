#include "ops/verify_grad.h"

#include <algorithm>
#include <cmath>

#include "core/random/random_state.h"
#include "core/run/function.h"
#include "core/tensor/check.h"
#include "core/tensor/size.h"
#include "ops/elemwise.h"
#include "ops/grad.h"
#include "ops/reduce.h"

namespace damo {
namespace {

Vars variables_like(const std::vector<Tensor>& points, DType dtype) {
  Vars x;
  for (std::size_t i = 0; i < points.size(); ++i)
    x.push_back(variable(Type(dtype, points[i].shape()), fmt::format("x{}", i)));
  return x;
}

std::string types_text(const Vars& x) {
  std::string s;
  for (const Var& v : x) s += fmt::format("\n  {}   {}", v.type(), label(v));
  return s;
}

std::vector<In> as_inputs(const Vars& x) { return {x.begin(), x.end()}; }

}  // namespace

void verify_grad(const std::function<Var(const Vars&)>& f, const std::vector<Tensor>& points,
                 const VerifyGradArgs& args) {
  check(!points.empty(), "verify_grad: there are no points");
  const DType dtype = points[0].dtype();
  std::vector<Tensor> exact, given;
  for (const Tensor& p : points) {
    check(is_float(p.dtype()) && p.dtype() == dtype,
          "verify_grad: the points are floats of one dtype, not {} and {}", dtype, p.dtype());
    exact.push_back(p.astype(DType::float64).copy());
    given.push_back(p.copy());
  }

  const Vars x = variables_like(points, DType::float64);
  const Var y = f(x);
  const Function value = function({.inputs = as_inputs(x),
                                   .outputs = y,
                                   .name = "verify_grad",
                                   .on_unused_input = OnUnusedInput::ignore});
  const Tensor at = value.call(exact.data(), exact.size());
  const Tensor r = RandomState(std::int64_t{args.seed}).uniform(0.5, 1.5, at.shape(), DType::float64);
  const std::vector<double> weights = r.to_vector<double>();
  const auto values = [&] { return Tensor(value.call(exact.data(), exact.size())).to_vector<double>(); };

  const Vars p = variables_like(points, dtype);
  const Var fp = f(p);
  const Vars g = grad(sum(fp * r.astype(fp.dtype())), p, {.disconnected_inputs = Disconnected::zero});
  const Function gradient = function({.inputs = as_inputs(p),
                                      .outputs = g,
                                      .name = "verify_grad",
                                      .on_unused_input = OnUnusedInput::ignore});
  const Values symbolic = gradient.call(given.data(), given.size());

  const double tolerance = args.tolerance > 0 ? args.tolerance : dtype == DType::float64 ? 1e-6 : 1e-4;
  for (std::size_t k = 0; k < points.size(); ++k) {
    check(symbolic[k].shape() == points[k].shape(), "verify_grad: the gradient of x{} has shape {}, not {}",
          k, symbolic[k].shape(), points[k].shape());
    const std::vector<double> have = symbolic[k].to_vector<double>();
    for (std::size_t i = 0; i < have.size(); ++i) {
      double& element = exact[k].span<double>()[i];
      const double before = element;
      element = before + args.eps;
      const std::vector<double> above = values();
      element = before - args.eps;
      const std::vector<double> below = values();
      element = before;
      // Subtracted one by one: what does not change leaves no rounding behind.
      double change = 0;
      for (std::size_t j = 0; j < above.size(); ++j) change += (above[j] - below[j]) * weights[j];
      const double want = change / (2 * args.eps);
      const double error = std::abs(have[i] - want);
      const double relative = error / std::max(std::abs(have[i]), std::abs(want));
      // Negated, so that NaN fails.
      if (!(error > tolerance && !(relative <= tolerance)) && !std::isnan(have[i])) continue;
      const std::string place = index_text(points[k].shape(), static_cast<std::int64_t>(i));
      fail("verify_grad: the gradient of {} with respect to x{}{}{} is {}, but differences give {}{}",
           label(fp), k, place.empty() ? "" : " at ", place, have[i], want, types_text(p));
    }
  }
}

}  // namespace damo
