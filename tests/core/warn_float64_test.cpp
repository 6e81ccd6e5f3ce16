#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/expect.h"
#include "tests/support.h"

using namespace damo;
using test::error_of;

namespace {

struct Action {
  WarnFloat64 before = warn_float64();
  explicit Action(WarnFloat64 action) { set_warn_float64(action); }
  ~Action() { set_warn_float64(before); }
  Action(const Action&) = delete;
  Action& operator=(const Action&) = delete;
};

/// What f writes to stderr.
std::string stderr_of(const std::function<void()>& f) {
  const std::string path = test::temp_dir() + "/stderr";
  std::fflush(stderr);
  const int before = dup(2);
  std::FILE* file = std::fopen(path.c_str(), "w");
  dup2(fileno(file), 2);
  f();
  std::fflush(stderr);
  dup2(before, 2);
  close(before);
  std::fclose(file);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

const std::string fact =
    ": gives float64, but floatX is float32 and no operand is float64: cast its integers to float32\n";

}  // namespace

TEST_CASE("a silent move to float64 is an error if asked for, at the user's line") {
  const FloatXScope scope(float32);
  const Action raising(WarnFloat64::raise);
  const Var x = fvector("x"), i = ivector("i"), l = lmatrix("l"), b = vector("b", bool_);
  CHECK(error_of([&] { x* i; }) == "mul" + fact + "  float32 (?,)   x\n  int32 (?,)     i\n  at HERE");
  CHECK(error_of([&] { 0.5 * i; }) == "mul" + fact + "  float32 ()   0.5\n  int32 (?,)   i\n  at HERE");
  CHECK(error_of([&] { exp(i); }) == "exp" + fact + "  int32 (?,)   i\n  at HERE");
  CHECK(error_of([&] {
          switch_(b, x, i);
        }).starts_with("switch" + fact + "  bool (?,)      b\n  float32 (?,)   x\n"));
  CHECK(error_of([&] { relu(i); }) == "relu" + fact + "  int32 (?,)   i\n  at HERE");
  CHECK(error_of([&] { mean(l); }) == "mean" + fact + "  int64 (?, ?)   l\n  at HERE");
  CHECK(error_of([&] { dot(x, l); }) == "dot" + fact + "  float32 (?,)   x\n  int64 (?, ?)   l\n  at HERE");
  CHECK(error_of([&] { join(0, {x, i}); }).starts_with("join" + fact));
}

TEST_CASE("a shared variable of float64 is told of") {
  const FloatXScope scope(float32);
  const Action raising(WarnFloat64::raise);
  const std::vector<double> numbers{1, 2};
  CHECK(error_of([&] { shared(Tensor(numbers), "W"); }) ==
        "shared: the value is float64, but floatX is float32: convert it by astype(float32)\n  float64 (2,)  "
        " W\n  "
        "at HERE");
  CHECK(error_of([&] { shared(Tensor(1.)); })
            .starts_with(
                "shared: the value is float64, but floatX is float32: convert it by astype(float32)\n  "
                "float64 ()   <unnamed shared>\n"));
  CHECK(error_of([&] {
          shared(Tensor(numbers).astype(float32), "W");
          shared(Tensor{1., 2.}, "b");
          shared(Tensor(numbers).astype(int64), "n");
        }) == "no error");
  const FloatXScope wide(float64);
  CHECK(error_of([&] { shared(Tensor(numbers), "W"); }) == "no error");
}

TEST_CASE("what is float32, or float64 by the user's own word, is silent") {
  const FloatXScope scope(float32);
  const Action raising(WarnFloat64::raise);
  const Var x = fvector("x"), d = dvector("d"), i = ivector("i"), s = vector("s", int16);
  CHECK(error_of([&] {
          x * 0.1 + 3 - cast(i, float32);
          x* s;
          i / 2;
          i + 1;
          gt(x, i);  // bool
          mean(x);
          d* x + i;
          exp(cast(i, float64));
          grad(sum(cast(x, float64) * d), x);
          grad(sum(sqr(cast(cast(x, int32) * i, float32) * x)), x);
        }) == "no error");
  {
    const FloatXScope wide(float64);
    CHECK(error_of([&] { x* i; }) == "no error");
  }
  const Action ignoring(WarnFloat64::ignore);
  CHECK(error_of([&] { x* i; }) == "no error");
}

TEST_CASE("a silent move to float64 is a line on stderr if asked for") {
  const FloatXScope scope(float32);
  const Action warning(WarnFloat64::warn);
  const Var x = fvector("x"), i = ivector("i");
  Var y;
  const int line = __LINE__ + 1;
  const std::string text = stderr_of([&] { y = x + i; });
  CHECK(y.dtype() == float64);
  CHECK(text == "warning: add" + fact + "  float32 (?,)   x\n  int32 (?,)     i\n  " + test::at(line) + "\n");
  // Once, not again for its gradient and when it is compiled.
  CHECK(stderr_of([&] {
          const Function f = function({.inputs = {x, i}, .outputs = grad(sum(sqr(y)), x)});
          f(Tensor{1.}.astype(float32), Tensor{2}.astype(int32));
        }) == "");
}
