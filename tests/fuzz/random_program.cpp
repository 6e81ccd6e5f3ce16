#include "tests/fuzz/random_program.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/graph/body.h"
#include "tests/oracle_array.h"

namespace damo::test {
namespace {

/// d f_k / dx for each k < n, one below the other.
Var rows_of_jacobian(const Var& f, std::int64_t n, const Var& x) {
  Args rows;
  for (std::int64_t k = 0; k < n; ++k)
    rows.emplace_back(grad(f[k], x, {.disconnected_inputs = Disconnected::zero}));
  return stack(rows);
}

}  // namespace

std::uint32_t first_seed() {
  const char* from = std::getenv("DAMO_FUZZ_FROM");
  return from == nullptr ? 1 : static_cast<std::uint32_t>(std::max(1, std::atoi(from)));
}

RandomProgram::RandomProgram(std::uint32_t seed, DType dtype, RandomGraph::Kind kind)
    : g(seed, dtype, 2 + seed % 4, kind) {
  if (seed % 25 == 7) g.grow_chain(100 + static_cast<int>(seed % 200));
  g.grow(8 + static_cast<int>(seed % 25));
  outputs = g.outputs(3);
  const Var cost = g.cost();
  outputs.push_back(cost);
  for (const Var& v : grad(cost, {g.inputs()[0], g.inputs()[2], g.W(), g.E()})) outputs.push_back(v);
  expected = outputs;
  add_derivatives(seed);
  updates.emplace_back(g.W(), g.new_value());
  if (seed % 3 == 0) updates.emplace_back(g.E(), g.new_entries());
  for (const Update& u : updates) expected.push_back(u.value);
  expected = expand(expected);
}

void RandomProgram::add_derivatives(std::uint32_t seed) {
  const Vars in = g.inputs();
  const Var &x = in[0], &y = in[1], &v = in[2];
  const std::int64_t n = 2 + seed % 4;
  const GradArgs zero{.disconnected_inputs = Disconnected::zero};
  Vars more, same_more;
  switch (seed % 8) {
    case 1: more = Lop(g.any(RandomGraph::rc), {x, g.W()}, y); break;
    case 2: more = {Rop(g.any(RandomGraph::c_only), {x, g.W()}, {y, g.W()})}; break;
    case 3: {
      const Var f = g.any(RandomGraph::c_only);
      more = {jacobian(f, v, zero)};
      same_more = {rows_of_jacobian(f, n, v)};
      break;
    }
    case 5: {
      const Var f = g.any(RandomGraph::no_axes);
      try {
        more = {hessian(f, v, zero)};
        same_more = {rows_of_jacobian(grad(f, v, zero), n, v)};
      } catch (const Error& e) {  // it has no third derivative of the gamma function
        if (std::string(e.what()).find("tri_gamma has no gradient") == std::string::npos) throw;
        more.clear();
      }
      break;
    }
    default: break;
  }
  if (same_more.empty()) same_more = more;
  outputs.insert(outputs.end(), more.begin(), more.end());
  expected.insert(expected.end(), same_more.begin(), same_more.end());
}

Function RandomProgram::compiled(const Rewrites& rewrites) const {
  return compile({.inputs = g.inputs(),
                  .outputs = outputs,
                  .updates = updates,
                  .on_unused_input = OnUnusedInput::ignore},
                 rewrites, Here());
}

std::vector<Tensor> RandomProgram::wanted(const std::vector<Tensor>& values) const {
  const Vars x = g.inputs();
  VarMap<Tensor> by;
  for (std::size_t i = 0; i < x.size(); ++i) by.emplace(x[i], values[i]);
  return saturating_oracle(expected, by);
}

std::vector<Tensor> RandomProgram::results(const Function& f, const std::vector<Tensor>& values) const {
  std::vector<Tensor> before;
  for (const Update& u : updates) before.push_back(u.variable.get_value());
  const Values got = f.call(values.data(), values.size());
  std::vector<Tensor> all(got.begin(), got.end());
  for (std::size_t k = 0; k < updates.size(); ++k) {
    all.push_back(updates[k].variable.get_value());
    updates[k].variable.set_value(before[k]);
  }
  return all;
}

}  // namespace damo::test
