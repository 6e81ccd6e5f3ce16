#include "core/data/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/core/files.h"
#include "tests/support.h"

namespace damo::test {
namespace {

namespace fs = std::filesystem;

void write_whole(const std::string& path, const std::string& text) {
  OutputFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

int mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return static_cast<int>(info.st_mode & 07777);
}

// The exit status of f in another process; -1 if a signal ended it.
template <class F>
int status_elsewhere(F f) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(f());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("a file appears only when it is complete, and a link to it stays a link") {
  const std::string folder = temp_dir(), path = folder + "/a.txt";
  {
    OutputFile file(path);
    file.write("half", 4);
    CHECK(!fs::exists(path));
  }
  CHECK(files_in(folder) == 0);
  write_whole(path, "whole");
  CHECK(read_file(path) == "whole");
  CHECK(files_in(folder) == 1);
  fs::create_symlink("a.txt", folder + "/link");
  write_whole(folder + "/link", "new");
  CHECK(fs::is_symlink(folder + "/link"));
  CHECK(read_file(path) == "new");
  const InputFile in(path);
  char bytes[4];
  CHECK(message_of([&] { in.read(1, bytes, 4); }) ==
        path + " is truncated: it ends at byte 3, 2 more were expected");
}

TEST_CASE("what a killed process was writing is removed by the next, what a live one writes is not") {
  const std::string folder = temp_dir(), path = folder + "/a.npz";
  for (int i = 0; i < 3; ++i)
    CHECK(status_elsewhere([&] {
            const OutputFile file(path);
            ::raise(SIGKILL);
            return 0;
          }) == -1);
  // Each has removed that of the one before.
  CHECK(files_in(folder) == 1);
  OutputFile live(path), other(path);
  CHECK(files_in(folder) == 2);
  const std::string names[] = {"a.npz.tmp", "a.npz.0123456789abcdef.tmp.", "b.npz.0123456789abcdef.tmp",
                               "a.npz.0123456789abcdeg.tmp", "a.npz.0123456789ABCDEF.tmp"};
  for (const std::string& name : names) write_file(folder + "/" + name, "the user's");
  write_whole(path, "third");
  live.write("first", 5);
  live.commit();
  CHECK(read_file(path) == "first");
  other.write("second", 6);
  other.commit();
  CHECK(read_file(path) == "second");
  CHECK(files_in(folder) == 1 + static_cast<std::ptrdiff_t>(std::size(names)));
}

TEST_CASE("a name in use, of whatever process, blocks nothing") {
  const std::string folder = temp_dir(), path = folder + "/a";
  // As older names of temporary files were: the process, and a count from 0.
  const auto pid = std::to_string(::getpid());
  for (int i = 0; i < 50; ++i) write_file(path + "." + pid + "-" + std::to_string(i) + ".tmp", "");
  write_whole(path, "whole");
  CHECK(read_file(path) == "whole");
}

TEST_CASE("an existing file keeps its mode, a new one has that of any new file") {
  const std::string folder = temp_dir(), path = folder + "/a";
  const mode_t mask = ::umask(027);
  write_whole(path, "new");
  CHECK(mode_of(path) == 0640);
  for (const int mode : {0600, 0644, 0666, 0400, 0755}) {
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
    if (::access(path.c_str(), W_OK) != 0) continue;
    write_whole(path, "again");
    CHECK(mode_of(path) == mode);
  }
  ::umask(mask);
}

TEST_CASE("a file that must not be written is not replaced either") {
  const std::string folder = temp_dir(), path = folder + "/a";
  write_file(path, "old");
  REQUIRE(::chmod(path.c_str(), 0444) == 0);
  REQUIRE(::chmod(folder.c_str(), 0777) == 0);
  const int status = status_elsewhere([&] {
    // To the system's administrator nothing is forbidden.
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
    const bool right =
        message_of([&] { const OutputFile file(path); }) == "cannot write " + path + ": Permission denied";
    return right ? 0 : 1;
  });
  CHECK(status == 0);
  CHECK(read_file(path) == "old");
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a link to a file that is not there yet is followed") {
  const std::string folder = temp_dir();
  fs::create_directory(folder + "/there");
  fs::create_symlink("there/a", folder + "/first");
  fs::create_symlink(folder + "/first", folder + "/second");
  write_whole(folder + "/second", "new");
  CHECK(fs::is_symlink(folder + "/first"));
  CHECK(fs::is_symlink(folder + "/second"));
  CHECK(read_file(folder + "/there/a") == "new");
  fs::create_symlink("loop", folder + "/loop");
  CHECK(message_of([&] { const OutputFile file(folder + "/loop"); }) ==
        "cannot write " + folder + "/loop: Too many levels of symbolic links");
  fs::create_symlink("nowhere/a", folder + "/lost");
  CHECK(message_of([&] { const OutputFile file(folder + "/lost"); }) ==
        "cannot write " + folder + "/lost: No such file or directory");
  CHECK(files_in(folder) == 5);
}

TEST_CASE("a name may be as long as the system permits") {
  for (const std::size_t length : {200U, 240U, 255U}) {
    const std::string folder = temp_dir(), path = folder + "/" + std::string(length, 'n');
    CHECK(status_elsewhere([&] {
            const OutputFile file(path);
            ::raise(SIGKILL);
            return 0;
          }) == -1);
    write_whole(path, "whole");
    CHECK(read_file(path) == "whole");
    CHECK(files_in(folder) == 1);
  }
  const std::string long_path = temp_dir() + "/" + std::string(256, 'n');
  CHECK(message_of([&] { const OutputFile file(long_path); }) ==
        "cannot write " + long_path + ": File name too long");
}

TEST_CASE("one file by two names") {
  const std::string folder = temp_dir();
  fs::create_directory(folder + "/sub");
  fs::create_directory_symlink("sub", folder + "/same");
  write_file(folder + "/a", "");
  fs::create_hard_link(folder + "/a", folder + "/hard");
  fs::create_symlink("a", folder + "/link");
  fs::create_symlink("sub/new", folder + "/dangling");
  fs::create_symlink("dangling", folder + "/chain");
  const auto same = [&](const std::string& a, const std::string& b) {
    CHECK(is_same_file(folder + a, folder + b) == is_same_file(folder + b, folder + a));
    return is_same_file(folder + a, folder + b);
  };
  CHECK(same("/a", "/a"));
  CHECK(same("/a", "/sub/../a"));
  CHECK(same("/a", "//./a"));
  CHECK(same("/a", "/hard"));
  CHECK(same("/hard", "/link"));
  CHECK(same("/new", "/./new"));
  CHECK(same("/sub/new", "/same/new"));
  CHECK(same("/dangling", "/same/new"));
  CHECK(same("/chain", "/sub/new"));
  CHECK_FALSE(same("/a", "/b"));
  CHECK_FALSE(same("/b", "/c"));
  CHECK_FALSE(same("/a", "/new"));
  CHECK_FALSE(same("/sub/a", "/a"));
  CHECK_FALSE(same("/no/a", "/no/a"));
  CHECK_FALSE(same("/sub", "/same"));
  CHECK_FALSE(is_same_file("/dev/null", "/dev/null"));
  CHECK(is_same_file("/proc/self/cwd/new", "new"));
}

}  // namespace
}  // namespace damo::test
