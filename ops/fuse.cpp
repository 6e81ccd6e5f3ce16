#include <algorithm>

#include "core/op.h"
#include "core/walk.h"
#include "ops/passes.h"
#include "ops/tile.h"

namespace damo {
namespace {

constexpr std::size_t most_operands = 24;
constexpr std::size_t most_steps = 48;

/// Several elementwise operations as one pass over memory. Only the fuse phase makes it: it has no gradient.
struct Fused : OpOf<Fused> {
  TileProgram program;
  std::string text;
  std::vector<DType> operand_dtypes;
  /// What was fused: an error names the member, not the whole.
  std::vector<NodePtr> members;

  bool operator==(const Fused& other) const {
    return program == other.program && operand_dtypes == other.operand_dtypes;
  }

  std::string name() const override { return "fused{" + text + "}"; }

  Types infer(const Types& x) const override {
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
    return {registers.back()};
  }

  bool is_elementwise() const override { return true; }
  bool overwrites(int, int) const override { return true; }
  void perform(const Views& x, const Views& y) const override { run_tiles(program, x, y); }
};

/// "tanh((0 + 1))": the program over its operands' numbers.
std::string text_of(const TileProgram& program) {
  std::vector<std::string> registers;
  for (int i = 0; i < program.n_inputs; ++i) registers.push_back(std::to_string(i));
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
  return registers.back();
}

/// The elementwise nodes that end in one of them: members in the order of computation.
struct Group {
  std::vector<NodePtr> members;
  Vars operands;
};

bool fusible(const Node& node) {
  return node.kind == Node::Kind::apply && node.types.size() == 1 &&
         dynamic_cast<const Elemwise*>(node.op.get()) != nullptr &&
         !(node.types[0].ndim() == 0 && !node.types[0].is_float());
}

}  // namespace

Vars fuse_elementwise(const Vars& outputs, Trace& trace) {
  const std::vector<NodePtr> order = toposort(outputs);
  const VarMap<int> uses = count_uses(outputs);
  std::unordered_set<const Node*> roots;
  for (const Var& v : outputs) roots.insert(v.node_ptr().get());

  // A node joins the group of its only reader if both have the same size.
  std::unordered_map<const Node*, const Node*> reader;
  for (const NodePtr& node : order)
    for (const Var& x : node->inputs) reader[x.node_ptr().get()] = node.get();
  std::unordered_map<const Node*, const Node*> head;  // of the group that a node belongs to
  std::unordered_map<const Node*, std::size_t> size;
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const Node* node = at->get();
    if (!fusible(*node)) continue;
    const Var v(*at);
    const Node* into = roots.contains(node) || uses.at(v) > 1 ? nullptr : reader.at(node);
    if (into != nullptr && head.contains(into)) {
      const Node* h = head.at(into);
      const Type &own = node->types[0], &result = h->types[0];
      const bool same_size = own.ndim() == result.ndim() && own.stretch == result.stretch;
      const bool is_scalar = own.ndim() == 0;
      if ((same_size || is_scalar) && size.at(h) < most_steps) {
        head[node] = h;
        ++size[h];
        continue;
      }
    }
    head[node] = node;
    size[node] = 1;
  }

  std::unordered_map<const Node*, Group> groups;
  for (const NodePtr& node : order)
    if (const auto h = head.find(node.get()); h != head.end()) groups[h->second].members.push_back(node);

  VarMap<Var> done;
  const auto now = [&](const Var& v) {
    const auto found = done.find(v);
    return found == done.end() ? v : found->second;
  };
  for (const NodePtr& node : order) {
    if (node->kind != Node::Kind::apply) continue;
    const auto h = head.find(node.get());
    if (h != head.end() && h->second != node.get()) continue;
    if (h != head.end() && groups.at(node.get()).members.size() > 1) {
      Group& group = groups.at(node.get());
      VarMap<int> number;
      for (const NodePtr& m : group.members)
        for (const Var& x : m->inputs) {
          const auto owner = head.find(x.node_ptr().get());
          const bool inside = owner != head.end() && owner->second == node.get();
          if (!inside && number.emplace(x, static_cast<int>(group.operands.size())).second)
            group.operands.push_back(x);
        }
      if (group.operands.size() <= most_operands) {
        Fused fused;
        fused.program.n_inputs = static_cast<int>(group.operands.size());
        for (const Var& x : group.operands) fused.operand_dtypes.push_back(x.dtype());
        for (const NodePtr& m : group.members) {
          TileProgram::Instruction code;
          code.f = scalar_op(Var(m));
          code.kernel = m->inputs.back().dtype();
          code.result = m->types[0].dtype;
          for (std::size_t k = 0; k < m->inputs.size(); ++k) code.x[k] = number.at(m->inputs[k]);
          number.emplace(Var(m), fused.program.n_inputs + static_cast<int>(fused.program.code.size()));
          fused.program.code.push_back(code);
        }
        fused.program.outputs = {fused.program.n_inputs + static_cast<int>(fused.program.code.size()) - 1};
        fused.members = group.members;
        fused.text = text_of(fused.program);
        Vars inputs;
        for (const Var& x : group.operands) inputs.push_back(now(x));
        const Scope here(*node, {Origin::Kind::rule, "fuse"});
        const Var result = apply(make_op(std::move(fused)), std::move(inputs));
        if (!node->name.empty()) result.named(node->name);
        trace.push_back({"fuse", Var(node), result, node->where});
        done.emplace(Var(node), result);
        continue;
      }
      // Too many operands: the members stay as they are.
      for (const NodePtr& m : group.members) {
        Vars inputs;
        for (const Var& x : m->inputs) inputs.push_back(now(x));
        done.emplace(Var(m), rebuild(*m, std::move(inputs))[0]);
      }
      continue;
    }
    Vars inputs;
    bool changed = false;
    for (const Var& x : node->inputs) {
      inputs.push_back(now(x));
      changed |= !same(inputs.back(), x);
    }
    if (!changed) continue;
    const Vars outs = rebuild(*node, std::move(inputs));
    for (int i = 0; i < static_cast<int>(outs.size()); ++i)
      done.emplace(Var(node, i), outs[static_cast<std::size_t>(i)]);
  }
  Vars result;
  for (const Var& v : outputs) result.push_back(now(v));
  return result;
}

}  // namespace damo
