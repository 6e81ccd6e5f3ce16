#include "apps/files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/apps/ends.h"
#include "tests/apps/process.h"

/// Files that two options name, and files that two runs write.
namespace damo::test {
namespace {

namespace fs = std::filesystem;

// In it a.npz, and as link.npz, hard.npz and same/a.npz the same file again; new and dangling are one as
// well.
std::string folder_of_links() {
  const std::string folder = work_dir();
  write_file(folder + "/a.npz", "precious");
  fs::create_symlink("a.npz", folder + "/link.npz");
  fs::create_hard_link(folder + "/a.npz", folder + "/hard.npz");
  fs::create_directory_symlink(".", folder + "/same");
  fs::create_symlink("new", folder + "/dangling");
  for (const char* const plots : {"dA_plots/filters_corruption_0.png", "dA_plots/filters_corruption_30.png",
                                  "cA_plots/cae_filters.png"})
    write_file(folder + "/" + plots, "old");
  fs::create_directory(folder + "/data");
  write_file(folder + "/data/train-labels-idx1-ubyte.gz", "data");
  return folder;
}

TEST_CASE("a file that two options name is refused before anything is written, in every program") {
  struct Case {
    std::string arguments, message;
    std::string program = {};  // all of them if empty
  };
  const Case cases[] = {
      {"--save a --log a", "--save and --log are both a"},
      {"--checkpoint a --log a", "--checkpoint and --log are both a"},
      {"--checkpoint a --save a", "--checkpoint and --save are both a"},
      {"--load a.npz --log a.npz", "--load and --log are both a.npz"},
      {"--load a.npz --checkpoint a.npz", "--load and --checkpoint are both a.npz"},
      {"--resume a.npz --log a.npz", "--resume and --log are both a.npz"},
      {"--resume a.npz --save a.npz", "--resume and --save are both a.npz"},
      {"--resume a.npz --load a.npz", "--load and --resume are both a.npz"},
      {"--resume a.npz --checkpoint b.npz --save a.npz", "--resume and --save are both a.npz"},
      {"--load a.npz --log link.npz", "--log is link.npz, the same file as --load, a.npz"},
      {"--load ./a.npz --log a.npz", "--log is a.npz, the same file as --load, ./a.npz"},
      {"--resume hard.npz --log a.npz", "--log is a.npz, the same file as --resume, hard.npz"},
      {"--checkpoint same/a.npz --save a.npz", "--save is a.npz, the same file as --checkpoint, same/a.npz"},
      {"--checkpoint new --save dangling", "--save is dangling, the same file as --checkpoint, new"},
      {"--save same/same/x --log x", "--log is x, the same file as --save, same/same/x"},
      {"--save data/../x --log dA_plots/../x", "--log is dA_plots/../x, the same file as --save, data/../x"},
      {"--dataset data --save data/train-labels-idx1-ubyte.gz",
       "--dataset and --save are both data/train-labels-idx1-ubyte.gz"},
      {"--dataset data --log same/data/train-labels-idx1-ubyte.gz",
       "--log is same/data/train-labels-idx1-ubyte.gz, the same file as --dataset, "
       "data/train-labels-idx1-ubyte.gz"},
      {"--filters a --save a", "--save and --filters are both a", "SdA"},
      {"--filters link.npz --load a.npz", "--filters is link.npz, the same file as --load, a.npz", "SdA"},
      {"--filters dangling --log new", "--filters is dangling, the same file as --log, new", "SdA"},
      {"--filters hard.npz --checkpoint same/a.npz",
       "--filters is hard.npz, the same file as --checkpoint, same/a.npz", "SdA"},
      {"--save dA_plots/filters_corruption_0.png",
       "--save and --output-folder are both dA_plots/filters_corruption_0.png", "dA"},
      {"--log same/dA_plots/filters_corruption_30.png",
       "--output-folder is dA_plots/filters_corruption_30.png, the same file as --log, "
       "same/dA_plots/filters_corruption_30.png",
       "dA"},
      {"--checkpoint same/cA_plots/cae_filters.png",
       "--output-folder is cA_plots/cae_filters.png, the same file as --checkpoint, "
       "same/cA_plots/cae_filters.png",
       "cA"},
      {"--log best_model.npz", "--save and --log are both best_model.npz", "logistic_sgd"},
      {"--checkpoint same/best_model.npz",
       "--save is best_model.npz, the same file as --checkpoint, same/best_model.npz", "logistic_sgd"},
  };
  for (const Case& c : cases) {
    const std::string folder = folder_of_links();
    for (const std::string& program : all_programs)
      if (c.program.empty() || program == c.program)
        check_ends(program, few_digits + c.arguments, c.message, folder);
  }
}

TEST_CASE("what standard output and error go to is no other file of the run") {
  const std::string folder = folder_of_links(), before = read_file(folder + "/a.npz");
  for (const auto& [descriptor, name] : {std::pair{STDOUT_FILENO, "standard output, /dev/stdout"},
                                         {STDERR_FILENO, "standard error, /dev/stderr"}}) {
    const auto streams = [d = descriptor] {
      Process::to_files();
      ::dup2(::open("a.npz", O_WRONLY | O_APPEND), d);
    };
    for (const std::string option : {"--log", "--save", "--checkpoint"}) {
      CHECK(run_in(folder, "mlp", few_digits + option + " link.npz", streams) == 2);
      const std::string message = "mlp: " + option + " is link.npz, the same file as " + name + "\n";
      CHECK(read_file(folder + (descriptor == STDERR_FILENO ? "/a.npz" : "/err")).ends_with(message));
    }
    CHECK(read_file(folder + "/a.npz").starts_with(before));
    write_file(folder + "/a.npz", before);
  }
}

TEST_CASE("what was read may be written: --save onto --load, --checkpoint onto --resume") {
  const std::string folder = temp_dir();
  for (const SmallRun& c : small_runs()) {
    INFO(c.program);
    const std::string first = c.arguments + " --save a.npz --checkpoint c.npz";
    CHECK(run_in(folder, c.program, first) == 0);
    CHECK(run_in(folder, c.program, c.arguments + " --load a.npz --save ./a.npz") == 0);
    CHECK(run_in(folder, c.program, first + " --resume c.npz") == 0);
    CHECK(run_in(folder, c.program, c.arguments + " --resume ./c.npz") == 0);
  }
}

TEST_CASE("a log is a file, and of one run at a time") {
  const std::string folder = work_dir();
  REQUIRE(::mkfifo((folder + "/fifo").c_str(), 0600) == 0);
  for (const std::string& program : all_programs)
    check_ends(program, few_digits + "--log fifo", "--log is fifo, which is a pipe, and must be a file",
               folder);
  CHECK(run_in(folder, "mlp", few_digits + "--log /dev/stdout", [] {
          Process::to_files();
          int ends[2];
          if (::pipe(ends) == 0) ::dup2(ends[1], STDOUT_FILENO);
        }) == 2);
  CHECK(read_file(folder + "/err") == "mlp: --log is /dev/stdout, which is a pipe, and must be a file\n");

  Process first("mlp", few_digits + "--n-epochs 1000000 --n-hidden 10 --progress off --log log", folder);
  REQUIRE(wait_until(first, [&] { return !read_file(folder + "/log").empty(); }));
  for (const std::string& program : all_programs) {
    const Outcome second = run(program, few_digits + "--log log", folder);
    CHECK(second.status == 2);
    CHECK(second.err == program + ": --log is log, which another run is writing\n");
  }
  CHECK(!first.has_ended());
  first.send(SIGKILL);
  first.wait();
  CHECK(run("mlp", few_digits + "--n-epochs 1 --log log", folder).status == 0);
}

TEST_CASE("--save keeps an existing file's mode, follows links, takes long names") {
  const std::string long_name(240, 'n');
  for (const SmallRun& c : small_runs()) {
    INFO(c.program);
    const std::string folder = temp_dir();
    write_file(folder + "/secret", "old");
    REQUIRE(::chmod((folder + "/secret").c_str(), 0600) == 0);
    fs::create_symlink("target", folder + "/dangling");
    const auto saves = [&](const std::string& path) {
      return run_in(folder, c.program, c.arguments + " --save " + path + " --checkpoint c" + long_name) == 0;
    };
    CHECK(saves("secret"));
    struct stat info {};
    CHECK(::stat((folder + "/secret").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(saves("dangling"));
    CHECK(fs::is_symlink(folder + "/dangling"));
    CHECK(saves(long_name));
    const std::string model = read_file(folder + "/secret");
    CHECK(model.starts_with("PK"));
    CHECK(read_file(folder + "/target") == model);
    CHECK(read_file(folder + "/" + long_name) == model);
  }
}

}  // namespace
}  // namespace damo::test
