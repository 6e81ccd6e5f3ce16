#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <set>

#include "core/graph/op.h"
#include "core/graph/size_checks.h"
#include "core/graph/walk.h"
#include "tests/expect.h"
#include "tests/ops/op_forms.h"

using namespace damo;
using test::OpForm;

// Every function in every form, on all dtypes and many shapes, alone and inside other expressions: FAST_RUN
// throws where FAST_COMPILE does, in the same op, and gives the same values otherwise.

namespace {

const std::vector<DType> dtypes = {bool_, int8, int16, int32, int64, uint8, float32, float64};
const std::vector<Sizes> shapes = {{},     {0},       {1},          {3},         {5},    {2, 3},
                                   {3, 3}, {3, 1},    {1, 3},       {0, 3},      {3, 0}, {1, 1},
                                   {4, 4}, {2, 3, 2}, {1, 1, 5, 5}, {2, 1, 2, 2}};

/// What stands around the first result.
struct Around {
  const char* text;
  Var (*f)(const Var& y, const Vars& x);
};
const std::vector<Around> around = {
    {"y", [](const Var& y, const Vars&) { return y; }},
    {"y[-1]", [](const Var& y, const Vars&) { return y[-1]; }},
    {"y[0:2]", [](const Var& y, const Vars&) { return y[slice(0, 2)]; }},
    {"sum(y)", [](const Var& y, const Vars&) { return sum(y); }},
    {"mean(y, axis=0)", [](const Var& y, const Vars&) { return mean(y, {.axis = 0}); }},
    {"y.shape(0) + 1", [](const Var& y, const Vars&) { return y.shape(0) + 1; }},
    {"0 * y + x", [](const Var& y, const Vars& x) { return 0 * y + x[0]; }},
    {"ones_like(y) * x", [](const Var& y, const Vars& x) { return ones_like(y) * x[0]; }},
    {"fill(x, 1) + y", [](const Var& y, const Vars& x) { return fill(x[0], 1) + y; }},
    {"-(y - x)", [](const Var& y, const Vars& x) { return -(y - x[0]); }},
    {"log(1 + exp(y))", [](const Var& y, const Vars&) { return log(1 + exp(y)); }},
    {"pow(y, -1)", [](const Var& y, const Vars&) { return pow(y, -1); }},
    {"y.T * 1", [](const Var& y, const Vars&) { return y.T() * 1; }},
    {"gradient", [](const Var& y, const Vars& x) {
       const Var flat = flatten(cast(y, float64));
       return grad(sum(flat * cos(cast(1 + arange(flat.shape(0)), float64))), x[0]);
     }}};

Tensor numbers(DType dtype, const Sizes& shape, std::uint32_t seed) {
  std::vector<double> some = {1, 0, 2, 1, 3, 0, 2, 5};
  if (is_float(dtype)) some = {.5, 0, 2.25, -1, 1, -.75, .5, 3};
  if (dtype == int8 || dtype == int16 || dtype == int32 || dtype == int64) some[3] = -1;
  std::vector<double> all;
  for (std::int64_t i = 0; i < shape.product(); ++i)
    all.push_back(some[(static_cast<std::size_t>(i) + seed) % some.size()]);
  return test::tensor(dtype, shape, all);
}

struct Attempt {
  const OpForm& form;
  DType dtypes[2];
  const Sizes* shapes[2];
  const Around& around;

  std::string text() const {
    return form.text + " as y in " + around.text + " of " + to_string(dtypes[0]) + " " +
           to_string(*shapes[0]) + " and " + to_string(dtypes[1]) + " " + to_string(*shapes[1]);
  }
};

/// Where the values differ, "" if nowhere. What a rule that mends values has made is only as finite.
std::string difference(const Tensor& fast, const Tensor& plain, bool mended) {
  if (fast.dtype() != plain.dtype() || !(fast.shape() == plain.shape())) return "another type";
  if (!is_float(plain.dtype())) return identical(fast, plain) ? "" : "other integers";
  const std::vector<double> x = fast.to_vector<double>(), y = plain.to_vector<double>();
  double scale = 1;
  for (const double v : y)
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  const double tolerance = plain.dtype() == float32 ? 1e-5 : mended ? 1e-8 : 1e-11;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool both_nan = std::isnan(x[i]) && std::isnan(y[i]);
    if (x[i] == y[i] || both_nan || (mended && !std::isfinite(y[i]))) continue;
    if (!(std::abs(x[i] - y[i]) <= tolerance * scale)) return fmt::format("{} became {}", y[i], x[i]);
  }
  return {};
}

