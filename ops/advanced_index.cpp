#include <algorithm>
#include <array>

#include "ops/indexing.h"
#include "ops/scalar_op.h"
#include "ops/shape.h"

/// Advanced indexing: elements picked by arrays of integers.
namespace damo {
namespace {

/// The index arrays of an advanced index, stretched to one shape.
struct Positions {
  Sizes shape;
  std::array<View, max_rank> index;
  std::size_t n_index = 0;

  Positions(const Views& x, int first) {
    int rank = 0;
    for (int i = first; i < x.size(); ++i) rank = std::max(rank, x[i].ndim());
    shape = Sizes(rank, 1);
    for (int i = first; i < x.size(); ++i)
      for (int a = 0; a < x[i].ndim(); ++a)
        if (x[i].shape[a] != 1) shape[a + rank - x[i].ndim()] = x[i].shape[a];
    for (int i = first; i < x.size(); ++i) {
      View v{x[i].dtype, shape, Sizes(rank, 0), x[i].data};
      for (int a = 0; a < x[i].ndim(); ++a)
        if (x[i].shape[a] != 1) v.strides[a + rank - x[i].ndim()] = x[i].strides[a];
      index[n_index++] = v;
    }
  }

  /// The offset in x of the element (or row) that position p picks.
  std::int64_t offset(std::int64_t p, const View& x) const {
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < n_index; ++k) {
      std::int64_t rest = p, at = 0;
      for (int a = shape.size() - 1; a >= 0; --a) {
        at += rest % shape[a] * index[k].strides[a];
        rest /= shape[a];
      }
      const int axis = static_cast<int>(k);
      offset += checked_position(read(index[k], at), axis, x.shape[axis]) * x.strides[axis];
    }
    return offset;
  }

  static std::int64_t read(const View& v, std::int64_t at) {
    switch (v.dtype) {
      case DType::int8: return v.ptr<std::int8_t>()[at];
      case DType::int16: return v.ptr<std::int16_t>()[at];
      case DType::int32: return v.ptr<std::int32_t>()[at];
      case DType::uint8: return v.ptr<std::uint8_t>()[at];
      default: return v.ptr<std::int64_t>()[at];
    }
  }

  void check_all(const View& x) const {
    const std::int64_t n = shape.product();
    for (std::int64_t p = 0; p < n; ++p) offset(p, x);
  }
};

/// What one position of an advanced index picks: the axes behind the indexed ones.
View picked(const View& x, std::size_t n_indexed, std::int64_t offset) {
  View part{x.dtype, {}, {}, advance(x.data, x.dtype, offset)};
  for (int i = static_cast<int>(n_indexed); i < x.ndim(); ++i) {
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

void AdvancedSubtensor::perform(const Views& x, const Views& y) const {
  const Positions positions(x, 1);
  const std::int64_t n = positions.shape.product();
  View row = y[0];
  const View shape_of_row = picked(x[0], positions.n_index, 0);
  row.shape = shape_of_row.shape;
  row.strides = row_major(row.shape);
  const std::int64_t step = row.shape.product();
  for (std::int64_t p = 0; p < n; ++p) {
    copy_into(row, picked(x[0], positions.n_index, positions.offset(p, x[0])));
    row.data = advance(row.data, row.dtype, step);
  }
}

Types AdvancedIncSubtensor::infer(const Types& x) const {
  check_fits(x[1], advanced_type(x, 2));
  return {x[0]};
}

Vars AdvancedIncSubtensor::L_op(const Vars& x, const Vars&, const Vars& gy) const {
  Vars gx(x.size());
  Vars part{gy[0]};
  part.insert(part.end(), x.begin() + 2, x.end());
  gx[1] = apply(make_op(AdvancedSubtensor()), std::move(part));
  gx[0] = gy[0];
  if (!adds) {
    Vars inputs{gy[0], constant(Tensor::zeros({}, gy[0].dtype()))};
    inputs.insert(inputs.end(), x.begin() + 2, x.end());
    gx[0] = apply(make_op(AdvancedIncSubtensor(false)), std::move(inputs));
  }
  return gx;
}

void AdvancedIncSubtensor::perform(const Views& x, const Views& y) const {
  const Positions positions(x, 2);
  positions.check_all(x[0]);
  if (y[0].data != x[0].data) copy_into(y[0], x[0]);
  const std::int64_t n = positions.shape.product();
  const std::size_t indexed = positions.n_index;
  const int added = positions.shape.size() + y[0].ndim() - static_cast<int>(indexed) - x[1].ndim();
  const int n_index_axes = positions.shape.size();
  for (std::int64_t p = 0; p < n; ++p) {
    // The part of y that belongs to position p.
    View v{x[1].dtype, {}, {}, x[1].data};
    std::int64_t rest = p, offset = 0;
    for (int a = n_index_axes - 1; a >= 0; --a) {
      const int own = a - added;
      if (own >= 0 && x[1].shape[own] != 1) offset += rest % positions.shape[a] * x[1].strides[own];
      rest /= positions.shape[a];
    }
    for (int own = std::max(0, n_index_axes - added); own < x[1].ndim(); ++own) {
      v.shape.push_back(x[1].shape[own]);
      v.strides.push_back(x[1].strides[own]);
    }
    v.data = advance(v.data, v.dtype, offset);
    put(picked(y[0], indexed, positions.offset(p, y[0])), v, adds);
  }
}

}  // namespace damo
