#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// Each folder includes itself and those before it.
const std::vector<std::string> layers{"third_party", "core", "ops", "models", "apps"};

struct Include {
  std::string name;
  bool quoted;
};

using Includes = std::vector<Include>;

Includes includes_of(const std::string& text) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+))", std::regex::multiline);
  Includes includes;
  for (std::sregex_iterator m(text.begin(), text.end(), pattern), end; m != end; ++m)
    includes.push_back({(*m)[2], (*m)[1] == "\""});
  return includes;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.find('/')); }

auto layer_of(const std::string& path) { return std::find(layers.begin(), layers.end(), folder_of(path)); }

// A header that is compiled in other projects as well.
bool is_installed(const std::string& file) {
  return file.ends_with(".h") && folder_of(file) != "apps" && folder_of(file) != "third_party";
}

// The path from the project root of what `file` includes in quotes.
std::string path_of(const std::string& file, const Include& include) {
  if (!is_installed(file)) return include.name;
  return (fs::path(file).parent_path() / include.name).lexically_normal().generic_string();
}

// The includes of every source in the layers' folders.
const std::map<std::string, Includes>& sources() {
  static const std::map<std::string, Includes> found = [] {
    std::map<std::string, Includes> files;
    const fs::path root = DAMO_SOURCE_DIR;
    for (const std::string& layer : layers)
      for (const auto& entry : fs::recursive_directory_iterator(root / layer)) {
        if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
        std::ifstream in(entry.path());
        const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        files[fs::relative(entry.path(), root).generic_string()] = includes_of(text);
      }
    return files;
  }();
  return found;
}

// What is wrong with an #include in `file`, a path from the project root; "" if nothing is.
std::string complaint(const std::string& file, const Include& include) {
  if (!include.quoted) {
    const bool ours = layer_of(include.name) != layers.end() || folder_of(include.name) == "damo";
    return ours ? "<" + include.name + "> is ours, write it in quotes" : "";
  }
  const std::string path = path_of(file, include);
  const std::string quoted = "\"" + include.name + "\"";
  const auto at = layer_of(path);
  if (is_installed(file) && sources().count(path) == 0)
    return quoted + " could be a file of another project, write its path from " +
           fs::path(file).parent_path().generic_string();
  if (at == layers.end()) return quoted + " must begin with the name of a layer";
  if (at > layer_of(file)) return quoted + " belongs to a later layer than " + folder_of(file);
  return "";
}

// Whether <name> belongs to a library rather than to C++: those have a folder, a suffix or both.
bool is_third_party(const Include& include) {
  return !include.quoted && include.name.find_first_of("/.") != std::string::npos;
}

// The path of includes by which `file` reaches a third-party header, "" if it reaches none.
std::string third_party_path(const std::string& file, std::set<std::string>& visited) {
  const auto found = sources().find(file);
  if (found == sources().end() || !visited.insert(file).second) return "";
  for (const Include& include : found->second) {
    if (is_third_party(include)) return file + " -> <" + include.name + ">";
    if (!include.quoted) continue;
    const std::string path = third_party_path(path_of(file, include), visited);
    if (!path.empty()) return file + " -> " + path;
  }
  return "";
}

}  // namespace

TEST_CASE("includes are found in a source's text") {
  const Includes found =
      includes_of("#pragma once\n#include <vector>\n  #  include \"core/a.h\"  // why\n// #include <x>\n");
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "vector");
  CHECK_FALSE(found[0].quoted);
  CHECK(found[1].name == "core/a.h");
  CHECK(found[1].quoted);
}

TEST_CASE("an include against the layers is found") {
  CHECK(complaint("ops/dot.cpp", {"core/graph.h", true}) == "");
  CHECK(complaint("ops/dot.cpp", {"ops/dot.h", true}) == "");
  CHECK(complaint("ops/dot.cpp", {"fmt/format.h", false}) == "");
  CHECK(complaint("core/frame.cpp", {"ops/dot.h", true}) ==
        "\"ops/dot.h\" belongs to a later layer than core");
  CHECK(complaint("models/SdA.h", {"../apps/log.h", true}) ==
        "\"../apps/log.h\" belongs to a later layer than models");
  CHECK(complaint("core/frame.cpp", {"frame.h", true}) == "\"frame.h\" must begin with the name of a layer");
  CHECK(complaint("core/frame.cpp", {"tests/support.h", true}) ==
        "\"tests/support.h\" must begin with the name of a layer");
  CHECK(complaint("core/frame.cpp", {"core/frame.h", false}) == "<core/frame.h> is ours, write it in quotes");
  CHECK(complaint("core/frame.cpp", {"damo/core/frame.h", false}) ==
        "<damo/core/run/frame.h> is ours, write it in quotes");
}

// What is in quotes is looked up first in the folder of the file that includes it.
TEST_CASE("a header's include that another project's file could be taken for is found") {
  CHECK(complaint("ops/dot.h", {"../core/graph.h", true}) == "");
  CHECK(complaint("ops/dot.h", {"index.h", true}) == "");
  CHECK(complaint("ops/folder/dot.h", {"../../core/graph.h", true}) == "");
  CHECK(complaint("apps/log.h", {"core/graph.h", true}) == "");
  CHECK(complaint("ops/dot.h", {"core/graph.h", true}) ==
        "\"core/graph.h\" could be a file of another project, write its path from ops");
  CHECK(complaint("core/op.h", {"core/graph.h", true}) ==
        "\"core/graph.h\" could be a file of another project, write its path from core");
  CHECK(complaint("ops/dot.h", {"graph.h", true}) ==
        "\"graph.h\" could be a file of another project, write its path from ops");
}

TEST_CASE("every source includes only its own layer and those before it") {
  REQUIRE(sources().count("core/tensor.h") == 1);
  for (const auto& source : sources())
    for (const Include& include : source.second) {
      const std::string wrong = complaint(source.first, include);
      CHECK_MESSAGE(wrong.empty(), source.first, ": ", wrong);
    }
}

TEST_CASE("users' headers reach no third-party header") {
  std::set<std::string> of_authors;
  CHECK(third_party_path("core/op.h", of_authors) == "core/op.h -> core/check.h -> <fmt/format.h>");
  for (const auto& source : sources()) {
    const std::string& file = source.first;
    if (file != "ops/ops.h" && !(file.starts_with("models/") && file.ends_with(".h"))) continue;
    std::set<std::string> visited;
    CHECK(third_party_path(file, visited) == "");
  }
}
