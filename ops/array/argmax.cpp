#include "ops/array/reduction.h"
#include "ops/shape.h"

/// Positions of the largest and the smallest elements.
namespace damo {
namespace {

/// y = the position of the largest (or smallest) element along one axis, or in the flattened array.
struct ArgExtreme : OpOf<ArgExtreme> {
  bool largest;
  std::uint32_t mask;
  int ndim;

  ArgExtreme(bool l, std::uint32_t m, int n) : largest(l), mask(m), ndim(n) {}
  bool operator==(const ArgExtreme&) const = default;

  std::string name() const override { return (largest ? "argmax" : "argmin") + axes_text(mask, ndim); }

  Types infer(const Types& x) const override {
    check(mask != 0 || ndim == 0, "there is no axis to search along");
    Type y(DType::int64, {});
    for (int i = 0; i < x[0].ndim(); ++i) {
      if ((mask >> i & 1U) != 0) {
        check(x[0].shape[i] != 0, "axis {} is empty: there is no largest or smallest element", i);
        continue;
      }
      if (x[0].stretches(i)) y.stretch |= 1U << y.ndim();
      y.shape.push_back(x[0].shape[i]);
    }
    return {y};
  }

  // A position does not change with the elements, until it jumps.
  Vars L_op(const Vars& x, const Vars&, const Vars&) const override { return {zeros_like(x[0])}; }

  void perform(const Views& x, const Views& y) const override {
    visit(x[0].dtype, [&]<class T>(T) { search<T>(x[0], y[0]); });
  }

  template <class T>
  void search(const View& x, const View& y) const {
    const Split split(x, mask);
    std::int64_t* out = y.ptr<std::int64_t>();
    if (split.n_outputs == 0) return;
    const T* in = x.ptr<T>();
    const auto last_kept = static_cast<std::size_t>(std::max(split.n_kept - 1, 0));
    const auto last_gone = static_cast<std::size_t>(std::max(split.n_gone - 1, 0));
    const std::int64_t inner_kept = split.n_kept == 0 ? 1 : split.kept[last_kept];
    const std::int64_t inner_gone = split.n_gone == 0 ? 1 : split.gone[last_gone];
    for_outer(split.n_kept, split.kept, split.kept_stride, [&](std::int64_t at) {
      for (std::int64_t k = 0; k < inner_kept; ++k) {
        std::int64_t position = 0, best_at = 0;
        T best{};
        for_outer(split.n_gone, split.gone, split.gone_stride, [&](std::int64_t offset) {
          for (std::int64_t g = 0; g < inner_gone; ++g, ++position) {
            const T v = in[at + k * (split.n_kept == 0 ? 0 : split.kept_stride[last_kept]) + offset +
                           g * (split.n_gone == 0 ? 0 : split.gone_stride[last_gone])];
            // The first NaN is the extreme, as in NumPy.
            const bool better = (largest ? v > best : v < best) || (v != v && best == best);
            if (position == 0 || better) {
              best = v;
              best_at = position;
            }
          }
        });
        *out++ = best_at;
      }
    });
  }
};

}  // namespace

Var argmax(const Arg& x, const ReduceArgs& args) {
  return reduced(x, args, [](std::uint32_t mask, int n) { return make_op(ArgExtreme(true, mask, n)); });
}
Var argmin(const Arg& x, const ReduceArgs& args) {
  return reduced(x, args, [](std::uint32_t mask, int n) { return make_op(ArgExtreme(false, mask, n)); });
}

MaxAndArgmax max_and_argmax(const Arg& arg, const ReduceArgs& args) {
  const Scope here(arg);
  return {max(arg, args), argmax(arg, args)};
}

}  // namespace damo
