#include "ops/sort.h"

#include <algorithm>
#include <vector>

#include "core/tensor/visit.h"
#include "ops/array/indexing.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// Whether a comes before b: NaN is behind everything.
template <class T>
bool before(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a < b || (b != b && a == a);
  return a < b;
}

/// y_i = the position of the i-th smallest element along an axis.
struct ArgSort : OpOf<ArgSort> {
  int axis;

  explicit ArgSort(int a) : axis(a) {}
  bool operator==(const ArgSort&) const = default;

  std::string name() const override { return fmt::format("argsort{{{}}}", axis); }
  Types infer(const Types& x) const override { return {Type(DType::int64, x[0].shape, x[0].stretch)}; }
  Var size(const Vars& x, int, int at) const override { return shape(x[0], at); }

  // A position does not change with the elements, until it jumps.
  Vars L_op(const Vars& x, const Vars&, const Vars&) const override { return {zeros_like(x[0])}; }

  void perform(const Views& x, const Views& y) const override {
    visit(x[0].dtype, [&]<class T>(T) { run<T>(x[0], y[0]); });
  }

  template <class T>
  void run(const View& x, const View& y) const {
    struct Element {
      T value;
      std::int64_t position;
    };
    thread_local std::vector<Element> line;
    const std::int64_t n = x.shape[axis], step = x.strides[axis], out_step = y.strides[axis];
    if (y.size() == 0) return;
    line.resize(static_cast<std::size_t>(n));
    // The lines begin where the axis has position 0.
    Sizes shape = x.shape;
    shape[axis] = 1;
    thread_local std::vector<std::int64_t> begins;
    begins.clear();
    for_elements(shape, y.strides, [&](std::int64_t at) { begins.push_back(at); });
    const std::int64_t* to = begins.data();
    const T* in = x.ptr<T>();
    for_elements(shape, x.strides, [&](std::int64_t from) {
      for (std::int64_t i = 0; i < n; ++i) line[static_cast<std::size_t>(i)] = {in[from + i * step], i};
      std::sort(line.begin(), line.end(), [](const Element& a, const Element& b) {
        return before(a.value, b.value) || (!before(b.value, a.value) && a.position < b.position);
      });
      std::int64_t* out = y.ptr<std::int64_t>() + *to++;
      for (std::int64_t i = 0; i < n; ++i) out[i * out_step] = line[static_cast<std::size_t>(i)].position;
    });
  }
};

/// y_i = how many elements of the ordered vector x come before v_i (or are equal to it).
struct SearchSorted : OpOf<SearchSorted> {
  Side side;

  explicit SearchSorted(Side s) : side(s) {}
  bool operator==(const SearchSorted&) const = default;

  std::string name() const override {
    return side == Side::left ? "searchsorted{left}" : "searchsorted{right}";
  }

  Types infer(const Types& x) const override {
    check(x[0].ndim() == 1, "x is a vector, not of {} dimensions", x[0].ndim());
    invariant(x[0].dtype == x[1].dtype, "the operands of searchsorted were not promoted");
    return {Type(DType::int64, x[1].shape, x[1].stretch)};
  }

  Var size(const Vars& x, int, int at) const override { return shape(x[1], at); }

  Vars L_op(const Vars& x, const Vars&, const Vars&) const override {
    return {zeros_like(x[0]), zeros_like(x[1])};
  }

  void perform(const Views& x, const Views& y) const override {
    visit(x[0].dtype, [&]<class T>(T) {
      const T *in = x[0].ptr<T>(), *v = x[1].ptr<T>();
      const std::int64_t n = x[0].shape[0], step = x[0].strides[0];
      std::int64_t* out = y[0].ptr<std::int64_t>();
      for_elements(x[1].shape, x[1].strides, [&](std::int64_t at) {
        std::int64_t low = 0, high = n;
        while (low < high) {
          const std::int64_t middle = (low + high) / 2;
          const T element = in[middle * step];
          const bool is_behind = side == Side::left ? before(element, v[at]) : !before(v[at], element);
          (is_behind ? low : high) = is_behind ? middle + 1 : middle;
        }
        *out++ = low;
      });
    });
  }
};

}  // namespace

Var argsort(const Arg& arg, std::optional<int> axis) {
  const Scope here(arg);
  const Var x = axis ? arg.var() : flatten(arg);
  const int at = checking("argsort", {x}, [&] { return checked_axis(axis.value_or(0), x.ndim()); });
  return apply(make_op(ArgSort(at)), Vars{x});
}

Var sort(const Arg& arg, std::optional<int> axis) {
  const Scope here(arg);
  const Var x = axis ? arg.var() : flatten(arg);
  const int at = checking("sort", {x}, [&] { return checked_axis(axis.value_or(0), x.ndim()); });
  return along_axis(x, argsort(x, at), at);
}

Var searchsorted(const Arg& arg, const Arg& v, const SearchsortedArgs& args) {
  const Scope here(arg);
  const Var x = args.sorter ? arg.var()[args.sorter->var()] : arg.var();
  const DType dtype = promote(x.dtype(), v.dtype());
  return apply(make_op(SearchSorted(args.side)), Vars{cast(x, dtype), cast(v.var(), dtype)});
}

}  // namespace damo
