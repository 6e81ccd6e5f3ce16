#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/core/files.h"
#include "tests/support.h"

/// For the tests that run the programs as a user does.
namespace damo::test {

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

/// The programs are built beside the tests.
inline std::string program_path(const std::string& name) {
  namespace fs = std::filesystem;
  return (fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "apps" / name).string();
}

/// Runs it in a folder, an empty one by default, after the shell's command `before`.
inline Outcome run(const std::string& program, const std::string& arguments,
                   const std::string& folder = temp_dir(), const std::string& before = ":") {
  const std::string files = temp_dir();
  const std::string command = "cd '" + folder + "' && " + before + " && unset DAMO_DATA && HOME='" + files +
                              "' exec '" + program_path(program) + "' " + arguments + " >'" + files +
                              "/out' 2>'" + files + "/err'";
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), read_file(files + "/out"), read_file(files + "/err")};
}

}  // namespace damo::test
