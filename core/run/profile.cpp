#include "core/run/profile.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>

#include "core/run/watch.h"

namespace damo {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double bytes_of(const View& v) { return static_cast<double>(v.size() * size_of(v.dtype)); }

struct Registry {
  std::mutex mutex;
  std::vector<std::shared_ptr<const Profile>> all;
};

Registry& registry() {
  static Registry r;
  return r;
}

class Profiler : public Watch {
 public:
  explicit Profiler(std::shared_ptr<Profile> profile) : profile_(std::move(profile)) {}

  void begin(const Frame&, const std::vector<Tensor>&) override {
    call_start_ = Clock::now();
    step_ = 0;
  }
  void before(const Frame&, const Step&) override { step_start_ = Clock::now(); }
  void after(const Frame& frame, const Step& step) override {
    Profile::Line& line = profile_->steps[step_++];
    line.seconds += seconds_since(step_start_);
    ++line.calls;
    for (std::size_t k = 0; k < step.x.size(); ++k)
      if (step.op->reads(static_cast<int>(k)) && frame.has(step.x[k]))
        line.bytes_read += bytes_of(frame[step.x[k]].view);
    for (const int i : step.y) line.bytes_written += bytes_of(frame[i].view);
    line.flops += step.op->flops(frame.x(step), frame.y(step));
  }
  void skipped(const Frame&, const Step&) override { ++step_; }
  void end(const Frame&) override {
    ++profile_->calls;
    profile_->seconds += seconds_since(call_start_);
  }

 private:
  std::shared_ptr<Profile> profile_;
  Clock::time_point call_start_, step_start_;
  std::size_t step_ = 0;
};

std::string rate(double amount, double seconds) {
  return amount > 0 && seconds > 0 ? fmt::format("{:.2f}", amount / seconds * 1e-9) : "-";
}

void add_table(std::string& s, const std::string& title, std::vector<Profile::Line> lines, double total) {
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  s += fmt::format("{:>6} {:>10} {:>9} {:>10} {:>9} {:>8}  {}\n", "%", "seconds", "calls", "us/call",
                   "GFLOP/s", "GB/s", title);
  for (const Profile::Line& l : lines) {
    s +=
        fmt::format("{:6.1f} {:10.6f} {:9} {:10.2f} {:>9} {:>8}  {}", total > 0 ? 100 * l.seconds / total : 0,
                    l.seconds, l.calls, l.calls > 0 ? 1e6 * l.seconds / static_cast<double>(l.calls) : 0,
                    rate(l.flops, l.seconds), rate(l.bytes_read + l.bytes_written, l.seconds), l.op);
    if (!l.label.empty()) s += " '" + l.label + "'";
    if (!l.where.empty()) s += "  " + l.where;
    s += '\n';
  }
}

}  // namespace

std::unique_ptr<Watch> profiler(const Schedule& schedule, std::shared_ptr<Profile>& profile) {
  profile = std::make_shared<Profile>();
  profile->function = schedule.program->name;
  for (const Segment& segment : schedule.segments)
    for (const Step& step : segment.steps)
      profile->steps.push_back({step.op->name(), step.node->name, to_string(step.node->where)});
  if (schedule.program->registers_profile) {
    Registry& r = registry();
    const std::lock_guard lock(r.mutex);
    r.all.push_back(profile);
  }
  return std::make_unique<Profiler>(profile);
}

const Profile& measured(const Function& f) {
  check(f.is_set(), "an empty Function has no profile");
  const Profile* profile = f.frame().profile();
  check(profile != nullptr, "function \"{}\" is not profiled: make it with .profile = true", f.name());
  return *profile;
}

std::string profile(const Function& f) { return to_string(measured(f)); }

std::string to_string(const Profile& profile) {
  double in_steps = 0;
  std::map<std::string, Profile::Line> by_op;
  for (const Profile::Line& l : profile.steps) {
    in_steps += l.seconds;
    Profile::Line& sum = by_op[l.op];
    sum.op = l.op;
    sum.calls += l.calls;
    sum.seconds += l.seconds;
    sum.bytes_read += l.bytes_read;
    sum.bytes_written += l.bytes_written;
    sum.flops += l.flops;
  }
  std::string s =
      fmt::format("function \"{}\": {} {} in {:.6f} s, of which {:.6f} s in {} {}\n", profile.function,
                  profile.calls, profile.calls == 1 ? "call" : "calls", profile.seconds, in_steps,
                  profile.steps.size(), profile.steps.size() == 1 ? "step" : "steps");
  std::vector<Profile::Line> ops;
  for (const auto& [name, line] : by_op) ops.push_back(line);
  add_table(s, "op", ops, in_steps);
  add_table(s, "step", profile.steps, in_steps);
  return s;
}

std::string profiles() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  std::string s;
  for (const auto& p : r.all)
    if (p->calls > 0) s += (s.empty() ? "" : "\n") + to_string(*p);
  return s;
}

}  // namespace damo
