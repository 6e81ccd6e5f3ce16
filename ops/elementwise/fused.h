#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "../kernels/tile.h"

/// For rewrites: elementwise operations that run as one.
namespace damo {

/// What rewrites let one of them have: its registers must fit a tile program's.
inline constexpr std::size_t most_operands = 24, most_steps = 48;

/// Several elementwise operations as one pass over memory. Only rewrites make it: it has no gradient.
struct Fused : OpOf<Fused> {
  TileProgram program;
  std::string text;
  std::vector<DType> operand_dtypes;
  /// What was fused: an error names the member, not the whole.
  std::vector<NodePtr> members;

  /// Members in the order of computation, elementwise or Fused themselves; their inputs are the operands,
  /// which become the inputs of this op, or other members; `outputs` are of members.
  Fused(const std::vector<NodePtr>& members, const Vars& operands, const Vars& outputs);

  bool operator==(const Fused& other) const {
    return program == other.program && operand_dtypes == other.operand_dtypes;
  }

  std::string name() const override { return "fused{" + text + "}"; }
  Types infer(const Types& x) const override;
  bool is_elementwise() const override { return program.outputs.size() == 1; }
  bool overwrites(int, int) const override { return program.outputs.size() == 1; }
  void perform(const Views& x, const Views& y) const override { run_tiles(program, x, y); }
};

}  // namespace damo
