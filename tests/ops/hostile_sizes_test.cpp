#include <doctest/doctest.h>

#include <functional>
#include <iostream>
#include <limits>
#include <sstream>

#include "tests/expect.h"

/// Sizes and numbers that nobody means, for every op that takes one: an Error that names the op and the line,
/// or the right value, at once; never a crash, and no undefined behaviour.
using namespace damo;

namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max(),
                       smallest = std::numeric_limits<std::int64_t>::min();

/// Not one for which there could be memory.
constexpr std::int64_t hostile[] = {largest,
                                    largest - 1,
                                    smallest,
                                    smallest + 1,
                                    std::int64_t{1} << 62,
                                    (std::int64_t{1} << 62) + 1,
                                    std::int64_t{1} << 61,
                                    std::int64_t{1} << 60,
                                    std::int64_t{1} << 58,
                                    3074457345618258603,  // a third of 2^63
                                    -2,
                                    -1,
                                    0,
                                    1,
                                    3};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

struct Row {
  std::string name;
  std::function<Var(const Var& n)> build;
  /// Whether the array is made: FAST_RUN does not where only its sizes are asked for, and does not check
  /// them.
  bool is_made = true;
};

const Var& x() {
  static const Var v = constant(test::tensor(float32, {2, 3}, {1, 2, 3, 4, 5, 6}));
  return v;
}
const Var& u() {
  static const Var v = constant(test::tensor(int64, {3}, {0, 2, 1}));
  return v;
}
Var images() { return constant(Tensor::zeros({1, 1, 4, 4}, float32)); }
Var filters() { return constant(Tensor::zeros({1, 1, 2, 2}, float32)); }

