#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/apps/program.h"

/// The program that measures. No test asserts a time.
namespace damo::test {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("bench lists its cases") {
  const Outcome o = run("bench", "--list");
  CHECK(o.status == 0);
  CHECK(o.err == "");
  const std::vector<std::string> names = lines_of(o.out);
  for (const char* name :
       {"build_sda", "sda_pretrain1_b1", "sda_pretrain3_b20", "sda_finetune_b128", "logistic_b600", "mlp_b20",
        "lenet_b500", "lenet_b500_im2col", "call_a+b", "call_20op_grad", "da_untied_b1"})
    CHECK_MESSAGE(std::find(names.begin(), names.end(), name) != names.end(), name);
}

TEST_CASE("bench refuses a case that it does not know") {
  const Outcome o = run("bench", "call_a+b sda_b1");
  CHECK(o.status == 2);
  CHECK(o.err == "bench: there is no case \"sda_b1\"; --list prints their names\n");
}

TEST_CASE("bench prints a JSON object a line") {
  const Outcome o = run("bench", "--json --reps 2 --threads 1 --dataset synthetic logistic_b600 call_a+b");
  CHECK(o.status == 0);
  CHECK(o.err == "");
  const std::vector<std::string> lines = lines_of(o.out);
  REQUIRE(lines.size() == 2);
  const auto step = nlohmann::json::parse(lines[0]), call = nlohmann::json::parse(lines[1]);
  CHECK(step["case"] == "logistic_b600");
  CHECK(step["threads"] == 1);
  CHECK(step["reps"] == 2);
  CHECK(step["us_min"] <= step["us_median"]);
  CHECK(step["us_median"] <= step["us_max"]);
  CHECK(step["limit"] == "products in BLAS");
  CHECK(step["limit_us"] > 0);
  CHECK(step["ratio"] > 0);
  CHECK(call["case"] == "call_a+b");
  CHECK(call["us_median"] > 0);
  CHECK(call["limit"].is_null());
}

TEST_CASE("bench builds functions of graphs that grow") {
  const Outcome o = run("bench", "--json --build-to 256");
  CHECK(o.status == 0);
  CHECK(o.err == "");
  const std::vector<std::string> lines = lines_of(o.out);
  REQUIRE(lines.size() >= 24);
  REQUIRE(lines.size() % 2 == 0);
  for (std::size_t i = 0; i < lines.size(); i += 2) {
    const auto few = nlohmann::json::parse(lines[i]), many = nlohmann::json::parse(lines[i + 1]);
    CHECK(few["family"] == many["family"]);
    CHECK(few["n"] == 64);
    CHECK(many["n"] == 256);
    CHECK(few["nodes"] < many["nodes"]);
    CHECK(many["function_s"] > 0);
  }
}

TEST_CASE("bench prints a table") {
  const Outcome o = run("bench", "--reps 1 --threads 1 call_20op");
  CHECK(o.status == 0);
  const std::vector<std::string> lines = lines_of(o.out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("microseconds, 1 threads") != std::string::npos);
  CHECK(lines[1].starts_with("call_20op "));
}

TEST_CASE("the limits compute what the functions compute") {
  for (const char* threads : {"1", "2", "3"}) {
    const Outcome o =
        run("bench", std::string("--check --dataset synthetic --threads ") + threads +
                         " sda_pretrain1_b1 sda_pretrain3_b1 sda_finetune_b1 da_untied_b1 "
                         "da_tanh_squared_b1 da_l2_b1 da_untied_b20 mlp_b20 logistic_b600 lenet_b500");
    CHECK(o.status == 0);
    CHECK(o.err == "");
    CHECK(lines_of(o.out).size() == 10);
  }
}

TEST_CASE("bench draws digits where there is no MNIST, and says so") {
  const Outcome o = run("bench", "--check logistic_b600");
  CHECK(o.status == 0);
  CHECK(o.err == "bench: MNIST was not found; the digits are drawn ones\n");
}

}  // namespace
}  // namespace damo::test
