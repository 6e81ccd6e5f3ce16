#pragma once
#include <vector>

#include "scalar_op.h"

namespace damo {

/// A chain of elementwise operations, run tile by tile: registers 0 .. n_inputs - 1 hold the operands, each
/// instruction writes one further register.
struct TileProgram {
  struct Instruction {
    const ScalarOp* f = nullptr;
    DType kernel = DType::float32;  ///< which of f's kernels
    DType result = DType::float32;
    int x[max_arity] = {};
    bool operator==(const Instruction&) const = default;
  };
  int n_inputs = 0;
  std::vector<Instruction> code;  ///< instruction i writes register n_inputs + i
  std::vector<int> outputs;       ///< the registers to store

  int n_registers() const { return n_inputs + static_cast<int>(code.size()); }
  bool operator==(const TileProgram&) const = default;
};

/// Runs the program: the operands are stretched to the shape of y[0]; all outputs have that shape.
void run_tiles(const TileProgram& program, const Views& x, const Views& y);

enum class SumOver { first_part, second_part };

/// The sums of the program's one output, float32 or float64, over the axes of `shape` before `second`, or
/// over those from there on; accumulated in float64. The operands are stretched to `shape`; y has the rest of
/// the axes.
void sum_tiles(const TileProgram& program, const Views& x, const Sizes& shape, int second, SumOver over,
               const View& y);

}  // namespace damo
