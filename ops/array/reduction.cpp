#include "ops/array/reduction.h"

#include <bit>

#include "ops/shape.h"

namespace damo {

std::vector<int> Axes::of(int ndim) const {
  std::vector<int> axes;
  if (!axes_) {
    for (int i = 0; i < ndim; ++i) axes.push_back(i);
    return axes;
  }
  for (const int a : *axes_) axes.push_back(checked_axis(a, ndim));
  std::sort(axes.begin(), axes.end());
  for (std::size_t i = 1; i < axes.size(); ++i)
    check(axes[i] != axes[i - 1], "axis {} stands twice", axes[i]);
  return axes;
}

std::string axes_text(std::uint32_t mask, int ndim) {
  if (mask == (1U << ndim) - 1U) return {};
  std::string s;
  int n = 0;
  for (int i = 0; i < ndim; ++i)
    if ((mask >> i & 1U) != 0) {
      s += (n++ > 0 ? ", " : "") + std::to_string(i);
    }
  return n == 1 ? "{axis=" + s + "}" : "{axis=(" + s + ")}";
}

std::optional<AxisParts> parts_of(std::uint32_t mask, int ndim) {
  const int n = std::popcount(mask);
  if (n == 0) return std::nullopt;
  const std::uint32_t first = (1U << n) - 1U;
  if (mask == first << (ndim - n)) return AxisParts{SumOver::second_part, ndim - n};
  if (mask == first) return AxisParts{SumOver::first_part, n};
  return std::nullopt;
}

std::uint32_t mask_of(const std::vector<int>& axes) {
  std::uint32_t mask = 0;
  for (const int a : axes) mask |= 1U << a;
  return mask;
}

Var with_axes(const Var& g, std::uint32_t mask, int ndim) {
  std::vector<int> pattern;
  int next = 0;
  for (int i = 0; i < ndim; ++i) pattern.push_back((mask >> i & 1U) != 0 ? 'x' : next++);
  return dimshuffle(g, pattern);
}

}  // namespace damo
