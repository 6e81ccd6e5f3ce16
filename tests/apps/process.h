#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <sstream>
#include <thread>
#include <vector>

#include "core/data/npz.h"
#include "tests/apps/program.h"

/// For the tests that watch, stop and resume programs while they run.
namespace damo::test {

/// A small run of each program: minibatches of a millisecond, a second in all.
struct SmallRun {
  std::string program, arguments;
  bool has_states = false;  ///< of random variables
};

inline const std::vector<SmallRun>& small_runs() {
  static const std::string digits =
      " --dataset synthetic --train-size 200 --valid-size 100 --test-size 100 --log-minibatches";
  static const std::string sda =
      "--hidden-layers-sizes 20,10 --corruption-levels .1,.2 --batch-size 10 "
      "--pretraining-epochs 2 --pretrain-lr .1 --training-epochs ";
  static const std::vector<SmallRun> all = {
      {"SdA", sda + "8" + digits, true},
      {"SdA", sda + "6 --cache-layers --rng mrg" + digits, true},
      {"dA", "--training-epochs 3 --batch-size 40" + digits, true},
      {"cA", "--training-epochs 3 --batch-size 40" + digits},
      {"mlp", "--n-epochs 20 --n-hidden 10 --batch-size 7" + digits},
      {"convolutional_mlp", "--n-epochs 6 --nkerns 2,3 --batch-size 20" + digits},
      {"logistic_sgd", "--n-epochs 30 --batch-size 9 --floatX float64" + digits},
      {"logistic_cg", "--n-epochs 40 --batch-size 9 --floatX float64" + digits},
  };
  return all;
}

/// A program that runs in `folder`.
class Process {
 public:
  /// Where its standard output and error go: two files of that folder, or what `streams` does in the child,
  /// between fork and exec.
  using Streams = std::function<void()>;
  static void to_files() {
    ::dup2(::open("out", O_CREAT | O_WRONLY | O_TRUNC, 0600), STDOUT_FILENO);
    ::dup2(::open("err", O_CREAT | O_WRONLY | O_TRUNC, 0600), STDERR_FILENO);
  }

  Process(const std::string& program, const std::string& arguments, const std::string& folder,
          const Streams& streams = to_files) {
    std::vector<std::string> words = {program_path(program)};
    std::istringstream stream(arguments);
    for (std::string word; stream >> word;) words.push_back(word);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    // In the child: nothing but system calls.
    if (::chdir(folder.c_str()) != 0) ::_exit(126);
    streams();
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (ended_) return;
    send(SIGKILL);
    wait();
  }

  bool has_ended() {
    if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    return ended_;
  }
  /// Nothing once it has ended: its number may be another process's by then.
  void send(int signal) const {
    if (!ended_) ::kill(pid_, signal);
  }
  /// The exit status, or minus the signal that killed it.
  int wait() {
    if (!ended_) ended_ = ::waitpid(pid_, &status_, 0) == pid_;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  }

 private:
  pid_t pid_;
  int status_ = 0;
  bool ended_ = false;
};

/// The exit status of a whole run, or minus the signal that killed it.
inline int run_in(const std::string& folder, const std::string& program, const std::string& arguments,
                  const Process::Streams& streams = Process::to_files) {
  return Process(program, arguments, folder, streams).wait();
}

/// Waits until f, or until the process has ended; returns whether f came.
template <class F>
bool wait_until(Process& process, F f) {
  while (!f()) {
    if (process.has_ended()) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

/// Waits until the file has been replaced n times, or the process has ended.
inline void wait_for_checkpoints(Process& process, const std::string& path, int n) {
  ino_t last = 0;
  bool first = true;
  wait_until(process, [&] {
    struct stat info {};
    const ino_t now = ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
    if (now != last && !first) --n;
    first = false;
    last = now;
    return n <= 0;
  });
}

/// What two checkpoints do not share, by name and bit for bit; of the time that was spent nothing is asked.
inline std::string difference_of_checkpoints(const std::string& a, const std::string& b) {
  const NamedTensors x = load_npz(a), y = load_npz(b);
  for (std::size_t i = 0; i < std::max(x.size(), y.size()); ++i) {
    if (i >= x.size() || i >= y.size()) return "one lacks " + (i < x.size() ? x : y)[i].first;
    const auto& [name, value] = x[i];
    if (name != y[i].first) return name + " stands where the other has " + y[i].first;
    if (name.ends_with("seconds")) continue;
    const Tensor& other = y[i].second;
    const auto bytes = static_cast<std::size_t>(value.size() * size_of(value.dtype()));
    if (value.dtype() != other.dtype() || value.shape() != other.shape() ||
        std::memcmp(value.data(), other.data(), bytes) != 0)
      return name + " differs";
  }
  return "";
}

}  // namespace damo::test
