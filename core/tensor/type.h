#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// What is known of an array before it exists: the type of its elements and the size of each axis.
namespace damo {

enum class DType : std::uint8_t { bool_, int8, int16, int32, int64, uint8, float32, float64 };

inline constexpr DType bool_ = DType::bool_;
inline constexpr DType int8 = DType::int8;
inline constexpr DType int16 = DType::int16;
inline constexpr DType int32 = DType::int32;
inline constexpr DType int64 = DType::int64;
inline constexpr DType uint8 = DType::uint8;
inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;

inline constexpr int n_dtypes = 8;

/// "float32", "int64", "bool", ...: NumPy's names.
const char* to_string(DType dtype);

/// The dtype that NumPy calls `name`; throws Error on any other name.
DType dtype_from_string(const std::string& name);

/// Bytes per element.
int size_of(DType dtype);

constexpr bool is_float(DType dtype) { return dtype == DType::float32 || dtype == DType::float64; }
constexpr bool is_int(DType dtype) { return !is_float(dtype) && dtype != DType::bool_; }

/// The smallest dtype that holds every value of both, as NumPy and Theano promote: int32 and float32 give
/// float64.
DType promote(DType a, DType b);

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<bool>() {
  return DType::bool_;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::int8;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::int16;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::int32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::int64;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::uint8;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::float32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::float64;
}

/// The dtype of `matrix("x")`, of literals and of models: float32 unless DAMO_FLOATX or set_floatX says
/// float64, or a scope of this thread.
DType floatX();
/// For all threads; within a scope, for the rest of that scope.
void set_floatX(DType dtype);

/// Sets floatX for the length of a block, for this thread.
class FloatXScope {
 public:
  explicit FloatXScope(DType dtype);
  ~FloatXScope();
  FloatXScope(const FloatXScope&) = delete;
  FloatXScope& operator=(const FloatXScope&) = delete;

 private:
  std::optional<DType> before_;
};

inline constexpr int max_rank = 8;

/// A short list of sizes, strides or axes, held in place: at most max_rank of them.
class Sizes {
 public:
  Sizes() = default;
  Sizes(std::initializer_list<std::int64_t> sizes) : Sizes(std::span(sizes.begin(), sizes.size())) {}
  explicit Sizes(std::span<const std::int64_t> sizes);
  explicit Sizes(const std::vector<std::int64_t>& sizes) : Sizes(std::span(sizes)) {}
  Sizes(int n, std::int64_t value);

  int size() const { return n_; }
  bool empty() const { return n_ == 0; }
  std::int64_t& operator[](int i) { return v_[static_cast<std::size_t>(i)]; }
  std::int64_t operator[](int i) const { return v_[static_cast<std::size_t>(i)]; }
  std::int64_t* begin() { return v_.data(); }
  std::int64_t* end() { return v_.data() + n_; }
  const std::int64_t* begin() const { return v_.data(); }
  const std::int64_t* end() const { return v_.data() + n_; }
  std::int64_t back() const { return v_[static_cast<std::size_t>(n_ - 1)]; }
  void push_back(std::int64_t value);
  void insert(int at, std::int64_t value);
  void erase(int at);

  /// The product of the sizes; 1 for no axes. Throws Error if it is too large.
  std::int64_t product() const;

  friend bool operator==(const Sizes& a, const Sizes& b) {
    if (a.n_ != b.n_) return false;
    for (int i = 0; i < a.n_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, max_rank> v_{};
  int n_ = 0;
};

/// "(20, 784)", "(20,)", "()", with ? for an unknown size: written as NumPy writes a shape.
std::string to_string(const Sizes& sizes);

/// Strides, in elements, of a row-major array.
Sizes row_major(const Sizes& shape);

/// dtype, a size per axis (-1 where unknown), and which axes are declared to have size 1, so that elementwise
/// operations stretch them. A size that merely happens to be 1 is never stretched.
struct Type {
  DType dtype = DType::float32;
  Sizes shape;
  std::uint32_t stretch = 0;  ///< bit i: axis i has size 1 and may be stretched
  /// The value of an integer scalar where it is known: it lets `infer` turn bounds and lengths into sizes.
  bool has_value = false;
  std::int64_t value = 0;

  Type() = default;
  Type(DType d, Sizes s) : dtype(d), shape(s) {}
  Type(DType d, Sizes s, std::uint32_t mask) : dtype(d), shape(s), stretch(mask) {}

  int ndim() const { return shape.size(); }
  bool is_float() const { return damo::is_float(dtype); }
  bool is_int() const { return damo::is_int(dtype); }
  bool stretches(int axis) const { return (stretch >> axis & 1U) != 0; }

  /// Whether a value of `other` may stand where this type is expected: same dtype, rank, stretched axes, and
  /// no known size that differs.
  bool accepts(const Type& other) const;

  friend bool operator==(const Type& a, const Type& b) {
    return a.dtype == b.dtype && a.shape == b.shape && a.stretch == b.stretch;
  }
};

using Types = std::vector<Type>;

/// "float32 (20, 784)".
std::string to_string(const Type& type);

}  // namespace damo
