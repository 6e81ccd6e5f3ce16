#include "core/tensor/size.h"

#include <limits>

#include "core/tensor/check.h"

namespace damo {

std::int64_t plus(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  check(!__builtin_add_overflow(a, b, &sum), "the size {} + {} is too large", a, b);
  return sum;
}

std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  check(!__builtin_mul_overflow(a, b, &product), "the size {} * {} is too large", a, b);
  return product;
}

std::int64_t steps_between(std::int64_t start, std::int64_t stop, std::int64_t step) {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  // Unsigned: the range may be wider than int64.
  const auto bits = [](std::int64_t v) { return static_cast<std::uint64_t>(v); };
  const std::uint64_t span = step > 0 ? bits(stop) - bits(start) : bits(start) - bits(stop);
  const std::uint64_t n = (span - 1) / (step > 0 ? bits(step) : 0 - bits(step)) + 1;
  check(n <= bits(std::numeric_limits<std::int64_t>::max()), "from {} to {} in steps of {} is too large",
        start, stop, step);
  return static_cast<std::int64_t>(n);
}

void check_size(const Type& type) {
  std::int64_t bytes = size_of(type.dtype);
  bool fits = true;
  for (const std::int64_t n : type.shape)
    fits = fits && (n <= 0 || (!__builtin_mul_overflow(bytes, n, &bytes) && bytes <= most_array_bytes));
  check(fits, "{} is too large: a tensor has at most 1 TiB", type);
}

std::int64_t checked_bytes(const Sizes& shape, DType dtype) {
  for (const std::int64_t n : shape) check(n >= 0, "a tensor cannot have the shape {}", shape);
  check_size(Type(dtype, shape));
  return shape.product() * size_of(dtype);
}

std::string index_text(const Sizes& shape, std::int64_t element) {
  std::string s;
  for (int i = static_cast<int>(shape.size()) - 1; i >= 0; --i) {
    s = std::to_string(element % shape[i]) + (s.empty() ? "" : ", " + s);
    element /= shape[i];
  }
  if (shape.size() == 0) return {};
  return "(" + s + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace damo
