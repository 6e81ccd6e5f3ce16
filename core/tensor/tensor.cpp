#include "core/tensor/tensor.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <ostream>

#include "core/tensor/check.h"
#include "core/tensor/processor.h"
#include "core/tensor/size.h"
#include "core/tensor/visit.h"

namespace damo {
namespace {

// Every program has arrays: with this file the linker takes the check that the processor can compute with
// them.
[[gnu::used]] void (*const checked_at_start)(const char* const*) = require_instructions;

std::shared_ptr<void> allocate(std::int64_t bytes) {
  constexpr std::align_val_t alignment{64};
  // One extra cache line: vector kernels may read up to a packet past the end of a small buffer.
  // The sanitizers end the program where an allocation that throws fails.
  void* p = ::operator new(static_cast<std::size_t>(bytes) + 64, alignment, std::nothrow);
  if (p == nullptr) throw std::bad_alloc();
  return {p, [](void* q) { ::operator delete (q, std::align_val_t{64}); }};
}

template <class To, class From>
To convert(From v) {
  if constexpr (std::is_same_v<To, bool>) return v != From{};
  // NumPy's conversion of NaN or of a value out of range is undefined in C++: it goes through int64.
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    const double d = static_cast<double>(v);
    const bool fits = d >= -9223372036854775808.0 && d < 9223372036854775808.0;
    return static_cast<To>(fits ? static_cast<std::int64_t>(d) : std::numeric_limits<std::int64_t>::min());
  } else
    return static_cast<To>(v);
}

template <class To, class From>
void copy_strided(To* y, const Sizes& shape, const Sizes& ys, const From* x, const Sizes& xs) {
  const int n = shape.size();
  if (shape.product() == 0) return;
  Sizes index(n, 0);
  while (true) {
    const std::int64_t inner = n == 0 ? 1 : shape[n - 1];
    const std::int64_t dy = n == 0 ? 0 : ys[n - 1], dx = n == 0 ? 0 : xs[n - 1];
    for (std::int64_t i = 0; i < inner; ++i) y[i * dy] = convert<To>(x[i * dx]);
    int axis = n - 2;
    for (; axis >= 0; --axis) {
      y += ys[axis];
      x += xs[axis];
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
      y -= ys[axis] * shape[axis];
      x -= xs[axis] * shape[axis];
    }
    if (axis < 0) return;
  }
}

/// The elements of an array as NumPy writes them: one width, one number of digits, decimal points aligned.
class Printer {
 public:
  explicit Printer(const Tensor& t) : abbreviates_(t.size() > 1000) {
    if (t.size() == 0) return;
    visit_shown(t, [&](const Tensor& element) { gather(element); });
    exponent_ = largest_ >= 1e8 || (smallest_ > 0 && (smallest_ < 1e-4 || largest_ / smallest_ > 1000));
    visit_shown(t, [&](const Tensor& element) {
      const std::string s = text(element);
      const std::size_t point = std::min(s.find('.'), s.size());
      if (is_float(element.dtype()) && std::isfinite(element.item<double>())) {
        left_ = std::max(left_, point);
        right_ = std::max(right_, s.size() - point);
      } else {
        widest_other_ = std::max(widest_other_, s.size());
      }
    });
    width_ = std::max(left_ + right_, widest_other_);
  }

  std::string write(const Tensor& t) {
    if (t.size() == 0) return "[]";
    put(t, 0);
    return std::move(out_);
  }

 private:
  template <class F>
  void visit_shown(const Tensor& t, F f) {
    if (t.ndim() == 0) return f(t);
    for (std::int64_t i = 0; i < t.shape(0); ++i) {
      if (skips(t, i)) i = t.shape(0) - edge;
      visit_shown(t[i], f);
    }
  }

  bool skips(const Tensor& t, std::int64_t i) const {
    return abbreviates_ && t.shape(0) > 2 * edge && i == edge;
  }

  void gather(const Tensor& element) {
    const double v = std::abs(element.item<double>());
    if (!is_float(element.dtype()) || !std::isfinite(v) || v == 0) return;
    largest_ = std::max(largest_, v);
    smallest_ = smallest_ == 0 ? v : std::min(smallest_, v);
  }

  std::string text(const Tensor& element) const {
    if (element.dtype() == DType::bool_) return element.item<std::int64_t>() != 0 ? "True" : "False";
    if (!is_float(element.dtype())) return fmt::format("{}", element.item<std::int64_t>());
    double v = element.item<double>();
    if (!std::isfinite(v)) return fmt::format("{}", v);
    // The shortest number that rounds to the same float: 1.1, not 1.10000002.
    if (element.dtype() == DType::float32) {
      const std::string shortest = fmt::format("{}", static_cast<float>(v));
      std::from_chars(shortest.data(), shortest.data() + shortest.size(), v);
    }
    std::string s = exponent_ ? fmt::format("{:.8e}", v) : fmt::format("{:.8f}", v);
    const std::size_t mantissa = std::min(s.find('e'), s.size());
    std::size_t end = mantissa;
    while (s[end - 1] == '0') --end;
    return s.erase(end, mantissa - end);
  }

