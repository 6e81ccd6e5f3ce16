#pragma once
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/apps/program.h"

/// For the tests of what the programs refuse: a status, one line, and no file.
namespace damo::test {

inline const std::vector<std::string> all_programs{
    "SdA", "dA", "cA", "mlp", "logistic_sgd", "logistic_cg", "convolutional_mlp"};
inline const std::string few_digits = "--dataset synthetic --train-size 100 --valid-size 60 --test-size 50 ";

/// All that lies in a folder: names, and the contents of files.
inline std::map<std::string, std::string> tree(const std::string& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    found[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path().string()) : "";
  return found;
}

/// Checks that `err` is one line: the program and the message. One that ends in "..." may go on.
inline void check_message(const std::string& err, const std::string& program, const std::string& message) {
  const std::string line = program + ": " + message;
  if (!message.ends_with("...")) {
    CHECK(err == line + "\n");
    return;
  }
  const std::string begin = line.substr(0, line.size() - 3);
  CHECK(err.substr(0, begin.size()) == begin);
  CHECK(err.find('\n') == err.size() - 1);
}

/// Empty but for the folders of pictures, which the autoencoders make first of all.
inline std::string work_dir() {
  const std::string folder = temp_dir();
  std::filesystem::create_directory(folder + "/dA_plots");
  std::filesystem::create_directory(folder + "/cA_plots");
  return folder;
}

/// Checks that the program ends with this status and message, and leaves the folder as it was.
inline void check_ends(const std::string& program, const std::string& arguments, const std::string& message,
                       const std::string& folder = work_dir(), int status = 2,
                       const std::string& before = ":") {
  CAPTURE(program);
  CAPTURE(arguments);
  const auto tree_before = tree(folder);
  const Outcome o = run(program, arguments, folder, before);
  CHECK(o.status == status);
  check_message(o.err, program, message);
  CHECK(tree(folder) == tree_before);
}

}  // namespace damo::test
