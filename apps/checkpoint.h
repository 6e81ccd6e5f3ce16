#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "apps/command_line.h"
#include "apps/log.h"
#include "apps/terminal.h"
#include "core/data/npz.h"
#include "models/params.h"

namespace damo::apps {

/// Thrown between two minibatches after a signal to stop, when what is to be saved has been saved.
struct Stopped {
  int signal;
  std::string message;
};

/// What a program needs in order to go on where it was stopped: every array and number that its loops change.
/// Each is declared once with keep(); with --resume that gives it the value that it had, so that a program
/// has no code of its own for going on but loops that begin where their variables say.
class Checkpoint {
 public:
  /// Reads --resume, if that was given. Throws Error if the file is damaged, or of a run with other settings.
  explicit Checkpoint(const CommonOptions& options);

  /// How long the log was; 0 for a run from its beginning.
  std::int64_t log_bytes() const { return log_bytes_; }
  /// Whether checkpoints are written at all.
  bool writes() const { return !path_.empty(); }

  /// No number of a run is larger: it would not be exact as a double.
  static constexpr std::int64_t largest = std::int64_t{1} << 53;

  /// Throws Error if the file holds no such value, one of another kind, or a number that is not in the range.
  /// The variables must outlive this.
  void keep(const std::string& name, std::int64_t& value, std::int64_t least = 0,
            std::int64_t most = largest);
  void keep(const std::string& name, double& value);  ///< also NaN
  void keep(const std::string& name, double& value, double least, double most);
  void keep(const std::string& name, bool& value);
  void keep(const std::string& name, std::vector<double>& values);
  void keep(const NamedParams& params);
  /// The states of random variables. The file may lack those that the run had not made yet; what it holds of
  /// those that this run makes no more stays in it.
  void keep(const std::string& name, const std::vector<Shared>& states);
  /// A checksum of data that does not change: to go on needs the same. Throws Error if it is another.
  void expect(const std::string& name, std::int64_t checksum);
  /// Throws Error if a value that was kept does not go with the others: it "must be ...".
  void check_kept(bool is_right, const std::string& name, const std::string& must) const;

  /// To be called between two minibatches: writes the file if it is time to, and throws Stopped if the user
  /// wants to stop. From the first call on, signals wait for the next.
  void pause(Log& log, Terminal& terminal);
  /// Writes the file, at the end of the run. Throws std::runtime_error.
  void write(Log& log);

 private:
  struct Number {
    std::string name;
    std::int64_t* whole = nullptr;
    double* real = nullptr;
    bool* flag = nullptr;
    std::vector<double>* list = nullptr;
    Tensor value() const;
  };

  bool resumes() const { return !resumed_.empty(); }
  bool is_saved(const std::string& name) const;
  Tensor take(const std::string& name, DType dtype, int ndim);
  std::int64_t take_whole(const std::string& name, std::int64_t least, std::int64_t most);
  void keep(const std::string& name, const Shared& variable);

  std::string path_;
  std::string resumed_;  ///< --resume
  double seconds_between_;
  Clock clock_;
  double next_;
  std::string settings_;
  NamedTensors saved_;  ///< what the resumed file holds and nobody has taken
  std::int64_t log_bytes_ = 0;
  std::vector<Number> numbers_;
  NamedParams variables_;
  std::vector<std::pair<std::string, std::int64_t>> checksums_;
};

}  // namespace damo::apps
