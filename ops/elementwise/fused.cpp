#include "ops/elementwise/fused.h"

namespace damo {
namespace {

/// "tanh((#0 + #1))": the program over its operands' numbers.
std::string text_of(const TileProgram& program) {
  std::vector<std::string> registers;
  for (int i = 0; i < program.n_inputs; ++i) registers.push_back(fmt::format("#{}", i));
  for (const TileProgram::Instruction& code : program.code) {
    const auto x = [&](int k) { return registers[static_cast<std::size_t>(code.x[k])]; };
    const std::string& symbol = code.f->symbol;
    std::string s;
    if (!symbol.empty() && code.f->arity == 2)
      s = "(" + x(0) + " " + symbol + " " + x(1) + ")";
    else if (!symbol.empty())
      s = symbol + x(0);
    else {
      s = code.f->name + "(" + x(0);
      for (int k = 1; k < code.f->arity; ++k) s += ", " + x(k);
      s += ")";
    }
    constexpr std::size_t longest = 200;
    registers.push_back(s.size() > longest ? s.substr(0, longest) + "..." : s);
  }
  std::string s;
  for (const int o : program.outputs) s += (s.empty() ? "" : ", ") + registers[static_cast<std::size_t>(o)];
  return s;
}

}  // namespace

Fused::Fused(const std::vector<NodePtr>& nodes, const Vars& operands, const Vars& outputs) {
  program.n_inputs = static_cast<int>(operands.size());
  VarMap<int> number;
  for (const Var& x : operands) {
    number.emplace(x, static_cast<int>(number.size()));
    operand_dtypes.push_back(x.dtype());
  }
  const auto next = [&] { return program.n_inputs + static_cast<int>(program.code.size()); };
  for (const NodePtr& m : nodes) {
    if (const auto* inner = op_as<Fused>(*m)) {
      // Its registers: the operands, then one per instruction.
      std::vector<int> registers;
      for (const Var& x : m->inputs) registers.push_back(number.at(x));
      for (std::size_t i = 0; i < inner->program.code.size(); ++i) {
        TileProgram::Instruction code = inner->program.code[i];
        for (int k = 0; k < code.f->arity; ++k) code.x[k] = registers[static_cast<std::size_t>(code.x[k])];
        registers.push_back(next());
        program.code.push_back(code);
        members.push_back(inner->members[i]);
      }
      for (std::size_t o = 0; o < inner->program.outputs.size(); ++o)
        number.emplace(Var(m, static_cast<int>(o)),
                       registers[static_cast<std::size_t>(inner->program.outputs[o])]);
      continue;
    }
    TileProgram::Instruction code;
    code.f = scalar_op(Var(m));
    code.kernel = m->inputs.back().dtype();
    code.result = m->types[0].dtype;
    for (std::size_t k = 0; k < m->inputs.size(); ++k) code.x[k] = number.at(m->inputs[k]);
    number.emplace(Var(m), next());
    program.code.push_back(code);
    members.push_back(m);
  }
  for (const Var& y : outputs) program.outputs.push_back(number.at(y));
  text = text_of(program);
}

Types Fused::infer(const Types& x) const {
  Types registers = x;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Node& member = *members[i];
    Types operands;
    for (std::size_t k = 0; k < member.inputs.size(); ++k)
      operands.push_back(registers[static_cast<std::size_t>(program.code[i].x[k])]);
    try {
      registers.push_back(member.op->infer(operands)[0]);
    } catch (const Error& e) {
      throw Error(explain(member.op->name(), member.inputs, operands, member.where, e.what(), {}));
    }
    registers.back().has_value = false;
  }
  Types types;
  for (const int o : program.outputs) types.push_back(registers[static_cast<std::size_t>(o)]);
  return types;
}

}  // namespace damo
