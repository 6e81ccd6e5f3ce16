// Measures the tutorials' steps, each beside the limit of what its memory traffic or its products allow.
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/bench/cases.h"
#include "apps/bench/families.h"
#include "apps/command_line.h"
#include "core/run/profile.h"
#include "core/run/threads.h"
#include "core/tensor/check.h"

namespace damo::bench {
namespace {

constexpr double seconds_per_repetition = .3;
const std::string build_case = "build_sda";

struct Options {
  std::vector<std::string> cases;
  std::string dataset;
  int threads = 0;
  int reps = 7;
  int build_to = 0;
  bool json = false, list = false, check = false, profile = false;
};

double seconds_of(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/// Repetitions of many steps each.
class Timer {
 public:
  /// `steps(n)` runs the next n steps.
  explicit Timer(std::function<void(std::int64_t n)> steps) : steps_(std::move(steps)) {
    steps_(3);
    double seconds = 0;
    for (n_ = 1; (seconds = seconds_of([this] { steps_(n_); })) < seconds_per_repetition / 4;) n_ *= 2;
    n_ = std::max<std::int64_t>(1, std::llround(static_cast<double>(n_) * seconds_per_repetition / seconds));
  }
  void repeat() {
    us.push_back(1e6 * seconds_of([this] { steps_(n_); }) / static_cast<double>(n_));
  }

  std::vector<double> us;  ///< microseconds per step, of each repetition

 private:
  std::function<void(std::int64_t)> steps_;
  std::int64_t n_ = 1;
};

struct Result {
  std::string name;
  std::vector<double> us;
  std::string limit_name;
  std::vector<double> limit_us;
};

Result measure(const Case& c, World& world, int reps) {
  const Step step = c.make(world);
  std::int64_t calls = 0, steps = 0;
  Timer damo([&](std::int64_t n) {
    for (; n > 0; --n) step.call(calls++ % step.n_batches);
  });
  if (step.limit == nullptr) {
    for (int i = 0; i < reps; ++i) damo.repeat();
    return {c.name, damo.us, "", {}};
  }
  const auto limit = step.limit(threads());
  Timer by_hand([&](std::int64_t n) {
    limit->run(steps, n, step.n_batches);
    steps += n;
  });
  for (int i = 0; i < reps; ++i) {
    damo.repeat();
    by_hand.repeat();
  }
  return {c.name, damo.us, step.limit_name, by_hand.us};
}

double rounded(double us) { return std::round(us * 100) / 100; }

void print(const Result& r, const Options& options) {
  const auto [least, most] = std::minmax_element(r.us.begin(), r.us.end());
  const bool limited = !r.limit_us.empty();
  const double middle = median(r.us), limit = limited ? median(r.limit_us) : 0;
  if (options.json) {
    nlohmann::ordered_json line{{"case", r.name},
                                {"threads", threads()},
                                {"us_median", rounded(middle)},
                                {"us_min", rounded(*least)},
                                {"us_max", rounded(*most)},
                                {"reps", r.us.size()},
                                {"limit", nullptr},
                                {"limit_us", nullptr},
                                {"ratio", nullptr}};
    if (limited) {
      line["limit"] = r.limit_name;
      line["limit_us"] = rounded(limit);
      line["ratio"] = rounded(middle / limit);
    }
    fmt::print("{}\n", line.dump());
  } else if (limited) {
    fmt::print("{:<20} {:>11.2f} {:>11.2f} {:>11.2f} {:>11.2f} {:>6.2f}  {}\n", r.name, middle, *least, *most,
               limit, middle / limit, r.limit_name);
  } else {
    fmt::print("{:<20} {:>11.2f} {:>11.2f} {:>11.2f}\n", r.name, middle, *least, *most);
  }
  std::fflush(stdout);
}

// |a - b| / |b - start|, by the sum of squares: how far apart two results of the same steps are.
double difference(const Tensor& a, const Tensor& b, const Tensor& start) {
  const auto x = a.span<float>(), y = b.span<float>(), z = start.span<float>();
  double apart = 0, moved = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    apart += std::pow(static_cast<double>(x[i]) - static_cast<double>(y[i]), 2);
    moved += std::pow(static_cast<double>(y[i]) - static_cast<double>(z[i]), 2);
  }
  return std::sqrt(apart / moved);
}

// Three steps by hand must give the function's costs and parameters; products on panels are compared with
// whole ones.
void check_case(const Case& c, World& world) {
  const Step step = c.make(world);
  if (step.limit == nullptr) return;
  const auto limit = step.limit(threads()), whole = step.limit(1);
  const bool computes_step = !std::isnan(limit->cost());
  std::vector<Tensor> start, expected;
  for (const Tensor& p : limit->params) start.push_back(p.copy());
  double worst_cost = 0, worst = 0;
  for (std::int64_t i = 0; i < 3; ++i) {
    limit->run(i, 1, step.n_batches);
    if (computes_step) {
      const double cost = step.call(i);
      worst_cost = std::max(worst_cost, std::abs(limit->cost() - cost) / std::abs(cost));
    } else {
      whole->run(i, 1, step.n_batches);
    }
  }
  for (std::size_t i = 0; i < limit->params.size(); ++i)
    expected.push_back(computes_step ? step.params[i].get_value() : whole->params[i]);
  for (std::size_t i = 0; i < expected.size(); ++i)
    worst = std::max(worst, difference(limit->params[i], expected[i], start[i]));
  const std::string of_costs = computes_step ? fmt::format(", of the costs {:.1e}", worst_cost) : "";
  fmt::print("{:<20} {:<16} relative difference of the updates {:.1e}{}\n", c.name, step.limit_name, worst,
             of_costs);
  // Weights are rounded to 2^-24 of themselves, updates are a thousandth of them and less.
  if (!(worst_cost < 1e-5 && worst < 1e-3))
    throw std::runtime_error(c.name + ": the limit computes something else");
}

bool chosen(const Options& options, const std::string& name) {
  return options.cases.empty() ||
         std::find(options.cases.begin(), options.cases.end(), name) != options.cases.end();
}

void measure_building(World& world, const Options& options) {
  print({build_case + "_cold", {1e6 * build_sda(world)}, "", {}}, options);
  Result warm{build_case, {}, "", {}};
  for (int i = 0; i < options.reps; ++i) warm.us.push_back(1e6 * build_sda(world));
  print(warm, options);
}

/// Seconds of processor time to build functions of graphs that grow.
void print_build_times(const Options& options) {
  if (!options.json)
    fmt::print("{:<16} {:>8} {:>8} {:>10} {:>10}  seconds\n", "graph", "n", "nodes", "graph", "function");
  for (const Family& family : families()) {
    if (!chosen(options, family.name)) continue;
    for (int n = 64; n <= options.build_to; n *= 4) {
      const BuildTime t = build(family, n);
      if (options.json)
        fmt::print("{}\n", nlohmann::ordered_json{{"family", family.name},
                                                  {"n", n},
                                                  {"nodes", t.nodes},
                                                  {"graph_s", t.graph},
                                                  {"function_s", t.function}}
                               .dump());
      else
        fmt::print("{:<16} {:>8} {:>8} {:>10.3f} {:>10.3f}\n", family.name, n, t.nodes, t.graph, t.function);
      std::fflush(stdout);
    }
  }
}

void program(int argc, const char* const* argv) {
  Options options;
  apps::CommandLine line(
      "bench",
      "Measures steps of the tutorials' models in microseconds, beside the limit: the step "
      "by hand for batch size 1, its products in BLAS alone for others.");
  line.words("case", options.cases, "what to measure (all of --list)");
  line.text(
      "--dataset", options.dataset, "DIR|synthetic",
      "the folder of the four MNIST files, or drawn digits; default: $DAMO_DATA, then ~/.cache/damo/mnist, "
      "then drawn digits");
  line.whole("--threads", options.threads, 1, "at most so many threads compute");
  line.whole("--reps", options.reps, 1, "repetitions, of 0.3 s each");
  line.whole("--build-to", options.build_to, 64,
             "measure nothing else, but how long functions of growing graphs take to build, from 64 to so "
             "many nodes");
  line.flag("--json", options.json, "print a JSON object a line");
  line.flag("--list", options.list, "print the names of the cases");
  line.flag("--check", options.check,
            "measure nothing, but compare what the limits compute with the functions");
  line.flag("--profile", options.profile, "print in the end where each function's time went");
  if (!line.parse(argc, argv)) return;

  std::vector<std::string> names;
  if (options.build_to > 0) {
    for (const Family& f : families()) names.push_back(f.name);
  } else {
    names.push_back(build_case);
    for (const Case& c : cases()) names.push_back(c.name);
  }
  for (const std::string& name : options.cases)
    check(std::find(names.begin(), names.end(), name) != names.end(),
          "there is no case \"{}\"; --list prints their names", name);
  if (options.list) {
    fmt::print("{}\n", fmt::join(names, "\n"));
    return;
  }

  set_floatX(float32);
  if (options.build_to > 0) return print_build_times(options);
  set_threads(options.threads);
  set_default_profile(options.profile);
  World world(options.dataset);
  if (!options.json && !options.check)
    fmt::print("{:<20} {:>11} {:>11} {:>11} {:>11} {:>6}  microseconds, {} threads\n", "case", "median",
               "least", "most", "limit", "ratio", threads());
  // Before anything else is built, so that the first time is cold.
  if (chosen(options, build_case) && !options.check) measure_building(world, options);
  for (const Case& c : cases()) {
    if (!chosen(options, c.name)) continue;
    if (options.check)
      check_case(c, world);
    else
      print(measure(c, world, options.reps), options);
  }
  if (options.profile) fmt::print(stderr, "{}", profiles());
}

}  // namespace
}  // namespace damo::bench

int main(int argc, char** argv) { return damo::apps::run("bench", argc, argv, damo::bench::program); }
