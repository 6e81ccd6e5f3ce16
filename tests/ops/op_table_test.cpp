#include <doctest/doctest.h>

#include <concepts>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <type_traits>

#include "ops/ops.h"
#include "tests/expect.h"
#include "tests/support.h"

// The table of ops in ops/README.md is made here, of the functions that the headers declare: each is called
// with arguments that it can be called with, and what came out is differentiated.

namespace damo::test {
namespace {

#include "generated/declared_ops.h"

/// The name in Theano, where it is not T.name; "" if there is none.
const std::map<std::string, std::string>& theano_names() {
  static const std::map<std::string, std::string> names = {
      {"abs", "T.abs_"},
      {"bincount", "T.extra_ops.bincount"},
      {"checked_index", ""},
      {"cholesky", "T.slinalg.cholesky"},
      {"consider_constant", "theano.gradient.consider_constant"},
      {"conv2d_grad_wrt_inputs", "T.nnet.abstract_conv.conv2d_grad_wrt_inputs"},
      {"conv2d_grad_wrt_weights", "T.nnet.abstract_conv.conv2d_grad_wrt_weights"},
      {"dimshuffle", "x.dimshuffle"},
      {"disconnected_grad", "theano.gradient.disconnected_grad"},
      {"full", ""},
      {"full_like", ""},
      {"grad_clip", "theano.gradient.grad_clip"},
      {"grad_scale", "theano.gradient.grad_scale"},
      {"ifelse", "theano.ifelse.ifelse"},
      {"kron", "T.slinalg.kron"},
      {"log_softmax", "T.nnet.logsoftmax"},
      {"log_sum_exp", ""},
      {"logical_and", ""},
      {"logical_not", ""},
      {"logical_or", ""},
      {"minibatch", ""},
      {"mul_no_nan", ""},
      {"print_value", "theano.printing.Print"},
      {"searchsorted", "T.extra_ops.searchsorted"},
      {"shape", "T.shape, x.shape"},
      {"sigmoid", "T.nnet.sigmoid"},
      {"slogdet", ""},
      {"softplus", "T.nnet.softplus"},
      {"solve", "T.slinalg.solve"},
      {"solve_lower_triangular", "T.slinalg.solve_lower_triangular"},
      {"solve_triangular", ""},
      {"solve_upper_triangular", "T.slinalg.solve_upper_triangular"},
      {"subtensor", "x[...]"},
      {"switch_", "T.switch"},
      {"trace", "T.nlinalg.trace"},
      {"transpose", "T.transpose, x.T"},
      {"zero_grad", "theano.gradient.zero_grad"},
  };
  return names;
}

std::string theano_name(const std::string& header, const std::string& name) {
  static const std::map<std::string, std::string> modules = {
      {"ops/activations.h", "T.nnet."}, {"ops/conv.h", "T.nnet."},        {"ops/cost.h", "T.nnet."},
      {"ops/linalg.h", "T.nlinalg."},   {"ops/pool.h", "T.signal.pool."}, {"ops/softmax.h", "T.nnet."}};
  const auto known = theano_names().find(name);
  if (known != theano_names().end()) return known->second;
  const std::size_t scope = name.find("::");
  if (scope != std::string::npos) return "RandomStreams." + name.substr(scope + 2);
  const auto module = modules.find(header);
  return (module == modules.end() ? "T." : module->second) + name;
}

Vars outputs_of(const Var& v) { return {v}; }
template <class V>
requires requires(const V& v) { requires std::convertible_to<decltype(*v.begin()), Var>; }
Vars outputs_of(const V& v) { return Vars(v.begin(), v.end()); }
template <class V>
requires std::is_aggregate_v<V> && requires {
  V{Var(), Var()};
} &&(!requires { V{Var(), Var(), Var()}; })Vars outputs_of(const V& v) {
  const auto& [first, second] = v;
  return {first, second};
}

/// What the gradient of a function of some arguments is worth: "yes", "0" (the cost is connected to an
/// argument, but does not change with it) or "no".
std::string gradient_of(const Vars& outputs, const Vars& arguments, const VarMap<Tensor>& values) {
  Vars wrt;
  for (const Var& v : arguments)
    if (v.type().is_float()) wrt.push_back(v);
  if (wrt.empty()) return "no";
  Var cost;
  for (const Var& y : outputs) {
    const Var flat = flatten(cast(y, float64));
    const Var part = sum(flat * cos(cast(1 + arange(flat.shape(0)), float64)));
    cost = cost.is_set() ? cost + part : part;
  }
  Vars g = grad(cost, wrt, {.disconnected_inputs = Disconnected::ignore});
  std::erase_if(g, [](const Var& v) { return !v.is_set(); });
  if (g.empty()) return "no";
  Tensors points;
  for (const Var& v : arguments) points.push_back(values.at(v));
  for (const Var& v : g)
    for (const double x : evaluate(v, arguments, points, Mode::FAST_COMPILE).to_vector<double>())
      if (x != 0) return "yes";  // a NaN, too: the point is outside the domain
  return "0";
}

struct Row {
  std::string header, name, gradient;
};

/// Calls each declared function with one set of arguments after the other, until one fits. The arguments are
/// members, as making them in each call would be most of this file's code.
class Sampler {
 public:
  std::vector<Row> rows;

