#include "tests/expect.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "tests/oracle.h"
#include "tests/support.h"

namespace damo::test {

std::string error_of(const std::function<void()>& f, Here here) {
  try {
    f();
  } catch (const Error& e) {
    std::string message = e.what();
    constexpr int most_lines = 4;
    for (int line = here.line; line < here.line + most_lines; ++line) {
      const std::string place = at(line, here.file);
      const std::size_t found = message.find(place), end = found + place.size();
      // Not the begin of a longer number.
      if (found == std::string::npos || (end < message.size() && std::isdigit(message[end]) != 0)) continue;
      return message.replace(found, place.size(), "at HERE");
    }
    return message;
  }
  return "no error";
}

std::string at(int line, const char* file) { return "at " + std::string(file) + ":" + std::to_string(line); }

Tensor tensor(DType dtype, const Sizes& shape, const std::vector<double>& elements) {
  return Tensor(elements, shape).astype(dtype);
}

Tensor random(const Sizes& shape, DType dtype, std::uint32_t seed, double low, double high) {
  // The engine's own bits: the standard's distributions differ between libraries.
  std::mt19937 engine(seed);
  std::vector<double> elements(static_cast<std::size_t>(shape.product()));
  for (double& x : elements) x = low + (high - low) * (static_cast<double>(engine()) / 4294967296.0);
  return tensor(dtype, shape, elements);
}

Type unknown(DType dtype, int ndim) { return Type(dtype, Sizes(ndim, -1)); }

namespace {

/// `t` copied into axis `axis` of memory that is `step` times as long, `offset` elements after its begin.
Tensor spread(const Tensor& t, int axis, std::int64_t step, std::int64_t offset) {
  Sizes shape = t.shape();
  shape[axis] = shape[axis] * step + offset;
  const Tensor memory = Tensor::full(shape, t.dtype(), 77);
  const Tensor view = memory.slice(axis, offset, shape[axis], step);
  copy_into(view.view(), t.view());
  return view;
}

}  // namespace

std::vector<Layout> layouts(const Tensor& t) {
  std::vector<Layout> all = {{"row-major", t.copy()}};
  if (t.ndim() == 0) {
    const Tensor memory = Tensor::full({3}, t.dtype(), 77);
    copy_into(memory[2].view(), t.view());
    all.push_back({"at an offset", memory[2]});
    return all;
  }
  const int last = t.ndim() - 1;
  all.push_back({"column-major", t.transposed().copy().transposed()});
  all.push_back({"at an offset", spread(t, 0, 1, 1)});
  all.push_back({"every second element", spread(t, last, 2, 1)});
  all.push_back({"every third row", spread(t, 0, 3, 0)});
  all.push_back({"backwards", t.reversed(last).copy().reversed(last)});
  all.push_back({"step -2", spread(t.reversed(0), 0, 2, 0).reversed(0)});
  return all;
}

Tensor evaluate(const Var& output, const Vars& inputs, const Tensors& values, Mode mode) {
  const Function f = function({.inputs = std::vector<In>(inputs.begin(), inputs.end()),
                               .outputs = output,
                               .on_unused_input = OnUnusedInput::ignore,
                               .mode = mode});
  return f.call(values.data(), values.size());
}

std::uint32_t n_random(std::uint32_t n, [[maybe_unused]] std::optional<std::uint32_t> sanitized) {
#ifdef DAMO_SANITIZED
  n = sanitized.value_or(n);
#endif
  const char* times = std::getenv("DAMO_FUZZ");
  return times == nullptr ? n : n * static_cast<std::uint32_t>(std::max(1, std::atoi(times)));
}

double ulps(DType dtype, double n) {
  return n *
         (dtype == float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon());
}

namespace {

void expect_values(const OpRow& row, const Vars& x, const Tensors& values, const std::string& what) {
  const Var y = row.build(x);
  VarMap<Tensor> by;
  for (std::size_t i = 0; i < x.size(); ++i) by.emplace(x[i], values[i]);
  const Tensor want = oracle({y}, by)[0];
  const double tolerance = ulps(x[0].dtype(), row.n_ulps);
  check_close(evaluate(y, x, values, Mode::FAST_RUN), want, tolerance, tolerance, what);
  check_close(evaluate(y, x, values, Mode::FAST_COMPILE), want, tolerance, tolerance, what + ", as written");

  for (std::size_t i = 0; i < x.size(); ++i)
    for (const Layout& layout : layouts(values[i])) {
      Tensors other = values;
      other[i] = layout.tensor;
      check_close(evaluate(y, x, other), want, tolerance, tolerance,
                  what + ", input " + std::to_string(i) + " " + layout.name);
    }
}

void expect_gradient(const OpRow& row, const Tensors& values, const std::string& what) {
  INFO(what);
  CHECK(error_of([&] { verify_grad(row.build, values); }) == "no error");
  if (!row.twice) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO("second derivatives, input ", i);
    const Build gradient = [&](const Vars& x) { return grad(sum(sqr(row.build(x))), x[i]); };
    CHECK(error_of([&] { verify_grad(gradient, values); }) == "no error");
  }
}

}  // namespace

void expect_op(const OpRow& row) {
  for (const DType dtype : {float32, float64})
    for (const std::vector<Sizes>& shapes : row.shapes) {
      std::string what = row.name + " " + to_string(dtype);
      Vars x;
      Tensors values;
      for (const Sizes& shape : shapes) {
        what += " " + to_string(shape);
        values.push_back(
            random(shape, dtype, static_cast<std::uint32_t>(values.size() + 1), row.low, row.high));
        x.push_back(variable(unknown(dtype, shape.size()), "x" + std::to_string(x.size())));
      }
      expect_values(row, x, values, what);
      if (row.differentiable) expect_gradient(row, values, what);
    }
}

}  // namespace damo::test
