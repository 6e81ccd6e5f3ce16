#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "core/npz.h"
#include "tests/expect.h"
#include "tests/support.h"

/// Runs of the programs that are killed or stopped, and then resumed.
namespace damo::test {
namespace {

namespace fs = std::filesystem;

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A program that runs in `folder`, with its standard streams in out and err there.
class Process {
 public:
  Process(const std::string& program, const std::string& arguments, const std::string& folder) {
    std::vector<std::string> words = {
        (fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "apps" / program).string()};
    std::istringstream stream(arguments);
    for (std::string word; stream >> word;) words.push_back(word);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ > 0) return;
    // In the child: nothing but system calls.
    if (::chdir(folder.c_str()) != 0) ::_exit(126);
    ::dup2(::open("out", O_CREAT | O_WRONLY | O_TRUNC, 0600), STDOUT_FILENO);
    ::dup2(::open("err", O_CREAT | O_WRONLY | O_TRUNC, 0600), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }

  bool has_ended() {
    if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    return ended_;
  }
  void send(int signal) const { ::kill(pid_, signal); }
  // The exit status, or minus the signal that killed it.
  int wait() {
    if (!ended_) ended_ = ::waitpid(pid_, &status_, 0) == pid_;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  }

 private:
  pid_t pid_;
  int status_ = 0;
  bool ended_ = false;
};

int run(const std::string& program, const std::string& arguments, const std::string& folder) {
  return Process(program, arguments, folder).wait();
}

// Waits until the file has been replaced n times, or the process has ended.
void wait_for_checkpoints(Process& process, const std::string& path, int n) {
  ino_t last = 0;
  bool first = true;
  while (n > 0 && !process.has_ended()) {
    struct stat info {};
    const ino_t now = ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
    if (now != last && !first) --n;
    first = false;
    last = now;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

const std::string few_digits =
    " --dataset synthetic --train-size 200 --valid-size 100 --test-size 100 --log-minibatches";

struct Case {
  std::string program, arguments;
  bool saves_best = true;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"SdA",
       "--hidden-layers-sizes 20,10 --corruption-levels .1,.2 --batch-size 10 --training-epochs 4 "
       "--pretraining-epochs 2 --pretrain-lr .1" +
           few_digits},
      {"SdA",
       "--hidden-layers-sizes 20,10 --corruption-levels .1,.2 --batch-size 10 --training-epochs 2 "
       "--pretraining-epochs 2 --pretrain-lr .1 --cache-layers --rng mrg" +
           few_digits},
      {"dA", "--training-epochs 3 --batch-size 10" + few_digits},
      {"cA", "--training-epochs 3 --batch-size 10" + few_digits},
      {"mlp", "--n-epochs 5 --n-hidden 10 --batch-size 7" + few_digits},
      {"convolutional_mlp", "--n-epochs 3 --nkerns 2,3 --batch-size 20" + few_digits},
      {"logistic_sgd", "--n-epochs 20 --batch-size 9 --floatX float64" + few_digits},
      {"logistic_cg", "--n-epochs 40 --batch-size 9 --floatX float64" + few_digits},
  };
  return all;
}

// Runs to the end in `folder`, killed again and again shortly after it has written checkpoints. Returns how
// often it was killed.
int run_with_kills(const Case& c, const std::string& folder, int most, std::uint32_t seed) {
  std::mt19937 engine(seed);
  const std::string checkpoint = folder + "/run.npz";
  const std::string files = " --log log --save model.npz --checkpoint run.npz --checkpoint-every 0";
  int kills = 0;
  while (true) {
    const std::string resume = fs::exists(checkpoint) ? " --resume run.npz" : "";
    Process process(c.program, c.arguments + files + resume, folder);
    if (kills < most) {
      wait_for_checkpoints(process, checkpoint, 1 + static_cast<int>(engine() % 8));
      std::this_thread::sleep_for(std::chrono::microseconds(engine() % 3000));
      process.send(SIGKILL);
    }
    const int status = process.wait();
    if (status == -SIGKILL) {
      ++kills;
      continue;
    }
    INFO(contents(folder + "/err"));
    REQUIRE(status == 0);
    return kills;
  }
}

TEST_CASE("a run that is killed at any moment and resumed ends in the same bits") {
  const int kills = static_cast<int>(n_random(4));
  for (const Case& c : cases()) {
    INFO(c.program, " ", c.arguments);
    const std::string whole = temp_dir(), pieces = temp_dir();
    REQUIRE(run(c.program, c.arguments + " --log log --save model.npz", whole) == 0);
    CHECK(run_with_kills(c, pieces, kills, 7) > 0);
    CHECK(contents(pieces + "/log") == contents(whole + "/log"));
    CHECK(contents(pieces + "/model.npz") == contents(whole + "/model.npz"));
    // What a killed run was writing lies beside the file, under another name.
    const NamedTensors saved = load_npz(pieces + "/run.npz");
    CHECK(saved.front().first == "settings");
  }
}

TEST_CASE("Ctrl-C and SIGTERM finish the minibatch, save and say how to go on") {
  const Case& c = cases()[4];
  const std::string whole = temp_dir();
  REQUIRE(run(c.program, c.arguments + " --log log --save model.npz", whole) == 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string folder = temp_dir();
    const std::string files = " --log log --save model.npz --checkpoint run.npz";
    {
      Process process(c.program, c.arguments + files + " --checkpoint-every 0", folder);
      wait_for_checkpoints(process, folder + "/run.npz", 2);
      process.send(signal);
      REQUIRE(process.wait() == 128 + signal);
    }
    const std::string err = contents(folder + "/err");
    CHECK(err.find("stopping after this minibatch; once more to stop at once\n") != std::string::npos);
    CHECK(err.ends_with("mlp: stopped; to go on, give the same options and --resume run.npz\n"));
    REQUIRE(run(c.program, c.arguments + files + " --resume run.npz", folder) == 0);
    CHECK(contents(folder + "/log") == contents(whole + "/log"));
    CHECK(contents(folder + "/model.npz") == contents(whole + "/model.npz"));
  }
}

TEST_CASE("without --checkpoint a stopped program says that nothing is kept") {
  const std::string folder = temp_dir();
  Process process("mlp", "--n-epochs 100000 --log log --progress off" + few_digits, folder);
  while (!process.has_ended() && contents(folder + "/log").empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(SIGTERM);
  CHECK(process.wait() == 128 + SIGTERM);
  CHECK(contents(folder + "/err")
            .ends_with("mlp: stopped; what was learned since the last --save is lost, as there "
                       "was no --checkpoint\n"));
}

TEST_CASE("a finished run can be resumed: with more epochs it goes on, else it ends at once") {
  const std::string folder = temp_dir(), whole = temp_dir();
  const std::string files = " --log log --save model.npz --checkpoint run.npz";
  const std::string few = "--n-hidden 10" + few_digits;
  REQUIRE(run("mlp", few + files + " --n-epochs 3", whole) == 0);
  REQUIRE(run("mlp", few + files + " --n-epochs 2", folder) == 0);
  const std::string log = contents(folder + "/log");
  REQUIRE(run("mlp", few + files + " --n-epochs 2 --resume run.npz", folder) == 0);
  CHECK(contents(folder + "/log") == log);
  REQUIRE(run("mlp", few + files + " --n-epochs 3 --resume run.npz", folder) == 0);
  CHECK(contents(folder + "/log") == contents(whole + "/log"));
  CHECK(contents(folder + "/model.npz") == contents(whole + "/model.npz"));
}

TEST_CASE("what cannot be resumed is said") {
  const std::string folder = temp_dir();
  const std::string few = "--n-hidden 10 --n-epochs 1" + few_digits;
  REQUIRE(run("mlp", few + " --log log --save model.npz --checkpoint run.npz", folder) == 0);
  const auto message = [&](const std::string& program, const std::string& arguments) {
    CHECK(run(program, arguments, folder) == 2);
    return contents(folder + "/err");
  };
  CHECK(message("mlp", few + " --resume run.npz --batch-size 7") ==
        "mlp: --resume is run.npz, which was written by a run with --batch-size 20, and this one has "
        "--batch-size 7\n");
  CHECK(message("logistic_sgd", "--n-epochs 1 --resume run.npz" + few_digits) ==
        "logistic_sgd: --resume is run.npz, which was written by a run with program mlp, and this one has "
        "program "
        "logistic_sgd\n");
  CHECK(message("mlp", few + " --resume model.npz") ==
        "mlp: --resume is model.npz, which is no checkpoint: it does not begin with the settings of a run\n");
  CHECK(message("mlp", few + " --resume absent.npz") ==
        "mlp: --resume: cannot open absent.npz: No such file or directory\n");
  CHECK(message("mlp", few + " --checkpoint-every 1") ==
        "mlp: --checkpoint-every is given, but no --checkpoint says where\n");
  CHECK(message("mlp", few + " --checkpoint absent/run.npz") ==
        "mlp: --checkpoint is absent/run.npz, but there is no folder absent\n");
  const std::size_t size = contents(folder + "/log").size();
  std::ofstream(folder + "/log") << "short";
  CHECK(message("mlp", few + " --resume run.npz --log log") ==
        "mlp: --log is log, which has 5 bytes, and had " + std::to_string(size) + " at the checkpoint\n");

  // A file of the right form whose contents cannot be.
  const NamedTensors good = load_npz(folder + "/run.npz");
  const auto with = [&](const std::string& name, const Tensor& value) {
    NamedTensors bad = good;
    for (auto& [n, t] : bad)
      if (n == name) t = value;
    save_npz(folder + "/bad.npz", bad);
    return message("mlp", few + " --resume bad.npz");
  };
  CHECK(with("minibatch", Tensor(std::int64_t{11})) ==
        "mlp: --resume names a file with epoch 1, minibatch 11 and iteration 10, and an epoch has 10 "
        "minibatches\n");
  CHECK(with("epoch", Tensor(1.5)) ==
        "mlp: --resume is bad.npz, whose epoch is float64 (), and must be int64 ()\n");
  CHECK(with("param.logRegressionLayer.b", Tensor::zeros({11}, float32))
            .find(" has shape (11,), and must have (10,)") != std::string::npos);
  NamedTensors lacking = good;
  lacking.pop_back();
  save_npz(folder + "/bad.npz", lacking);
  CHECK(message("mlp", few + " --resume bad.npz") ==
        "mlp: --resume is bad.npz, which lacks " + good.back().first + "\n");
}

TEST_CASE("a checkpoint that cannot be written is tried again; the run goes on") {
  const std::string folder = temp_dir();
  fs::create_directory(folder + "/there");
  Process process(
      "mlp", "--n-hidden 10 --n-epochs 100000 --checkpoint there/run.npz --checkpoint-every 0" + few_digits,
      folder);
  wait_for_checkpoints(process, folder + "/there/run.npz", 2);
  fs::rename(folder + "/there", folder + "/elsewhere");
  while (!process.has_ended() &&
         contents(folder + "/err").find("no checkpoint this time") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  fs::rename(folder + "/elsewhere", folder + "/there");
  wait_for_checkpoints(process, folder + "/there/run.npz", 2);
  process.send(SIGTERM);
  CHECK(process.wait() == 128 + SIGTERM);
  CHECK(contents(folder + "/err")
            .find("no checkpoint this time: cannot write there/run.npz: No such file or directory\n") !=
        std::string::npos);
}

}  // namespace
}  // namespace damo::test