  template <class F, class G>
  void function(const char* header, const char* name, F f, G g) {
    Row row{header, name, ""};
    add(row, fits(row, f) || fits_sizes(row, f) || fits_numbers(row, f) || fits(row, g));
  }

  template <class F, class G>
  void method(const char* header, const char* name, F f, G g) {
    Row row{header, name, ""};
    RandomStreams streams(1);
    const auto of_array = [&](const auto& x) -> decltype(f(streams, x)) { return f(streams, x); };
    const auto of_nothing = [&](const auto&... none) -> decltype(g(streams, none...)) {
      return g(streams, none...);
    };
    add(row, call(row, of_array, m_, m) || call(row, of_nothing, none_));
  }

 private:
  static constexpr const char* no_op = "it makes no expression";

  void add(const Row& row, bool found) {
    CHECK_MESSAGE(found, row.name << ": no arguments of op_table_test.cpp fit it");
    if (row.gradient != no_op) rows.push_back(row);
  }

  template <class F, class... A>
  bool call(Row& row, const F& f, const Vars& arguments, const A&... args) {
    if constexpr (requires { f(args...); }) {
      if constexpr (!requires { outputs_of(f(args...)); }) {
        row.gradient = no_op;
        return true;
      } else {
        try {
          row.gradient = gradient_of(outputs_of(f(args...)), arguments, values_);
          return true;
        } catch (const Error&) {
        }
      }
    }
    return false;
  }

  /// Arrays alone.
  template <class F>
  bool fits(Row& row, const F& f) {
    if constexpr (requires { f(m); })
      for (const Vars& x : ones)
        if (call(row, f, x, x[0])) return true;
    if constexpr (requires { f(m, a); })
      for (const Vars& x : twos)
        if (call(row, f, x, x[0], x[1])) return true;
    if constexpr (requires { f(m, a, b); })
      for (const Vars& x : threes)
        if (call(row, f, x, x[0], x[1], x[2])) return true;
    return false;
  }

  /// Lists of arrays; arrays, and sizes, axes or places.
  template <class F>
  bool fits_sizes(Row& row, const F& f) {
    return call(row, f, ma, ma) || call(row, f, ma, ma_args) || call(row, f, ma, zero, ma_args) ||
           call(row, f, mv, m0, v) || call(row, f, ma, m, a, one) || call(row, f, m_, m, one) ||
           call(row, f, m_, m, one, one) || call(row, f, m_, m, float32) || call(row, f, m_, m, axes10) ||
           call(row, f, r_, r, axes0) || call(row, f, m_, m, sizes33) || call(row, f, v_, v, sizes12) ||
           call(row, f, s_, sizes33, s) || call(row, f, ivw, i, vwv_args) ||
           call(row, f, tu, t, u, sizes1155) || call(row, f, tu, t, u, sizes1133) ||
           call(row, f, m_, m, quarter, half) || call(row, f, m_, m, places) ||
           call(row, f, m_, m, zero, one) || call(row, f, m_, text, m) || call(row, f, mc, text, m, c) ||
           call(row, f, mc, m, c, text) || call(row, f, m_, m, text);
  }

  /// Sizes and numbers alone.
  template <class F>
  bool fits_numbers(Row& row, const F& f) {
    return call(row, f, none_, sizes33) || call(row, f, none_, three) || call(row, f, none_, three, three) ||
           call(row, f, none_, three, three, one) || call(row, f, none_, zero, three, text) ||
           call(row, f, none_, slices);
  }

  Var input(const Tensor& value) {
    const Var x = variable(unknown(value.dtype(), value.ndim()), "x" + std::to_string(values_.size()));
    values_.emplace(x, value);
    return x;
  }

