#include "apps/command_line.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <limits>
#include <new>
#include <optional>

#include "apps/checkpoint.h"
#include "apps/files.h"
#include "apps/signals.h"
#include "apps/terminal.h"
#include "core/tensor/check.h"

namespace damo::apps {
namespace {

// A number, and nothing else, read without regard to the locale.
template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::int64_t read_whole(const std::string& option, const std::string& text, std::int64_t least,
                        std::int64_t most) {
  const auto value = number<std::int64_t>(text);
  check(value && *value >= least && *value <= most, "{} is \"{}\", and must be a whole number from {} to {}",
        option, text, least, most);
  return *value;
}

double read_real(const std::string& option, const std::string& text, double least, double most) {
  const auto value = number<double>(text);
  const std::string range = most == std::numeric_limits<double>::max()
                                ? fmt::format("of at least {}", least)
                                : fmt::format("from {} to {}", least, most);
  check(value && *value >= least && *value <= most, "{} is \"{}\", and must be a finite number {}", option,
        text, range);
  return *value;
}

// The items between commas: at least one.
std::vector<std::string> items(const std::string& option, const std::string& text) {
  check(!text.empty(), "{} is empty, and must be a list of numbers with commas between", option);
  std::vector<std::string> list{""};
  for (const char c : text) {
    if (c == ',')
      list.emplace_back();
    else
      list.back() += c;
  }
  return list;
}

}  // namespace

CommandLine::CommandLine(const std::string& program, const std::string& description)
    : program_(program), app_(std::make_unique<CLI::App>(description, program)) {
  app_->allow_extras();  // reported below, in our own words
  app_->get_formatter()->column_width(44);
}

CommandLine::~CommandLine() = default;

template <class Show, class Read>
void CommandLine::add(const std::string& option, const std::string& placeholder, const std::string& help,
                      Show show, Read read) {
  const std::string shown = show();
  const std::string text = shown.empty() ? help : fmt::format("{} ({})", help, shown);
  app_->add_option_function<std::string>(
          option,
          [option, read](const std::string& given) {
            // "--save --log x" saves nothing to a file "--log".
            check(!given.starts_with("--"), "{} needs a value, and is followed by {}", option, given);
            read(option, given);
          },
          text)
      ->type_name(placeholder)
      ->take_last();
  values_.emplace_back(option, show);
}

void CommandLine::whole(const std::string& option, std::int64_t& value, std::int64_t least, std::int64_t most,
                        const std::string& help) {
  add(
      option, "N", help, [&value] { return std::to_string(value); },
      [&value, least, most](const auto& name, const auto& text) {
        value = read_whole(name, text, least, most);
      });
}

void CommandLine::whole(const std::string& option, int& value, int least, const std::string& help) {
  add(
      option, "N", help, [&value, least] { return value == 0 && least > 0 ? "" : std::to_string(value); },
      [&value, least](const auto& name, const auto& text) {
        value = static_cast<int>(read_whole(name, text, least, std::numeric_limits<int>::max()));
      });
}

void CommandLine::real(const std::string& option, double& value, double least, double most,
                       const std::string& help) {
  add(
      option, "X", help, [&value] { return fmt::format("{}", value); },
      [&value, least, most](const auto& name, const auto& text) {
        value = read_real(name, text, least, most);
      });
}

void CommandLine::wholes(const std::string& option, std::vector<int>& values, int least,
                         const std::string& help) {
  add(
      option, "N,N,...", help, [&values] { return fmt::format("{}", fmt::join(values, ",")); },
      [&values, least](const auto& name, const auto& text) {
        values.clear();
        for (const std::string& item : items(name, text))
          values.push_back(static_cast<int>(read_whole(name, item, least, std::numeric_limits<int>::max())));
      });
}

void CommandLine::reals(const std::string& option, std::vector<double>& values, double least, double most,
                        const std::string& help) {
  add(
      option, "X,X,...", help, [&values] { return fmt::format("{}", fmt::join(values, ",")); },
      [&values, least, most](const auto& name, const auto& text) {
        values.clear();
        for (const std::string& item : items(name, text))
          values.push_back(read_real(name, item, least, most));
      });
}

void CommandLine::text(const std::string& option, std::string& value, const std::string& placeholder,
                       const std::string& help) {
  add(
      option, placeholder, help, [&value] { return value; },
      [&value](const auto& name, const auto& given) {
        check(!given.empty(), "{} is empty", name);
        value = given;
      });
}

void CommandLine::choice(const std::string& option, std::string& value,
                         const std::vector<std::string>& choices, const std::string& help) {
  add(
      option, fmt::format("{}", fmt::join(choices, "|")), help, [&value] { return value; },
      [&value, choices](const auto& name, const auto& given) {
        const bool known = std::find(choices.begin(), choices.end(), given) != choices.end();
        check(known, "{} is \"{}\", and must be one of {}", name, given, fmt::join(choices, ", "));
        value = given;
      });
}

void CommandLine::flag(const std::string& option, bool& value, const std::string& help) {
  app_->add_flag(option, value, help)->disable_flag_override();
  values_.emplace_back(option, [&value] { return value ? "yes" : "no"; });
}

void CommandLine::words(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  app_->add_option(name, values, help)->type_name("");
}

Settings CommandLine::settings() const {
  Settings all;
  for (const auto& [option, value] : values_) all.emplace_back(option, value());
  return all;
}

bool CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app_->help().c_str(), stdout);
    return false;
  } catch (const CLI::ArgumentMismatch& e) {
    // "--option: 1 required N missing", or "flag was given a disallowed flag override"
    const std::string what = e.what();
    const std::size_t colon = what.find(':');
    if (colon == std::string::npos) fail("--{} takes no value", what.substr(0, what.find(' ')));
    fail("{} needs a value", what.substr(0, colon));
  } catch (const CLI::ParseError& e) {
    throw Error(e.what());
  }
  const std::vector<std::string> unknown = app_->remaining();
  check(unknown.empty(), "unknown option \"{}\"; --help lists the options",
        unknown.empty() ? "" : unknown.front());
  return true;
}

