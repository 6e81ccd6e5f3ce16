#pragma once
#include <fmt/format.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "apps/checkpoint.h"
#include "apps/command_line.h"
#include "apps/files.h"
#include "apps/log.h"
#include "apps/terminal.h"
#include "core/random/random_state.h"
#include "models/datasets.h"
#include "models/params.h"
#include "ops/random.h"

namespace damo::apps {

/// One run of a program: its data, its files, and what the user sees of it.
class Session {
 public:
  /// Sets floatX and the mode, reads --resume and opens the log. Throws Error if a file that is to be written
  /// later, `pictures` among them, cannot be, or is another one of the run too.
  explicit Session(const CommonOptions& options, const std::vector<RunFile>& pictures = {});
  /// Prints the profiles to standard error, if they were asked for.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// The data sets that the options name, at their sizes. Throws Error.
  Datasets load_datasets();

  /// Throws Error unless every set has at least one whole minibatch.
  void check_batch_size(int batch_size, std::initializer_list<Shared> sets) const;

  /// Gives the parameters the values of --load, if that was given. Throws Error.
  void load(const NamedParams& params);
  /// Writes them to --save, if that was given. Throws std::runtime_error.
  void save(const NamedParams& params);
  /// A picture of the columns of W (784, n), the first hundred of them, as tiles of 28 x 28. Throws
  /// std::runtime_error.
  void save_filters(const Shared& W, const std::string& path);

  /// To be called between two minibatches; see Checkpoint.
  void pause() { checkpoint.pause(log, terminal); }

  /// A line on standard output.
  template <class... A>
  void say(fmt::format_string<A...> format, A&&... args) {
    terminal.say(fmt::format(format, std::forward<A>(args)...));
  }

  Terminal terminal;
  Checkpoint checkpoint;
  Log log;

 private:
  Datasets read_datasets();

  CommonOptions options_;
};

/// The generator that --rng names, seeded by rng.randint(2^30) as in the tutorials.
std::unique_ptr<Streams> make_streams(const std::string& rng_option, RandomState& rng);

}  // namespace damo::apps
