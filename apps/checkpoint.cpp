#include "apps/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "core/check.h"

namespace damo::apps {
namespace {

volatile std::sig_atomic_t stop_signal = 0;

// The next one ends the program at once, as it does by default.
void on_signal(int signal) {
  stop_signal = signal;
  constexpr char text[] = "\nstopping after this minibatch; once more to stop at once\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, sizeof text - 1);
}

void catch_signals() {
  static bool done = false;
  if (done) return;
  done = true;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);  // as nohup asks
  }
}

// What a run may change when it goes on; the numbers depend on all other settings.
bool is_free(const std::string& option) {
  static const std::vector<std::string> free = {"--preset",
                                                "--dataset",
                                                "--threads",
                                                "--log",
                                                "--log-minibatches",
                                                "--save",
                                                "--load",
                                                "--filters",
                                                "--progress",
                                                "--checkpoint",
                                                "--resume",
                                                "--n-epochs",
                                                "--predict",
                                                "--checkpoint-every",
                                                "--training-epochs",
                                                "--output-folder",
                                                "--mode",
                                                "--profile"};
  return std::find(free.begin(), free.end(), option) != free.end();
}

std::string lines(const CommonOptions& options) {
  std::string text = "program " + options.program + "\n";
  for (const auto& [option, value] : options.settings)
    if (!is_free(option)) text += option + " " + value + "\n";
  return text;
}

Tensor bytes(const std::string& text) {
  const Tensor t = Tensor::empty({static_cast<std::int64_t>(text.size())}, uint8);
  std::memcpy(t.data(), text.data(), text.size());
  return t;
}

// The first line in which two lists of settings differ.
void check_same_settings(const std::string& path, const std::string& before, const std::string& now) {
  std::istringstream a(before), b(now);
  std::string x, y;
  while (true) {
    const bool more_a = static_cast<bool>(std::getline(a, x)), more_b = static_cast<bool>(std::getline(b, y));
    if (!more_a && !more_b) return;
    check(more_a && more_b && x == y,
          "--resume is {}, which was written by a run with {}, and this one has {}", path,
          more_a ? x : "fewer settings", more_b ? y : "fewer settings");
  }
}

}  // namespace

Checkpoint::Checkpoint(const CommonOptions& options)
    : path_(options.checkpoint.empty() ? options.resume : options.checkpoint),
      resumed_(options.resume),
      seconds_between_(options.checkpoint_every * 60),
      next_(seconds_between_),
      settings_(lines(options)) {
  if (!path_.empty()) check_writable(options.checkpoint.empty() ? "--resume" : "--checkpoint", path_);
  if (resumed_.empty()) return;
  try {
    saved_ = load_npz(resumed_);
  } catch (const Error& e) {
    fail("--resume: {}", e.what());
  }
  check(!saved_.empty() && saved_.front().first == "settings" && saved_.front().second.dtype() == uint8,
        "--resume is {}, which is no checkpoint: it does not begin with the settings of a run", resumed_);
  const Tensor& text = saved_.front().second;
  check_same_settings(
      resumed_, {static_cast<const char*>(text.data()), static_cast<std::size_t>(text.size())}, settings_);
}

const Tensor& Checkpoint::saved(const std::string& name, DType dtype, int ndim) const {
  const auto at = std::find_if(saved_.begin(), saved_.end(), [&](const auto& s) { return s.first == name; });
  check(at != saved_.end(), "--resume is {}, which lacks {}", resumed_, name);
  check(at->second.dtype() == dtype && at->second.ndim() == ndim,
        "--resume is {}, whose {} is {}, and must be {}", resumed_, name,
        Type(at->second.dtype(), at->second.shape()), Type(dtype, Sizes(ndim, -1)));
  return at->second;
}

std::int64_t Checkpoint::log_bytes() const {
  return resumes() ? saved("log_bytes", int64, 0).item<std::int64_t>() : 0;
}

