#include <cmath>
#include <map>
#include <stdexcept>

#include "tests/oracle_array.h"

namespace damo::test {
namespace {

using Real = double (*)(const double*);
using Whole = std::int64_t (*)(const std::int64_t*);

struct Row {
  Real real;
  Whole whole = nullptr;
};

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

double sign(double v) { return v > 0 ? 1. : v < 0 ? -1. : v; }

double floor_mod(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/// 64-bit arithmetic that wraps around.
std::uint64_t bits(std::int64_t v) { return static_cast<std::uint64_t>(v); }
std::int64_t plus(std::int64_t a, std::int64_t b) { return static_cast<std::int64_t>(bits(a) + bits(b)); }
std::int64_t minus(std::int64_t a, std::int64_t b) { return static_cast<std::int64_t>(bits(a) - bits(b)); }
std::int64_t times(std::int64_t a, std::int64_t b) { return static_cast<std::int64_t>(bits(a) * bits(b)); }

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return minus(0, a);
  const std::int64_t q = a / b;
  return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

std::int64_t power(std::int64_t a, std::int64_t b) {
  std::int64_t y = 1;
  for (std::int64_t i = 0; i < b; ++i) y = times(y, a);
  return y;
}

std::int64_t unchanged(const std::int64_t* x) { return x[0]; }

/// Where the increasing function f passes 0.
template <class F>
double zero_of(F f, long double low, long double high) {
  for (int i = 0; i < 100; ++i) {
    const long double middle = (low + high) / 2;
    (f(middle) < 0 ? low : high) = middle;
  }
  return static_cast<double>(high);
}

/// Far out the digamma function and its derivative are few terms; their differences lead there.
double digamma(long double x) {
  long double y = 0;
  for (; x < 1000; ++x) y -= 1 / x;
  return static_cast<double>(y + std::log(x) - 1 / (2 * x) - 1 / (12 * x * x) + 1 / (120 * x * x * x * x));
}
double trigamma(long double x) {
  long double y = 0;
  for (; x < 1000; ++x) y += 1 / (x * x);
  return static_cast<double>(y + 1 / x + 1 / (2 * x * x) + 1 / (6 * x * x * x));
}

const std::map<std::string, Row>& table() {
  static const std::map<std::string, Row> rows = {
      {"add",
       {[](const double* x) { return x[0] + x[1]; }, [](const std::int64_t* x) { return plus(x[0], x[1]); }}},
      {"sub",
       {[](const double* x) { return x[0] - x[1]; },
        [](const std::int64_t* x) { return minus(x[0], x[1]); }}},
      {"mul",
       {[](const double* x) { return x[0] * x[1]; },
        [](const std::int64_t* x) { return times(x[0], x[1]); }}},
      {"true_div", {[](const double* x) { return x[0] / x[1]; }}},
      {"int_div",
       {[](const double* x) {
          return x[1] == 0 ? x[0] / x[1] : std::round((x[0] - floor_mod(x[0], x[1])) / x[1]);
        },
        [](const std::int64_t* x) { return floor_div(x[0], x[1]); }}},
      {"mod",
       {[](const double* x) { return floor_mod(x[0], x[1]); },
        [](const std::int64_t* x) {
          return x[1] == 0 ? 0 : minus(x[0], times(floor_div(x[0], x[1]), x[1]));
        }}},
      {"pow",
       {[](const double* x) { return std::pow(x[0], x[1]); },
        [](const std::int64_t* x) { return power(x[0], x[1]); }}},
      {"maximum",
       {[](const double* x) { return std::isnan(x[0]) || x[0] > x[1] ? x[0] : x[1]; },
        [](const std::int64_t* x) { return x[0] > x[1] ? x[0] : x[1]; }}},
      {"minimum",
       {[](const double* x) { return std::isnan(x[0]) || x[0] < x[1] ? x[0] : x[1]; },
        [](const std::int64_t* x) { return x[0] < x[1] ? x[0] : x[1]; }}},
      {"neg", {[](const double* x) { return -x[0]; }, [](const std::int64_t* x) { return minus(0, x[0]); }}},
      {"abs",
       {[](const double* x) { return std::abs(x[0]); },
        [](const std::int64_t* x) { return x[0] < 0 ? minus(0, x[0]) : x[0]; }}},
      {"sgn",
       {[](const double* x) { return sign(x[0]); },
        [](const std::int64_t* x) -> std::int64_t { return x[0] > 0   ? 1
                                                           : x[0] < 0 ? -1
                                                                      : 0; }}},
      {"sqr",
       {[](const double* x) { return x[0] * x[0]; },
        [](const std::int64_t* x) { return times(x[0], x[0]); }}},
      {"exp", {[](const double* x) { return std::exp(x[0]); }}},
      {"expm1", {[](const double* x) { return std::expm1(x[0]); }}},
      {"log", {[](const double* x) { return std::log(x[0]); }}},
      {"log1p", {[](const double* x) { return std::log1p(x[0]); }}},
      {"sqrt", {[](const double* x) { return std::sqrt(x[0]); }}},
      {"inv", {[](const double* x) { return 1 / x[0]; }}},
      {"exp2", {[](const double* x) { return std::exp2(x[0]); }}},
      {"log2", {[](const double* x) { return std::log2(x[0]); }}},
      {"log10", {[](const double* x) { return std::log10(x[0]); }}},
      {"sin", {[](const double* x) { return std::sin(x[0]); }}},
      {"tan", {[](const double* x) { return std::tan(x[0]); }}},
      {"arcsin", {[](const double* x) { return std::asin(x[0]); }}},
      {"arccos", {[](const double* x) { return std::acos(x[0]); }}},
      {"arctan", {[](const double* x) { return std::atan(x[0]); }}},
      {"arctan2", {[](const double* x) { return std::atan2(x[0], x[1]); }}},
      {"sinh", {[](const double* x) { return std::sinh(x[0]); }}},
      {"cosh", {[](const double* x) { return std::cosh(x[0]); }}},
      {"arcsinh", {[](const double* x) { return std::asinh(x[0]); }}},
      {"arccosh", {[](const double* x) { return std::acosh(x[0]); }}},
      {"arctanh", {[](const double* x) { return std::atanh(x[0]); }}},
      {"erf", {[](const double* x) { return std::erf(x[0]); }}},
      {"erfc", {[](const double* x) { return std::erfc(x[0]); }}},
      {"erfinv", {[](const double* x) {
         return zero_of([y = x[0]](long double v) { return std::erf(v) - y; }, -6, 6);
       }}},
      {"erfcinv", {[](const double* x) {
         return zero_of([y = x[0]](long double v) { return y - std::erfc(v); }, -6, 6);
       }}},
      {"gamma", {[](const double* x) { return std::tgamma(x[0]); }}},
      {"gammaln", {[](const double* x) { return std::lgamma(x[0]); }}},
      {"psi", {[](const double* x) { return digamma(x[0]); }}},
      {"tri_gamma", {[](const double* x) { return trigamma(x[0]); }}},
      {"ceil", {[](const double* x) { return std::ceil(x[0]); }, unchanged}},
      {"floor", {[](const double* x) { return std::floor(x[0]); }, unchanged}},
      {"trunc", {[](const double* x) { return x[0] < 0 ? std::ceil(x[0]) : std::floor(x[0]); }, unchanged}},
      {"round_half_to_even",
       {[](const double* x) {
          const double low = std::floor(x[0]), part = x[0] - low;
          return part > 0.5 || (part == 0.5 && std::fmod(low, 2) != 0) ? low + 1 : low;
        },
        unchanged}},
      {"round_half_away_from_zero",
       {[](const double* x) { return x[0] < 0 ? std::ceil(x[0] - 0.5) : std::floor(x[0] + 0.5); },
        unchanged}},
      {"mul_no_nan", {[](const double* x) { return x[0] == 0 ? 0. : x[0] * x[1]; }}},
      {"bitwise_and", {nullptr, [](const std::int64_t* x) { return x[0] & x[1]; }}},
      {"bitwise_or", {nullptr, [](const std::int64_t* x) { return x[0] | x[1]; }}},
      {"bitwise_xor", {nullptr, [](const std::int64_t* x) { return x[0] ^ x[1]; }}},
      {"bitwise_not", {nullptr, [](const std::int64_t* x) { return -1 - x[0]; }}},
      {"logical_not", {nullptr, [](const std::int64_t* x) -> std::int64_t { return x[0] == 0; }}},
      {"cos", {[](const double* x) { return std::cos(x[0]); }}},
      {"tanh", {[](const double* x) { return std::tanh(x[0]); }}},
      {"softsign", {[](const double* x) { return x[0] / (1 + std::abs(x[0])); }}},
      {"sigmoid", {[](const double* x) { return sigmoid(x[0]); }}},
      {"sigmoid to 15", {[](const double* x) { return x[0] > 15    ? 1.
                                                      : x[0] < -88 ? 0.
                                                                   : sigmoid(x[0]); }}},
      {"sigmoid to 19", {[](const double* x) { return x[0] > 19     ? 1.
                                                      : x[0] < -709 ? 0.
                                                                    : sigmoid(x[0]); }}},
      {"softplus",
       {[](const double* x) { return x[0] > 30 ? x[0] + std::exp(-x[0]) : std::log1p(std::exp(x[0])); }}},
      {"eq",
       {[](const double* x) { return x[0] == x[1] ? 1. : 0.; },
        [](const std::int64_t* x) -> std::int64_t { return x[0] == x[1]; }}},
      {"neq",
       {[](const double* x) { return x[0] != x[1] ? 1. : 0.; },
        [](const std::int64_t* x) -> std::int64_t { return x[0] != x[1]; }}},
      {"lt",
       {[](const double* x) { return x[0] < x[1] ? 1. : 0.; },
        [](const std::int64_t* x) -> std::int64_t { return x[0] < x[1]; }}},
      {"le",
       {[](const double* x) { return x[0] <= x[1] ? 1. : 0.; },
        [](const std::int64_t* x) -> std::int64_t { return x[0] <= x[1]; }}},
      {"gt",
       {[](const double* x) { return x[0] > x[1] ? 1. : 0.; },
        [](const std::int64_t* x) -> std::int64_t { return x[0] > x[1]; }}},
      {"ge",
       {[](const double* x) { return x[0] >= x[1] ? 1. : 0.; },
        [](const std::int64_t* x) -> std::int64_t { return x[0] >= x[1]; }}},
      {"isnan", {[](const double* x) { return std::isnan(x[0]) ? 1. : 0.; }}},
      {"isinf", {[](const double* x) { return std::isinf(x[0]) ? 1. : 0.; }}},
      {"switch",
       {[](const double* x) { return x[0] != 0 ? x[1] : x[2]; },
        [](const std::int64_t* x) { return x[0] != 0 ? x[1] : x[2]; }}},
      {"clip",
       {[](const double* x) { return x[0] < x[1]   ? x[1]
                                     : x[0] > x[2] ? x[2]
                                                   : x[0]; },
        [](const std::int64_t* x) { return x[0] < x[1]   ? x[1]
                                           : x[0] > x[2] ? x[2]
                                                         : x[0]; }}},
  };
  return rows;
}

/// Sizes of the result: axes are aligned at the end; only those declared to are stretched.
Sizes stretched_shape(const Types& types, const Arrays& x) {
  int rank = 0;
  for (const Array& a : x) rank = std::max(rank, a.shape.size());
  Sizes shape(rank, 1);
  for (int axis = 0; axis < rank; ++axis) {
    std::int64_t size = -1;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const int own = axis - (rank - x[i].shape.size());
      if (own < 0 || types[i].stretches(own)) continue;
      if (size >= 0 && size != x[i].shape[own]) throw std::logic_error("the oracle finds sizes that differ");
      size = x[i].shape[own];
    }
    if (size >= 0) shape[axis] = size;
  }
  return shape;
}

std::size_t position_in(const Array& a, const Sizes& index) {
  Sizes own(a.shape.size(), 0);
  const int lead = index.size() - own.size();
  for (int axis = 0; axis < own.size(); ++axis) own[axis] = a.shape[axis] == 1 ? 0 : index[axis + lead];
  return position(a.shape, own);
}

}  // namespace

bool oracle_elementwise(const OpName& op, const Types& types, const Arrays& x, Array& y) {
  if (op.name == "cast") {
    y = Array(y.dtype, x[0].shape);
    for (std::size_t i = 0; i < y.size(); ++i) {
      // Not through an integer: 0.5 is true.
      if (y.dtype == DType::bool_)
        y.whole[i] = x[0].number(i) != 0 ? 1 : 0;
      else
        y.assign(i, x[0], i);
    }
    return true;
  }
  const auto row = table().find(op.name);
  if (row == table().end()) return false;
  y = Array(y.dtype, stretched_shape(types, x));
  bool all_whole = row->second.whole != nullptr;
  for (const Array& a : x) all_whole = all_whole && !is_float(a.dtype);
  std::size_t at = 0;
  each_index(y.shape, [&](const Sizes& index) {
    double real[3] = {};
    std::int64_t whole[3] = {};
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t p = position_in(x[i], index);
      if (all_whole)
        whole[i] = x[i].integer(p);
      else
        real[i] = x[i].number(p);
    }
    if (is_float(y.dtype))
      y.real[at] = all_whole ? static_cast<double>(row->second.whole(whole)) : row->second.real(real);
    else
      y.whole[at] = all_whole ? row->second.whole(whole) : static_cast<std::int64_t>(row->second.real(real));
    ++at;
  });
  return true;
}

}  // namespace damo::test
