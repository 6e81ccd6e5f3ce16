#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "type.h"

namespace damo {

/// What is known of the numbers of an array: see core/tensor/finite.h.
enum class Finite : std::uint8_t { unknown, known, until_written };

/// What a kernel sees of an array: no ownership. Strides are in elements and may be zero or negative.
struct View {
  DType dtype = DType::float32;
  Sizes shape;
  Sizes strides;
  void* data = nullptr;
  Finite* finite = nullptr;  ///< of all that lies there; null: nobody keeps it

  int ndim() const { return shape.size(); }
  std::int64_t size() const { return shape.product(); }
  bool is_contiguous() const;
  template <class T>
  T* ptr() const {
    return static_cast<T*>(data);
  }
};

/// `data` moved by `elements` elements of `dtype`.
void* advance(void* data, DType dtype, std::int64_t elements);

/// y = x, element by element, converting the dtype; the shapes must agree. Memory must not overlap unless x
/// is y.
void copy_into(const View& y, const View& x);

/// A number, or a list of lists of them: what `Tensor{{1, 2}, {3, 4}}` is read from.
class Nested {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> Nested(T value)
      : is_float_(std::is_floating_point_v<T>), number_(static_cast<double>(value)) {
    if constexpr (!std::is_floating_point_v<T>) whole_ = static_cast<std::int64_t>(value);
  }
  Nested(std::initializer_list<Nested> list) : is_list_(true), list_(list) {}

 private:
  friend class Tensor;
  bool is_list_ = false;
  bool is_float_ = false;
  double number_ = 0;
  std::int64_t whole_ = 0;
  std::vector<Nested> list_;
};

/// A dense n-d array. A handle: copying shares the memory, `copy()` does not; row-major when fresh.
class Tensor {
 public:
  Tensor() = default;

  /// A 0-d tensor. It is weak, as a literal in Python is: a function converts it to its input's dtype.
  template <class T>
  requires std::is_arithmetic_v<T> Tensor(T value)
      : Tensor(scalar(
            static_cast<std::conditional_t<
                std::is_same_v<T, bool>, bool,
                std::conditional_t<std::is_same_v<T, float>, float,
                                   std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>>>>(
                value))) {
    weak_ = true;
  }

  /// Nested lists of numbers, weak as well: int64 if all are whole, else floatX. Throws Error if they are
  /// ragged.
  Tensor(std::initializer_list<Nested> list);

  /// A copy of `values`, in row-major order; a vector if no shape is given.
  template <class T>
  explicit Tensor(const std::vector<T>& values)
      : Tensor(values, {static_cast<std::int64_t>(values.size())}) {}
  template <class T>
  Tensor(const std::vector<T>& values, const Sizes& shape) : Tensor(std::span<const T>(values), shape) {}
  template <class T>
  Tensor(std::span<const T> values, const Sizes& shape)
      : Tensor(copy_of(dtype_of<T>(), values.data(), static_cast<std::int64_t>(values.size()), shape)) {}

  static Tensor empty(const Sizes& shape, DType dtype);
  static Tensor zeros(const Sizes& shape, DType dtype);
  static Tensor full(const Sizes& shape, DType dtype, double value);
  /// A tensor over memory that `owner` keeps alive.
  static Tensor over(const View& view, std::shared_ptr<void> owner);

  /// Whether the handle is not empty. All that asks an empty one for something throws Error.
  bool is_set() const { return owner_ != nullptr; }
  bool is_weak() const { return weak_; }
  DType dtype() const { return view().dtype; }
  const Sizes& shape() const { return view().shape; }
  std::int64_t shape(int axis) const { return view().shape[axis]; }
  const Sizes& strides() const { return view().strides; }
  int ndim() const { return view().ndim(); }
  std::int64_t size() const { return view().size(); }
  bool is_contiguous() const { return view().is_contiguous(); }
  const View& view() const {
    if (!is_set()) fail_empty();
    return view_;
  }
  void* data() const { return view().data; }
  /// How many handles share the memory.
  long use_count() const { return owner_.use_count(); }
  /// Whether no other handle shares the memory any more, in whatever thread it was: who had one has read and
  /// written what it wanted.
  bool is_alone() const;

  /// The element at (i, j, ...). Throws Error on another dtype or an index out of range.
  template <class T, std::integral... I>
  T& at(I... index) const {
    return *static_cast<T*>(element(dtype_of<T>(), {static_cast<std::int64_t>(index)...}));
  }

  /// The only element, converted to T. Throws Error if there is not exactly one.
  template <class T = double>
  T item() const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(item_as_int());
    else
      return static_cast<T>(item_as_double());
  }

  /// All elements in row-major order. Throws Error on another dtype or if the tensor is not contiguous.
  template <class T>
  std::span<T> span() const {
    return {static_cast<T*>(all(dtype_of<T>())), static_cast<std::size_t>(size())};
  }

  /// All elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const {
    const Tensor t = astype(dtype_of<T>()).contiguous();
    const T* begin = static_cast<const T*>(t.data());
    return std::vector<T>(begin, begin + t.size());
  }

  Tensor copy() const;               ///< fresh row-major memory
  Tensor contiguous() const;         ///< itself if it is contiguous, else a copy
  Tensor astype(DType dtype) const;  ///< itself if it has that dtype, else a converted copy

  /// Views: no copy is made.
  Tensor operator[](std::int64_t i) const;  ///< row i, counted from the end if negative
  Tensor slice(int axis, std::int64_t start, std::int64_t stop,
               std::int64_t step = 1) const;  ///< 0 <= start <= stop
  Tensor reversed(int axis) const;
  Tensor transposed() const;                  ///< axes reversed
  Tensor reshaped(const Sizes& shape) const;  ///< throws Error unless contiguous and of equal size

 private:
  [[noreturn]] static void fail_empty();
  static Tensor copy_of(DType dtype, const void* values, std::int64_t n, const Sizes& shape);
  static Tensor scalar(bool v) { return copy_of(DType::bool_, &v, 1, {}); }
  static Tensor scalar(std::int64_t v) { return copy_of(DType::int64, &v, 1, {}); }
  static Tensor scalar(float v) { return copy_of(DType::float32, &v, 1, {}); }
  static Tensor scalar(double v) { return copy_of(DType::float64, &v, 1, {}); }
  void* element(DType dtype, std::initializer_list<std::int64_t> index) const;
  void* all(DType dtype) const;
  double item_as_double() const;
  std::int64_t item_as_int() const;

  View view_;
  std::shared_ptr<void> owner_;
  bool weak_ = false;
};

/// Written as NumPy writes an array, abbreviated beyond 1000 elements.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

/// Whether dtype, shape and every element (bit for bit) are the same.
bool identical(const Tensor& a, const Tensor& b);

}  // namespace damo
