#pragma once
#include <cstdint>

#include "core/type.h"

namespace damo {

/// f(T{}) for the C++ type of `dtype`.
template <class F>
void visit(DType dtype, F f) {
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
}

}  // namespace damo
