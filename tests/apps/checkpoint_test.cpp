#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/apps/process.h"
#include "tests/expect.h"

/// Runs of the programs that are killed or stopped, and then resumed.
namespace damo::test {
namespace {

namespace fs = std::filesystem;

const std::string few_digits =
    " --dataset synthetic --train-size 200 --valid-size 100 --test-size 100 --log-minibatches";

// Runs to the end in `folder`, killed again and again shortly after it has written checkpoints. Returns how
// often it was killed.
int run_with_kills(const SmallRun& c, const std::string& folder, int most, std::uint32_t seed) {
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
    INFO(read_file(folder + "/err"));
    REQUIRE(status == 0);
    return kills;
  }
}

// DAMO_FUZZ=25: 200 runs.
TEST_CASE("a run that is killed at any moment and resumed ends in the same bits") {
  const std::uint32_t rounds = n_random(1);
  int runs = 0, equal = 0, kills = 0;
  for (const SmallRun& c : small_runs()) {
    INFO(c.program, " ", c.arguments);
    const std::string whole = temp_dir();
    REQUIRE(run_in(whole, c.program, c.arguments + " --log log --save model.npz --checkpoint run.npz") == 0);
    const NamedTensors saved = load_npz(whole + "/run.npz");
    CHECK(std::any_of(saved.begin(), saved.end(),
                      [](const auto& entry) { return entry.first.starts_with("rng"); }) == c.has_states);
    for (std::uint32_t round = 0; round < rounds; ++round, ++runs) {
      const std::string pieces = temp_dir();
      const int killed = run_with_kills(c, pieces, 4, 7 + round);
      CHECK(killed > 0);
      kills += killed;
      const bool same_log = read_file(pieces + "/log") == read_file(whole + "/log");
      const bool same_model = read_file(pieces + "/model.npz") == read_file(whole + "/model.npz");
      const std::string difference = difference_of_checkpoints(pieces + "/run.npz", whole + "/run.npz");
      CHECK(same_log);
      CHECK(same_model);
      CHECK(difference == "");
      // What the killed ones were writing is gone.
      for (const auto& entry : fs::directory_iterator(pieces)) CHECK(entry.path().extension() != ".tmp");
      if (same_log && same_model && difference.empty()) ++equal;
    }
  }
  MESSAGE(equal << " of " << runs << " runs ended in the same bits, after " << kills << " kills");
}

TEST_CASE("without --checkpoint a stopped program says that nothing is kept") {
  const std::string folder = temp_dir();
  Process process("mlp", "--n-epochs 100000 --log log --progress off" + few_digits, folder);
  while (!process.has_ended() && read_file(folder + "/log").empty())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(SIGTERM);
  CHECK(process.wait() == 128 + SIGTERM);
  CHECK(read_file(folder + "/err")
            .ends_with("mlp: stopped; what was learned since the last --save is lost, as there "
                       "was no --checkpoint\n"));
}

TEST_CASE("a finished run can be resumed: with more epochs it goes on, else it ends at once") {
  const std::string folder = temp_dir(), whole = temp_dir();
  const std::string files = " --log log --save model.npz --checkpoint run.npz";
  const std::string few = "--n-hidden 10" + few_digits;
  REQUIRE(run_in(whole, "mlp", few + files + " --n-epochs 3") == 0);
  REQUIRE(run_in(folder, "mlp", few + files + " --n-epochs 2") == 0);
  const std::string log = read_file(folder + "/log");
  REQUIRE(run_in(folder, "mlp", few + files + " --n-epochs 2 --resume run.npz") == 0);
  CHECK(read_file(folder + "/log") == log);
  REQUIRE(run_in(folder, "mlp", few + files + " --n-epochs 3 --resume run.npz") == 0);
  CHECK(read_file(folder + "/log") == read_file(whole + "/log"));
  CHECK(read_file(folder + "/model.npz") == read_file(whole + "/model.npz"));
}

TEST_CASE("what cannot be resumed is said") {
  const std::string folder = temp_dir();
  const std::string few = "--n-hidden 10 --n-epochs 1" + few_digits;
  REQUIRE(run_in(folder, "mlp", few + " --log log --save model.npz --checkpoint run.npz") == 0);
  const auto message = [&](const std::string& program, const std::string& arguments) {
    CHECK(run_in(folder, program, arguments) == 2);
    return read_file(folder + "/err");
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
  const std::size_t size = read_file(folder + "/log").size();
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
        "mlp: --resume is bad.npz, whose minibatch must be from 0 to 10, not 11\n");
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
         read_file(folder + "/err").find("no checkpoint this time") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  fs::rename(folder + "/elsewhere", folder + "/there");
  wait_for_checkpoints(process, folder + "/there/run.npz", 2);
  process.send(SIGTERM);
  CHECK(process.wait() == 128 + SIGTERM);
  CHECK(read_file(folder + "/err")
            .find("no checkpoint this time: cannot write there/run.npz: No such file or directory\n") !=
        std::string::npos);
}

}  // namespace
}  // namespace damo::test