RandomStreams& streams() {
  static RandomStreams s(1);
  return s;
}
MRG_RandomStreams& mrg() {
  static MRG_RandomStreams s(1);
  return s;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"arange", [](const Var& n) { return sum(arange(n)); }},
      {"arange from", [](const Var& n) { return arange(n, 5); }},
      {"arange step", [](const Var& n) { return arange(0, 3, n); }},
      {"arange back", [](const Var& n) { return arange(n, largest); }},
      {"arange of floats", [](const Var& n) { return sum(arange(0., cast(n, float64))); }},
      {"mgrid", [](const Var& n) { return mgrid({slice(0, n), slice(0, n)})[0]; }},
      {"ogrid", [](const Var& n) { return ogrid({slice(0, n), slice(none, 2)})[0]; }},
      {"full", [](const Var& n) { return full({n, 2}, 1.5); }},
      {"full twice", [](const Var& n) { return full({n, n}, 1.5); }},
      {"alloc", [](const Var& n) { return alloc(1., {n}); }},
      {"alloc of nothing", [](const Var& n) { return alloc(1., {n, 0}); }},
      {"alloc of nothing else", [](const Var& n) { return alloc(1., {0, n, n}); }},
      {"alloc of x", [](const Var& n) { return alloc(x(), {n, 2, 3}); }},
      {"zeros", [](const Var& n) { return sum(zeros({n, 4}, int8)); }},
      {"ones", [](const Var& n) { return ones({4, n, 4}); }},
      {"eye", [](const Var& n) { return sum(eye(n)); }},
      {"eye of nothing", [](const Var& n) { return eye(n, 0); }},
      {"eye's diagonal", [](const Var& n) { return eye(2, 3, n); }},
      {"tri", [](const Var& n) { return sum(tri(n, n)); }},
      {"tri of nothing", [](const Var& n) { return tri(n, 0); }},
      {"tri's diagonal", [](const Var& n) { return tri(2, 3, n); }},
      {"tril", [](const Var& n) { return tril(x(), n); }},
      {"triu", [](const Var& n) { return triu(x(), n); }},
      {"tril of many", [](const Var& n) { return tril(alloc(1., {n, 0})); }, false},
      {"identity_like", [](const Var& n) { return identity_like(alloc(1., {n, 0})); }, false},
      {"repeat", [](const Var& n) { return repeat(x(), n); }},
      {"repeat along", [](const Var& n) { return repeat(x(), n, 1); }},
      {"repeat each", [](const Var& n) { return repeat(u(), join(0, {stack({n, n, n})})); }},
      {"repeat many", [](const Var& n) { return repeat(arange(4), stack({n, n, n, n})); }},
      {"tile", [](const Var& n) { return tile(x(), {n, n}); }},
      {"tile one", [](const Var& n) { return tile(x(), {1, n}); }},
      {"roll", [](const Var& n) { return roll(x(), n, 1); }},
      {"roll all", [](const Var& n) { return roll(x(), n); }},
      {"split", [](const Var& n) { return split(arange(8), {n, n, 8}, 0)[0]; }},
      {"split last", [](const Var& n) { return split(arange(8), {4, n}, 0)[1]; }},
      {"reshape", [](const Var& n) { return reshape(x(), {n, 2}); }},
      {"reshape to many", [](const Var& n) { return reshape(x(), {n, n, -1}); }},
      {"reshape of nothing", [](const Var& n) { return reshape(zeros({0}), {n, 4, 0}); }},
      {"specify_shape", [](const Var& n) { return specify_shape(x(), {n, 3}); }},
      {"slice from", [](const Var& n) { return x()[{slice(none, none), slice(n, none)}]; }},
      {"slice to", [](const Var& n) { return x()[{slice(none, none), slice(none, n)}]; }},
      {"slice step", [](const Var& n) { return x()[{slice(none, none), slice(none, none, n)}]; }},
      {"slice of all", [](const Var& n) { return x()[slice(n, n, n)]; }},
      {"index", [](const Var& n) { return x()[n]; }},
      {"index inside", [](const Var& n) { return x()[{0, n}]; }},
      {"advanced index", [](const Var& n) { return x()[{stack({n, n}), u()[slice(0, 2)]}]; }},
      {"set a slice", [](const Var& n) { return set_subtensor(x()[slice(n, none, n)], 7.f); }},
      {"set an element", [](const Var& n) { return set_subtensor(x()[{0, n}], 7.f); }},
      {"inc by arrays", [](const Var& n) { return inc_subtensor(x()[stack({n, n})], 7.f); }},
      {"minibatch", [](const Var& n) { return minibatch(x(), n, 1); }},
      {"minibatches", [](const Var& n) { return minibatch(x(), n, std::numeric_limits<int>::max()); }},
      {"take", [](const Var& n) { return take(x(), n); }},
      {"take, wrapped", [](const Var& n) { return take(x(), stack({n}), {.axis = 1, .mode = OutOfRange::wrap}); }},
      {"take, clipped", [](const Var& n) { return take(x(), stack({n}), {.axis = 1, .mode = OutOfRange::clip}); }},
      {"choose", [](const Var& n) { return choose(n, {1., 2.}); }},
      {"choose, wrapped", [](const Var& n) { return choose(n, {1., 2.}, OutOfRange::wrap); }},
      {"bincount", [](const Var& n) { return bincount(stack({n, n})); }},
      {"bincount, at least", [](const Var& n) { return bincount(u(), {.minlength = n}); }},
      {"cumsum", [](const Var& n) { return cumsum(alloc(1., {n, 0}), 0); }},
      {"cumprod", [](const Var& n) { return cumprod(alloc(1., {0, n}), 1); }},
      {"sort", [](const Var& n) { return sort(alloc(1., {n, 0}), 1); }},
      {"argsort", [](const Var& n) { return argsort(alloc(1., {n, 0}), 1); }},
      {"softmax", [](const Var& n) { return softmax(alloc(1., {n, 0})); }},
      {"sum of nothing", [](const Var& n) { return sum(alloc(1., {0, n}), {.axis = 0}); }},
      {"max of nothing", [](const Var& n) { return max(alloc(1., {n, 0}), {.axis = 1}); }},
      {"join", [](const Var& n) { return join(0, {arange(n), arange(n)}); }},
      {"join of nothing", [](const Var& n) { return join(0, {alloc(1., {n, 0}), alloc(1., {n, 0})}); }},
      {"stack", [](const Var& n) { return stack({arange(n), arange(n)}); }},
      {"outer", [](const Var& n) { return outer(alloc(1., {n}), alloc(1., {n})); }},
      {"dot of nothing", [](const Var& n) { return dot(alloc(1., {n, 0}), alloc(1., {0, n})); }},
      {"batched_dot", [](const Var& n) { return batched_dot(alloc(1., {n, 0, 2}), alloc(1., {n, 2, 0})); }},
      {"tensordot", [](const Var& n) { return tensordot(alloc(1., {n, 0}), alloc(1., {0, n}), 1); }},
      {"kron", [](const Var& n) { return kron(alloc(1., {n, 0}), alloc(1., {n, 0})); }},
      {"flatten", [](const Var& n) { return flatten(alloc(1., {n, 0, n})); }},
      {"transpose", [](const Var& n) { return tanh(transpose(alloc(1., {n, 0}))) * 2; }},
      {"nonzero", [](const Var& n) { return nonzero(alloc(1., {n, 0}))[0]; }},
      {"diag", [](const Var& n) { return sum(diag(zeros({n}))); }},
      {"diagonal", [](const Var& n) { return diagonal(zeros({n, 0})); }},
      {"conv2d", [](const Var& n) { return conv2d(alloc(1., {n, 1, 4, 4}), filters()); }},
      {"conv2d of nothing", [](const Var& n) { return conv2d(alloc(1., {0, 1, n, n}), filters()); }},
      {"gradient of conv2d",
       [](const Var& n) { return conv2d_grad_wrt_inputs(images(), filters(), {1, 1, n, n}); }},
      {"gradient of conv2d for filters",
       [](const Var& n) { return conv2d_grad_wrt_weights(images(), images(), {1, 1, n, n}); }},
      {"pool_2d", [](const Var& n) { return pool_2d(alloc(1., {0, n, n}), 2); }},
      {"uniform", [](const Var& n) { return streams().uniform({.size = {n, 4}}); }},
      {"normal", [](const Var& n) { return streams().normal({.size = {n, n}}); }},
      {"binomial", [](const Var& n) { return streams().binomial({.size = {n, 0}}); }},
      {"trials", [](const Var& n) { return ge(streams().binomial({.size = {2}, .n = clip(n, -2, 3)}), 0); }},
      {"integers", [](const Var& n) { return ge(streams().random_integers({.size = {2}, .low = n, .high = largest}), n); }},
      {"poisson", [](const Var& n) { return streams().poisson({.size = {n, 3}}); }},
      {"permutation", [](const Var& n) { return sum(streams().permutation({.n = n})); }},
      {"permutations", [](const Var& n) { return streams().permutation({.size = {n}, .n = 0}); }},
      {"choice", [](const Var& n) { return streams().choice({.size = {n}, .a = 3}); }},
      {"multinomial", [](const Var& n) { return streams().multinomial({.size = {n}}); }},
      {"shuffle_row_elements", [](const Var& n) { return streams().shuffle_row_elements(alloc(1., {n, 0})); }},
      {"mrg uniform", [](const Var& n) { return mrg().uniform({.size = {n, 4}}); }},
      {"mrg normal", [](const Var& n) { return mrg().normal({.size = {n}}); }},
      {"mrg multinomial",
       [](const Var& n) { return mrg().multinomial({.n = n, .pvals = constant(Tensor::full({2, 2}, float32, .5))}); }},
      {"mrg choice",
       [](const Var& n) {
         return mrg().choice({.size = {n}, .replace = false, .p = constant(Tensor::full({2, 2}, float32, .5))});
       }},
      {"size arithmetic", [](const Var& n) { return n * n + n - n / 2 * 0; }},
      {"a power", [](const Var& n) { return pow(n, 3); }},
      {"a quotient", [](const Var& n) { return int_div(n, -1) + mod(n, -1); }},
      {"shape", [](const Var& n) { return shape(alloc(1., {n, 0, 4})); }, false},
      {"fill", [](const Var& n) { return fill(alloc(1., {n, 0}), 2.); }},
      {"jacobian", [](const Var& n) {
         const Var v = alloc(1., {n});
         return jacobian(v * 2, v);
       }},
  };
  return all;
}

