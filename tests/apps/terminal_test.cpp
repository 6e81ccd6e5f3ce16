#include "apps/terminal.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "tests/support.h"

namespace damo::test {
namespace {

// What f writes to a standard stream: 1 or 2.
std::string written_to(int descriptor, const std::function<void()>& f) {
  const std::string path = temp_dir() + "/written";
  std::fflush(nullptr);
  const int before = ::dup(descriptor);
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  REQUIRE(file >= 0);
  ::dup2(file, descriptor);
  f();
  std::fflush(nullptr);
  ::dup2(before, descriptor);
  ::close(file);
  ::close(before);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Two steps of four, the second one late enough for the line to be drawn, and a line of output.
void some_work(const std::string& progress) {
  apps::Terminal terminal(progress);
  terminal.begin("epoch 1", 4);
  terminal.step(0.5);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  terminal.step(0.25);
  terminal.say("done");
}

TEST_CASE("the progress line goes to standard error and is removed before the next line of output") {
  std::string out;
  const std::string err = written_to(2, [&] { out = written_to(1, [] { some_work("on"); }); });
  CHECK(out == "done\n");
  CHECK(err.starts_with("\repoch 1: 2/4, cost 0.25, "));
  CHECK(err.find(" minibatches/s, 0:0") != std::string::npos);
  CHECK(err.ends_with(" left\033[K\r\033[K"));
}

TEST_CASE("without a terminal, or when it is off, there is no progress line") {
  for (const char* progress : {"auto", "off"})
    CHECK(written_to(2, [&] { CHECK(written_to(1, [&] { some_work(progress); }) == "done\n"); }) == "");
}

}  // namespace
}  // namespace damo::test
