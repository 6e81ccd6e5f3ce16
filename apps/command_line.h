#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/type.h"

namespace CLI {
class App;
}  // namespace CLI

/// What the programs share: nothing of it is part of the library.
namespace damo::apps {

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

  /// Sets the variables. False if --help was asked for, and printed. Throws Error that names the option, what
  /// was found and what was expected.
  bool parse(int argc, const char* const* argv);

 private:
  template <class Read>
  void add(const std::string& option, const std::string& placeholder, const std::string& shown,
           const std::string& help, Read read);

  std::unique_ptr<CLI::App> app_;
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
  std::string progress = "auto";

  void declare(CommandLine& line);
};

/// Throws Error, which names the option, unless a file can be written at `path`: the folder must exist and
/// permit it.
void check_writable(const std::string& option, const std::string& path);

/// Runs a program. Returns its exit status: 0 if it ends, 2 after an Error (bad usage or bad input), 1 after
/// any other exception; the message goes to standard error.
int run(const std::string& program, int argc, const char* const* argv,
        void (*body)(int argc, const char* const* argv));

}  // namespace damo::apps
