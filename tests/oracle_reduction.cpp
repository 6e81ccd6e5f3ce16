#include <cmath>
#include <limits>

#include "tests/oracle_array.h"

namespace damo::test {
namespace {

/// Whether axis i of x goes: the fields name the axes, no fields mean all.
std::vector<bool> reduced_axes(const OpName& op, int ndim) {
  const std::vector<int> named = op.numbers();
  std::vector<bool> gone(static_cast<std::size_t>(ndim), op.fields.empty());
  for (const int axis : named) gone[static_cast<std::size_t>(axis)] = true;
  return gone;
}

Sizes kept(const Sizes& sizes, const std::vector<bool>& gone) {
  Sizes result;
  for (int i = 0; i < sizes.size(); ++i)
    if (!gone[static_cast<std::size_t>(i)]) result.push_back(sizes[i]);
  return result;
}

/// Whether a is further out than b; NaN is furthest.
bool beats(bool largest, double a, double b) {
  if (std::isnan(b)) return false;
  return std::isnan(a) || (largest ? a > b : a < b);
}

void reduce(const std::string& name, const Array& x, const std::vector<bool>& gone, Array& y) {
  const double start = name == "prod" || name == "all" ? 1 : 0;
  for (double& v : y.real) v = start;
  for (std::int64_t& v : y.whole) v = static_cast<std::int64_t>(start);
  std::vector<std::size_t> best(y.size());  // the element so far, of max and min; or its place, of argmax
  std::vector<std::int64_t> seen(y.size(), 0);
  const bool arg = name.starts_with("arg"), largest = name.ends_with("max");
  const bool extreme = arg || name == "max" || name == "min";
  std::size_t i = 0;
  each_index(x.shape, [&](const Sizes& index) {
    const std::size_t o = position(y.shape, kept(index, gone));
    if (name == "sum") y.add(o, x, i);
    if (name == "prod" && is_float(y.dtype)) y.real[o] *= x.number(i);
    if (name == "prod" && !is_float(y.dtype))
      y.whole[o] = static_cast<std::int64_t>(static_cast<std::uint64_t>(y.whole[o]) *
                                             static_cast<std::uint64_t>(x.integer(i)));
    if (name == "any" && x.number(i) != 0) y.whole[o] = 1;
    if (name == "all" && x.number(i) == 0) y.whole[o] = 0;
    if (extreme && (seen[o] == 0 || beats(largest, x.number(i), x.number(best[o])))) {
      best[o] = i;
      if (arg)
        y.whole[o] = seen[o];
      else
        y.assign(o, x, i);
    }
    ++seen[o];
    ++i;
  });
}

}  // namespace

bool oracle_reduction(const OpName& op, const Arrays& x, Array& y) {
  for (const char* name : {"sum", "prod", "max", "min", "any", "all", "argmax", "argmin"}) {
    if (op.name != name) continue;
    const std::vector<bool> gone = reduced_axes(op, x[0].shape.size());
    y = Array(y.dtype, kept(x[0].shape, gone));
    reduce(op.name, x[0], gone, y);
    return true;
  }
  if (op.name == "softmax" || op.name == "log_softmax") {
    y = Array(y.dtype, x[0].shape);
    const std::size_t n = static_cast<std::size_t>(x[0].shape.back());
    for (std::size_t row = 0; row < y.size(); row += n) {
      double largest = x[0].real[row], total = 0;
      for (std::size_t i = row; i < row + n; ++i) largest = std::max(largest, x[0].real[i]);
      for (std::size_t i = row; i < row + n; ++i) total += std::exp(x[0].real[i] - largest);
      for (std::size_t i = row; i < row + n; ++i)
        y.real[i] = op.name == "softmax" ? std::exp(x[0].real[i] - largest) / total
                                         : x[0].real[i] - largest - std::log(total);
    }
    return true;
  }
  if (op.name == "log_sum_exp") {
    const auto n = static_cast<std::size_t>(x[0].shape.back());
    Sizes shape = x[0].shape;
    shape.erase(shape.size() - 1);
    y = Array(y.dtype, shape);
    for (std::size_t row = 0; row < y.size(); ++row) {
      double largest = -std::numeric_limits<double>::infinity(), total = 0;
      for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, x[0].real[row * n + i]);
      if (std::isinf(largest)) largest = 0;
      for (std::size_t i = 0; i < n; ++i) total += std::exp(x[0].real[row * n + i] - largest);
      y.real[row] = largest + std::log(total);
    }
    return true;
  }
  if (op.name == "dot") {
    // Sizes of rows, columns and the inner axis; a vector on the left is a row, on the right a column.
    const Sizes &a = x[0].shape, &b = x[1].shape;
    const std::int64_t m = a.size() == 2 ? a[0] : 1, k = a.back(), n = b.size() == 2 ? b[1] : 1;
    Sizes shape;
    if (a.size() == 2) shape.push_back(m);
    if (b.size() == 2) shape.push_back(n);
    y = Array(y.dtype, shape);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t l = 0; l < k; ++l) {
          const auto o = static_cast<std::size_t>(i * n + j), p = static_cast<std::size_t>(i * k + l),
                     q = static_cast<std::size_t>(l * n + j);
          if (is_float(y.dtype))
            y.real[o] += x[0].number(p) * x[1].number(q);
          else
            y.whole[o] += x[0].integer(p) * x[1].integer(q);
        }
    return true;
  }
  if (op.name == "batched_dot") {
    const Sizes &a = x[0].shape, &b = x[1].shape;
    y = Array(y.dtype, {a[0], a[1], b[2]});
    each_index({a[0], a[1], b[2], a[2]}, [&](const Sizes& i) {
      const std::size_t o = position(y.shape, {i[0], i[1], i[2]}), p = position(a, {i[0], i[1], i[3]}),
                        q = position(b, {i[0], i[3], i[2]});
      if (is_float(y.dtype))
        y.real[o] += x[0].number(p) * x[1].number(q);
      else
        y.whole[o] += x[0].integer(p) * x[1].integer(q);
    });
    return true;
  }
  return false;
}

}  // namespace damo::test
