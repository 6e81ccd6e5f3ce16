#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/support.h"

using namespace damo;
using test::Build;

// Gradients of the elementwise functions where digits are lost: at the ends of their ranges, in float64,
// against values of 50 digits. Not where sigmoid, tanh and softplus are saturated: there Theano's formulas,
// which the costs of the tutorials need to the digit, are 0 or 1.

namespace {

const std::map<std::string, Build>& functions() {
  static const std::map<std::string, Build> all = {
      {"neg", [](const Vars& x) { return neg(x[0]); }},
      {"exp", [](const Vars& x) { return exp(x[0]); }},
      {"exp2", [](const Vars& x) { return exp2(x[0]); }},
      {"expm1", [](const Vars& x) { return expm1(x[0]); }},
      {"log", [](const Vars& x) { return log(x[0]); }},
      {"log2", [](const Vars& x) { return log2(x[0]); }},
      {"log10", [](const Vars& x) { return log10(x[0]); }},
      {"log1p", [](const Vars& x) { return log1p(x[0]); }},
      {"sqrt", [](const Vars& x) { return sqrt(x[0]); }},
      {"sqr", [](const Vars& x) { return sqr(x[0]); }},
      {"inv", [](const Vars& x) { return inv(x[0]); }},
      {"abs", [](const Vars& x) { return abs(x[0]); }},
      {"sigmoid", [](const Vars& x) { return sigmoid(x[0]); }},
      {"tanh", [](const Vars& x) { return tanh(x[0]); }},
      {"softplus", [](const Vars& x) { return softplus(x[0]); }},
      {"sin", [](const Vars& x) { return sin(x[0]); }},
      {"cos", [](const Vars& x) { return cos(x[0]); }},
      {"tan", [](const Vars& x) { return tan(x[0]); }},
      {"arcsin", [](const Vars& x) { return arcsin(x[0]); }},
      {"arccos", [](const Vars& x) { return arccos(x[0]); }},
      {"arctan", [](const Vars& x) { return arctan(x[0]); }},
      {"sinh", [](const Vars& x) { return sinh(x[0]); }},
      {"cosh", [](const Vars& x) { return cosh(x[0]); }},
      {"arcsinh", [](const Vars& x) { return arcsinh(x[0]); }},
      {"arccosh", [](const Vars& x) { return arccosh(x[0]); }},
      {"arctanh", [](const Vars& x) { return arctanh(x[0]); }},
      {"deg2rad", [](const Vars& x) { return deg2rad(x[0]); }},
      {"rad2deg", [](const Vars& x) { return rad2deg(x[0]); }},
      {"erf", [](const Vars& x) { return erf(x[0]); }},
      {"erfc", [](const Vars& x) { return erfc(x[0]); }},
      {"erfinv", [](const Vars& x) { return erfinv(x[0]); }},
      {"erfcinv", [](const Vars& x) { return erfcinv(x[0]); }},
      {"gamma", [](const Vars& x) { return gamma(x[0]); }},
      {"gammaln", [](const Vars& x) { return gammaln(x[0]); }},
      {"psi", [](const Vars& x) { return psi(x[0]); }},
      {"relu", [](const Vars& x) { return relu(x[0]); }},
      {"elu", [](const Vars& x) { return elu(x[0]); }},
      {"selu", [](const Vars& x) { return selu(x[0]); }},
      {"softsign", [](const Vars& x) { return softsign(x[0]); }},
      {"hard_sigmoid", [](const Vars& x) { return hard_sigmoid(x[0]); }},
      {"ultra_fast_sigmoid", [](const Vars& x) { return ultra_fast_sigmoid(x[0]); }},
      {"add", [](const Vars& x) { return x[0] + x[1]; }},
      {"sub", [](const Vars& x) { return x[0] - x[1]; }},
      {"mul", [](const Vars& x) { return x[0] * x[1]; }},
      {"mul_no_nan", [](const Vars& x) { return mul_no_nan(x[0], x[1]); }},
      {"true_div", [](const Vars& x) { return x[0] / x[1]; }},
      {"mod", [](const Vars& x) { return x[0] % x[1]; }},
      {"pow", [](const Vars& x) { return pow(x[0], x[1]); }},
      {"maximum", [](const Vars& x) { return maximum(x[0], x[1]); }},
      {"minimum", [](const Vars& x) { return minimum(x[0], x[1]); }},
      {"arctan2", [](const Vars& x) { return arctan2(x[0], x[1]); }},
      {"binary_crossentropy", [](const Vars& x) { return binary_crossentropy(x[0], x[1]); }},
  };
  return all;
}

Tensor numbers(const nlohmann::json& list) { return test::tensor_from_json(list, float64); }

void check_gradient(const nlohmann::json& row, const Vars& x, const test::Tensors& values,
                    const std::string& wanted, const Var& of) {
  const std::string op = row["op"];
  const Var g = grad(sum(functions().at(op)(x)), of);
  for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE})
    test::check_close(test::evaluate(g, x, values, mode), numbers(row[wanted]), 1e-12, 0,
                      wanted + " of " + op + ", " + to_string(mode));
}

}  // namespace

TEST_CASE("gradients at the ends of the range: relative error below 1e-12") {
  const nlohmann::json j = test::golden("elementwise_gradients");
  const Var x = dvector("x"), y = dvector("y");
  for (const nlohmann::json& row : j["one"]) check_gradient(row, {x}, {numbers(row["x"])}, "gx", x);
  for (const nlohmann::json& row : j["two"]) {
    const test::Tensors values = {numbers(row["x"]), numbers(row["y"])};
    check_gradient(row, {x, y}, values, "gx", x);
    check_gradient(row, {x, y}, values, "gy", y);
  }
}

TEST_CASE("every elementwise function that has a gradient is among them") {
  const nlohmann::json j = test::golden("elementwise_gradients");
  std::string tested;
  for (const char* part : {"one", "two"})
    for (const nlohmann::json& row : j[part]) tested += " " + row["op"].get<std::string>() + " ";
  // Without a number of their own to be wrong.
  const std::string plain = " switch_ clip cast grad_clip grad_scale ";
  std::ifstream readme(std::string(DAMO_SOURCE_DIR) + "/ops/README.md");
  int n = 0;
  for (std::string line; std::getline(readme, line);) {
    if (!line.starts_with("| `") || line.find("| yes |") == std::string::npos) continue;
    bool is_elementwise = false;
    for (const char* header : {"elemwise.h", "special.h", "activations.h"})
      is_elementwise = is_elementwise || line.find(std::string("ops/") + header) != std::string::npos;
    if (!is_elementwise) continue;
    const std::string name = " " + line.substr(3, line.find('`', 3) - 3) + " ";
    if (plain.find(name) != std::string::npos) continue;
    CHECK_MESSAGE(tested.find(name) != std::string::npos, name);
    ++n;
  }
  CHECK(n > 40);
}
