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

using Rooms = std::set<std::string>;

// The folders in core and ops, and core and ops themselves: what each includes beside itself. What these
// include it may include as well.
const std::map<std::string, Rooms>& rooms() {
  static const Rooms kinds{"ops/elementwise", "ops/array",  "ops/linear",
                           "ops/nnet",        "ops/random", "ops/control"};
  static const std::map<std::string, Rooms> all = [] {
    std::map<std::string, Rooms> of{{"core/tensor", {}},
                                    {"core/graph", {"core/tensor"}},
                                    {"core/rewrite", {"core/graph"}},
                                    {"core/run", {"core/rewrite"}},
                                    {"core/random", {"core/tensor"}},
                                    {"core/data", {"core/random"}},
                                    {"core", {"core/run", "core/data"}},
                                    {"ops", {}},
                                    {"ops/kernels", {"ops"}},
                                    {"ops/rewrite", kinds},
                                    {"ops/calculus", {"ops/rewrite"}}};
    for (const std::string& kind : kinds) {
      of[kind] = kinds;
      of[kind].insert("ops/kernels");
    }
    return of;
  }();
  return all;
}

// A room and all that it may include of its layer.
Rooms reach_of(const std::string& room) {
  Rooms reached;
  for (std::vector<std::string> stack{room}; !stack.empty();) {
    const std::string next = stack.back();
    stack.pop_back();
    if (!reached.insert(next).second) continue;
    for (const std::string& other : rooms().at(next)) stack.push_back(other);
  }
  return reached;
}

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

std::string room_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

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
  const std::string room = room_of(file), other = room_of(path);
  if (rooms().count(folder_of(file)) == 0) return "";
  if (rooms().count(room) == 0) return room + " is no room: say in this test what it may include";
  if (folder_of(file) != folder_of(path)) return "";
  if (reach_of(room).count(other) == 0)
    return quoted + " is of " + other + ", which " + room + " may not include";
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
  CHECK(complaint("ops/linear/dot.cpp", {"core/graph/graph.h", true}) == "");
  CHECK(complaint("ops/linear/dot.cpp", {"ops/dot.h", true}) == "");
  CHECK(complaint("ops/linear/dot.cpp", {"fmt/format.h", false}) == "");
  CHECK(complaint("core/run/frame.cpp", {"ops/dot.h", true}) ==
        "\"ops/dot.h\" belongs to a later layer than core");
  CHECK(complaint("models/SdA.h", {"../apps/log.h", true}) ==
        "\"../apps/log.h\" belongs to a later layer than models");
  CHECK(complaint("core/run/frame.cpp", {"frame.h", true}) ==
        "\"frame.h\" must begin with the name of a layer");
  CHECK(complaint("core/run/frame.cpp", {"tests/support.h", true}) ==
        "\"tests/support.h\" must begin with the name of a layer");
  CHECK(complaint("core/run/frame.cpp", {"core/run/frame.h", false}) ==
        "<core/run/frame.h> is ours, write it in quotes");
  CHECK(complaint("core/run/frame.cpp", {"damo/core/run/frame.h", false}) ==
        "<damo/core/run/frame.h> is ours, write it in quotes");
}

// What is in quotes is looked up first in the folder of the file that includes it.
TEST_CASE("a header's include that another project's file could be taken for is found") {
  CHECK(complaint("ops/dot.h", {"../core/graph/graph.h", true}) == "");
  CHECK(complaint("ops/dot.h", {"index.h", true}) == "");
  CHECK(complaint("ops/linear/products.h", {"../../core/graph/graph.h", true}) == "");
  CHECK(complaint("apps/log.h", {"core/graph/graph.h", true}) == "");
  CHECK(complaint("ops/dot.h", {"core/graph/graph.h", true}) ==
        "\"core/graph/graph.h\" could be a file of another project, write its path from ops");
  CHECK(complaint("core/graph/op.h", {"core/graph/graph.h", true}) ==
        "\"core/graph/graph.h\" could be a file of another project, write its path from core/graph");
  CHECK(complaint("ops/dot.h", {"graph.h", true}) ==
        "\"graph.h\" could be a file of another project, write its path from ops");
}

TEST_CASE("an include against the rooms is found") {
  CHECK(complaint("core/graph/walk.cpp", {"core/tensor/tensor.h", true}) == "");
  CHECK(complaint("core/rewrite/rewrite.cpp", {"core/tensor/type.h", true}) == "");
  CHECK(complaint("core/graph/shared.h", {"../run/function.h", true}) ==
        "\"../run/function.h\" is of core/run, which core/graph may not include");
  CHECK(complaint("core/run/function.cpp", {"core/random/mrg.h", true}) ==
        "\"core/random/mrg.h\" is of core/random, which core/run may not include");
  CHECK(complaint("core/data/mnist.cpp", {"core/graph/graph.h", true}) ==
        "\"core/graph/graph.h\" is of core/graph, which core/data may not include");
  CHECK(complaint("ops/array/shape.cpp", {"ops/linear/products.h", true}) == "");
  CHECK(complaint("ops/dot.h", {"linear/products.h", true}) ==
        "\"linear/products.h\" is of ops/linear, which ops may not include");
  CHECK(complaint("ops/kernels/blas.cpp", {"ops/linear/products.h", true}) ==
        "\"ops/linear/products.h\" is of ops/linear, which ops/kernels may not include");
  CHECK(complaint("ops/linear/dot.cpp", {"ops/rewrite/passes.h", true}) ==
        "\"ops/rewrite/passes.h\" is of ops/rewrite, which ops/linear may not include");
  CHECK(complaint("ops/cellar/dot.cpp", {"ops/dot.h", true}) ==
        "ops/cellar is no room: say in this test what it may include");
}

TEST_CASE("READMEs say what is in each room") {
  for (const auto& room : rooms()) {
    const std::string folder = folder_of(room.first);
    if (room.first == folder) continue;
    std::ifstream in(fs::path(DAMO_SOURCE_DIR) / folder / "README.md");
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    CHECK_MESSAGE(text.find("\n* `" + room.first.substr(folder.size() + 1) + "/`") != std::string::npos,
                  room.first);
  }
}

TEST_CASE("models.h includes all headers of models") {
  const Includes& all = sources().at("models/models.h");
  for (const auto& source : sources()) {
    const std::string& file = source.first;
    if (folder_of(file) != "models" || !file.ends_with(".h") || file == "models/models.h") continue;
    const auto is_it = [&](const Include& include) { return "models/" + include.name == file; };
    CHECK_MESSAGE(std::any_of(all.begin(), all.end(), is_it), file);
  }
}

TEST_CASE("every source includes only its own layer and those before it") {
  REQUIRE(sources().count("core/tensor/tensor.h") == 1);
  for (const auto& source : sources())
    for (const Include& include : source.second) {
      const std::string wrong = complaint(source.first, include);
      CHECK_MESSAGE(wrong.empty(), source.first, ": ", wrong);
    }
}

TEST_CASE("users' headers reach no third-party header") {
  std::set<std::string> of_authors;
  CHECK(third_party_path("core/graph/op.h", of_authors) ==
        "core/graph/op.h -> core/tensor/check.h -> <fmt/format.h>");
  for (const auto& source : sources()) {
    const std::string& file = source.first;
    if (file != "core/core.h" && file != "ops/ops.h" &&
        !(file.starts_with("models/") && file.ends_with(".h")))
      continue;
    std::set<std::string> visited;
    CHECK(third_party_path(file, visited) == "");
  }
}
