#include "apps/command_line.h"

#include <doctest/doctest.h>

#include <fstream>

#include "apps/files.h"
#include "core/tensor/error.h"
#include "tests/expect.h"
#include "tests/support.h"

namespace damo::test {
namespace {

using apps::CommandLine;

struct Values {
  int n = 7;
  std::int64_t seed = 1;
  double x = 0.5;
  std::vector<int> ns = {1, 2};
  std::vector<double> xs = {0.25};
  std::string file = {};
  std::string kind = "a";
  bool on = false;
};

bool parse(Values& v, std::vector<const char*> args) {
  CommandLine line("program", "a program");
  line.whole("--n", v.n, 1, "a number");
  line.whole("--seed", v.seed, 0, 100, "a seed");
  line.real("--x", v.x, 0, 1, "a fraction");
  line.wholes("--ns", v.ns, 1, "numbers");
  line.reals("--xs", v.xs, 0, 1, "fractions");
  line.text("--file", v.file, "FILE", "a file");
  line.choice("--kind", v.kind, {"a", "b"}, "a kind");
  line.flag("--on", v.on, "a flag");
  args.insert(args.begin(), "program");
  return line.parse(static_cast<int>(args.size()), args.data());
}

std::string error(const std::vector<const char*>& args) {
  return error_of([&] {
    Values v;
    parse(v, args);
  });
}

TEST_CASE("options set their variables; what is not given keeps its default") {
  Values v;
  CHECK(parse(v, {}));
  CHECK(v.n == 7);
  CHECK(v.ns == std::vector<int>{1, 2});
  CHECK(parse(v, {"--n", "20", "--seed=99", "--x", ".1", "--ns", "3", "--xs=.1,0,1e-3", "--file", "f",
                  "--kind", "b", "--on"}));
  CHECK(v.n == 20);
  CHECK(v.seed == 99);
  CHECK(v.x == 0.1);
  CHECK(v.ns == std::vector<int>{3});
  CHECK(v.xs == std::vector<double>{0.1, 0, 1e-3});
  CHECK(v.file == "f");
  CHECK(v.kind == "b");
  CHECK(v.on);
  CHECK(parse(v, {"--n", "1", "--n", "2"}));
  CHECK(v.n == 2);  // the last one counts
}

TEST_CASE("words stand among options, if the program takes any") {
  std::vector<std::string> words;
  bool on = false;
  CommandLine line("program", "a program");
  line.words("word", words, "words");
  line.flag("--on", on, "a flag");
  const char* const args[] = {"program", "a", "--on", "b"};
  CHECK(line.parse(4, args));
  CHECK(words == std::vector<std::string>{"a", "b"});
  CHECK(on);
  const char* const wrong[] = {"program", "a", "--off"};
  CHECK(error_of([&] { line.parse(3, wrong); }) == "unknown option \"--off\"; --help lists the options");
}

TEST_CASE("what cannot be read is named, with what was expected") {
  CHECK(error({"--n", "0"}) == "--n is \"0\", and must be a whole number from 1 to 2147483647");
  CHECK(error({"--n", "-3"}) == "--n is \"-3\", and must be a whole number from 1 to 2147483647");
  CHECK(error({"--n", "2.5"}) == "--n is \"2.5\", and must be a whole number from 1 to 2147483647");
  CHECK(error({"--n", "99999999999999999999"}) ==
        "--n is \"99999999999999999999\", and must be a whole number from 1 to 2147483647");
  CHECK(error({"--n", "3000000000"}) ==
        "--n is \"3000000000\", and must be a whole number from 1 to 2147483647");
  CHECK(error({"--seed", "101"}) == "--seed is \"101\", and must be a whole number from 0 to 100");
  CHECK(error({"--x", "nan"}) == "--x is \"nan\", and must be a finite number from 0 to 1");
  CHECK(error({"--x", "0,5"}) == "--x is \"0,5\", and must be a finite number from 0 to 1");
  CHECK(error({"--x", "1.5"}) == "--x is \"1.5\", and must be a finite number from 0 to 1");
  CHECK(error({"--ns", ""}) == "--ns is empty, and must be a list of numbers with commas between");
  CHECK(error({"--ns", "3,,4"}) == "--ns is \"\", and must be a whole number from 1 to 2147483647");
  CHECK(error({"--ns", "3,0"}) == "--ns is \"0\", and must be a whole number from 1 to 2147483647");
  CHECK(error({"--xs", ".1 .2"}) == "--xs is \".1 .2\", and must be a finite number from 0 to 1");
  CHECK(error({"--file", ""}) == "--file is empty");
  CHECK(error({"--kind", "c"}) == "--kind is \"c\", and must be one of a, b");
  CHECK(error({"--what"}) == "unknown option \"--what\"; --help lists the options");
  CHECK(error({"3"}) == "unknown option \"3\"; --help lists the options");
  CHECK(error({"--n"}) == "--n needs a value");
  CHECK(error({"--file", "--on"}) == "--file needs a value, and is followed by --on");
  CHECK(error({"--on=3"}) == "--on takes no value");
  CHECK(error({"--x", "inf"}) == "--x is \"inf\", and must be a finite number from 0 to 1");
}

TEST_CASE("a file that cannot be written is found before the work begins") {
  const std::string folder = temp_dir();
  CHECK(error_of([&] { apps::check_writable("--save", folder + "/model.npz"); }) == "no error");
  CHECK(error_of([&] { apps::check_writable("--save", folder); }) ==
        "--save is " + folder + ", which is a folder, and must be a file");
  CHECK(error_of([&] { apps::check_writable("--save", folder + "/no/model.npz"); }) ==
        "--save is " + folder + "/no/model.npz, but there is no folder " + folder + "/no");
}

TEST_CASE("the exit status tells whose fault it was") {
  const char* const argv[] = {"program"};
  CHECK(apps::run("program", 1, argv, [](int, const char* const*) {}) == 0);
  CHECK(apps::run("program", 1, argv, [](int, const char* const*) { throw Error("bad input"); }) == 2);
  CHECK(apps::run("program", 1, argv, [](int, const char* const*) { throw Bug("of ours"); }) == 1);
  CHECK(apps::run("program", 1, argv,
                  [](int, const char* const*) { throw std::runtime_error("disk full"); }) == 1);
}

}  // namespace
}  // namespace damo::test