  VarMap<Tensor> values_;
  // Symmetric and positive definite, with elements in (0, 1).
  const Var m = input(tensor(float64, {3, 3}, {.8, .1, .2, .1, .7, .15, .2, .15, .9}));
  const Var a = input(tensor(float64, {3, 3}, {.6, .2, .1, .25, .5, .3, .1, .05, .75}));
  const Var b = input(tensor(float64, {3, 3}, {.9, .3, .4, .35, .55, .45, .25, .5, .95}));
  const Var v = input(tensor(float64, {3}, {.2, .5, .3}));
  const Var w = input(tensor(float64, {3}, {.1, .7, .2}));
  const Var r = input(tensor(float64, {1, 3}, {.2, .5, .3}));
  const Var t = input(random({1, 1, 4, 4}, float64, 1, .1, .9));
  const Var u = input(random({1, 1, 2, 2}, float64, 2, .1, .9));
  const Var i = input(tensor(int64, {3}, {2, 0, 1}));
  const Var c = input(tensor(int64, {}, {1}));
  const Var s = input(tensor(float64, {}, {.3}));
  const Var m0 = m[0];
  const std::vector<Vars> ones = {{m}, {v}, {t}, {i}};
  const std::vector<Vars> twos = {{m, a}, {a, b}, {v, w}, {m, v}, {v, m}, {t, u}, {m, i}};
  const std::vector<Vars> threes = {{m, a, b}, {c, m, a}, {m, a, i}};
  // The variables among a function's arguments.
  const Vars none_ = {}, m_ = {m}, v_ = {v}, r_ = {r}, s_ = {s}, ma = {m, a}, mv = {m, v}, mc = {m, c},
                    tu = {t, u}, ivw = {i, v, w};
  const int zero = 0, one = 1, three = 3;
  const double quarter = .25, half = .5;
  const std::string text = "text";
  const std::vector<int> axes10 = {1, 0}, axes0 = {0};
  const Args ma_args = {m, a}, vwv_args = {v, w, v}, sizes33 = {3, 3}, sizes12 = {1, 2},
             sizes1155 = {1, 1, 5, 5}, sizes1133 = {1, 1, 3, 3};
  const std::vector<Index> places = {Index(0)};
  const std::vector<Slice> slices = {slice(0, 3)};
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    const FloatXScope scope(float64);
    Sampler sampler;
    visit_declared(sampler);
    return sampler.rows;
  }();
  return all;
}

std::string table() {
  std::string text = "| function | in Theano | gradient | header |\n| --- | --- | --- | --- |\n";
  for (const Row& row : rows()) {
    const std::string theano = theano_name(row.header, row.name);
    text += "| `" + row.name + "` | " + (theano.empty() ? "-" : "`" + theano + "`") + " | " + row.gradient +
            " | `" + row.header + "` |\n";
  }
  return text;
}

TEST_CASE("gradients of known functions are found") {
  std::map<std::string, std::string> found;
  for (const Row& row : rows()) found[row.name] = row.gradient;
  for (const char* name : {"tanh", "dot", "sum", "softmax", "join", "reshape", "set_subtensor", "clip",
                           "RandomStreams::shuffle_row_elements"})
    CHECK_MESSAGE(found[name] == "yes", name);
  for (const char* name : {"sgn", "int_div", "floor", "zero_grad"}) CHECK_MESSAGE(found[name] == "0", name);
  for (const char* name :
       {"disconnected_grad", "zeros", "arange", "checked_index", "Streams::uniform", "eq", "isnan", "argmax"})
    CHECK_MESSAGE(found[name] == "no", name);
}

TEST_CASE("ops/README.md has the table of ops") {
  const std::string path = std::string(DAMO_SOURCE_DIR) + "/ops/README.md";
  std::ostringstream stream;
  stream << std::ifstream(path).rdbuf();
  std::string text = stream.str();
  const std::string begin = "<!-- ops: begin -->\n", end = "<!-- ops: end -->\n";
  const std::size_t first = text.find(begin), last = text.find(end);
  REQUIRE(first != std::string::npos);
  REQUIRE(last != std::string::npos);
  const std::size_t from = first + begin.size();
  const std::string now = "\n" + table() + "\n";
  if (text.substr(from, last - from) == now) return;
  if (std::getenv("DAMO_WRITE_TABLES") != nullptr) {
    text.replace(from, last - from, now);
    std::ofstream(path) << text;
    return;
  }
  FAIL_CHECK("the table is another; run this test with DAMO_WRITE_TABLES=1 to write it, or put there:\n",
             now);
}

}  // namespace
}  // namespace damo::test