bool names_line(const std::string& message) {
  return message.find("hostile_sizes_test.cpp:") != std::string::npos;
}

}  // namespace

TEST_CASE("a size that is an input, or a constant") {
  const Var n = lscalar("n");
  for (const Row& row : rows())
    for (const std::int64_t value : hostile) {
      INFO(row.name << ", n = " << value);
      Tensor result, same;
      const auto called_in = [&](Mode mode) {
        return message_of([&] {
          result = function({.inputs = {n},
                             .outputs = row.build(n),
                             .name = "f",
                             .on_unused_input = OnUnusedInput::ignore,
                             .mode = mode})(value);
        });
      };
      const std::string as_written = called_in(Mode::FAST_COMPILE);
      const std::string in_the_call = row.is_made ? called_in(Mode::FAST_RUN) : as_written;
      const std::string when_built = message_of(
          [&] { same = function({.outputs = row.build(constant(Tensor(value))), .name = "f"})(); });
      CHECK(in_the_call.empty() == when_built.empty());
      CHECK(as_written.empty() == when_built.empty());
      for (const std::string& message : {in_the_call, as_written, when_built})
        if (!message.empty()) {
          INFO(message);
          CHECK(names_line(message));
        }
      if (in_the_call.empty() && when_built.empty()) {
        CHECK(result.shape() == same.shape());
        CHECK(result.size() < 1000);
        CHECK(to_string(result).size() < 10000);
      }
    }
}

