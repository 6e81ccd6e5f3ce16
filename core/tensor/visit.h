#pragma once
#include <cstdint>

#include "error.h"
#include "tensor.h"

/// For kernels: the C++ type of a dtype, and loops over strided arrays.
namespace damo {

/// f(T{}) for the C++ type of `dtype`.
template <class F>
auto visit(DType dtype, F f) {
  switch (dtype) {
    case DType::bool_: return f(bool{});
    case DType::int8: return f(std::int8_t{});
    case DType::int16: return f(std::int16_t{});
    case DType::int32: return f(std::int32_t{});
    case DType::int64: return f(std::int64_t{});
    case DType::uint8: return f(std::uint8_t{});
    case DType::float32: return f(float{});
    case DType::float64: return f(double{});
  }
  throw Bug("unknown dtype");
}

/// f(T{}) for the C++ type of each dtype of numbers, which bool is none of.
template <class F>
void for_numbers(F f) {
  f(std::int8_t{});
  f(std::int16_t{});
  f(std::int32_t{});
  f(std::int64_t{});
  f(std::uint8_t{});
  f(float{});
  f(double{});
}

/// f(T{}) for the type of x's floats.
template <class F>
void for_float(const View& x, F f) {
  x.dtype == DType::float32 ? f(float{}) : f(double{});
}

/// Calls f(offset) for each row, in row-major order: every index over `shape` but its last axis. Nothing may
/// be empty.
template <class F>
void for_rows(const Sizes& shape, const Sizes& strides, F f) {
  Sizes index(shape.size(), 0);
  std::int64_t offset = 0;
  while (true) {
    f(offset);
    int axis = shape.size() - 2;
    for (; axis >= 0; --axis) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
      offset -= strides[axis] * shape[axis];
    }
    if (axis < 0) return;
  }
}

/// Calls f(offset) for each element, in row-major order.
template <class F>
void for_elements(const Sizes& shape, const Sizes& strides, F f) {
  if (shape.product() == 0) return;
  const std::int64_t n = shape.empty() ? 1 : shape.back(), step = shape.empty() ? 0 : strides.back();
  for_rows(shape, strides, [&](std::int64_t offset) {
    for (std::int64_t i = 0; i < n; ++i) f(offset + i * step);
  });
}

}  // namespace damo
