#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "apps/command_line.h"
#include "core/tensor/check.h"
#include "tests/fuzz/targets/target.h"

using damo::fuzz::error_of;
using damo::fuzz::expect;

namespace {

// Every kind of option that the programs have.
struct Options {
  damo::apps::CommonOptions common = {.seed = 89677};
  std::vector<int> sizes = {1000, 500};
  std::vector<double> levels = {.1, .2};
  double rate = .1;
  bool cache = false;

  // False after --help.
  bool parse(const std::vector<std::string>& words) {
    damo::apps::CommandLine line("program", "A program.");
    line.wholes("--sizes", sizes, 1, "sizes");
    line.reals("--levels", levels, 0, 1, "fractions");
    line.real("--rate", rate, 0, std::numeric_limits<double>::max(), "a number");
    line.flag("--cache", cache, "a flag");
    std::vector<const char*> argv{"program"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    return common.read(line, static_cast<int>(argv.size()), argv.data());
  }

  void expect_valid() const {
    const auto fraction = [](double v) { return v >= 0 && v <= 1; };
    expect(!sizes.empty() && *std::min_element(sizes.begin(), sizes.end()) >= 1, "sizes are positive");
    expect(!levels.empty() && std::all_of(levels.begin(), levels.end(), fraction), "levels are fractions");
    expect(std::isfinite(rate) && rate >= 0, "a rate is finite and not negative");
    expect(common.seed >= 0 && common.seed <= 0xffffffff, "a seed has 32 bits");
    expect(std::min({common.threads, common.train_size, common.valid_size, common.test_size}) >= 0,
           "counts are not negative");
    expect(common.floatX == "float32" || common.floatX == "float64", "floatX is one of two");
    expect(common.rng == "numpy" || common.rng == "mrg", "the generator is one of two");
    expect(common.progress == "auto" || common.progress == "on" || common.progress == "off",
           "progress is one of three");
  }

  // A command line that says the same.
  std::vector<std::string> words() const {
    std::vector<std::string> out{fmt::format("--sizes={}", fmt::join(sizes, ",")),
                                 fmt::format("--levels={}", fmt::join(levels, ",")),
                                 fmt::format("--rate={}", rate),
                                 fmt::format("--seed={}", common.seed),
                                 "--floatX=" + common.floatX,
                                 "--rng=" + common.rng,
                                 "--progress=" + common.progress};
    const auto count = [&](const char* name, int n) {
      if (n > 0) out.push_back(fmt::format("--{}={}", name, n));
    };
    count("threads", common.threads);
    count("train-size", common.train_size);
    count("valid-size", common.valid_size);
    count("test-size", common.test_size);
    const auto text = [&](const char* name, const std::string& value) {
      if (!value.empty()) out.push_back(fmt::format("--{}={}", name, value));
    };
    text("dataset", common.dataset);
    text("log", common.log);
    text("save", common.save);
    text("load", common.load);
    if (cache) out.emplace_back("--cache");
    if (common.log_minibatches) out.emplace_back("--log-minibatches");
    return out;
  }
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // --help prints a page.
  expect(std::freopen("/dev/null", "w", stdout) != nullptr, "standard output can be closed");
  return 0;
}

// The lines as a command line: an Error, or options within their bounds; a command line made of those means
// the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < size; ++i) {
    if (i == 0 || data[i - 1] == '\n') words.emplace_back();
    if (data[i] != '\n' && data[i] != '\0') words.back() += static_cast<char>(data[i]);
  }
  Options first;
  bool run = false;
  const std::string error = error_of([&] { run = first.parse(words); });
  if (!error.empty()) return 0;
  first.expect_valid();
  if (!run) return 0;
  Options second;
  const std::string other = error_of([&] { second.parse(first.words()); });
  expect(other.empty(), "options that were read can be given again, not: " + other);
  expect(second.words() == first.words(), "options mean the same when they are given again");
  return 0;
}