void Checkpoint::keep(const std::string& name, std::int64_t& value) {
  if (resumes()) value = saved(name, int64, 0).item<std::int64_t>();
  numbers_.push_back({.name = name, .whole = &value});
}

void Checkpoint::keep(const std::string& name, double& value) {
  if (resumes()) value = saved(name, float64, 0).item<double>();
  numbers_.push_back({.name = name, .real = &value});
}

void Checkpoint::keep(const std::string& name, bool& value) {
  if (resumes()) value = saved(name, int64, 0).item<std::int64_t>() != 0;
  numbers_.push_back({.name = name, .flag = &value});
}

void Checkpoint::keep(const std::string& name, std::vector<double>& values) {
  if (resumes()) values = saved(name, float64, 1).to_vector<double>();
  numbers_.push_back({.name = name, .list = &values});
}

void Checkpoint::keep(const NamedParams& params) {
  for (const auto& [name, variable] : params) keep("param." + name, variable, false);
}

void Checkpoint::keep(const std::string& name, const std::vector<Shared>& states) {
  for (std::size_t i = 0; i < states.size(); ++i) keep(fmt::format("{}.{}", name, i), states[i], true);
}

void Checkpoint::keep(const std::string& name, const Shared& variable, bool optional) {
  const auto is_it = [&](const auto& entry) { return entry.first == name; };
  if (std::any_of(variables_.begin(), variables_.end(), is_it)) return;
  variables_.emplace_back(name, variable);
  if (!resumes() || (optional && std::none_of(saved_.begin(), saved_.end(), is_it))) return;
  const Tensor now = variable.get_value({.borrow = true});
  const Tensor& value = saved(name, now.dtype(), now.ndim());
  check(value.shape() == now.shape(), "--resume is {}, whose {} has shape {}, and must have {}", resumed_,
        name, value.shape(), now.shape());
  variable.set_value(value);
}

void Checkpoint::expect(const std::string& name, std::int64_t checksum) {
  if (resumes())
    check(saved(name, int64, 0).item<std::int64_t>() == checksum,
          "--resume is {}, which was written by a run on other data: the checksum of {} differs", resumed_,
          name);
  checksums_.emplace_back(name, checksum);
}

Tensor Checkpoint::Number::value() const {
  if (whole != nullptr) return Tensor(*whole);
  if (flag != nullptr) return Tensor(static_cast<std::int64_t>(*flag));
  if (real != nullptr) return Tensor(*real);
  return Tensor(*list, {static_cast<std::int64_t>(list->size())});
}

void Checkpoint::write(Log& log) {
  if (!writes()) return;
  NamedTensors all = {{"settings", bytes(settings_)}, {"log_bytes", Tensor(log.sync())}};
  for (const auto& [name, checksum] : checksums_) all.emplace_back(name, Tensor(checksum));
  for (const Number& number : numbers_) all.emplace_back(number.name, number.value());
  for (const auto& [name, variable] : variables_)
    all.emplace_back(name, variable.get_value({.borrow = true}));
  try {
    save_npz(path_, all);
  } catch (const Error& e) {
    throw std::runtime_error(e.what());
  }
  next_ = clock_.seconds() + seconds_between_;
}

void Checkpoint::pause(Log& log, Terminal& terminal) {
  catch_signals();
  if (stop_signal != 0) {
    write(log);
    throw Stopped{stop_signal,
                  writes() ? fmt::format("stopped; to go on, give the same options and --resume {}", path_)
                           : "stopped; what was learned since the last --save is lost, as there was no "
                             "--checkpoint"};
  }
  if (!writes() || clock_.seconds() < next_) return;
  try {
    write(log);
  } catch (const std::runtime_error& e) {
    // The file of last time is still there, and the disk may have room again next time.
    terminal.warn(fmt::format("no checkpoint this time: {}", e.what()));
    next_ = clock_.seconds() + seconds_between_;
  }
}

}  // namespace damo::apps