bool CommonOptions::read(CommandLine& line, int argc, const char* const* argv) {
  line.text(
      "--dataset", dataset, "DIR|synthetic",
      "the folder of the four MNIST files, or drawn digits; default: $DAMO_DATA, then ~/.cache/damo/mnist");
  line.choice("--floatX", floatX, {"float32", "float64"}, "the precision of data and parameters");
  line.choice("--rng", rng, {"numpy", "mrg"}, "the generator of random variables: NumPy's or MRG31k3p");
  line.whole("--seed", seed, 0, std::numeric_limits<std::uint32_t>::max(),
             "of the weights and of the random variables");
  line.whole("--threads", threads, 1, "at most so many threads compute");
  line.whole("--train-size", train_size, 1, "train on the first N points; default: all");
  line.whole("--valid-size", valid_size, 1, "validate on the first N points; default: all");
  line.whole("--test-size", test_size, 1, "test on the first N points; default: all");
  line.text("--log", log, "FILE", "write a JSON object a line for every epoch");
  line.flag("--log-minibatches", log_minibatches, "and one for every minibatch");
  line.text("--save", save, "FILE.npz", "write the parameters");
  line.text("--load", load, "FILE.npz", "start from these parameters");
  line.text("--checkpoint", checkpoint, "FILE.npz", "keep here what is needed to go on after a stop");
  line.real("--checkpoint-every", checkpoint_every, 0, 1e6, "minutes");
  line.text(
      "--resume", resume, "FILE.npz",
      "go on from this checkpoint, with the same options; later ones replace it unless --checkpoint names "
      "another file");
  line.choice("--progress", progress, {"auto", "on", "off"},
              "a progress line; auto: on a terminal, and a plain line every half minute elsewhere");
  line.choice("--mode", mode, {"FAST_RUN", "FAST_COMPILE", "NanGuardMode", "DebugMode"},
              "NanGuardMode stops at the first NaN, DebugMode checks Damo itself; both are slow");
  line.flag("--profile", profile, "print at the end where each function's time went");
  const double default_interval = checkpoint_every;
  if (!line.parse(argc, argv)) return false;
  check(checkpoint_every == default_interval || !checkpoint.empty() || !resume.empty(),
        "--checkpoint-every is given, but no --checkpoint says where");
  program = line.program();
  settings = line.settings();
  return true;
}

namespace {

int status_of(const std::string& program, int argc, const char* const* argv,
              void (*body)(int, const char* const*)) {
  const auto complain = [&](const char* message) { warn(fmt::format("{}: {}", program, message)); };
  try {
    body(argc, argv);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
    if (stop_signal() == SIGPIPE) return 128 + SIGPIPE;
    complain("standard output cannot be written");
    return 1;
  } catch (const Stopped& stopped) {
    complain(stopped.message.c_str());
    return 128 + stopped.signal;
  } catch (const Error& e) {
    complain(e.what());
    return 2;
  } catch (const std::bad_alloc&) {
    complain("there is not enough memory for data and layers of these sizes");
    return 1;
  } catch (const std::exception& e) {
    complain(e.what());
    return 1;
  }
}

}  // namespace

int run(const std::string& program, int argc, const char* const* argv,
        void (*body)(int, const char* const*)) {
  open_standard_streams();
  // A file that becomes too large is an error of its writer, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  return status_of(program, argc, argv, body);
}

}  // namespace damo::apps
