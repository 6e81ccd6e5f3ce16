#include "core/graph/print.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/graph/body.h"
#include "core/graph/op.h"
#include "core/graph/walk.h"

namespace damo {
namespace {

constexpr std::size_t longest = 2000;

/// Depth-first with a budget: a graph that shares much would be written out exponentially often.
class Mathematics {
 public:
  std::string write(const Var& v) {
    put(v, 0);
    return std::move(out_);
  }

 private:
  void put(const Var& v, int depth) {
    constexpr int deepest = 200;
    if (out_.size() > longest || depth > deepest) {
      if (!out_.ends_with("...")) out_ += "...";
      return;
    }
    const Node& node = v.node();
    if (node.kind != Node::Kind::apply) {
      out_ += label(v);
      return;
    }
    const std::string symbol = node.op->symbol();
    if (!symbol.empty() && node.inputs.size() == 2) {
      out_ += '(';
      put(node.inputs[0], depth + 1);
      out_ += ' ' + symbol + ' ';
      put(node.inputs[1], depth + 1);
      out_ += ')';
    } else if (!symbol.empty() && node.inputs.size() == 1) {
      out_ += "(" + symbol;
      put(node.inputs[0], depth + 1);
      out_ += ')';
    } else {
      out_ += node.op->name();
      if (v.output() > 0) out_ += fmt::format(".{}", v.output());
      out_ += '(';
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (i > 0) out_ += ", ";
        put(node.inputs[i], depth + 1);
      }
      out_ += ')';
    }
  }

  std::string out_;
};

/// A letter for each node in the order of the text: A, B, ..., Z, AA, AB, ...
std::string letters(std::size_t n) {
  std::string s;
  for (++n; n > 0; n = (n - 1) / 26) s.insert(s.begin(), static_cast<char>('A' + (n - 1) % 26));
  return s;
}

std::string describe(const Var& v, bool types) {
  const Node& node = v.node();
  std::string s;
  if (node.kind == Node::Kind::apply) {
    s = node.op->name();
    if (node.types.size() > 1) s += fmt::format(".{}", v.output());
    if (!node.name.empty()) s += " '" + node.name + "'";
  } else {
    s = label(v);
  }
  if (types) s += " <" + to_string(v.type()) + ">";
  return s;
}

void check_titles(const char* what, const std::vector<std::string>& titles, const Vars& outputs) {
  check(titles.empty() || titles.size() == outputs.size(), "{}: {} titles for {} outputs", what,
        titles.size(), outputs.size());
}

std::string escaped(const std::string& s) {
  std::string out;
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// The ops that hold a Body, each once, in the order in which they were met.
class Bodies {
 public:
  void meet(const Node& node) {
    if (node.kind != Node::Kind::apply || node.op->body() == nullptr) return;
    const auto equal = [&](const OpPtr& op) { return op->same_as(*node.op); };
    if (std::none_of(met_.begin(), met_.end(), equal)) met_.push_back(node.op);
  }
  bool next() { return ++at_ < met_.size(); }
  const Op& op() const { return *met_[at_]; }
  std::size_t number() const { return at_; }

 private:
  std::vector<OpPtr> met_;
  std::size_t at_ = static_cast<std::size_t>(-1);
};

}  // namespace

std::string pp(const Var& v) { return Mathematics().write(v); }

std::string debugprint(const Vars& outputs, const DebugPrintArgs& args) {
  check_titles("debugprint", args.titles, outputs);
  struct Line {
    Var v;
    std::string indent, branch, below;
  };
  NodeMap<std::string> ids;
  std::string out;
  Bodies bodies;
  const auto print = [&](const Var& output, const std::string& title) {
    if (!title.empty()) out += title + "\n";
    std::vector<Line> stack{{output, title.empty() ? "" : " ", "", ""}};
    while (!stack.empty()) {
      const Line line = std::move(stack.back());
      stack.pop_back();
      const Node& node = line.v.node();
      const auto [at, fresh] = ids.emplace(&node, letters(ids.size()));
      out += fmt::format("{}{}{} [{}]{}\n", line.indent, line.branch, describe(line.v, args.types),
                         at->second, fresh || node.inputs.empty() ? "" : " (above)");
      if (!fresh) continue;
      bodies.meet(node);
      // A chain of a hundred thousand nodes must not be indented as deep.
      constexpr std::size_t widest = 120;
      const std::string indent = line.indent.size() > widest ? line.indent : line.indent + line.below;
      for (std::size_t i = node.inputs.size(); i-- > 0;) {
        const bool last = i + 1 == node.inputs.size();
        stack.push_back({node.inputs[i], indent, " |-", last ? "   " : " | "});
      }
    }
  };
  for (std::size_t k = 0; k < outputs.size(); ++k)
    print(outputs[k], args.titles.empty() ? "" : args.titles[k]);
  while (bodies.next()) {
    const Vars& inner = bodies.op().body()->outputs;
    for (std::size_t k = 0; k < inner.size(); ++k)
      print(inner[k], fmt::format("inside {}, output {}", bodies.op().name(), k));
  }
  return out;
}

std::string to_dot(const Vars& outputs, const std::vector<std::string>& titles) {
  check_titles("to_dot", titles, outputs);
  for (const Var& v : outputs) v.node();  // none may be empty
  std::string out = "digraph damo {\n  node [fontname=\"Helvetica\", fontsize=11];\n";
  NodeMap<std::size_t> ids;
  Bodies bodies;
  const auto add = [&](const NodePtr& node) {
    const auto [at, fresh] = ids.emplace(node.get(), ids.size());
    const std::size_t id = at->second;
    if (!fresh) return;
    bodies.meet(*node);
    const bool leaf = node->kind != Node::Kind::apply;
    const char* color = "white";
    if (node->kind == Node::Kind::shared)
      color = "lightblue";
    else if (node->kind == Node::Kind::input)
      color = "lightgreen";
    else if (node->kind == Node::Kind::constant)
      color = "lightgrey";
    else if (node->origin.kind == Origin::Kind::gradient)
      color = "mistyrose";
    out += fmt::format("  n{} [label=\"{}\", shape={}, style=filled, fillcolor={}];\n", id,
                       escaped(leaf ? label(Var(node)) : node->op->name()), leaf ? "box" : "ellipse", color);
    for (const Var& x : node->inputs)
      out += fmt::format("  n{} -> n{} [label=\"{}\", fontsize=9];\n", ids.at(x.node_ptr().get()), id,
                         escaped(to_string(x.type())));
  };
  for (const NodePtr& node : toposort(outputs)) add(node);
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    out += fmt::format("  out{} [label=\"{}\", shape=plaintext];\n", k,
                       escaped(titles.empty() ? fmt::format("output {}", k) : titles[k]));
    out += fmt::format("  n{} -> out{} [label=\"{}\", fontsize=9];\n", ids.at(outputs[k].node_ptr().get()), k,
                       escaped(to_string(outputs[k].type())));
  }
  while (bodies.next()) {
    out += fmt::format("  subgraph cluster{} {{\n  label=\"{}\";\n", bodies.number(),
                       escaped(bodies.op().name()));
    for (const NodePtr& node : toposort(bodies.op().body()->outputs)) add(node);
    out += "  }\n";
  }
  return out + "}\n";
}

}  // namespace damo
