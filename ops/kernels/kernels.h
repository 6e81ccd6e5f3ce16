#pragma once
#include <Eigen/Core>
#include <cmath>
#include <cstring>
#include <utility>

#include "scalar_op.h"

/// Rows of the elementwise table from lambdas: on Eigen arrays for floats (vectorized), on 64-bit values for
/// integers.
namespace damo {

template <class T>
using ReadTile = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>, Eigen::Aligned64>;
template <class T>
using WriteTile = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>, Eigen::Aligned64>;

template <class T, class R, class F, int arity>
void array_kernel(void* y, const void* const* x, int n) {
  WriteTile<R> out(static_cast<R*>(y), n);
  if constexpr (arity == 1)
    out = F()(ReadTile<T>(static_cast<const T*>(x[0]), n));
  else
    out = F()(ReadTile<T>(static_cast<const T*>(x[0]), n), ReadTile<T>(static_cast<const T*>(x[1]), n));
}

/// A function of single elements. The loop writes where nothing that it reads can lie, so that compilers
/// vectorize it.
template <class T, class F>
void element_kernel(void* y, const void* const* x, int n) {
  alignas(64) T out[tile_size];
  const T* in = static_cast<const T*>(x[0]);
  for (int i = 0; i < n; ++i) out[i] = F()(in[i]);
  std::memcpy(y, out, static_cast<std::size_t>(n) * sizeof(T));
}

/// A predicate, on single elements.
template <class T, class F, int arity>
void predicate_kernel(void* y, const void* const* x, int n) {
  bool* out = static_cast<bool*>(y);
  const T* a = static_cast<const T*>(x[0]);
  if constexpr (arity == 1) {
    for (int i = 0; i < n; ++i) out[i] = F()(a[i]);
  } else {
    const T* b = static_cast<const T*>(x[1]);
    for (int i = 0; i < n; ++i) out[i] = F()(a[i], b[i]);
  }
}

template <class T, class R, class F, int arity>
void integer_kernel(void* y, const void* const* x, int n) {
  R* out = static_cast<R*>(y);
  for (int i = 0; i < n; ++i) {
    std::int64_t operands[arity];
    for (int a = 0; a < arity; ++a) operands[a] = static_cast<std::int64_t>(static_cast<const T*>(x[a])[i]);
    out[i] = static_cast<R>(F()(operands));
  }
}

/// Fills the row's float kernels from F, an expression on Eigen arrays.
template <class F, int arity>
void set_float_kernels(ScalarOp& row, F) {
  row.kernels[static_cast<int>(DType::float32)] = array_kernel<float, float, F, arity>;
  row.kernels[static_cast<int>(DType::float64)] = array_kernel<double, double, F, arity>;
}

/// The same from F, a predicate on single floats.
template <class F, int arity>
void set_predicate_kernels(ScalarOp& row, F) {
  row.gives_bool = true;
  row.kernels[static_cast<int>(DType::float32)] = predicate_kernel<float, F, arity>;
  row.kernels[static_cast<int>(DType::float64)] = predicate_kernel<double, F, arity>;
}

/// Fills the row's integer kernels from F, a function of 64-bit operands; results wrap around.
template <class F, int arity>
void set_integer_kernels(ScalarOp& row, F f) {
  const auto fill = [&]<class T>(T) {
    row.kernels[static_cast<int>(dtype_of<T>())] =
        row.gives_bool ? &integer_kernel<T, bool, F, arity> : &integer_kernel<T, T, F, arity>;
  };
  if (row.promote != Promote::numbers) fill(bool{});
  fill(std::int8_t{});
  fill(std::int16_t{});
  fill(std::int32_t{});
  fill(std::int64_t{});
  fill(std::uint8_t{});
  row.integer = f;
}

using Derivative = Var (*)(const Var& g, const Var& x, const Var& y);

/// A function of floats: integers are promoted.
inline OpPtr unary(std::string name, TileKernel f32, TileKernel f64, Derivative derivative) {
  auto row = std::make_shared<ScalarOp>();
  row->name = std::move(name);
  row->promote = Promote::floating;
  row->kernels[static_cast<int>(DType::float32)] = f32;
  row->kernels[static_cast<int>(DType::float64)] = f64;
  row->grad = [derivative](const Var& g, const Vars& x, const Var& y) {
    return Vars{derivative(g, x[0], y)};
  };
  return make_op(Elemwise(row));
}

/// The same from an expression on Eigen arrays.
template <class F>
OpPtr unary(std::string name, F, Derivative derivative) {
  return unary(std::move(name), array_kernel<float, float, F, 1>, array_kernel<double, double, F, 1>,
               derivative);
}

/// The same from a function of single floats.
template <class F>
OpPtr unary_of_each(std::string name, F, Derivative derivative) {
  return unary(std::move(name), element_kernel<float, F>, element_kernel<double, F>, derivative);
}

/// A function of floats and integers that keeps the dtype.
template <class F, class I>
OpPtr unary(std::string name, F f, I integers, Derivative derivative, std::string symbol = {},
            Promote promote = Promote::common, Slope slope = Slope::any) {
  auto row = std::make_shared<ScalarOp>();
  row->name = std::move(name);
  row->promote = promote;
  row->symbol = std::move(symbol);
  row->slope = slope;
  set_float_kernels<F, 1>(*row, f);
  set_integer_kernels<I, 1>(*row, integers);
  row->grad = [derivative](const Var& g, const Vars& x, const Var& y) {
    return Vars{derivative(g, x[0], y)};
  };
  return make_op(Elemwise(row));
}

template <class F, class I>
OpPtr binary(ScalarOp settings, F f, I integers) {
  auto row = std::make_shared<ScalarOp>(std::move(settings));
  row->arity = 2;
  set_float_kernels<F, 2>(*row, f);
  set_integer_kernels<I, 2>(*row, integers);
  return make_op(Elemwise(row));
}

/// A comparison of floats and integers.
template <class F, class I>
OpPtr comparison(std::string name, std::string symbol, F f, I integers) {
  auto row =
      std::make_shared<ScalarOp>(ScalarOp{.name = std::move(name), .symbol = std::move(symbol), .arity = 2});
  set_predicate_kernels<F, 2>(*row, f);
  set_integer_kernels<I, 2>(*row, integers);
  return make_op(Elemwise(row));
}

template <class F>
OpPtr binary(ScalarOp settings, F f) {
  auto row = std::make_shared<ScalarOp>(std::move(settings));
  row->arity = 2;
  set_float_kernels<F, 2>(*row, f);
  return make_op(Elemwise(row));
}

}  // namespace damo
