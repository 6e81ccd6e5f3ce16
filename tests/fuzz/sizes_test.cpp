#include <doctest/doctest.h>

#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "tests/expect.h"
#include "tests/fuzz/random_program.h"

using namespace damo;
using test::error_of;
using test::RandomGraph;
using test::RandomProgram;

// Inputs whose sizes do not go together: a function fails in FAST_RUN if and only if it does in FAST_COMPILE.

namespace {

const std::uint32_t n_graphs = test::n_random(150, 20);

std::string op_of(const std::string& message) { return message.substr(0, message.find(':')); }

/// Whether something in the line that a message names does not fit in the graph as it was written.
bool fails_there(const RandomProgram& program, const std::string& message,
                 const std::vector<Tensor>& values) {
  for (const NodePtr& node : toposort(program.expected)) {
    if (node->kind != Node::Kind::apply || message.find(to_string(node->where) + ",") == std::string::npos)
      continue;
    const Function f = compile(
        {.inputs = program.g.inputs(), .outputs = Var(node), .on_unused_input = OnUnusedInput::ignore}, {},
        Here());
    if (error_of([&] { f.call(values.data(), values.size()); }) != "no error") return true;
  }
  return false;
}

}  // namespace

TEST_CASE("random graphs refuse what does not fit as they do when they are run as written") {
  for (std::uint32_t seed = test::first_seed(); seed <= n_graphs; ++seed) {
    INFO("seed ", seed);
    const RandomProgram program(seed, float64, RandomGraph::Kind::without_branches);
    const Function fast = program.compiled(default_rewrites()), written = program.compiled(Rewrites{});
    for (std::size_t k = 0; k < program.g.inputs().size(); ++k)
      for (int axis = 0; axis < program.g.inputs()[k].ndim(); ++axis)
        for (const std::int64_t change : {-1, 1, 2}) {
          std::vector<Tensor> values = program.g.values(3, seed);
          Sizes shape = values[k].shape();
          shape[axis] += change;
          values[k] = test::random(shape, values[k].dtype(), seed, 0, 1);
          INFO("input ", k, " has shape ", to_string(shape));
          const std::string expected = error_of([&] { program.results(written, values); }),
                            found = error_of([&] { program.results(fast, values); });
          CHECK((found == "no error") == (expected == "no error"));
          // Where several do not fit, any of them may be the first, and what was written in one line may be
          // another op now.
          if (op_of(found) != op_of(expected))
            CHECK_MESSAGE(fails_there(program, found, values), found, "\n\nbut\n\n", expected);
          // What fits afterwards is as before.
          CHECK(error_of([&] { program.results(fast, program.g.values(2, seed)); }) == "no error");
        }
  }
}
