#include <cmath>

#include "tests/oracle_array.h"

namespace damo::test {
namespace {

/// Calls f(index) for the begin of each line along an axis.
void each_line(const Sizes& shape, int axis, const std::function<void(Sizes)>& f) {
  Sizes begins = shape;
  begins[axis] = shape[axis] > 0 ? 1 : 0;
  each_index(begins, f);
}

/// NaN is behind everything.
bool less(const Array& x, std::size_t i, const Array& y, std::size_t j) {
  if (!is_float(x.dtype)) return x.whole[i] < y.whole[j];
  return std::isnan(y.real[j]) ? !std::isnan(x.real[i]) : x.real[i] < y.real[j];
}

/// How many elements of the line come before element k.
void argsort(int axis, const Array& x, Array& y) {
  y = Array(y.dtype, x.shape);
  each_line(x.shape, axis, [&](Sizes index) {
    const auto at = [&](std::int64_t k) {
      index[axis] = k;
      return position(x.shape, index);
    };
    for (std::int64_t k = 0; k < x.shape[axis]; ++k) {
      std::int64_t rank = 0;
      for (std::int64_t j = 0; j < x.shape[axis]; ++j) {
        const std::size_t a = at(j), b = at(k);
        if (less(x, a, x, b) || (!less(x, b, x, a) && j < k)) ++rank;
      }
      y.whole[at(rank)] = k;
    }
  });
}

/// Sums, products or recurrences a y + b along an axis; `a` is null for none.
void accumulate(const std::string& name, int axis, const Array* a, const Array& b, Array& y) {
  y = Array(y.dtype, b.shape);
  each_line(b.shape, axis, [&](Sizes index) {
    double real = name == "cumprod" ? 1 : 0;
    auto whole = static_cast<std::uint64_t>(real);
    for (std::int64_t k = 0; k < b.shape[axis]; ++k) {
      index[axis] = k;
      const std::size_t i = position(b.shape, index);
      const auto integer = static_cast<std::uint64_t>(b.integer(i));
      if (a != nullptr)
        real = a->number(i) * real + b.number(i);
      else
        real = name == "cumprod" ? real * b.number(i) : real + b.number(i);
      whole = name == "cumprod" ? whole * integer : whole + integer;
      if (is_float(y.dtype))
        y.real[i] = real;
      else
        y.whole[i] = static_cast<std::int64_t>(whole);
    }
  });
}

void searchsorted(const OpName& op, const Arrays& x, Array& y) {
  y = Array(y.dtype, x[1].shape);
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t k = 0; k < x[0].size(); ++k)
      y.whole[i] += (op.fields == "left" ? less(x[0], k, x[1], i) : !less(x[1], i, x[0], k)) ? 1 : 0;
}

Array vector_of(const std::vector<std::int64_t>& values) {
  Array y(DType::int64, {static_cast<std::int64_t>(values.size())});
  y.whole = values;
  return y;
}

}  // namespace

bool oracle_order(const OpName& op, const Arrays& x, Array& y) {
  if (op.name == "argsort") {
    argsort(op.numbers().at(0), x[0], y);
  } else if (op.name == "cumsum" || op.name == "cumprod") {
    accumulate(op.name, op.numbers().at(0), nullptr, x[0], y);
  } else if (op.name == "recurrence") {
    accumulate(op.name, op.numbers().at(0), &x[0], x[1], y);
  } else if (op.name == "searchsorted") {
    searchsorted(op, x, y);
  } else if (op.name == "flatnonzero" || op.name == "positions of repeat") {
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < x[0].size(); ++i) {
      const std::int64_t times = op.name != "flatnonzero" ? x[0].integer(i) : x[0].number(i) != 0 ? 1 : 0;
      values.insert(values.end(), static_cast<std::size_t>(times), static_cast<std::int64_t>(i));
    }
    y = vector_of(values);
  } else if (op.name.starts_with("positions of ") || op.name.starts_with("times of ") ||
             op.name.starts_with("labels of ") || op.name == "same_size") {
    y = x[0];
  } else if (op.name == "split_start" || op.name == "split_end") {
    y = Array(y.dtype, {});
    if (op.name == "split_end") y.whole[0] = x[0].integer(0) + x[1].integer(0);
  } else if (op.name == "range_length") {
    y = Array(y.dtype, {});
    for (double v = x[0].number(0); x[2].number(0) > 0 ? v < x[1].number(0) : v > x[1].number(0);
         v = x[0].number(0) + static_cast<double>(y.whole[0]) * x[2].number(0))
      ++y.whole[0];
  } else {
    return false;
  }
  return true;
}

}  // namespace damo::test