TEST_CASE("arrays with very many rows, and no elements") {
  const std::int64_t many = std::int64_t{1} << 36;
  const Var a = fmatrix("a");
  const Tensor tall = Tensor::zeros({many, 0}, float32), wide = Tensor::zeros({0, many}, float32);
  const std::vector<std::pair<std::string, std::function<Var()>>> table = {
      {"tanh", [&] { return tanh(a); }},
      {"fused", [&] { return tanh(a) * 2 + exp(a); }},
      {"cast", [&] { return cast(a, int8); }},
      {"softmax", [&] { return softmax(a); }},
      {"log_softmax", [&] { return log_softmax(a); }},
      {"cumsum 0", [&] { return cumsum(a, 0); }},
      {"cumsum 1", [&] { return cumsum(a, 1); }},
      {"cumprod", [&] { return cumprod(a, 1); }},
      {"argsort 0", [&] { return argsort(a, 0); }},
      {"argsort 1", [&] { return argsort(a, 1); }},
      {"T", [&] { return a.T() * 2; }},
      {"flatten", [&] { return flatten(a); }},
      {"reversed",
       [&] {
         return a[{slice(none, none, -1), slice(none, none, -1)}] * 2;
       }},
      {"join 0",
       [&] {
         return join(0, {a, a});
       }},
      {"join 1",
       [&] {
         return join(1, {a, a});
       }},
      {"repeat", [&] { return repeat(a, 3, 0); }},
      {"repeat all", [&] { return repeat(a, 3); }},
      {"tile",
       [&] {
         return tile(a, {1, 2});
       }},
      {"roll", [&] { return roll(a, 1, 0); }},
      {"set", [&] { return set_subtensor(a[slice(1, 3)], 1.f); }},
      {"inc", [&] { return inc_subtensor(a[slice(none, none, 2)], 1.f); }},
      {"rows", [&] { return a[{u()[slice(0, 0)]}]; }},
      {"ifelse", [&] { return ifelse(gt(sum(a), 0), a, a * 2); }},
      {"switch", [&] { return switch_(a > 0, a, 1.f); }},
      {"all of it", [&] { return sum(a); }},
      {"mean", [&] { return mean(a); }},
      {"gradient", [&] { return grad(sum(sqr(tanh(a))), a); }},
      {"gradient of softmax", [&] { return grad(sum(log(softmax(a))), a); }},
      {"specify_shape",
       [&] {
         return specify_shape(a, {a.shape(0), a.shape(1)});
       }},
      {"mask", [&] { return a[a > 0]; }},
      {"nonzero", [&] { return flatnonzero(a); }},
      {"clip", [&] { return clip(a, 0, 1); }},
      {"dot",
       [&] {
         return dot(a.T()[slice(0, 0)], a[{slice(none, none), slice(0, 0)}]);
       }},
      {"printed", [&] { return print_value(a); }},
  };
  std::ostringstream printed;
  set_print_stream(printed);
  for (const auto& entry : table)
    for (const Mode mode : {Mode::FAST_RUN, Mode::FAST_COMPILE})
      for (const Tensor& t : {tall, wide}) {
        const auto& name = entry.first;
        const auto& build = entry.second;
        INFO(name << " of " << to_string(t.shape()));
        const std::string message = message_of([&] {
          const Tensor y = function({.inputs = {a}, .outputs = build(), .name = "f", .mode = mode})(t);
          CHECK(y.size() <= 1);
          CHECK(to_string(y).size() < 20);
        });
        if (!message.empty()) {
          INFO(message);
          CHECK(names_line(message));
        }
      }
  set_print_stream(std::cerr);
}

