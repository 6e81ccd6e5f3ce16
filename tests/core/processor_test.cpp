#include "core/tensor/processor.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace {

struct Outcome {
  int status;
  std::string err;
};

// In a process of its own, which ends with status 7 if it goes on.
Outcome require(const char* const* sets) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    damo::require_instructions(sets);
    _exit(7);
  }
  close(ends[1]);
  Outcome outcome{0, {}};
  char c = 0;
  while (read(ends[0], &c, 1) == 1) outcome.err += c;
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

}  // namespace

TEST_CASE("a processor that lacks an instruction set ends the program with one line") {
  const char* const sets[] = {"avx1024", nullptr};
  const Outcome outcome = require(sets);
  CHECK(outcome.status == 1);
  CHECK(outcome.err ==
        "damo: this processor lacks avx1024, for which Damo was compiled; compile it here, or with "
        "-DDAMO_ARCH=x86-64\n");
}

TEST_CASE("a processor that has all instruction sets goes on") {
  const char* const none[] = {nullptr};
  CHECK(require(none).status == 7);
  CHECK(require(damo::compiled_for).status == 7);
  CHECK(require(damo::compiled_for).err.empty());
}

TEST_CASE("the level of the instruction set") {
  const std::string level = damo::instruction_set();
  std::string sets;
  for (const char* const* set = damo::compiled_for; *set != nullptr; ++set) sets += std::string(" ") + *set;
  INFO(level, " with", sets);
#if defined(__x86_64__)
  CHECK((sets.find(" avx512vl") != std::string::npos) == (level == "x86-64-v4"));
  CHECK((sets.find(" avx2") != std::string::npos) == (level >= "x86-64-v3"));
  CHECK((sets.find(" sse4.2") != std::string::npos) == (level >= "x86-64-v2"));
#elif defined(__aarch64__)
  CHECK(level == "aarch64");
  CHECK(sets.empty());
#endif
}

#ifdef __AVX2__
TEST_CASE("what the compiler used is asked for") {
  bool avx2 = false;
  for (const char* const* set = damo::compiled_for; *set != nullptr; ++set)
    avx2 |= std::string(*set) == "avx2";
  CHECK(avx2);
}
#endif
