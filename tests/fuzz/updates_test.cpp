#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/expect.h"
#include "tests/oracle.h"
#include "tests/support.h"

using namespace damo;

// Simultaneous updates of square matrices of one size, each by a random expression over all of them: whatever
// memory the planner reuses or writes in place, every right-hand side sees the old values.

namespace {

const std::uint32_t n_functions = test::n_random(400, 60);
constexpr std::int64_t size = 3;

class Updating {
 public:
  explicit Updating(std::uint32_t seed) : engine_(seed), x_(dmatrix("x")) {
    const int n = 2 + pick(3);
    for (int i = 0; i < n; ++i)
      variables_.push_back(
          shared(test::random({size, size}, float64, seed * 10 + static_cast<std::uint32_t>(i)),
                 "s" + std::to_string(i)));
    for (const Shared& s : variables_) pool_.push_back(s);
    pool_.push_back(x_);
    for (int i = 0; i < 3; ++i) pool_.push_back(expression());
    for (const Shared& s : variables_)
      if (pick(5) != 0) updated_.push_back(s);
    for (std::size_t i = 0; i < updated_.size(); ++i)
      new_values_.push_back(pick(4) == 0 ? any() : expression());
    for (int i = 0; i < 2; ++i) outputs_.push_back(any());
    outputs_.push_back(sum(x_));
  }

  Function compiled(Mode mode) const {
    Updates updates;
    for (std::size_t i = 0; i < updated_.size(); ++i) updates.emplace_back(updated_[i], new_values_[i]);
    return function({.inputs = {x_}, .outputs = outputs_, .updates = updates, .mode = mode});
  }

  const Var& x() const { return x_; }
  const Vars& outputs() const { return outputs_; }
  const Vars& new_values() const { return new_values_; }
  const std::vector<Shared>& updated() const { return updated_; }
  const std::vector<Shared>& variables() const { return variables_; }

 private:
  int pick(int n) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(n)); }
  Var any() { return pool_[static_cast<std::size_t>(pick(static_cast<int>(pool_.size())))]; }

  Var expression() {
    const Var a = any(), b = any();
    switch (pick(14)) {
      case 0: return a.T();
      case 1: return a[slice(none, none, -1)];
      case 2: return tanh(a);
      case 3: return tanh(a + b.T());
      case 4: return (a - 0.5 * dot(a, b)) * 0.5;
      case 5: return a - 0.2 * (dot(a.T(), b) + dot(b, a));
      case 6: return set_subtensor(a[0], b[2]);
      case 7: return inc_subtensor(a[{slice(none, none), 1}], b[1]) * 0.5;
      case 8: return join(0, {a[slice(1, none)], b[slice(0, 1)]});
      case 9: return 0.5 * a + 0.25 * b;
      case 10: return a * 0.9 - 0.1 * outer(a[0], b[{slice(none, none), 1}]);
      case 11: return softmax(a + b);
      case 12: return -a;
      default: return switch_(a > b, a, b);
    }
  }

  std::mt19937 engine_;
  Var x_;
  std::vector<Shared> variables_, updated_;
  Vars pool_, new_values_, outputs_;
};

}  // namespace

TEST_CASE("simultaneous updates agree with the oracle, call after call, also after calls that fail") {
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE})
    for (std::uint32_t seed = 1; seed <= n_functions; ++seed) {
      INFO("seed ", seed, ", mode ", static_cast<int>(mode));
      const Updating u(seed);
      const Function f = u.compiled(mode);
      std::vector<const void*> memory;
      for (const Shared& s : u.variables()) memory.push_back(s.get_value({.borrow = true}).data());
      std::vector<Tensor> held, held_values;
      for (std::uint32_t call = 0; call < 3; ++call) {
        // Now and then the input is a variable's own memory.
        const Tensor x = call == 1 ? u.variables()[0].get_value({.borrow = true})
                                   : test::random({size, size}, float64, seed + call);
        Vars all = u.outputs();
        all.insert(all.end(), u.new_values().begin(), u.new_values().end());
        const std::vector<Tensor> want = test::oracle(all, {{u.x(), x.copy()}});
        std::vector<Tensor> before;
        for (const Shared& s : u.variables()) before.push_back(s.get_value());

        const Values got = f(x);
        for (std::size_t i = 0; i < got.size(); ++i) {
          test::check_close(got[i], want[i], 1e-13, 1e-13, "output " + std::to_string(i));
          held.push_back(got[i]);
          held_values.push_back(got[i].copy());
        }
        for (std::size_t i = 0; i < u.updated().size(); ++i)
          test::check_close(u.updated()[i].get_value(), want[got.size() + i], 1e-13, 1e-13,
                            u.updated()[i].name());
        for (std::size_t i = 0; i < u.variables().size(); ++i) {
          const Shared& s = u.variables()[i];
          CHECK(s.get_value({.borrow = true}).data() == memory[i]);
          const bool updated = std::any_of(u.updated().begin(), u.updated().end(),
                                           [&](const Shared& t) { return same(s, t); });
          if (!updated) CHECK(identical(s.get_value(), before[i]));
        }

        // A call that fails leaves everything as it is. (If x takes part in nothing that knows its size, none
        // fails.)
        std::vector<Tensor> now;
        for (const Shared& s : u.variables()) now.push_back(s.get_value());
        if (test::error_of([&] { f(test::random({size + 1, size}, float64, 5)); }) != "no error")
          for (std::size_t i = 0; i < u.variables().size(); ++i)
            CHECK(identical(u.variables()[i].get_value(), now[i]));
        else
          for (std::size_t i = 0; i < u.variables().size(); ++i) u.variables()[i].set_value(now[i]);
      }
      for (std::size_t i = 0; i < held.size(); ++i) CHECK(identical(held[i], held_values[i]));
    }
}
