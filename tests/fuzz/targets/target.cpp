#include "tests/fuzz/targets/target.h"

#include <stdlib.h>  // mkdtemp

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/tensor/error.h"

namespace damo::fuzz {
namespace {

namespace fs = std::filesystem;

struct Folder {
  std::string path = (fs::temp_directory_path() / "damo-fuzz-XXXXXX").string();
  Folder() { expect(::mkdtemp(path.data()) != nullptr, "there is a folder " + path); }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

}  // namespace

std::string file_of(const std::string& name, const std::string& bytes) {
  static const Folder folder;
  std::string path = folder.path + "/" + name;
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  expect(file.good(), "a file can be written to " + path);
  return path;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    expect(*e.what() != '\0', "an Error says something");
    return e.what();
  }
  return "";
}

void expect(bool holds, const std::string& property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property.c_str());
  std::abort();
}

}  // namespace damo::fuzz
