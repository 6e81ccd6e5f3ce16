#include <algorithm>
#include <cstring>
#include <vector>

#include "core/graph/walk.h"
#include "core/tensor/visit.h"
#include "ops/array/indexing.h"
#include "ops/create.h"
#include "ops/elemwise.h"
#include "ops/kernels/scalar_op.h"
#include "ops/shape.h"

/// Advanced indexing: elements picked by arrays of integers.
namespace damo {
namespace {

/// `v` stretched to a shape whose last axes are its own.
View stretched(const View& v, const Sizes& shape) {
  View s{v.dtype, shape, Sizes(shape.size(), 0), v.data};
  const int added = shape.size() - v.ndim();
  for (int a = 0; a < v.ndim(); ++a)
    if (v.shape[a] != 1) s.strides[a + added] = v.strides[a];
  return s;
}

/// What the index arrays x[first], x[first + 1], ... pick of `base`: the arrays stretched to one shape, and
/// for each position there the offset of an element (or row) of `base`.
struct Picks {
  Sizes shape;
  int n_index;
  std::vector<std::int64_t>& offsets;

  /// Throws Error if a position is out of range.
  Picks(const Views& x, int first, const View& base) : n_index(x.size() - first), offsets(memory()) {
    int rank = 0;
    for (int i = first; i < x.size(); ++i) rank = std::max(rank, x[i].ndim());
    shape = Sizes(rank, 1);
    for (int i = first; i < x.size(); ++i)
      for (int a = 0; a < x[i].ndim(); ++a)
        if (x[i].shape[a] != 1) shape[a + rank - x[i].ndim()] = x[i].shape[a];
    offsets.assign(static_cast<std::size_t>(shape.product()), 0);
    for (int axis = 0; axis < n_index; ++axis)
      visit(x[first + axis].dtype,
            [&]<class T>(T) { add<T>(stretched(x[first + axis], shape), base, axis); });
  }

 private:
  static std::vector<std::int64_t>& memory() {
    thread_local std::vector<std::int64_t> m;
    return m;
  }

  template <class T>
  void add(const View& index, const View& base, int axis) {
    const T* in = index.ptr<T>();
    const std::int64_t n = base.shape[axis], stride = base.strides[axis];
    std::int64_t* out = offsets.data();
    for_elements(index.shape, index.strides, [&](std::int64_t at) {
      const auto i = static_cast<std::int64_t>(in[at]);
      if (i < -n || i >= n) reject_position(i, axis, n, shape, out - offsets.data());
      *out++ += (i < 0 ? i + n : i) * stride;
    });
  }
};

/// What one position of an advanced index picks: the axes behind the indexed ones.
View picked(const View& x, int n_indexed, std::int64_t offset) {
  View part{x.dtype, {}, {}, advance(x.data, x.dtype, offset)};
  for (int i = n_indexed; i < x.ndim(); ++i) {
    part.shape.push_back(x.shape[i]);
    part.strides.push_back(x.strides[i]);
  }
  return part;
}

Type advanced_type(const Types& x, std::size_t first) {
  const auto n = static_cast<int>(x.size() - first);
  check(n <= x[0].ndim(), "{} index arrays for {} dimensions", n, x[0].ndim());
  Types index(x.begin() + static_cast<std::ptrdiff_t>(first), x.end());
  for (const Type& t : index) check(t.is_int(), "an index array holds integers, not {}", t.dtype);
  Type y = broadcast(index);
  y.dtype = x[0].dtype;
  y.has_value = false;
  for (int i = n; i < x[0].ndim(); ++i) {
    if (x[0].stretches(i)) y.stretch |= 1U << y.ndim();
    y.shape.push_back(x[0].shape[i]);
  }
  return y;
}

Var picked_by(const Var& x, const Vars& index) {
  Vars inputs{x};
  inputs.insert(inputs.end(), index.begin(), index.end());
  return apply(make_op(AdvancedSubtensor()), std::move(inputs));
}

/// x with the picked elements set to y.
Var with_picked(const Var& x, const Var& y, const Vars& index) {
  Vars inputs{x, y};
  inputs.insert(inputs.end(), index.begin(), index.end());
  return apply(make_op(AdvancedIncSubtensor(false)), std::move(inputs));
}

/// Throws Error if a position is out of range (inputs: x, others, i, j, ...).
struct CheckPositions : OpOf<CheckPositions> {
  int first;  ///< the input that is i

  explicit CheckPositions(int f) : first(f) {}
  bool operator==(const CheckPositions&) const = default;

