#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

// Each header compiles alone, and all of them together, in either order and by the names in quotes and in
// <damo/...>: headers.cmake makes the sources of this program that show it, where no source of the library
// does.

namespace {

namespace fs = std::filesystem;

const fs::path root = DAMO_SOURCE_DIR;

// What a source includes first, and how many lines of includes there are.
struct Includes {
  std::string first;
  std::size_t count = 0;
};

Includes includes_of(const fs::path& source) {
  std::ifstream in(source);
  Includes found;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("#include ", 0) != 0) continue;
    if (found.count++ == 0) found.first = line.substr(10, line.size() - 11);
  }
  return found;
}

}  // namespace

TEST_CASE("each header is the first that some source includes") {
  std::set<std::string> headers;
  for (const char* folder : {"core", "ops", "models"})
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      if (entry.path().extension() == ".h") headers.insert(fs::relative(entry.path(), root).generic_string());
  REQUIRE(headers.count("core/data/picture.h") == 1);
  for (const std::string& header : headers) {
    INFO(header);
    fs::path source = (root / header).replace_extension(".cpp");
    if (!fs::exists(source)) {
      std::string name = header;
      std::replace(name.begin(), name.end(), '/', '_');
      source = fs::path(DAMO_HEADER_SOURCES) / (name + ".cpp");
    }
    CHECK(includes_of(source).first == header);
  }
  const Includes forward = includes_of(fs::path(DAMO_HEADER_SOURCES) / "forward.cpp");
  const Includes backward = includes_of(fs::path(DAMO_HEADER_SOURCES) / "backward.cpp");
  CHECK(forward.count == headers.size());
  CHECK(forward.first == *headers.begin());
  CHECK(backward.count == headers.size());
  CHECK(backward.first == "damo/" + *headers.rbegin());
  CHECK(includes_of(fs::path(DAMO_HEADER_SOURCES) / "twice.cpp").count == 2 * headers.size());
}
