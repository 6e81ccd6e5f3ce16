#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/apps/ends.h"
#include "tests/apps/process.h"

/// Checkpoints of the right form whose numbers no run can have written, for every program and every number.
namespace damo::test {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity(),
                 nan = std::numeric_limits<double>::quiet_NaN();

bool is_one_of(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Values for an entry that must be refused.
std::vector<Tensor> hostile_values(const std::string& name, const Tensor& good) {
  // What a run that has diverged writes.
  static const std::vector<std::string> any_number = {"cost_sum", "valid_error", "test_error", "f",
                                                      "f_before"};
  if (good.dtype() == int64 && good.ndim() == 0) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    std::vector<Tensor> values = {Tensor(most), Tensor(-most - 1), Tensor(std::int64_t{-1}), Tensor(1.),
                                  Tensor::zeros({1}, int64)};
    if (name == "iter") values.push_back(Tensor(good.item<std::int64_t>() + 1));
    if (name == "best_iter") values.push_back(Tensor(std::int64_t{1000000}));
    return values;
  }
  if (good.dtype() == float64 && good.ndim() == 0) {
    std::vector<Tensor> values = {Tensor(std::int64_t{1}), Tensor::zeros({1}, float64)};
    if (!is_one_of(name, any_number))
      values.insert(values.end(), {Tensor(nan), Tensor(-1.), Tensor(-infinite)});
    return values;
  }
  if (name.starts_with("rng")) {
    std::vector<Tensor> values = {Tensor::zeros(good.shape(), good.dtype()),
                                  Tensor::zeros({3}, good.dtype())};
    for (const std::int64_t word : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
      const Tensor bad = good.copy();
      if (good.dtype() == int32)
        bad.span<std::int32_t>()[4] = static_cast<std::int32_t>(word);  // of MRG31k3p's second component
      else
        bad.span<std::int64_t>()[312] = word;  // the position and has_gauss
      values.push_back(bad);
    }
    return values;
  }
  Sizes longer = good.shape();
  longer[0] += 1000;
  return {Tensor::zeros(longer, good.dtype()), Tensor(1.), Tensor::zeros(good.shape(), uint8)};
}

TEST_CASE("every number of every program's checkpoint: what cannot be is refused by its name") {
  int refused = 0;
  for (const SmallRun& c : small_runs()) {
    const std::string folder = work_dir();
    // Stopped amidst, so that every number has a value.
    {
      Process process(c.program, c.arguments + " --save model.npz --checkpoint good.npz --checkpoint-every 0",
                      folder);
      wait_for_checkpoints(process, folder + "/good.npz", 3);
      process.send(SIGKILL);
      process.wait();
    }
    const NamedTensors good = load_npz(folder + "/good.npz");
    for (std::size_t i = 0; i < good.size(); ++i) {
      const std::string& name = good[i].first;
      if (name == "settings") continue;  // text, which is compared
      for (const Tensor& value : hostile_values(name, good[i].second)) {
        NamedTensors bad = good;
        bad[i].second = value;
        save_npz(folder + "/bad.npz", bad);
        INFO(c.program, ": ", name, " = ", to_string(value));
        const Outcome o = run(c.program, c.arguments + " --save model.npz --resume bad.npz", folder);
        CHECK(o.status == 2);
        CHECK(o.err.starts_with(c.program + ": --resume is bad.npz, "));
        CHECK(o.err.find(name) != std::string::npos);
        CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
        ++refused;
      }
    }
    // The good one is.
    CHECK(run(c.program, c.arguments + " --save model.npz --resume good.npz", folder).status == 0);
  }
  CHECK(refused > 500);
}

}  // namespace
}  // namespace damo::test
