#include "apps/log.h"

#include <doctest/doctest.h>

#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/support.h"

namespace damo::test {
namespace {

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_CASE("a log is one JSON object a line, with 17 digits, written as it comes") {
  const std::string path = temp_dir() + "/log";
  apps::Log log(path, true);
  CHECK(log.minibatches());
  log.write({{"phase", "pretrain"}, {"layer", 0}, {"minibatch", std::int64_t{17}}, {"cost", 0.1}});
  CHECK(contents(path) ==
        "{\"phase\":\"pretrain\",\"layer\":0,\"minibatch\":17,\"cost\":0.10000000000000001}\n");
  log.write({{"cost", std::numeric_limits<double>::quiet_NaN()}});
  const std::string text = contents(path);
  CHECK(text.ends_with("}\n{\"cost\":null}\n"));
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  CHECK(nlohmann::json::parse(line)["cost"] == 0.1);
}

TEST_CASE("without a file nothing is written") {
  apps::Log log("", true);
  CHECK_FALSE(log.minibatches());
  log.write({{"cost", 0.1}});
}

TEST_CASE("a log that can no longer be written ends the program") {
  apps::Log log("/dev/full", false);
  try {
    log.write({{"cost", 0.1}});
    FAIL("a full disk was not noticed");
  } catch (const std::runtime_error& e) {
    CHECK(std::string(e.what()) == "the log /dev/full cannot be written: No space left on device");
  }
}

TEST_CASE("a log that cannot be opened is an error") {
  const std::string path = temp_dir() + "/no/log";
  CHECK(error_of([&] { apps::Log(path, false); }) ==
        "--log is " + path + ", which cannot be written: No such file or directory");
}

}  // namespace
}  // namespace damo::test