  void put(const Tensor& t, int depth) {
    if (t.ndim() == 0) {
      std::string s = text(t);
      if (is_float(t.dtype()) && std::isfinite(t.item<double>()))
        s.append(right_ - (s.size() - s.find('.')), ' ');
      out_.append(width_ - s.size(), ' ').append(s);
      return;
    }
    out_ += '[';
    for (std::int64_t i = 0; i < t.shape(0); ++i) {
      if (i > 0) separate(t.ndim(), depth);
      if (skips(t, i)) {
        out_ += "...";
        separate(t.ndim(), depth);
        i = t.shape(0) - edge;
      }
      put(t[i], depth + 1);
    }
    out_ += ']';
  }

  void separate(int ndim, int depth) {
    if (ndim == 1)
      out_ += ' ';
    else
      out_.append(static_cast<std::size_t>(ndim - 1), '\n').append(static_cast<std::size_t>(depth) + 1, ' ');
  }

  static constexpr std::int64_t edge = 3;
  bool abbreviates_;
  bool exponent_ = false;
  double largest_ = 0, smallest_ = 0;
  std::size_t left_ = 0, right_ = 0, widest_other_ = 0, width_ = 0;
  std::string out_;
};

}  // namespace

bool View::is_contiguous() const {
  if (size() == 0) return true;
  std::int64_t expected = 1;
  for (int i = ndim() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

void* advance(void* data, DType dtype, std::int64_t elements) {
  // Through an integer: a view of an empty array may point outside it, which pointer arithmetic must not.
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(data) +
                                 static_cast<std::uintptr_t>(elements * size_of(dtype)));
}

void copy_into(const View& y, const View& x) {
  invariant(y.shape == x.shape, "copy of {} into {}", x.shape, y.shape);
  if (y.size() == 0) return;
  if (y.dtype == x.dtype && y.is_contiguous() && x.is_contiguous()) {
    std::memmove(y.data, x.data, static_cast<std::size_t>(y.size() * size_of(y.dtype)));
    return;
  }
  visit(y.dtype, [&](auto to) {
    visit(x.dtype, [&](auto from) {
      copy_strided(y.ptr<decltype(to)>(), y.shape, y.strides, x.ptr<decltype(from)>(), x.strides);
    });
  });
}

Tensor::Tensor(std::initializer_list<Nested> list) {
  Sizes shape;
  bool any_float = false;
  std::vector<double> numbers;
  std::vector<std::int64_t> whole;  // a double may not hold all digits
  const auto walk = [&](const auto& self, const std::vector<Nested>& items, int depth) -> void {
    if (shape.size() == depth) shape.push_back(static_cast<std::int64_t>(items.size()));
    check(shape[depth] == static_cast<std::int64_t>(items.size()),
          "the nested lists are ragged: {} items where {} were expected", items.size(), shape[depth]);
    for (const Nested& item : items) {
      check(item.is_list_ == items.front().is_list_, "the nested lists are ragged: a number beside a list");
      if (item.is_list_) {
        self(self, item.list_, depth + 1);
      } else {
        check(shape.size() == depth + 1, "the nested lists are ragged: a number where a list was expected");
        any_float |= item.is_float_;
        numbers.push_back(item.number_);
        whole.push_back(item.whole_);
      }
    }
  };
  walk(walk, std::vector<Nested>(list), 0);
  *this = any_float ? Tensor(numbers, shape).astype(floatX()) : Tensor(whole, shape);
  weak_ = true;
}

Tensor Tensor::empty(const Sizes& shape, DType dtype) {
  const std::int64_t bytes = checked_bytes(shape, dtype);
  Tensor t;
  t.view_ = {dtype, shape, row_major(shape), nullptr};
  t.owner_ = allocate(bytes);
  t.view_.data = t.owner_.get();
  return t;
}

Tensor Tensor::zeros(const Sizes& shape, DType dtype) {
  const Tensor t = empty(shape, dtype);
  std::memset(t.data(), 0, static_cast<std::size_t>(t.size() * size_of(dtype)));
  return t;
}

Tensor Tensor::full(const Sizes& shape, DType dtype, double value) {
  const Tensor t = empty(shape, dtype);
  View one{DType::float64, shape, Sizes(shape.size(), 0), &value};
  copy_into(t.view_, one);
  return t;
}

void Tensor::fail_empty() { fail("an empty Tensor was used: it has no elements, and no shape"); }

bool Tensor::is_alone() const {
  if (owner_.use_count() != 1) return false;
  const std::shared_ptr<void> seen = owner_;  // in order with what others did, which the count alone is not
  return true;
}

Tensor Tensor::over(const View& view, std::shared_ptr<void> owner) {
  Tensor t;
  t.view_ = view;
  t.owner_ = std::move(owner);
  return t;
}

Tensor Tensor::copy_of(DType dtype, const void* values, std::int64_t n, const Sizes& shape) {
  check(shape.product() == n, "{} values do not fill the shape {}", n, shape);
  const Tensor t = empty(shape, dtype);
  if (n > 0) std::memcpy(t.data(), values, static_cast<std::size_t>(n * size_of(dtype)));
  return t;
}

void* Tensor::element(DType dtype, std::initializer_list<std::int64_t> index) const {
  check(dtype == this->dtype(), "the tensor holds {}, not {}", view_.dtype, dtype);
  check(static_cast<int>(index.size()) == ndim(), "{} indices for a tensor of shape {}", index.size(),
        shape());
  std::int64_t at = 0;
  int axis = 0;
  for (const std::int64_t i : index) {
    check(i >= 0 && i < shape(axis), "index {} is out of range for axis {} of shape {}", i, axis, shape());
    at += i * view_.strides[axis++];
  }
  return advance(view_.data, view_.dtype, at);
}

void* Tensor::all(DType dtype) const {
  check(dtype == this->dtype(), "the tensor holds {}, not {}", view_.dtype, dtype);
  check(is_contiguous(), "a tensor of shape {} and strides {} is not contiguous: take contiguous() first",
        shape(), strides());
  return view_.data;
}

double Tensor::item_as_double() const {
  check(size() == 1, "item() needs exactly one element, not a tensor of shape {}", shape());
  return visit(dtype(), [&](auto v) { return static_cast<double>(*view_.ptr<decltype(v)>()); });
}

std::int64_t Tensor::item_as_int() const {
  check(size() == 1, "item() needs exactly one element, not a tensor of shape {}", shape());
  return visit(dtype(), [&](auto v) { return convert<std::int64_t>(*view_.ptr<decltype(v)>()); });
}

Tensor Tensor::copy() const {
  const Tensor t = empty(shape(), dtype());
  copy_into(t.view_, view_);
  return t;
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : copy(); }

Tensor Tensor::astype(DType to) const {
  if (to == dtype()) return *this;
  const Tensor t = empty(shape(), to);
  copy_into(t.view_, view_);
  return t;
}

Tensor Tensor::operator[](std::int64_t i) const {
  check(ndim() > 0, "a 0-d tensor cannot be indexed");
  const std::int64_t at = i < 0 ? i + shape(0) : i;
  check(at >= 0 && at < shape(0), "index {} is out of range for axis 0 of shape {}", i, shape());
  Tensor t = *this;
  t.view_.data = advance(view_.data, dtype(), at * view_.strides[0]);
  t.view_.shape.erase(0);
  t.view_.strides.erase(0);
  return t;
}

Tensor Tensor::slice(int axis, std::int64_t start, std::int64_t stop, std::int64_t step) const {
  check(axis >= 0 && axis < ndim() && start >= 0 && start <= stop && stop <= shape(axis) && step > 0,
        "slice {}:{}:{} does not fit axis {} of shape {}", start, stop, step, axis, shape());
  Tensor t = *this;
  t.view_.data = advance(view_.data, dtype(), start * view_.strides[axis]);
  t.view_.shape[axis] = steps_between(start, stop, step);
  if (t.shape(axis) > 1) t.view_.strides[axis] *= step;
  return t;
}

Tensor Tensor::reversed(int axis) const {
  check(axis >= 0 && axis < ndim(), "axis {} does not exist in shape {}", axis, shape());
  Tensor t = *this;
  if (shape(axis) > 0) t.view_.data = advance(view_.data, dtype(), (shape(axis) - 1) * view_.strides[axis]);
  t.view_.strides[axis] *= -1;
  return t;
}

Tensor Tensor::transposed() const {
  Tensor t = *this;
  for (int i = 0; i < ndim(); ++i) {
    t.view_.shape[i] = shape(ndim() - 1 - i);
    t.view_.strides[i] = view_.strides[ndim() - 1 - i];
  }
  return t;
}

Tensor Tensor::reshaped(const Sizes& to) const {
  check(is_contiguous(), "only a contiguous tensor can be reshaped without a copy: take contiguous() first");
  check(to.product() == size(), "a tensor of shape {} cannot be reshaped to {}", shape(), to);
  Tensor t = *this;
  t.view_.shape = to;
  t.view_.strides = row_major(to);
  return t;
}

std::string to_string(const Tensor& tensor) {
  if (!tensor.is_set()) return "<no tensor>";
  return Printer(tensor).write(tensor);
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << to_string(tensor); }

bool identical(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  const Tensor x = a.contiguous(), y = b.contiguous();
  return x.size() == 0 ||
         std::memcmp(x.data(), y.data(), static_cast<std::size_t>(x.size() * size_of(x.dtype()))) == 0;
}

}  // namespace damo
