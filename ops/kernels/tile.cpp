#include "ops/kernels/tile.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "core/run/threads.h"
#include "core/tensor/finite.h"
#include "core/tensor/visit.h"
#include "ops/kernels/lanes.h"
#include "ops/kernels/nest.h"

namespace damo {
namespace {

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

/// The first n of so many bytes again and again.
void repeat(std::byte* to, std::int64_t n, std::int64_t bytes) {
  for (; n < bytes; n *= 2) std::memcpy(to + n, to, static_cast<std::size_t>(std::min(n, bytes - n)));
}

Register* registers() {
  thread_local const std::unique_ptr<Register[]> memory(new Register[max_registers]);
  return memory.get();
}

using Range = std::pair<std::int64_t, std::int64_t>;

/// Rows `rows` of the nest, of each the elements `columns`. The sink is told of each tile: `place(row, at)`
/// is where the last instruction may write it, or null; `take(row, at, n, registers)` gets it.
template <class Sink>
void run_part(const TileProgram& program, const Views& x, const Nest& nest, Range rows, Range columns,
              Sink& sink) {
  const int n_in = x.size(), n_code = static_cast<int>(program.code.size());
  const auto inner_axis = static_cast<std::size_t>(nest.rank > 0 ? nest.rank - 1 : 0);

  Register* const reg = registers();
  std::array<const void*, max_registers> in;  // where each register's tile lies
  std::array<int, max_operands> bytes;
  std::array<std::int64_t, max_operands> inner_stride, row_offset;
  std::array<bool, max_registers> constant;  // whether all tiles are the same
  const int widest = padded(std::min(columns.second - columns.first, nest.tile));
  for (int i = 0; i < n_in; ++i) {
    const auto k = static_cast<std::size_t>(i);
    bytes[k] = size_of(x[i].dtype);
    row_offset[k] = 0;
    inner_stride[k] = nest.rank == 0 ? 0 : nest.strides[k][inner_axis];
    constant[k] = true;
    for (int axis = 0; axis < nest.rank; ++axis)
      constant[k] = constant[k] && nest.strides[k][static_cast<std::size_t>(axis)] == 0;
    const bool repeats = nest.period > 0 && nest.periodic[k];
    if (!constant[k] && !repeats) continue;
    constant[k] = true;
    const std::int64_t n = repeats ? std::min(nest.period, columns.second - columns.first) : widest;
    gather(&reg[i], x[i].data, inner_stride[k], n, bytes[k]);
    repeat(reg[i].bytes, n * bytes[k], widest * bytes[k]);
    in[k] = &reg[i];
  }
  const auto run = [&](int c, void* to, int lanes) {
    const TileProgram::Instruction& code = program.code[static_cast<std::size_t>(c)];
    const void* operands[max_arity];
    for (int a = 0; a < code.f->arity; ++a) operands[a] = in[static_cast<std::size_t>(code.x[a])];
    code.f->kernels[static_cast<int>(code.kernel)](to, operands, lanes);
    in[static_cast<std::size_t>(n_in + c)] = to;
  };
  for (int c = 0; c < n_code; ++c) {
    const TileProgram::Instruction& code = program.code[static_cast<std::size_t>(c)];
    const bool once = std::all_of(code.x, code.x + code.f->arity,
                                  [&](int r) { return constant[static_cast<std::size_t>(r)]; });
    constant[static_cast<std::size_t>(n_in + c)] = once;
    if (once) run(c, &reg[n_in + c], widest);
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
    for (std::int64_t at = columns.first; at < columns.second; at += nest.tile) {
      const std::int64_t n = std::min(nest.tile, columns.second - at);
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
        if (constant[static_cast<std::size_t>(n_in + c)]) continue;
        void* to = &reg[n_in + c];
        if (c + 1 == n_code && whole) {
          void* const place = sink.place(row, at);
          if (place != nullptr && aligned(place)) to = place;
        }
        run(c, to, lanes);
      }
      sink.take(row, at, n, in.data());
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

bool is_finite(DType dtype, const void* x, std::int64_t n) {
  if (dtype == DType::float32) return all_finite(static_cast<const float*>(x), n);
  return dtype != DType::float64 || all_finite(static_cast<const double*>(x), n);
}

struct Store {
  const TileProgram& program;
  const Views& y;
  std::int64_t inner;
  bool finite = true;  ///< whether all that was written is, where y keeps that

  void* place(std::int64_t row, std::int64_t at) const {
    const bool only = y.size() == 1 && program.outputs[0] + 1 == program.n_registers();
    return only ? advance(y[0].data, y[0].dtype, row * inner + at) : nullptr;
  }
  void take(std::int64_t row, std::int64_t at, std::int64_t n, const void* const* registers) {
    for (int o = 0; o < y.size(); ++o) {
      void* const to = advance(y[o].data, y[o].dtype, row * inner + at);
      const void* from = registers[program.outputs[static_cast<std::size_t>(o)]];
      if (from != to) std::memcpy(to, from, static_cast<std::size_t>(n * size_of(y[o].dtype)));
      if (y[o].finite != nullptr) finite = finite && is_finite(y[o].dtype, to, n);
    }
  }
};

// As many sums at once as hide the time of an addition, and fit the registers; joined in a fixed order.
constexpr int packet = static_cast<int>(lanes<double>);
constexpr int n_chains = packet_bytes == 16 ? 8 : 32 / packet;
constexpr int sums_at_once = n_chains * packet;

/// Sums of rows: each over `rows_per_sum` rows of the nest.
template <class T>
struct SumOfRows {
  int result;
  std::int64_t rows_per_sum, end;  ///< of the columns
  T* y;
  double* partial = nullptr;  ///< where the sum goes if it is a part only
  std::array<double, sums_at_once> sums{};

  void* place(std::int64_t, std::int64_t) const { return nullptr; }
  void take(std::int64_t row, std::int64_t at, std::int64_t n, const void* const* registers) {
    const T* const x = static_cast<const T*>(registers[result]);
    Packet<double> chains[n_chains];
    std::memcpy(chains, sums.data(), sizeof chains);
    std::int64_t i = 0;
    for (; i + sums_at_once <= n; i += sums_at_once)
      each<n_chains>([&](auto c) { chains[c] += load_doubles(x + i + c * packet); });
    std::memcpy(sums.data(), chains, sizeof chains);
    for (int c = 0; i < n; ++i, ++c) sums[static_cast<std::size_t>(c)] += static_cast<double>(x[i]);
    if (at + n < end || (row + 1) % rows_per_sum != 0) return;
    double total = 0;
    for (const double sum : sums) total += sum;
    if (partial != nullptr)
      *partial = total;
    else
      y[row / rows_per_sum] = static_cast<T>(total);
    sums = {};
  }
};

/// Sums of columns: element `at` of a row belongs to sum (row mod rows_per_turn) * inner + at mod inner.
template <class T>
struct SumOfColumns {
  int result;
  std::int64_t rows_per_turn, inner;
  double* sums;

  void* place(std::int64_t, std::int64_t) const { return nullptr; }
  void take(std::int64_t row, std::int64_t at, std::int64_t n, const void* const* registers) const {
    const T* const x = static_cast<const T*>(registers[result]);
    double* const to = sums + row % rows_per_turn * inner + at % inner;
    for (std::int64_t i = 0; i < n; ++i) to[i] += static_cast<double>(x[i]);
  }
};

constexpr std::int64_t elements_per_thread = 1 << 14;

int threads_of(const TileProgram& program, std::int64_t size) {
  return threads_for(size * static_cast<std::int64_t>(program.code.size() + 1), elements_per_thread);
}

void check_length(const TileProgram& program) {
  invariant(program.n_inputs <= max_operands && program.n_registers() <= max_registers,
            "a tile program is too long");
}

template <class T>
void sum_second_part(const TileProgram& program, const Views& x, const Sizes& shape, int second,
                     const View& y) {
  const Nest nest = make_nest_of_parts(x, shape, second);
  const std::int64_t inner = inner_size(nest), sums = product(nest, 0, nest.n_first),
                     rows_per_sum = product(nest, nest.n_first, nest.rank - 1);
  const SumOfRows<T> sink{program.outputs[0], rows_per_sum, inner, y.ptr<T>()};
  const int n = threads_of(program, sums * rows_per_sum * inner);
  if (sums > 1 || n == 1) {
    parallel(n, [&](Part part) {
      SumOfRows<T> mine = sink;
      const auto [begin, end] = part.range(sums);
      run_part(program, x, nest, {begin * rows_per_sum, end * rows_per_sum}, {0, inner}, mine);
    });
    return;
  }
  // One sum: each thread adds up its part.
  std::array<double, most_threads> partial{};
  double* const parts = partial.data();
  parallel(n, [&](Part part) {
    SumOfRows<T> mine = sink;
    mine.partial = parts + part.t;
    Range rows{0, rows_per_sum}, columns{0, inner};
    if (rows_per_sum >= part.n) {
      rows = part.range(rows_per_sum);
      mine.rows_per_sum = rows.second;  // its last row ends the sum
    } else {
      columns = part.range(inner, tile_size);
      mine.end = columns.second;
    }
    if (rows.first < rows.second && columns.first < columns.second)
      run_part(program, x, nest, rows, columns, mine);
  });
  double total = 0;
  for (int t = 0; t < n; ++t) total += partial[static_cast<std::size_t>(t)];
  *y.ptr<T>() = static_cast<T>(total);
}

template <class T>
void sum_first_part(const TileProgram& program, const Views& x, const Sizes& shape, int second,
                    const View& y) {
  Nest nest = make_nest_of_parts(x, shape, second);
  const std::int64_t turns = product(nest, 0, nest.n_first), columns = inner_size(nest),
                     rows_per_turn = product(nest, nest.n_first, nest.rank - 1),
                     n_sums = rows_per_turn * columns;
  const int n_threads = threads_of(program, turns * n_sums);
  T* const out = y.ptr<T>();
  thread_local std::vector<double> memory;
  if (nest.rank == 2 && nest.n_first == 1) join_short_rows(nest, x.size());
  if (nest.period > 0) {
    // Each thread has a tile of sums, which is several rows wide.
    const std::int64_t tile = nest.tile;
    memory.assign(static_cast<std::size_t>(n_threads * tile), 0);
    double* const sums = memory.data();
    parallel(n_threads, [&](Part part) {
      const SumOfColumns<T> sink{program.outputs[0], 1, tile, sums + part.t * tile};
      const Range range = part.range(turns * columns, tile);
      if (range.first < range.second) run_part(program, x, nest, {0, 1}, range, sink);
    });
    for (std::int64_t i = 0; i < n_sums; ++i) {
      double total = 0;
      for (std::int64_t k = i; k < n_threads * tile; k += n_sums) total += sums[k];
      out[i] = static_cast<T>(total);
    }
    return;
  }
  memory.assign(static_cast<std::size_t>(n_sums), 0);
  const SumOfColumns<T> sink{program.outputs[0], rows_per_turn, columns, memory.data()};
  parallel(n_threads, [&](Part part) {
    const Range range = part.range(columns, tile_size);
    if (range.first < range.second) run_part(program, x, nest, {0, turns * rows_per_turn}, range, sink);
  });
  for (std::int64_t i = 0; i < n_sums; ++i) out[i] = static_cast<T>(memory[static_cast<std::size_t>(i)]);
}

}  // namespace

void run_tiles(const TileProgram& program, const Views& x, const Views& y) {
  const View& shape = y[0];
  const std::int64_t size = shape.size();
  if (size == 0) return;
  check_length(program);
  Nest nest = make_nest(x, shape.shape);
  join_short_rows(nest, x.size());
  const std::int64_t inner = inner_size(nest), rows = size / inner;
  std::atomic<bool> finite = true;
  parallel(threads_of(program, size), [&](Part part) {
    Store sink{program, y, inner};
    if (rows >= part.n)
      run_part(program, x, nest, part.range(rows), {0, inner}, sink);
    else
      run_part(program, x, nest, {0, rows}, part.range(inner, nest.tile), sink);
    if (!sink.finite) finite = false;
  });
  if (finite)
    for (int o = 0; o < y.size(); ++o) stays_finite(y[o]);
}

void sum_tiles(const TileProgram& program, const Views& x, const Sizes& shape, int second, SumOver over,
               const View& y) {
  check_length(program);
  if (y.size() == 0) return;
  std::int64_t size = 1;
  for (const std::int64_t n : shape) size *= n;
  if (size == 0) {
    std::memset(y.data, 0, static_cast<std::size_t>(y.size() * size_of(y.dtype)));
    return;
  }
  for_float(y, [&]<class T>(T) {
    if (over == SumOver::second_part)
      sum_second_part<T>(program, x, shape, second, y);
    else
      sum_first_part<T>(program, x, shape, second, y);
  });
}

}  // namespace damo
