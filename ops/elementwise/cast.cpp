#include <array>
#include <limits>

#include "core/tensor/visit.h"
#include "ops/elemwise.h"
#include "ops/kernels/scalar_op.h"
#include "ops/shape.h"

/// Changes of dtype, and of what grad sees.
namespace damo {
namespace {

template <class To, class From>
To convert(From v) {
  if constexpr (std::is_same_v<To, bool>)
    return v != From{};
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // What does not fit is undefined in C++: it goes through int64, whose own limits stand for it.
    const bool fits = v >= From(-9223372036854775808.0) && v < From(9223372036854775808.0);
    return static_cast<To>(fits ? static_cast<std::int64_t>(v) : std::numeric_limits<std::int64_t>::min());
  } else
    return static_cast<To>(v);
}

template <class To, class From>
void cast_kernel(void* y, const void* const* x, int n) {
  To* out = static_cast<To*>(y);
  const From* in = static_cast<const From*>(x[0]);
  for (int i = 0; i < n; ++i) out[i] = convert<To>(in[i]);
}

template <class To>
OpPtr cast_to() {
  constexpr DType to = dtype_of<To>();
  auto row = std::make_shared<ScalarOp>(
      ScalarOp{.name = std::string("cast{") + to_string(to) + "}", .slope = Slope::constant, .gives = to});
  const auto fill = [&]<class From>(From) {
    row->kernels[static_cast<int>(dtype_of<From>())] = cast_kernel<To, From>;
  };
  fill(bool{});
  for_numbers(fill);
  if (!is_float(to)) {
    row->integer = [](const std::int64_t* x) { return x[0]; };
    // Constant between its steps.
    row->grad = [](const Var&, const Vars& x, const Var&) { return Vars{zeros_like(x[0])}; };
  } else {
    row->grad = [](const Var& g, const Vars& x, const Var&) { return Vars{cast(g, x[0].dtype())}; };
  }
  return make_op(Elemwise(row));
}

/// y = x; what differs is the gradient.
struct Barrier : OpOf<Barrier> {
  enum class Kind { zero, disconnected, clip, scale };
  Kind kind = Kind::zero;
  double low = 0, high = 0;  ///< the bounds; of scale, its factor is the first

  explicit Barrier(Kind k, double l = 0, double h = 0) : kind(k), low(l), high(h) {}
  bool operator==(const Barrier&) const = default;

  std::string name() const override {
    if (kind == Kind::clip) return fmt::format("grad_clip{{{}, {}}}", low, high);
    if (kind == Kind::scale) return fmt::format("grad_scale{{{}}}", low);
    return kind == Kind::zero ? "zero_grad" : "disconnected_grad";
  }
  Types infer(const Types& x) const override { return {x[0]}; }
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    switch (kind) {
      case Kind::zero: return {zeros_like(x[0])};
      case Kind::clip: return {clip(gy[0], low, high)};
      case Kind::scale: return {gy[0] * low};
      case Kind::disconnected: break;
    }
    return {Var()};
  }
  int view_of() const override { return 0; }
  View view(const Views& x) const override { return x[0]; }
};

}  // namespace

Var cast(const Arg& x, DType dtype) {
  static const std::array<OpPtr, n_dtypes> ops = {
      cast_to<bool>(),         cast_to<std::int8_t>(),  cast_to<std::int16_t>(), cast_to<std::int32_t>(),
      cast_to<std::int64_t>(), cast_to<std::uint8_t>(), cast_to<float>(),        cast_to<double>()};
  const Var v = x.var();
  if (v.dtype() == dtype) return v;
  const Scope here(x);
  return apply(ops[static_cast<std::size_t>(dtype)], Vars{v});
}

Var Var::astype(DType dtype, Here at) const { return cast(Arg(*this, at), dtype); }

Var zero_grad(const Arg& x) { return apply(make_op(Barrier(Barrier::Kind::zero)), {x}); }
Var disconnected_grad(const Arg& x) { return apply(make_op(Barrier(Barrier::Kind::disconnected)), {x}); }
Var grad_clip(const Arg& x, double low, double high) {
  const Scope here(x);
  checking("grad_clip", {x.var()},
           [&] { check(low <= high, "the lower bound {} is above the upper bound {}", low, high); });
  return apply(make_op(Barrier(Barrier::Kind::clip, low, high)), {x});
}
Var grad_scale(const Arg& x, double factor) {
  return apply(make_op(Barrier(Barrier::Kind::scale, factor)), {x});
}

}  // namespace damo
