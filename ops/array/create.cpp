#include "ops/create.h"

#include <algorithm>
#include <cmath>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/tensor/size.h"
#include "ops/elemwise.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// y = [start, start + step, ...) (inputs: start, stop, step).
struct Arange : OpOf<Arange> {
  std::string name() const override { return "arange"; }

  Types infer(const Types& x) const override {
    Type y(DType::int64, {-1});
    check(!x[2].has_value || x[2].value != 0, "the step is 0");
    if (!x[0].has_value || !x[1].has_value || !x[2].has_value) return {y};
    y.shape[0] = steps_between(x[0].value, x[1].value, x[2].value);
    return {y};
  }

  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(3); }
  bool needs_value(int) const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    // Unsigned: the range may be wider than int64.
    const auto start = static_cast<std::uint64_t>(*x[0].ptr<std::int64_t>()),
               step = static_cast<std::uint64_t>(*x[2].ptr<std::int64_t>());
    std::int64_t* out = y[0].ptr<std::int64_t>();
    for (std::int64_t i = 0; i < y[0].size(); ++i)
      out[i] = static_cast<std::int64_t>(start + static_cast<std::uint64_t>(i) * step);
  }
};

std::int64_t range_length(double start, double stop, double step) {
  check(step != 0, "the step is 0");
  const double n = std::ceil((stop - start) / step);
  constexpr double most = 9007199254740992.0;
  check(!std::isnan(n), "a bound of the range is not a number");
  check(n <= most, "from {} to {} in steps of {} there is no end", start, stop, step);
  return n > 0 ? static_cast<std::int64_t>(n) : 0;
}

/// y = how many steps of float64 lie between start and stop (inputs: start, stop, step).
struct RangeLength : OpOf<RangeLength> {
  std::string name() const override { return "range_length"; }

  Types infer(const Types&) const override { return {Type(DType::int64, {})}; }
  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(3); }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    *y[0].ptr<std::int64_t>() = range_length(*x[0].ptr<double>(), *x[1].ptr<double>(), *x[2].ptr<double>());
  }
};

bool is_whole(const Arg& a) { return a.is_literal() ? !a.is_float_literal() : !a.var().type().is_float(); }

Var integer_bound(const Arg& a) { return a.is_literal() ? a.var(DType::int64) : cast(a.var(), DType::int64); }

/// The dtype that holds all bounds; a literal gives way to other floats.
DType range_dtype(const Args& bounds) {
  std::optional<DType> dtype;
  for (const Arg& a : bounds)
    if (!a.is_literal()) dtype = dtype ? promote(*dtype, a.dtype()) : a.dtype();
  for (const Arg& a : bounds)
    if (a.is_float_literal() && !(dtype && is_float(*dtype)))
      dtype = dtype ? promote(*dtype, floatX()) : floatX();
  return dtype && is_float(*dtype) ? *dtype : DType::int64;
}

/// The length is computed in float64, the elements in `dtype`.
Var float_range(const Args& bounds, DType dtype) {
  const auto as = [](const Arg& a, DType d) { return a.is_literal() ? a.var(d) : cast(a.var(), d); };
  Vars exact;
  for (const Arg& a : bounds) exact.push_back(as(a, DType::float64));
  const auto known = [&](std::size_t i) { return exact[i].node().value.item(); };
  const Var n = std::all_of(bounds.begin(), bounds.end(), [](const Arg& a) { return a.is_literal(); })
                    ? constant(Tensor(range_length(known(0), known(1), known(2))))
                    : apply(make_op(RangeLength()), exact);
  return as(bounds[0], dtype) + cast(arange(n), dtype) * as(bounds[2], dtype);
}

}  // namespace

Var arange(const Arg& stop) { return arange(Arg(0, Here(stop.where.file, stop.where.line)), stop); }

Var arange(const Arg& start, const Arg& stop, const Arg& step, std::optional<DType> dtype) {
  const Scope here(stop);
  return checking("arange", {start.var(), stop.var(), step.var()}, [&] {
    for (const Arg& a : {start, stop, step})
      check(a.var().ndim() == 0, "a bound of a range is a scalar, not {}", a.var().type());
    const Args bounds{start, stop, step};
    if (!is_whole(start) || !is_whole(stop) || !is_whole(step)) {
      const DType own = range_dtype(bounds), wanted = dtype.value_or(own);
      return cast(float_range(bounds, is_float(wanted) ? wanted : own), wanted);
    }
    const Var y =
        apply(make_op(Arange()), Vars{integer_bound(start), integer_bound(stop), integer_bound(step)});
    return dtype ? cast(y, *dtype) : y;
  });
}

Vars ogrid(const std::vector<Slice>& slices, Here at) {
  const Scope here(at);
  check(!slices.empty(), "ogrid: there are no slices");
  Vars grid;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const Slice& s = slices[i];
    check(s.stop.has_value(), "ogrid: slice {} has no end", i);
    std::vector<int> pattern(slices.size(), 'x');
    pattern[i] = 0;
    grid.push_back(dimshuffle(arange(s.start.value_or(0), *s.stop, s.step.value_or(1)), pattern));
  }
  return grid;
}

Vars mgrid(const std::vector<Slice>& slices, Here at) {
  const Scope here(at);
  Vars grid = ogrid(slices, at);
  Args sizes;
  for (std::size_t i = 0; i < grid.size(); ++i) sizes.emplace_back(shape(grid[i], static_cast<int>(i)));
  for (Var& v : grid) v = alloc(v, sizes);
  return grid;
}

namespace {

/// The value with the dtype asked for, or that of a literal.
Var filling(const Arg& value, std::optional<DType> dtype, DType of_literal) {
  if (value.is_literal()) return value.var(dtype.value_or(of_literal));
  return dtype ? cast(value, *dtype) : value.var();
}

Var filled(const Var& x, const Var& value) {
  Args sizes;
  for (int i = 0; i < x.ndim(); ++i) sizes.emplace_back(shape(x, i));
  return with_stretch(alloc(value, sizes), Type(value.dtype(), x.type().shape, x.type().stretch));
}

}  // namespace

Var full(const Shape& sizes, const Arg& value, std::optional<DType> dtype) {
  const Scope here(value);
  return alloc(filling(value, dtype, value.is_float_literal() ? floatX() : DType::int64), sizes);
}

Var full_like(const Arg& arg, const Arg& value, std::optional<DType> dtype) {
  const Scope here(arg);
  return filled(arg.var(), filling(value, dtype.value_or(arg.var().dtype()), arg.var().dtype()));
}

Var fill(const Arg& arg, const Arg& value) {
  const Scope here(arg);
  return filled(arg.var(), filling(value, {}, arg.var().dtype()));
}

}  // namespace damo
