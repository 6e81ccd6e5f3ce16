#include "ops/checks.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <iostream>
#include <limits>
#include <string_view>

#include "core/graph/op.h"
#include "core/run/quiet.h"
#include "ops/elemwise.h"
#include "ops/shape.h"

namespace damo {
namespace {

std::atomic<std::ostream*>& stream() {
  static std::atomic<std::ostream*> s = &std::cerr;
  return s;
}

constexpr std::array<std::string_view, 8> attributes = {"__str__", "shape", "ndim", "size",
                                                        "dtype",   "min",   "max",  "mean"};

std::string attribute(const Tensor& t, const std::string& name) {
  if (name == "shape") return to_string(t.shape());
  if (name == "ndim") return std::to_string(t.ndim());
  if (name == "size") return std::to_string(t.size());
  if (name == "dtype") return to_string(t.dtype());
  if (name == "__str__") return to_string(t);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> v = t.to_vector<double>();
  if (v.empty()) return to_string(Tensor(nan));
  if (name == "min") return to_string(Tensor(*std::min_element(v.begin(), v.end())));
  if (name == "max") return to_string(Tensor(*std::max_element(v.begin(), v.end())));
  double sum = 0;
  for (const double x : v) sum += x;
  return to_string(Tensor(sum / static_cast<double>(v.size())));
}

/// x's type; its value is not known before the kernel has run.
Types unknown_value(const Types& x) {
  Type y = x[0];
  y.has_value = false;
  return {y};
}

/// y = x, which is printed.
struct PrintOp : OpOf<PrintOp> {
  std::string message;
  std::vector<std::string> attrs;

  PrintOp(std::string m, std::vector<std::string> a) : message(std::move(m)), attrs(std::move(a)) {}
  bool operator==(const PrintOp&) const = default;
  std::string name() const override { return message.empty() ? "print" : "print{" + message + "}"; }
  Types infer(const Types& x) const override { return unknown_value(x); }
  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }
  Vars L_op(const Vars&, const Vars&, const Vars& gy) const override { return gy; }
  bool overwrites(int, int) const override { return true; }
  bool has_effect() const override { return true; }
  bool can_fail() const override { return true; }  // it allocates, and calls the stream

  void perform(const Views& x, const Views& y) const override {
    if (!is_quiet()) {
      const Tensor t = Tensor::empty(x[0].shape, x[0].dtype);
      copy_into(t.view(), x[0]);
      std::string text;
      for (const std::string& a : attrs)
        text += fmt::format("{}{}{} = {}\n", message, message.empty() ? "" : " ", a, attribute(t, a));
      *stream() << text << std::flush;
    }
    if (y[0].data != x[0].data) copy_into(y[0], x[0]);
  }
};

/// Throws Error if an element of the inputs behind the first is 0.
struct CheckConditions : OpOf<CheckConditions> {
  std::string message;

  explicit CheckConditions(std::string m) : message(std::move(m)) {}
  bool operator==(const CheckConditions&) const = default;

  std::string name() const override { return "check_conditions"; }
  Types infer(const Types&) const override { return {}; }
  bool reads(int input) const override { return input > 0; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views&) const override {
    for (int i = 1; i < x.size(); ++i) check(holds(x[i]), "{}", message);
  }

  static bool holds(const View& c) {
    thread_local std::vector<unsigned char> scratch;
    scratch.resize(static_cast<std::size_t>(c.size()) + 1);
    copy_into(View{DType::bool_, c.shape, row_major(c.shape), scratch.data()}, c);
    return std::all_of(scratch.begin(), scratch.end() - 1, [](unsigned char v) { return v != 0; });
  }
};

/// y = x, if no element of the other inputs is 0.
struct AssertOp : OpOf<AssertOp> {
  std::string message;

  explicit AssertOp(std::string m) : message(std::move(m)) {}
  bool operator==(const AssertOp&) const = default;
  std::string name() const override { return "assert"; }

  Types infer(const Types& x) const override { return unknown_value(x); }
  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    Vars gx(x.size());
    gx[0] = gy[0];
    return gx;
  }

  bool overwrites(int, int input) const override { return input == 0; }
  bool can_fail() const override { return true; }
  OpPtr checks() const override { return make_op(CheckConditions(message)); }

  void perform(const Views& x, const Views& y) const override {
    CheckConditions(message).perform(x, y);
    if (y[0].data != x[0].data) copy_into(y[0], x[0]);
  }
};

/// y = x, whose sizes are those of the other inputs where these are not negative.
struct SpecifyShape : OpOf<SpecifyShape> {
  std::string name() const override { return "specify_shape"; }

  Types infer(const Types& x) const override {
    Type y = x[0];
    check(static_cast<int>(x.size()) == y.ndim() + 1, "{} sizes are given for {} axes", x.size() - 1,
          y.ndim());
    for (int i = 0; i < y.ndim(); ++i) {
      const Type& size = x[static_cast<std::size_t>(i) + 1];
      check(size.ndim() == 0 && !size.is_float(), "a size is an integer scalar, not {}", size);
      if (!size.has_value || size.value < 0) continue;
      require(y.shape[i] < 0 || y.shape[i] == size.value, i, size.value, y.shape[i]);
      y.shape[i] = size.value;
    }
    return {y};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }

  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    Vars gx(x.size());
    gx[0] = gy[0];
    return gx;
  }

  int view_of() const override { return 0; }
  bool needs_value(int input) const override { return input > 0; }

  View view(const Views& x) const override {
    for (int i = 0; i < x[0].ndim(); ++i) {
      std::int64_t size = 0;
      copy_into(View{DType::int64, {}, {}, &size}, x[i + 1]);
      require(size < 0 || x[0].shape[i] == size, i, size, x[0].shape[i]);
    }
    return x[0];
  }

  static void require(bool holds, int axis, std::int64_t specified, std::int64_t actual) {
    check(holds, "axis {} has size {}, but {} was specified", axis, actual, specified);
  }
};

}  // namespace

Print::Print(std::string message, std::vector<std::string> attrs)
    : message_(std::move(message)), attrs_(std::move(attrs)) {
  for (const std::string& a : attrs_)
    check(std::find(attributes.begin(), attributes.end(), a) != attributes.end(),
          "Print: there is no attribute {}: there are __str__, shape, ndim, size, dtype, min, max and mean",
          a);
}

Var Print::operator()(const Arg& x) const {
  const Scope here(x);
  return apply(make_op(PrintOp(message_, attrs_)), {x});
}

Var print_value(const Arg& x, std::string message) { return Print(std::move(message))(x); }

void set_print_stream(std::ostream& s) { stream() = &s; }

Var Assert::all(const Arg& x, const Args& conditions) const {
  const Scope here(x);
  Args args{x};
  args.insert(args.end(), conditions.begin(), conditions.end());
  return apply_all(make_op(AssertOp(message_)), args)[0];
}

Var specify_shape(const Arg& x, const Shape& sizes) {
  const Scope here(x);
  Vars inputs{x.var()};
  for (const Arg& s : sizes) inputs.push_back(s.is_literal() ? s.var(DType::int64) : s.var());
  return apply(make_op(SpecifyShape()), std::move(inputs));
}

}  // namespace damo
