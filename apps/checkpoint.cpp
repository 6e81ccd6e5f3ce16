#include "apps/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "apps/files.h"
#include "apps/signals.h"
#include "core/data/file.h"
#include "core/random/mrg.h"
#include "core/random/mt19937.h"
#include "core/tensor/check.h"

namespace damo::apps {
namespace {

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
          more_a ? printable(x) : "fewer settings", more_b ? y : "fewer settings");
  }
}

// Throws Error unless a generator can be in this state: zeros alone would be followed by zeros for ever.
void check_generator(const Tensor& state) {
  if (state.dtype() == int32) {
    const auto words = state.span<std::int32_t>();
    for (std::size_t i = 0; i < words.size(); i += 6)
      MRG31k3p({words[i], words[i + 1], words[i + 2], words[i + 3], words[i + 4], words[i + 5]});
    return;
  }
  MT19937State s{};
  std::memcpy(&s, state.data(), sizeof s);
  check(s.pos >= 0 && s.pos <= MT19937State::n, "its position is {}", s.pos);
  check(std::any_of(std::begin(s.mt), std::end(s.mt), [](auto word) { return word != 0; }),
        "all of its words are 0");
  check((s.has_gauss == 0 || s.has_gauss == 1) && std::isfinite(s.gauss), "its normal number is {}", s.gauss);
}

}  // namespace

Checkpoint::Checkpoint(const CommonOptions& options)
    : path_(options.checkpoint.empty() ? options.resume : options.checkpoint),
      resumed_(options.resume),
      seconds_between_(options.checkpoint_every * 60),
      next_(seconds_between_),
      settings_(lines(options)) {
  if (!path_.empty()) check_writable(options.checkpoint.empty() ? "--resume" : "--checkpoint", path_);
  if (!resumes()) return;
  try {
    saved_ = load_npz(resumed_);
  } catch (const Error& e) {
    fail("--resume: {}", e.what());
  }
  check(!saved_.empty() && saved_.front().first == "settings" && saved_.front().second.dtype() == uint8,
        "--resume is {}, which is no checkpoint: it does not begin with the settings of a run", resumed_);
  const Tensor text = take("settings", uint8, 1);
  check_same_settings(
      resumed_, {static_cast<const char*>(text.data()), static_cast<std::size_t>(text.size())}, settings_);
  log_bytes_ = take_whole("log_bytes", 0, largest);
}

bool Checkpoint::is_saved(const std::string& name) const {
  return std::any_of(saved_.begin(), saved_.end(), [&](const auto& s) { return s.first == name; });
}

Tensor Checkpoint::take(const std::string& name, DType dtype, int ndim) {
  const auto at = std::find_if(saved_.begin(), saved_.end(), [&](const auto& s) { return s.first == name; });
  check(at != saved_.end(), "--resume is {}, which lacks {}", resumed_, name);
  const Tensor value = std::move(at->second);
  saved_.erase(at);
  check(value.dtype() == dtype && value.ndim() == ndim, "--resume is {}, whose {} is {}, and must be {}",
        resumed_, name, Type(value.dtype(), value.shape()), Type(dtype, Sizes(ndim, -1)));
  return value;
}

std::int64_t Checkpoint::take_whole(const std::string& name, std::int64_t least, std::int64_t most) {
  const auto value = take(name, int64, 0).item<std::int64_t>();
  check_kept(value >= least && value <= most, name, fmt::format("from {} to {}, not {}", least, most, value));
  return value;
}

void Checkpoint::check_kept(bool is_right, const std::string& name, const std::string& must) const {
  check(is_right, "--resume is {}, whose {} must be {}", resumed_, name, must);
}

void Checkpoint::keep(const std::string& name, std::int64_t& value, std::int64_t least, std::int64_t most) {
  if (resumes()) value = take_whole(name, least, most);
  numbers_.push_back({.name = name, .whole = &value});
}

void Checkpoint::keep(const std::string& name, double& value) {
  if (resumes()) value = take(name, float64, 0).item<double>();
  numbers_.push_back({.name = name, .real = &value});
}

void Checkpoint::keep(const std::string& name, double& value, double least, double most) {
  keep(name, value);
  check_kept(value >= least && value <= most, name, fmt::format("from {} to {}, not {}", least, most, value));
}

void Checkpoint::keep(const std::string& name, bool& value) {
  if (resumes()) value = take_whole(name, 0, 1) != 0;
  numbers_.push_back({.name = name, .flag = &value});
}

void Checkpoint::keep(const std::string& name, std::vector<double>& values) {
  if (resumes()) values = take(name, float64, 1).to_vector<double>();
  numbers_.push_back({.name = name, .list = &values});
}

void Checkpoint::keep(const NamedParams& params) {
  for (const auto& [name, variable] : params) keep("param." + name, variable);
}

void Checkpoint::keep(const std::string& name, const std::vector<Shared>& states) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    const std::string entry = fmt::format("{}.{}", name, i);
    const auto is_it = [&](const auto& kept) { return kept.first == entry; };
    if (std::any_of(variables_.begin(), variables_.end(), is_it)) continue;
    if (!resumes() || !is_saved(entry)) {
      variables_.emplace_back(entry, states[i]);
      continue;
    }
    keep(entry, states[i]);
    try {
      check_generator(states[i].get_value({.borrow = true}));
    } catch (const Error& e) {
      fail("--resume is {}, whose {} is no state of a generator: {}", resumed_, entry, e.what());
    }
  }
}

void Checkpoint::keep(const std::string& name, const Shared& variable) {
  variables_.emplace_back(name, variable);
  if (!resumes()) return;
  const Tensor now = variable.get_value({.borrow = true});
  const Tensor value = take(name, now.dtype(), now.ndim());
  check(value.shape() == now.shape(), "--resume is {}, whose {} has shape {}, and must have {}", resumed_,
        name, value.shape(), now.shape());
  variable.set_value(value);
}

void Checkpoint::expect(const std::string& name, std::int64_t checksum) {
  if (resumes())
    check(take(name, int64, 0).item<std::int64_t>() == checksum,
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
  all.insert(all.end(), saved_.begin(), saved_.end());
  try {
    save_npz(path_, all);
  } catch (const Error& e) {
    throw std::runtime_error(e.what());
  }
  next_ = clock_.seconds() + seconds_between_;
}

void Checkpoint::pause(Log& log, Terminal& terminal) {
  catch_stop_signals();
  if (const int signal = stop_signal(); signal != 0) {
    write(log);
    throw Stopped{signal, writes()
                              ? fmt::format("stopped; to go on, give the same options and --resume {}", path_)
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