  std::string name() const override { return "check_positions"; }
  Types infer(const Types&) const override { return {}; }
  bool reads(int input) const override { return input >= first; }
  bool can_fail() const override { return true; }
  void perform(const Views& x, const Views&) const override { Picks(x, first, x[0]); }
};

}  // namespace

Types AdvancedSubtensor::infer(const Types& x) const { return {advanced_type(x, 1)}; }

// That of an index array, or of a whole axis behind the indexed ones.
Var AdvancedSubtensor::size(const Vars& x, int, int axis) const {
  const Vars index(x.begin() + 1, x.end());
  int rank = 0;
  for (const Var& i : index) rank = std::max(rank, i.ndim());
  if (axis >= rank) return shape(x[0], axis - rank + static_cast<int>(index.size()));
  return size_of_broadcast(index, axis);
}

Vars AdvancedSubtensor::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx(x.size());
  Vars inputs{zeros_like(x[0]), gy[0]};
  inputs.insert(inputs.end(), x.begin() + 1, x.end());
  gx[0] = apply(make_op(AdvancedIncSubtensor(true)), std::move(inputs));
  return gx;
}

OpPtr AdvancedSubtensor::checks() const { return make_op(CheckPositions(1)); }

void AdvancedSubtensor::perform(const Views& x, const Views& y) const {
  const Picks picks(x, 1, x[0]);
  if (picks.n_index == x[0].ndim())
    return visit(y[0].dtype, [&]<class T>(T) {
      const T* in = x[0].ptr<T>();
      T* out = y[0].ptr<T>();
      for (const std::int64_t offset : picks.offsets) *out++ = in[offset];
    });
  View row = picked(x[0], picks.n_index, 0);
  const bool is_block = row.is_contiguous();
  row.strides = row_major(row.shape);
  row.data = y[0].data;
  const std::int64_t step = row.size();
  if (step == 0) return;
  if (is_block) {
    const auto bytes = static_cast<std::size_t>(step * size_of(row.dtype));
    char* out = static_cast<char*>(row.data);
    for (const std::int64_t offset : picks.offsets) {
      std::memcpy(out, advance(x[0].data, row.dtype, offset), bytes);
      out += bytes;
    }
    return;
  }
  for (const std::int64_t offset : picks.offsets) {
    copy_into(row, picked(x[0], picks.n_index, offset));
    row.data = advance(row.data, row.dtype, step);
  }
}

Types AdvancedIncSubtensor::infer(const Types& x) const {
  check_fits(x[1], advanced_type(x, 2));
  return {x[0]};
}

Vars AdvancedIncSubtensor::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  const Vars index(x.begin() + 2, x.end());
  Vars gx(x.size());
  gx[1] = picked_by(gy[0], index);
  gx[0] = gy[0];
  if (adds) return gx;
  gx[0] = with_picked(gy[0], constant(Tensor::zeros({}, gy[0].dtype())), index);
  // Of positions that were set twice, the last one's value has stayed. It is found by setting numbers.
  Args sizes, shape_of_index;
  for (int i = 0; i < static_cast<int>(index.size()); ++i) sizes.emplace_back(shape(x[0], i));
  const Var seen = picked_by(zeros(sizes, DType::int64), index);
  Var n = constant(Tensor(std::int64_t{1}));
  for (int i = 0; i < seen.ndim(); ++i) {
    shape_of_index.emplace_back(shape(seen, i));
    n = n * shape(seen, i);
  }
  const Var number = reshape(arange(n), shape_of_index);
  const Var stayed = eq(picked_by(with_picked(zeros(sizes, DType::int64), number, index), index), number);
  std::vector<int> pattern;
  for (int i = 0; i < gx[1].ndim(); ++i) pattern.push_back(i < seen.ndim() ? i : 'x');
  gx[1] = switch_(dimshuffle(with_stretch(stayed, seen.type()), pattern), gx[1], 0);
  return gx;
}

OpPtr AdvancedIncSubtensor::checks() const { return make_op(CheckPositions(2)); }

void AdvancedIncSubtensor::perform(const Views& x, const Views& y) const {
  const Picks picks(x, 2, y[0]);
  if (y[0].data != x[0].data) copy_into(y[0], x[0]);
  Sizes shape = picks.shape;
  for (int i = picks.n_index; i < y[0].ndim(); ++i) shape.push_back(y[0].shape[i]);
  const View v = stretched(x[1], shape);
  const std::int64_t* to = picks.offsets.data();
  if (picks.n_index == y[0].ndim())
    return visit(y[0].dtype, [&]<class T>(T) {
      const T* in = v.ptr<T>();
      T* out = y[0].ptr<T>();
      for_elements(v.shape, v.strides, [&](std::int64_t from) {
        T& element = out[*to++];
        element = adds ? static_cast<T>(element + in[from]) : in[from];
      });
    });
  View row = picked(v, picks.shape.size(), 0);
  Sizes strides = v.strides;
  while (strides.size() > picks.shape.size()) strides.erase(strides.size() - 1);
  for_elements(picks.shape, strides, [&](std::int64_t from) {
    row.data = advance(v.data, v.dtype, from);
    put(picked(y[0], picks.n_index, *to++), row, adds);
  });
}

}  // namespace damo