TEST_CASE("options that are ints") {
  constexpr int most = std::numeric_limits<int>::max(), least = std::numeric_limits<int>::min();
  const Var v = u(), m = x(), i = images(), f = filters();
  for (const int n : {most, least, most - 1, least + 1, 1 << 30, -1}) {
    const std::vector<std::pair<std::string, std::function<Var()>>> table = {
        {"diag", [&] { return diag(v, n); }},
        {"diag of a matrix", [&] { return diag(m, n); }},
        {"diagonal", [&] { return diagonal(m, n); }},
        {"trace", [&] { return trace(m, n); }},
        {"diagonal's axis", [&] { return diagonal(m, 0, n, 0); }},
        {"sum", [&] { return sum(m, {.axis = n}); }},
        {"softmax's shape", [&] { return m.shape(n); }},
        {"cumsum", [&] { return cumsum(m, n); }},
        {"sort", [&] { return sort(m, n); }},
        {"argmax", [&] { return argmax(m, {.axis = n}); }},
        {"join",
         [&] {
           return join(n, {m, m});
         }},
        {"stack",
         [&] {
           return stack({m, m}, n);
         }},
        {"take", [&] { return take(m, 0, {.axis = n}); }},
        {"roll", [&] { return roll(m, 1, n); }},
        {"repeat", [&] { return repeat(m, 2, n); }},
        {"split",
         [&] {
           return split(m, {1, 1}, n)[0];
         }},
        {"swapaxes", [&] { return swapaxes(m, n, 0); }},
        {"squeeze", [&] { return squeeze(m, {n}); }},
        {"shape_padleft", [&] { return shape_padleft(m, n); }},
        {"shape_padright", [&] { return shape_padright(m, n); }},
        {"shape_padaxis", [&] { return shape_padaxis(m, n); }},
        {"dimshuffle",
         [&] {
           return dimshuffle(m, {n, 0});
         }},
        {"flatten", [&] { return flatten(m, n); }},
        {"tensordot", [&] { return tensordot(m, m, n); }},
        {"tensordot's axes",
         [&] {
           return tensordot(m, m, {{n}, {0}});
         }},
        {"batched_tensordot", [&] { return batched_tensordot(m, m, n); }},
        {"addbroadcast", [&] { return addbroadcast(m, {n}); }},
        {"unbroadcast", [&] { return unbroadcast(m, {n}); }},
        {"minibatch", [&] { return minibatch(m, 0, n); }},
        {"ddof", [&] { return var(m, {.ddof = n}); }},
        {"tile's rank", [&] { return tile(m, {2}, n); }},
        {"conv2d's dilation", [&] { return conv2d(i, f, {.filter_dilation = n}); }},
        {"conv2d's dilation, half",
         [&] { return conv2d(i, f, {.border_mode = Border::half, .filter_dilation = n}); }},
        {"conv2d's dilation, full",
         [&] { return conv2d(i, f, {.border_mode = Border::full, .filter_dilation = n}); }},
        {"conv2d's step", [&] { return conv2d(i, f, {.subsample = n}); }},
        {"conv2d's border", [&] { return conv2d(i, f, {.border_mode = BorderMode(n)}); }},
        {"conv2d's border and step",
         [&] { return conv2d(i, f, {.border_mode = BorderMode(n), .subsample = n}); }},
        {"pool's ws", [&] { return pool_2d(i, n); }},
        {"pool's ws, borders ignored", [&] { return pool_2d(i, n, {.ignore_border = true}); }},
        {"pool's stride", [&] { return pool_2d(i, 2, {.stride = RowsCols(n)}); }},
        {"pool's pad", [&] { return pool_2d(i, n, {.ignore_border = true, .pad = n > 0 ? n - 1 : n}); }},
        {"pool's gradient",
         [&] {
           return grad(sum(pool_2d(i * 2, n, {.stride = RowsCols(n), .mode = PoolMode::average_exc_pad})), i);
         }},
    };
    for (const auto& entry : table) {
      const auto& name = entry.first;
      const auto& build = entry.second;
      INFO(name << ", " << n);
      const std::string message = message_of([&] {
        const Tensor y = function({.outputs = build(), .name = "f"})();
        CHECK(y.size() < 1000);
      });
      if (!message.empty()) {
        INFO(message);
        CHECK(names_line(message));
      }
    }
  }
}

