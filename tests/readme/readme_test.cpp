#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support.h"

/// The code in the READMEs, as extract.awk has taken it out: programs run and print what is said below them,
/// excerpts stand in their files, commands exist.
namespace damo::test {
namespace {

namespace fs = std::filesystem;

const char* const source_dir = DAMO_SOURCE_DIR;

// The programs are built beside this one.
fs::path here() { return fs::read_symlink("/proc/self/exe").parent_path(); }

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// What was taken out of the READMEs with this extension.
std::vector<fs::path> blocks(const std::string& extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(here() / "code"))
    if (entry.path().extension() == extension) found.push_back(entry.path());
  return found;
}

struct Outcome {
  int status = -1;
  std::string output;
};

Outcome run(const std::string& command) {
  Outcome o;
  std::FILE* pipe = ::popen(("cd '" + temp_dir() + "' && " + command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char text[4096];
  for (std::size_t n = 0; (n = std::fread(text, 1, sizeof text, pipe)) > 0;) o.output.append(text, n);
  const int status = ::pclose(pipe);
  o.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return o;
}

// What is wrong with an excerpt, the path of its file and then its lines, which may be indented further
// there; "" if nothing is.
std::string excerpt_fault(const std::string& excerpt) {
  std::istringstream lines(excerpt);
  std::string path;
  std::getline(lines, path);
  if (!fs::is_regular_file(fs::path(source_dir) / path)) return "there is no file " + path;
  const std::string file = "\n" + contents(fs::path(source_dir) / path);
  for (std::string indent; indent.size() <= 8; indent += ' ') {
    std::istringstream rest(excerpt.substr(path.size() + 1));
    std::string wanted = "\n";
    for (std::string line; std::getline(rest, line);) wanted += (line.empty() ? "" : indent) + line + "\n";
    if (wanted.size() > 1 && file.find(wanted) != std::string::npos) return "";
  }
  return path + " does not hold these lines";
}

// Whether the word stands in the text, and not as a part of a longer one.
bool mentions(const std::string& text, const std::string& word) {
  const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-'; };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end]))) return true;
  }
  return false;
}

// What is wrong with a command, "" if nothing is. Nothing is run but `--help`.
std::string command_fault(const std::string& line) {
  std::istringstream text(line);
  std::vector<std::string> words;
  for (std::string word; text >> word && word != "#" && word != ">";)
    if (!words.empty() || word.find('=') == std::string::npos) words.push_back(word);  // not NAME=value
  if (words.empty()) return "";
  const std::string program = words[0];
  std::string arguments, known;
  for (std::size_t i = 1; i < words.size(); ++i) arguments += " " + words[i];

  if (program == "cmake" || program == "ctest") {
    for (std::size_t i = 1; i + 1 < words.size(); ++i)
      if (words[i] == "--preset" &&
          !mentions(contents(fs::path(source_dir) / "CMakePresets.json"), words[i + 1]))
        return "there is no preset " + words[i + 1];
    return "";
  }
  const std::string apps = "build/release/apps/";
  if (program.starts_with(apps)) {
    const fs::path path = here() / "../../apps" / program.substr(apps.size());
    if (!fs::is_regular_file(path)) return "there is no program " + program;
    // The options' values are checked before the help is given.
    const Outcome o = run("'" + path.string() + "'" + arguments + " --help");
    if (o.status != 0) return o.output;
    known = o.output;
  } else {
    const fs::path path = fs::path(source_dir) / program;
    if (!fs::is_regular_file(path) ||
        (fs::status(path).permissions() & fs::perms::owner_exec) == fs::perms::none)
      return "there is no program " + program;
    known = contents(path);
  }
  for (std::size_t i = 1; i < words.size(); ++i)
    if (words[i].starts_with("--") && !mentions(known, words[i].substr(0, words[i].find('='))))
      return program + " has no option " + words[i];
  return "";
}

TEST_CASE("each block of code in the READMEs is a program, an excerpt or commands") {
  for (const fs::path& block : blocks(".unknown")) FAIL_CHECK(block.stem().string(), ": ", contents(block));
}

TEST_CASE("the READMEs' programs run and print what the READMEs say") {
  REQUIRE(blocks(".cpp").size() > 0);
  for (const fs::path& program : blocks(".cpp")) {
    CAPTURE(program.stem().string());
    const Outcome o =
        run("env -u DAMO_FLOATX '" + (here() / ("readme_" + program.stem().string())).string() + "'");
    CHECK_MESSAGE(o.status == 0, o.output);
    fs::path said = program;
    said.replace_extension(".text");
    if (fs::exists(said)) CHECK(o.output == contents(said));
  }
}

TEST_CASE("the READMEs' excerpts stand in their files") {
  REQUIRE(blocks(".from").size() > 0);
  for (const fs::path& excerpt : blocks(".from")) {
    CAPTURE(excerpt.stem().string());
    CHECK(excerpt_fault(contents(excerpt)) == "");
  }
}

TEST_CASE("the READMEs' commands exist, with their options") {
  REQUIRE(blocks(".sh").size() > 0);
  for (const fs::path& commands : blocks(".sh")) {
    CAPTURE(commands.stem().string());
    std::istringstream lines(contents(commands));
    for (std::string line; std::getline(lines, line);) CHECK(command_fault(line) == "");
  }
}

TEST_CASE("what is wrong in a README is found") {
  CHECK(excerpt_fault("tests/main.cpp\n#include <doctest/doctest.h>\n") == "");
  CHECK(excerpt_fault("tests/main.cpp\n#include <doctest/doctest>\n") ==
        "tests/main.cpp does not hold these lines");
  CHECK(excerpt_fault("tests/main.cpp\n") == "tests/main.cpp does not hold these lines");
  CHECK(excerpt_fault("no.cpp\nint i;\n") == "there is no file no.cpp");

  CHECK(command_fault("DAMO_PRESET=dev tests/run.sh -R readme  # --all of it") == "");
  CHECK(command_fault("tests/walk.sh") == "there is no program tests/walk.sh");
  CHECK(command_fault("apps/quickstart.sh --smok") == "apps/quickstart.sh has no option --smok");
  CHECK(command_fault("build/release/apps/SdA --batch-size 20") == "");
  CHECK(command_fault("build/release/apps/SdA --batch-size 20 > out") == "");
  CHECK(command_fault("build/release/apps/SdA --batch 20") != "");
  CHECK(command_fault("build/release/apps/SdA --preset slow") ==
        "SdA: --preset is \"slow\", and must be one of tutorial, quick\n");
  CHECK(command_fault("build/release/apps/SDA") == "there is no program build/release/apps/SDA");
  CHECK(command_fault("cmake --preset release") == "");
  CHECK(command_fault("cmake --preset releas") == "there is no preset releas");
}

TEST_CASE("code is taken out by its kind, and code of no kind is found") {
  const std::string folder = temp_dir();
  std::ofstream(folder + "/a.md") << R"(```cpp
int i;
```

    int i;

~~~
~~~
<!-- program: p -->
no code

<!-- program: p -->
```cpp
int main() {
```

<!-- program: p -->
```cpp
}
```

```text
output
```

<!-- table: t -->
| Theano | Damo |
| --- | --- |
| `a` | `b` or `c` |
)";
  const auto extracted = [&](const std::string& files) {
    return run("cd '" + folder + "' && awk -v out=. -f '" + source_dir +
               "/tests/readme/extract.awk' a.md && cat " + files)
        .output;
  };
  CHECK(extracted("*.unknown") ==
        "a block that begins with ```cpp, without a comment\nint i;\n"
        "nothing stands below program: p\n"
        "an indented block of code\n"
        "a block that begins with ~~~, without a comment\n");
  CHECK(extracted("p.cpp p.text") == "#line 1 \"p.cpp\"\nint main() {\n}\noutput\n");
  CHECK(extracted("t.cpp | grep '{ [bc]; }'") == "    { b; }\n    { c; }\n");
}

}  // namespace
}  // namespace damo::test