bool mends(const Trace& trace) {
  static const std::set<std::string> names = [] {
    std::set<std::string> all;
    for (const Phase& phase : default_rewrites()) {
      for (const Rule& r : phase.rules)
        if (r.kind == Rule::Kind::finite) all.insert(r.name);
      for (const Pass& p : phase.passes)
        if (p.kind == Rule::Kind::finite) all.insert(p.name);
    }
    return all;
  }();
  return std::any_of(trace.begin(), trace.end(), [](const Firing& f) { return names.contains(f.rule); });
}

/// Whether an op of the graph has sizes that only its kernel tells, or can fail on values.
bool is_found_by_kernels(const Var& y) {
  CallNumbers numbers;
  if (!SizeWalk({y}, numbers).computed().empty()) return true;
  const std::vector<NodePtr> order = toposort({y});
  return std::any_of(order.begin(), order.end(), [](const NodePtr& node) {
    return node->kind == Node::Kind::apply && node->op->can_fail();
  });
}

/// What differs between the modes, "" if nothing; nothing where the expression cannot be written.
std::string differing(const Attempt& a, bool& written) {
  Vars x;
  std::vector<In> inputs;
  test::Tensors values;
  for (std::size_t i = 0; i < a.form.n_arrays; ++i) {
    x.push_back(variable(test::unknown(a.dtypes[i], a.shapes[i]->size()), "x" + std::to_string(i)));
    inputs.emplace_back(x.back());
    values.push_back(numbers(a.dtypes[i], *a.shapes[i], static_cast<std::uint32_t>(i)));
  }
  Var y;
  if (test::error_of([&] { y = a.around.f(a.form.build(x)[0], x); }) != "no error") return {};
  written = true;
  Tensor results[2];
  std::string errors[2];
  bool mended = false;
  for (const int k : {0, 1})
    errors[k] = test::error_of([&] {
      const Function f = function({.inputs = inputs,
                                   .outputs = y,
                                   .on_unused_input = OnUnusedInput::ignore,
                                   .mode = k == 0 ? Mode::FAST_RUN : Mode::FAST_COMPILE});
      if (k == 0) mended = mends(f.trace());
      results[k] = f.call(values.data(), values.size());
    });
  const bool failed[] = {errors[0] != "no error", errors[1] != "no error"};
  // What only a kernel finds, it finds where its values are used.
  if (failed[1] && !failed[0] && is_found_by_kernels(y)) return {};
  if (failed[0] != failed[1]) return errors[0] + "\nin place of\n" + errors[1];
  return errors[0] == "no error" ? difference(results[0], results[1], mended) : "";
}

}  // namespace

TEST_CASE("every function of the table of ops has a form") {
  std::set<std::string> forms;
  for (const OpForm& f : test::op_forms()) forms.insert(f.function);
  // They have values of their own to be checked, or none.
  const std::set<std::string> elsewhere = {"print_value"};
  std::ifstream readme(std::string(DAMO_SOURCE_DIR) + "/ops/README.md");
  int n = 0;
  for (std::string line; std::getline(readme, line);) {
    if (!line.starts_with("| `") || line.find("| `ops/") == std::string::npos) continue;
    const std::string name = line.substr(3, line.find('`', 3) - 3);
    if (name.find("::") != std::string::npos || elsewhere.contains(name)) continue;
    CHECK_MESSAGE(forms.contains(name), name);
    ++n;
  }
  CHECK(n > 150);
}

TEST_CASE(
    "in every form, on every dtype and shape, both modes throw the same errors and give the same values") {
  const std::vector<OpForm>& forms = test::op_forms();
  const std::uint32_t n = test::n_random(4000);
  std::mt19937 engine(1);
  const auto any = [&]<class T>(const std::vector<T>& list) -> const T& {
    return list[engine() % list.size()];
  };
  int n_written = 0;
  for (std::uint32_t k = 0; k < n; ++k) {
    const Around& outside = any(around);
    const OpForm& form = any(forms);
    const DType one = any(dtypes), other = any(dtypes);
    const Sizes &shape = any(shapes), &other_shape = any(shapes);
    // Most operands go together.
    const bool alike = k % 4 != 0;
    const Attempt a{form, {one, k % 2 == 0 ? one : other}, {&shape, alike ? &shape : &other_shape}, outside};
    bool written = false;
    const std::string found = differing(a, written);
    n_written += written ? 1 : 0;
    CHECK_MESSAGE(found == "", a.text(), ":\n", found);
  }
  CHECK(n_written > static_cast<int>(n / 3));
  MESSAGE(n_written, " of ", n, " expressions can be written, of ", forms.size(), " forms");
}