TEST_CASE("what the messages say") {
  const Var n = lscalar("n");
  int line = __LINE__ + 1;
  const Var total = sum(arange(n));
  const Function f = function({.inputs = {n}, .outputs = total, .name = "f"});
  CHECK(message_of([&] { f(std::int64_t{1} << 61); }) ==
        "arange: int64 (2305843009213693952,) is too large: a tensor has at most 1 TiB\n  int64 ()   0\n  "
        "int64 ()   "
        "n\n  int64 ()   1\n  " +
            test::at(line) + ", in function \"f\"");
  CHECK(double(f(4)) == 6);
  line = __LINE__ + 1;
  CHECK(message_of([] { repeat(x(), 3074457345618258603); }).find(test::at(line)) != std::string::npos);
  // Each fits, but not all of them.
  const Var rows = lscalar("rows"), a = alloc(1.f, {rows, 1000});
  const Function g =
      function({.inputs = {rows},
                .outputs = sum(dot(a, a.T()[{slice(none, none), slice(0, 1)}]) + sum(cumsum(a, 1))),
                .name = "g"});
  const std::string message = message_of([&] { g(std::int64_t{200} << 20); });
  INFO(message);
  CHECK(message.find("too large") + message.find("no memory") != 2 * std::string::npos);
  CHECK(names_line(message));
}

TEST_CASE("values at the ends") {
  const auto value = [](const Var& v) { return Tensor(function({.outputs = v})()).to_vector<double>(); };
  const Var four = constant(Tensor{0, 1, 2, 3}.astype(int64));
  CHECK(value(arange(0, 3, largest)) == std::vector<double>{0});
  CHECK(value(arange(3, 0, smallest)) == std::vector<double>{3});
  CHECK(value(arange(largest - 1, largest)) == std::vector<double>{static_cast<double>(largest - 1)});
  CHECK(value(arange(smallest, largest, largest)) ==
        std::vector<double>{static_cast<double>(smallest), -1, static_cast<double>(largest - 1)});
  CHECK(value(four[slice(none, none, largest)]) == std::vector<double>{0});
  CHECK(value(four[slice(none, none, smallest)]) == std::vector<double>{3});
  CHECK(value(four[slice(1, none, largest)]) == std::vector<double>{1});
  CHECK(value(four[slice(smallest, largest)]) == std::vector<double>{0, 1, 2, 3});
  CHECK(value(set_subtensor(four[slice(none, none, largest)], 9)) == std::vector<double>{9, 1, 2, 3});
  CHECK(value(diagonal(x(), std::numeric_limits<int>::min())).empty());
  CHECK(value(roll(four, smallest)) == std::vector<double>{0, 1, 2, 3});
  CHECK(value(pool_2d(images() + 2, std::numeric_limits<int>::max())) == std::vector<double>{2});
  CHECK(Tensor{1, 2, 3}.slice(0, 0, 3, largest).size() == 1);
}
