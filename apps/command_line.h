#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/run/function.h"
#include "core/tensor/type.h"

namespace CLI {
class App;
}  // namespace CLI

/// What the programs share: nothing of it is part of the library.
namespace damo::apps {

/// Options and their values, as text.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// The options of a program. Each is declared with the variable that it sets; what the variable holds is its
/// default.
class CommandLine {
 public:
  CommandLine(const std::string& program, const std::string& description);
  ~CommandLine();

  void whole(const std::string& option, std::int64_t& value, std::int64_t least, std::int64_t most,
             const std::string& help);
  void whole(const std::string& option, int& value, int least, const std::string& help);
  void real(const std::string& option, double& value, double least, double most, const std::string& help);
  /// Numbers with commas between.
  void wholes(const std::string& option, std::vector<int>& values, int least, const std::string& help);
  void reals(const std::string& option, std::vector<double>& values, double least, double most,
             const std::string& help);
  void text(const std::string& option, std::string& value, const std::string& placeholder,
            const std::string& help);
  void choice(const std::string& option, std::string& value, const std::vector<std::string>& choices,
              const std::string& help);
  void flag(const std::string& option, bool& value, const std::string& help);
  /// Words that belong to no option.
  void words(const std::string& name, std::vector<std::string>& values, const std::string& help);

  /// Every option that takes a value, and the value that it has.
  Settings settings() const;
  const std::string& program() const { return program_; }

  /// Sets the variables. False if --help was asked for, and printed. Throws Error that names the option, what
  /// was found and what was expected.
  bool parse(int argc, const char* const* argv);

 private:
  /// `show` gives the variable's value as text, `read` sets it.
  template <class Show, class Read>
  void add(const std::string& option, const std::string& placeholder, const std::string& help, Show show,
           Read read);

  std::string program_;
  std::unique_ptr<CLI::App> app_;
  std::vector<std::pair<std::string, std::function<std::string()>>> values_;
};

/// What every program is asked.
struct CommonOptions {
  std::string dataset = {};  ///< a folder, "synthetic", or "" for the usual places
  std::string floatX = damo::to_string(damo::floatX());
  std::string rng = "numpy";
  std::int64_t seed = 0;
  int threads = 0;
  int train_size = 0;  ///< the first N points; 0: all of them
  int valid_size = 0;
  int test_size = 0;
  std::string log = {};
  bool log_minibatches = false;
  std::string save = {};
  std::string load = {};
  std::string checkpoint = {};
  double checkpoint_every = 10;  ///< minutes
  std::string resume = {};
  std::string progress = "auto";
  std::string mode = damo::to_string(default_mode());
  bool profile = false;

  std::string program = {};
  Settings settings = {};  ///< of all options, these and the program's own

  /// Declares these after the program's own, and reads the command line. False if --help was asked for.
  /// Throws Error as CommandLine::parse.
  bool read(CommandLine& line, int argc, const char* const* argv);
};

/// Runs a program. Returns its exit status: 0 if it ends, 2 after an Error (bad usage or bad input), 1 after
/// any other exception or if standard output could not be written, 128 + the signal's number if it was
/// stopped. The message goes to standard error, if that can be written.
int run(const std::string& program, int argc, const char* const* argv,
        void (*body)(int argc, const char* const* argv));

}  // namespace damo::apps
