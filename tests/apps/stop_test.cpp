#include <doctest/doctest.h>

#include <map>

#include "tests/apps/process.h"

/// Programs that are told to stop, and programs whose standard streams are gone: the same for all of them.
namespace damo::test {
namespace {

// A checkpoint with each minibatch makes it last a millisecond.
const std::string files = " --log log --save model.npz --checkpoint run.npz --checkpoint-every 0";

// The folder of a run that nothing disturbs.
const std::string& whole(const SmallRun& c) {
  static std::map<std::string, std::string> folders;
  std::string& folder = folders[c.program + c.arguments];
  if (folder.empty()) {
    folder = temp_dir();
    REQUIRE(run_in(folder, c.program, c.arguments + files) == 0);
  }
  return folder;
}

void check_equals_whole(const SmallRun& c, const std::string& folder) {
  CHECK(read_file(folder + "/log") == read_file(whole(c) + "/log"));
  CHECK(read_file(folder + "/model.npz") == read_file(whole(c) + "/model.npz"));
  CHECK(difference_of_checkpoints(folder + "/run.npz", whole(c) + "/run.npz") == "");
}

// Until then a signal ends the program at once: there is nothing to save.
void wait_for_first_minibatch(Process& process, const std::string& folder) {
  wait_until(process, [&] { return std::filesystem::exists(folder + "/run.npz"); });
}

// The folder and the exit status of a run that f interrupts after its first minibatch, in time before its
// end.
template <class F>
std::pair<std::string, int> interrupted(const SmallRun& c, const Process::Streams& streams, F f) {
  while (true) {
    const std::string folder = temp_dir();
    Process process(c.program, c.arguments + files, folder, streams);
    wait_for_first_minibatch(process, folder);
    f(process);
    if (const int status = process.wait(); status != 0) return {folder, status};
  }
}

// Goes on from the checkpoint that must be there.
void check_resumes(const SmallRun& c, const std::string& folder) {
  REQUIRE(std::filesystem::exists(folder + "/run.npz"));
  REQUIRE(run_in(folder, c.program, c.arguments + files + " --resume run.npz") == 0);
  check_equals_whole(c, folder);
}

TEST_CASE("each signal to stop finishes the minibatch, saves and says how to go on") {
  const std::string once_more = "\nstopping after this minibatch; once more to stop at once\n",
                    stopping = "\nstopping after this minibatch\n";
  const std::map<int, std::string> said = {
      {SIGINT, once_more}, {SIGTERM, stopping}, {SIGHUP, stopping}, {SIGXCPU, stopping}, {SIGPIPE, ""}};
  for (const SmallRun& c : small_runs()) {
    for (const auto& entry : said) {
      const int signal = entry.first;
      const std::string& message = entry.second;
      INFO(c.program, " ", signal);
      const auto [folder, status] =
          interrupted(c, Process::to_files, [s = signal](Process& process) { process.send(s); });
      REQUIRE(status == 128 + signal);
      CHECK(read_file(folder + "/err") ==
            message + c.program + ": stopped; to go on, give the same options and --resume run.npz\n");
      check_resumes(c, folder);
    }
  }
}

// A pipe, for standard output and error, of which this process has the other end.
struct Pipe {
  int ends[2];
  Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
  Process::Streams streams() const {
    return [write_end = ends[1]] {
      ::dup2(write_end, STDOUT_FILENO);
      ::dup2(write_end, STDERR_FILENO);
    };
  }
};

TEST_CASE("the reader of a pipe ends, by Ctrl-C or by itself: the run is saved") {
  for (const SmallRun& c : small_runs()) {
    for (const int signal : {SIGINT, SIGHUP, 0}) {
      INFO(c.program, " ", signal);
      int status = 0;
      while (status == 0) {
        const std::string folder = temp_dir();
        const Pipe pipe;
        Process process(c.program, c.arguments + files + " --progress on", folder, pipe.streams());
        ::close(pipe.ends[1]);
        wait_for_first_minibatch(process, folder);
        ::close(pipe.ends[0]);
        if (signal != 0) process.send(signal);
        status = process.wait();
        if (status == 0) continue;  // it was quicker
        CHECK((status == 128 + SIGPIPE || status == 128 + signal));
        check_resumes(c, folder);
      }
    }
  }
}

TEST_CASE("a signal that comes twice, as from timeout, stops as once; a second Ctrl-C ends at once") {
  const SmallRun& c = small_runs()[4];
  for (const int signal : {SIGTERM, SIGHUP, SIGPIPE, SIGINT}) {
    INFO(signal);
    const auto [folder, status] = interrupted(c, Process::to_files, [signal](Process& process) {
      for (int i = 0; i < 20; ++i) process.send(signal);
    });
    CHECK(status == 128 + signal);
    check_resumes(c, folder);
  }
  // A minibatch of seconds.
  const std::string folder = temp_dir();
  Process process(
      "mlp",
      "--dataset synthetic --train-size 6000 --valid-size 6000 --test-size 6000 --batch-size 6000 "
      "--n-hidden 6000 --threads 1 --checkpoint run.npz --checkpoint-every 0",
      folder);
  wait_for_first_minibatch(process, folder);
  process.send(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(550));
  process.send(SIGINT);
  CHECK(process.wait() == -SIGINT);
}

TEST_CASE("a signal that was ignored stays ignored, as under nohup") {
  const SmallRun& c = small_runs()[4];
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) {
    const std::string folder = temp_dir();
    Process process(c.program, c.arguments + files, folder, [signal] {
      ::signal(signal, SIG_IGN);
      Process::to_files();
    });
    wait_for_first_minibatch(process, folder);
    process.send(signal);
    CHECK(process.wait() == 0);
    check_equals_whole(c, folder);
  }
}

TEST_CASE("a program goes on to its end where a standard stream is closed, full or unread") {
  struct Case {
    const char* name;
    Process::Streams streams;
    bool notices = false;  // standard output could not be written
  };
  const auto full = [](int descriptor) { ::dup2(::open("/dev/full", O_WRONLY), descriptor); };
  const Case streams[] = {
      {"no output", [] { ::close(STDOUT_FILENO); }},
      {"no error", [] { ::close(STDERR_FILENO); }},
      {"nothing at all",
       [] {
         for (const int d : {0, 1, 2}) ::close(d);
       }},
      {"full error", [=] { full(STDERR_FILENO); }},
      {"full output", [=] { full(STDOUT_FILENO); }, true},
      {"both full", [=] { full(STDOUT_FILENO), full(STDERR_FILENO); }, true},
      {"output unread, SIGPIPE ignored",
       [] {
         ::signal(SIGPIPE, SIG_IGN);
         int ends[2];
         if (::pipe(ends) != 0) ::_exit(126);
         ::close(ends[0]);
         ::dup2(ends[1], STDOUT_FILENO);
         ::dup2(ends[1], STDERR_FILENO);
         ::close(ends[1]);
       },
       true},
  };
  for (const SmallRun& c : small_runs()) {
    for (const Case& s : streams) {
      INFO(c.program, ", ", s.name);
      const std::string folder = temp_dir();
      const auto quiet_streams = [&s] {
        Process::to_files();
        s.streams();
      };
      CHECK(run_in(folder, c.program, c.arguments + files + " --progress on --profile", quiet_streams) ==
            (s.notices ? 1 : 0));
      check_equals_whole(c, folder);
      if (s.notices && std::string(s.name) == "full output")
        CHECK(read_file(folder + "/err").ends_with(c.program + ": standard output cannot be written\n"));
    }
  }
}

TEST_CASE("an error is an error where nobody can be told") {
  for (const SmallRun& c : small_runs())
    for (const bool full : {false, true})
      CHECK(run_in(temp_dir(), c.program, "--batch-size 0", [full] {
              if (full)
                ::dup2(::open("/dev/full", O_WRONLY), STDERR_FILENO);
              else
                ::close(STDERR_FILENO);
            }) == 2);
}

}  // namespace
}  // namespace damo::test
