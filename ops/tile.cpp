#include "ops/tile.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/threads.h"

namespace damo {
namespace {

constexpr int max_operands = 32;
constexpr int max_registers = 96;

struct alignas(64) Register {
  std::byte bytes[tile_size * 8];
};

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; }

int padded(std::int64_t n) { return static_cast<int>((n + tile_lanes - 1) / tile_lanes * tile_lanes); }

// Elements are moved as words of their size, whatever their type.
using Word1 [[gnu::may_alias]] = std::uint8_t;
using Word2 [[gnu::may_alias]] = std::uint16_t;
using Word4 [[gnu::may_alias]] = std::uint32_t;
using Word8 [[gnu::may_alias]] = std::uint64_t;

template <class T>
void gather(void* to, const void* from, std::int64_t stride, std::int64_t n) {
  T* y = static_cast<T*>(to);
  const T* x = static_cast<const T*>(from);
  const int end = padded(n);
  if (stride == 0) {
    std::fill(y, y + end, *x);
    return;
  }
  if (stride == 1)
    std::memcpy(y, x, static_cast<std::size_t>(n) * sizeof(T));
  else
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[i * stride];
  // Padding repeats a real element, so that it can neither trap nor slow the kernel down.
  std::fill(y + n, y + end, y[n - 1]);
}

void gather(void* to, const void* from, std::int64_t stride, std::int64_t n, int bytes) {
  switch (bytes) {
    case 1: return gather<Word1>(to, from, stride, n);
    case 2: return gather<Word2>(to, from, stride, n);
    case 4: return gather<Word4>(to, from, stride, n);
    default: return gather<Word8>(to, from, stride, n);
  }
}

/// The loop nest: shapes and strides with neighbouring axes joined where every operand allows it.
struct Nest {
  int rank = 0;
  // Filled up to the rank and the number of operands: clearing the rest would take longer than a small program.
  std::array<std::int64_t, max_rank> shape;
  std::array<std::array<std::int64_t, max_rank>, max_operands> strides;
};

Nest make_nest(const Views& x, const View& y) {
  Nest nest;
  const int n = y.ndim();
  for (int axis = 0; axis < n; ++axis) {
    if (y.shape[axis] == 1) continue;
    const auto r = static_cast<std::size_t>(nest.rank);
    bool joins = nest.rank > 0;
    std::array<std::int64_t, max_operands> step;
    for (int i = 0; i < x.size(); ++i) {
      const int own = axis - (n - x[i].ndim());
      const auto k = static_cast<std::size_t>(i);
      step[k] = own < 0 || x[i].shape[own] == 1 ? 0 : x[i].strides[own];
      if (joins) joins = nest.strides[k][r - 1] == step[k] * y.shape[axis];
    }
    const std::size_t at = joins ? r - 1 : r;
    nest.shape[at] = joins ? nest.shape[at] * y.shape[axis] : y.shape[axis];
    for (int i = 0; i < x.size(); ++i)
      nest.strides[static_cast<std::size_t>(i)][at] = step[static_cast<std::size_t>(i)];
    if (!joins) ++nest.rank;
  }
  return nest;
}

Register* registers() {
  thread_local const std::unique_ptr<Register[]> memory(new Register[max_registers]);
  return memory.get();
}

/// Rows `rows` of the nest, of each the elements `columns`.
void run_part(const TileProgram& program, const Views& x, const Views& y, const Nest& nest,
              std::pair<std::int64_t, std::int64_t> rows, std::pair<std::int64_t, std::int64_t> columns) {
  const int n_in = x.size(), n_code = static_cast<int>(program.code.size());
  const auto inner_axis = static_cast<std::size_t>(nest.rank > 0 ? nest.rank - 1 : 0);
  const std::int64_t inner = nest.rank == 0 ? 1 : nest.shape[inner_axis];

  Register* const reg = registers();
  std::array<const void*, max_registers> in;  // where each register's tile lies
  std::array<int, max_operands> bytes;
  std::array<std::int64_t, max_operands> inner_stride, row_offset;
  std::array<bool, max_operands> constant;
  for (int i = 0; i < n_in; ++i) {
    const auto k = static_cast<std::size_t>(i);
    bytes[k] = size_of(x[i].dtype);
    row_offset[k] = 0;
    inner_stride[k] = nest.rank == 0 ? 0 : nest.strides[k][inner_axis];
    constant[k] = true;
    for (int axis = 0; axis < nest.rank; ++axis)
      constant[k] = constant[k] && nest.strides[k][static_cast<std::size_t>(axis)] == 0;
    if (!constant[k]) continue;
    gather(&reg[i], x[i].data, 0, std::min<std::int64_t>(padded(columns.second - columns.first), tile_size),
           bytes[k]);
    in[k] = &reg[i];
  }

  std::array<std::int64_t, max_rank> index{};
  std::int64_t rest = rows.first;
  for (int axis = nest.rank - 2; axis >= 0; --axis) {
    const auto a = static_cast<std::size_t>(axis);
    index[a] = rest % nest.shape[a];
    rest /= nest.shape[a];
    for (int i = 0; i < n_in; ++i)
      row_offset[static_cast<std::size_t>(i)] += nest.strides[static_cast<std::size_t>(i)][a] * index[a];
  }
  for (std::int64_t row = rows.first; row < rows.second; ++row) {
    for (std::int64_t at = columns.first; at < columns.second; at += tile_size) {
      const std::int64_t n = std::min<std::int64_t>(tile_size, columns.second - at), done = row * inner + at;
      const bool whole = n % tile_lanes == 0;
      const int lanes = padded(n);
      for (int i = 0; i < n_in; ++i) {
        const auto k = static_cast<std::size_t>(i);
        if (constant[k]) continue;
        const void* from = advance(x[i].data, x[i].dtype, row_offset[k] + at * inner_stride[k]);
        if (inner_stride[k] == 1 && whole && aligned(from)) {
          in[k] = from;
        } else {
          gather(&reg[i], from, inner_stride[k], n, bytes[k]);
          in[k] = &reg[i];
        }
      }
      for (int c = 0; c < n_code; ++c) {
        const TileProgram::Instruction& code = program.code[static_cast<std::size_t>(c)];
        const int r = n_in + c;
        void* to = &reg[r];
        // The last instruction writes to its place at once.
        if (c + 1 == n_code && whole && y.size() == 1 && program.outputs[0] == r) {
          void* const place = advance(y[0].data, y[0].dtype, done);
          if (aligned(place)) to = place;
        }
        const void* operands[max_arity];
        for (int a = 0; a < code.f->arity; ++a) operands[a] = in[static_cast<std::size_t>(code.x[a])];
        code.f->kernels[static_cast<int>(code.kernel)](to, operands, lanes);
        in[static_cast<std::size_t>(r)] = to;
      }
      for (int o = 0; o < y.size(); ++o) {
        void* const place = advance(y[o].data, y[o].dtype, done);
        const void* from = in[static_cast<std::size_t>(program.outputs[static_cast<std::size_t>(o)])];
        if (from != place) std::memcpy(place, from, static_cast<std::size_t>(n * size_of(y[o].dtype)));
      }
    }
    for (int axis = nest.rank - 2; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      for (int i = 0; i < n_in; ++i)
        row_offset[static_cast<std::size_t>(i)] += nest.strides[static_cast<std::size_t>(i)][a];
      if (++index[a] < nest.shape[a]) break;
      index[a] = 0;
      for (int i = 0; i < n_in; ++i)
        row_offset[static_cast<std::size_t>(i)] -=
            nest.strides[static_cast<std::size_t>(i)][a] * nest.shape[a];
    }
  }
}

}  // namespace

void run_tiles(const TileProgram& program, const Views& x, const Views& y) {
  const View& shape = y[0];
  const std::int64_t size = shape.size();
  if (size == 0) return;
  invariant(x.size() <= max_operands && x.size() + static_cast<int>(program.code.size()) <= max_registers,
            "a tile program is too long");
  const Nest nest = make_nest(x, shape);
  const std::int64_t inner = nest.rank == 0 ? 1 : nest.shape[static_cast<std::size_t>(nest.rank - 1)];
  const std::int64_t rows = size / inner;
  constexpr std::int64_t elements_per_thread = 1 << 14;
  const auto steps = static_cast<std::int64_t>(program.code.size());
  parallel(threads_for(size * steps, elements_per_thread), [&](Part part) {
    if (rows >= part.n)
      run_part(program, x, y, nest, part.range(rows), {0, inner});
    else
      run_part(program, x, y, nest, {0, rows}, part.range(inner, tile_size));
  });
}

}  // namespace damo
