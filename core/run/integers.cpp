#include "core/run/integers.h"

#include "core/tensor/error.h"

namespace damo {

std::int64_t read_integer(const View& v) {
  switch (v.dtype) {
    case DType::bool_: return *v.ptr<bool>() ? 1 : 0;
    case DType::int8: return *v.ptr<std::int8_t>();
    case DType::int16: return *v.ptr<std::int16_t>();
    case DType::int32: return *v.ptr<std::int32_t>();
    case DType::uint8: return *v.ptr<std::uint8_t>();
    case DType::int64: return *v.ptr<std::int64_t>();
    default: throw Bug("a size is not an integer");
  }
}

std::int64_t wrapped(DType dtype, std::int64_t v) {
  switch (dtype) {
    case DType::bool_: return v != 0;
    case DType::int8: return static_cast<std::int8_t>(v);
    case DType::int16: return static_cast<std::int16_t>(v);
    case DType::int32: return static_cast<std::int32_t>(v);
    case DType::uint8: return static_cast<std::uint8_t>(v);
    default: return v;
  }
}

}  // namespace damo
