#pragma once
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "core/tensor/error.h"

/// For the tests of what reads and writes files.
namespace damo::test {

/// The whole file, "" if it cannot be read.
inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Makes or replaces the file.
inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// How many files and folders lie in a folder.
inline std::ptrdiff_t files_in(const std::string& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

/// The message of the Error that f throws, or "no error".
inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace damo::test
