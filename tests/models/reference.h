#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/shared.h"
#include "tests/golden.h"
#include "tests/support.h"

/// How the traces of the tutorials' scripts are compared.
namespace damo::test {

/// Relative. Between two BLAS kernels the traces differ by at most 5e-14 in float64 and 2e-6 in float32; the
/// bounds leave room for sums in another order, and a wrong draw or a wrong term is far outside them.
struct Tolerance {
  double cost = 1e-11;
  double checksum = 1e-10;
};
inline Tolerance tolerance_of(const nlohmann::json& trace) {
  return trace["settings"]["floatX"] == "float64" ? Tolerance{} : Tolerance{1e-4, 1e-4};
}

/// |got - want| <= rtol |want|.
inline void check_relative(double got, double want, double rtol, const std::string& what) {
  CHECK_MESSAGE(std::abs(got - want) <= rtol * std::abs(want),
                what << " is " << got << ", expected " << want);
}

/// Numbers one by one, of a list of at least as many.
inline void check_trace(const std::vector<double>& got, const nlohmann::json& want, double rtol,
                        const std::string& what) {
  REQUIRE(got.size() <= want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    check_relative(got[i], want[i].get<double>(), rtol, what + " " + std::to_string(i));
}

/// A parameter by its checksums: the sum is measured by the sum of absolute values (it may be zero up to
/// rounding), single elements by the root mean square.
inline void check_checksum(const Tensor& value, const nlohmann::json& want, double rtol,
                           const std::string& what) {
  const std::vector<double> x = value.to_vector<double>();
  std::vector<std::int64_t> shape(value.shape().begin(), value.shape().end());
  CHECK(want["shape"].get<std::vector<std::int64_t>>() == shape);
  CHECK(want["dtype"].get<std::string>() == to_string(value.dtype()));
  double sum = 0, sumsq = 0, abssum = 0;
  for (const double v : x) {
    sum += v;
    sumsq += v * v;
    abssum += std::abs(v);
  }
  check_relative(sumsq, want["sumsq"], rtol, what + ": sumsq");
  check_relative(abssum, want["abssum"], rtol, what + ": abssum");
  const auto check_within = [&](double got, double expected, double bound, const std::string& name) {
    CHECK_MESSAGE(std::abs(got - expected) <= bound,
                  what << ": " << name << " is " << got << ", expected " << expected);
  };
  check_within(sum, want["sum"], rtol * want["abssum"].get<double>(), "sum");
  const double rms = std::sqrt(want["sumsq"].get<double>() / static_cast<double>(x.size()));
  const auto first = want["first5"].get<std::vector<double>>();
  const auto last = want["last3"].get<std::vector<double>>();
  for (std::size_t i = 0; i < first.size(); ++i)
    check_within(x[i], first[i], rtol * rms, "element " + std::to_string(i));
  for (std::size_t i = 0; i < last.size(); ++i) {
    const std::size_t at = x.size() - last.size() + i;
    check_within(x[at], last[i], rtol * rms, "element " + std::to_string(at));
  }
}

/// All parameters that the trace names, in `params` by the same names.
inline void check_checksums(const std::vector<std::pair<std::string, Shared>>& params,
                            const nlohmann::json& want, double rtol, const std::string& when) {
  REQUIRE(params.size() == want.size());
  for (const auto& [name, param] : params) {
    REQUIRE(want.contains(name));
    check_checksum(param.get_value({.borrow = true}), want[name], rtol, when + ", " + name);
  }
}

}  // namespace damo::test
