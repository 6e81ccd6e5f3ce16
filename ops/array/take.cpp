#include "ops/take.h"

#include "core/tensor/visit.h"
#include "ops/array/indexing.h"
#include "ops/create.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// y = x, whose elements must lie in [0, n), for `whom` (inputs: x, n).
struct CheckedPositions : OpOf<CheckedPositions> {
  std::string whom;

  explicit CheckedPositions(std::string w) : whom(std::move(w)) {}
  bool operator==(const CheckedPositions&) const = default;

  std::string name() const override { return "positions of " + whom; }

  Types infer(const Types& x) const override {
    Type y = x[0];
    y.has_value = false;
    return {y};
  }

  Var size(const Vars& x, int, int axis) const override { return shape(x[0], axis); }
  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(2); }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    const std::int64_t n = *x[1].ptr<std::int64_t>();
    visit(x[0].dtype, [&]<class T>(T) {
      const T* in = x[0].ptr<T>();
      std::int64_t k = 0;
      for_elements(x[0].shape, x[0].strides, [&](std::int64_t at) {
        const auto i = static_cast<std::int64_t>(in[at]);
        check(i >= 0, "element {} is {}, a negative number", k, i);
        check(i < n, "element {} is {}, and must be below {}", k, i, n);
        ++k;
      });
    });
    copy_into(y[0], x[0]);
  }
};

Var checked_positions(const std::string& whom, const Var& x, const Arg& n) {
  return apply(make_op(CheckedPositions(whom)),
               Vars{x, cast(n.is_literal() ? n.var(DType::int64) : n.var(), DType::int64)});
}

void check_integers(const Var& x) {
  check(!x.type().is_float() && x.dtype() != DType::bool_, "positions are integers, not {}", x.type());
}

}  // namespace

Var along_axis(const Var& x, const Var& positions, int axis) {
  std::vector<Index> index;
  for (int i = 0; i < x.ndim(); ++i) {
    std::vector<int> pattern(static_cast<std::size_t>(x.ndim()), 'x');
    pattern[static_cast<std::size_t>(i)] = 0;
    index.emplace_back(i == axis ? positions : dimshuffle(arange(shape(positions, i)), pattern));
  }
  return subtensor(x, index);
}

Var take(const Arg& arg, const Arg& positions, const TakeArgs& args) {
  const Scope here(arg);
  const Var x = args.axis ? arg.var() : flatten(arg);
  Var i = positions.var();
  return checking("take", {x, i}, [&] {
    check_integers(i);
    const int axis = checked_axis(args.axis.value_or(0), x.ndim());
    const Var n = shape(x, axis);
    if (args.mode == OutOfRange::wrap) i = mod(i, n);
    if (args.mode == OutOfRange::clip) i = clip(i, 0, n - 1);
    std::vector<Index> index(static_cast<std::size_t>(axis), slice(none, none));
    index.emplace_back(i);
    return subtensor(x, index);
  });
}

Var choose(const Arg& a, const Args& choices, OutOfRange mode) {
  const Scope here(a);
  Var i = a.var();
  return checking("choose", {i}, [&] {
    check_integers(i);
    check(!choices.empty(), "there is nothing to choose from");
    const auto n = static_cast<std::int64_t>(choices.size());
    if (mode == OutOfRange::raise) i = checked_positions("choose", i, n);
    if (mode == OutOfRange::wrap) i = mod(i, n);
    Var y = choices.back().var();
    for (std::int64_t k = n - 2; k >= 0; --k) {
      const Var here_k = k == 0 ? le(i, 0) : eq(i, k);
      y = switch_(here_k, choices[static_cast<std::size_t>(k)], y);
    }
    return y;
  });
}

Var bincount(const Arg& arg, const BincountArgs& args) {
  const Scope here(arg);
  const Var x = arg.var();
  return checking("bincount", {x}, [&] {
    check_integers(x);
    check(x.ndim() == 1, "x is a vector, not of {} dimensions", x.ndim());
    // Of no elements the largest is -1.
    const Var largest = max(join(0, {cast(x, DType::int64), Tensor(std::vector<std::int64_t>{-1})}));
    const Var n = maximum(largest + 1, args.minlength);
    const Var ones = constant(Tensor::full({}, DType::int64, 1));
    const Var added = args.weights ? args.weights->var() : ones;
    const Var bins = zeros({n}, added.dtype());
    return inc_subtensor(bins[checked_positions("bincount", x, n)], added);
  });
}

}  // namespace damo
