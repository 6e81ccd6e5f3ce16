#include "core/tensor/type.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "core/tensor/check.h"
#include "core/tensor/size.h"

namespace damo {
namespace {

struct DTypeInfo {
  const char* name;
  int bytes;
};
constexpr DTypeInfo info[n_dtypes] = {{"bool", 1},  {"int8", 1},  {"int16", 2},   {"int32", 4},
                                      {"int64", 8}, {"uint8", 1}, {"float32", 4}, {"float64", 8}};

std::atomic<DType>& floatX_setting() {
  static std::atomic<DType> setting = [] {
    const char* name = std::getenv("DAMO_FLOATX");
    if (name == nullptr || *name == '\0') return DType::float32;
    const DType dtype = dtype_from_string(name);
    check(is_float(dtype), "DAMO_FLOATX is {}, not float32 or float64", name);
    return dtype;
  }();
  return setting;
}

thread_local std::optional<DType> floatX_here;  // of the innermost scope

void check_floatX(DType dtype) { check(is_float(dtype), "floatX is float32 or float64, not {}", dtype); }

}  // namespace

const char* to_string(DType dtype) { return info[static_cast<int>(dtype)].name; }

DType dtype_from_string(const std::string& name) {
  for (int i = 0; i < n_dtypes; ++i)
    if (name == info[i].name) return static_cast<DType>(i);
  fail("there is no dtype '{}'", name);
}

int size_of(DType dtype) { return info[static_cast<int>(dtype)].bytes; }

DType promote(DType a, DType b) {
  if (a == b || b == DType::bool_) return a;
  if (a == DType::bool_) return b;
  if (is_float(a) && is_float(b)) return DType::float64;
  if (is_float(a) || is_float(b)) {
    const DType f = is_float(a) ? a : b, i = is_float(a) ? b : a;
    // float32 holds every int16, not every int32.
    return size_of(i) <= 2 ? f : DType::float64;
  }
  // uint8 beside int8 needs int16; beside a wider integer that one holds it.
  if (a == DType::uint8) return b == DType::int8 ? DType::int16 : b;
  if (b == DType::uint8) return a == DType::int8 ? DType::int16 : a;
  return size_of(a) >= size_of(b) ? a : b;
}

DType floatX() { return floatX_here ? *floatX_here : floatX_setting().load(std::memory_order_relaxed); }

void set_floatX(DType dtype) {
  check_floatX(dtype);
  if (floatX_here)
    floatX_here = dtype;
  else
    floatX_setting() = dtype;
}

FloatXScope::FloatXScope(DType dtype) : before_(floatX_here) {
  check_floatX(dtype);
  floatX_here = dtype;
}
FloatXScope::~FloatXScope() { floatX_here = before_; }

Sizes::Sizes(std::span<const std::int64_t> sizes) {
  check(sizes.size() <= max_rank, "at most {} axes are supported, not {}", max_rank, sizes.size());
  for (const std::int64_t s : sizes) v_[static_cast<std::size_t>(n_++)] = s;
}

Sizes::Sizes(int n, std::int64_t value) {
  check(n >= 0 && n <= max_rank, "at most {} axes are supported, not {}", max_rank, n);
  n_ = n;
  for (int i = 0; i < n; ++i) (*this)[i] = value;
}

void Sizes::push_back(std::int64_t value) { insert(n_, value); }

void Sizes::insert(int at, std::int64_t value) {
  check(n_ < max_rank, "at most {} axes are supported", max_rank);
  for (int i = n_; i > at; --i) (*this)[i] = (*this)[i - 1];
  ++n_;
  (*this)[at] = value;
}

void Sizes::erase(int at) {
  for (int i = at; i + 1 < n_; ++i) (*this)[i] = (*this)[i + 1];
  --n_;
}

std::int64_t Sizes::product() const {
  std::int64_t p = 1;
  for (const std::int64_t s : *this) p = times(p, s);
  return p;
}

std::string to_string(const Sizes& sizes) {
  std::string s = "(";
  for (int i = 0; i < sizes.size(); ++i) {
    if (i > 0) s += ", ";
    s += sizes[i] < 0 ? "?" : std::to_string(sizes[i]);
  }
  if (sizes.size() == 1) s += ",";
  return s + ")";
}

Sizes row_major(const Sizes& shape) {
  Sizes strides = shape;
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step = times(step, shape[i]);
  }
  return strides;
}

bool Type::accepts(const Type& other) const {
  if (dtype != other.dtype || ndim() != other.ndim() || stretch != other.stretch) return false;
  for (int i = 0; i < ndim(); ++i)
    if (shape[i] >= 0 && other.shape[i] >= 0 && shape[i] != other.shape[i]) return false;
  return true;
}

std::string to_string(const Type& type) {
  std::string s = std::string(to_string(type.dtype));
  return type.ndim() == 0 ? s + " ()" : s + " " + to_string(type.shape);
}

}  // namespace damo
