#include <algorithm>
#include <cmath>

#include "core/random/binomial.h"
#include "core/random/draws.h"
#include "core/random/mrg.h"
#include "core/tensor/size.h"
#include "ops/elemwise.h"
#include "ops/kernels/scalar_op.h"
#include "ops/random/random_op.h"

/// Laws of single numbers, by either generator.
namespace damo {

SampleSizes::SampleSizes(const std::string& law, const Args& size) {
  for (const Arg& s : size) {
    const Var n = s.is_literal() ? s.var(DType::int64) : s.var();
    check(n.ndim() == 0 && !n.type().is_float(), "{}: a size is an integer scalar, not {}", law, n.type());
    if (!s.is_literal())
      known.reset();
    else if (known)
      known->push_back(n.type().value);
    if (s.is_literal() && n.type().value == 1) ones |= 1U << sizes.size();
    sizes.push_back(cast(n, DType::int64));
  }
  if (known) checking(law, sizes, [&] { check_size(Type(DType::bool_, *known)); });
}

Type sample_type(DType dtype, std::span<const Type> sizes, std::uint32_t ones, const Type& parameters) {
  Type y(dtype, parameters.shape, parameters.stretch);
  if (sizes.empty()) return y;
  y = Type(dtype, {});
  for (const Type& n : sizes) {
    check(!n.has_value || n.value >= 0, "a size cannot be {}", n.value);
    y.shape.push_back(n.has_value ? n.value : -1);
  }
  check(parameters.ndim() <= y.ndim(), "the parameters have {} axes, and the size only {}", parameters.ndim(),
        y.ndim());
  y.shape = broadcast({parameters, y}).shape;
  y.stretch = ones;
  return y;
}

namespace {

/// A parameter of a law, for each element of a sample of this shape. `slot`: one for each that is in use.
template <class T>
class Parameter {
 public:
  template <int slot>
  static Parameter at(const View& v, const Sizes& shape) {
    thread_local std::vector<T> values;
    const bool single = v.size() == 1;
    stretch_into(values, single ? View{v.dtype, {}, {}, v.data} : v, single ? Sizes() : shape);
    return Parameter(values, single);
  }

  bool is_single() const { return single_; }
  std::span<const T> values() const { return values_; }
  T operator[](std::int64_t i) const { return values_[single_ ? 0 : static_cast<std::size_t>(i)]; }

 private:
  Parameter(std::span<const T> values, bool single) : values_(values), single_(single) {}
  std::span<const T> values_;
  bool single_;
};

struct Draw : RandomOp<Draw> {
  static constexpr int n_parameters = 2;
  Law law;
  Generator generator;
  DType uniform;  ///< of the numbers that MRG's are made of

  Draw(Law l, Generator g, DType d, DType u, std::uint32_t o)
      : RandomOp(d, o), law(l), generator(g), uniform(u) {}
  bool operator==(const Draw&) const = default;

  std::string name() const override {
    static constexpr const char* names[] = {"binomial", "uniform", "normal", "integers", "poisson"};
    return std::string(generator == Generator::mrg ? "mrg_" : "random_") + names[static_cast<int>(law)];
  }

  Types infer(const Types& x) const override {
    const Type parameters = broadcast({x[1], x[2]});
    check(generator == Generator::numpy || parameters.ndim() == 0 || !sizes(x).empty(),
          "the parameters have {} axes: MRG_RandomStreams needs a size then", parameters.ndim());
    return {sample_type(dtype, sizes(x), ones, parameters), x[0]};
  }

  void perform(const Views& x, const Views& y) const override {
    const Sizes& shape = y[0].shape;
    switch (law) {
      case Law::binomial: {
        const auto n = Parameter<std::int64_t>::at<0>(x[1], shape);
        const auto p = Parameter<double>::at<1>(x[2], shape);
        for (const double v : p.values()) check(v >= 0 && v <= 1, "p must lie in [0, 1], not {}", v);
        for (const std::int64_t v : n.values())
          check(v >= 0, "the number of trials must not be negative, not {}", v);
        return generator == Generator::numpy ? binomials(begin_numpy(x, y), n, p, y[0]) : draw_mrg(x, y);
      }
      case Law::uniform:
        if (generator == Generator::mrg) return draw_mrg(x, y);
        return uniforms(begin_numpy(x, y), Parameter<double>::at<0>(x[1], shape),
                        Parameter<double>::at<1>(x[2], shape), y[0]);
      case Law::normal: {
        const auto mean = Parameter<double>::at<0>(x[1], shape), sd = Parameter<double>::at<1>(x[2], shape);
        for (const double v : sd.values())
          check(v >= 0, "the standard deviation must not be negative, not {}", v);
        if (generator == Generator::mrg) return draw_mrg(x, y);
        MT19937State& state = begin_numpy(x, y);
        return each<double>(y[0], [&](std::int64_t i) { return mean[i] + sd[i] * state.normal(); });
      }
      case Law::integers: {
        const auto low = Parameter<std::int64_t>::at<0>(x[1], shape),
                   high = Parameter<std::int64_t>::at<1>(x[2], shape);
        const std::int64_t n =
            std::min<std::int64_t>(y[0].size(), low.is_single() && high.is_single() ? 1 : y[0].size());
        for (std::int64_t i = 0; i < n; ++i)
          check(low[i] <= high[i], "low must not be above high, {} and {}", low[i], high[i]);
        return integers(begin_numpy(x, y), low, high, y[0]);
      }
      case Law::poisson: {
        const auto mean = Parameter<double>::at<0>(x[2], shape);
        for (const double v : mean.values()) check_poisson(v);
        MT19937State& state = begin_numpy(x, y);
        return each<std::int64_t>(y[0], [&](std::int64_t i) { return draw_poisson(state, mean[i]); });
      }
    }
  }

  template <class T, class F>
  static void each(const View& y, F draw_one) {
    fill_as<T>(y, [&](T* out) {
      for (std::int64_t i = 0; i < y.size(); ++i) out[i] = draw_one(i);
    });
  }

  static void binomials(MT19937State& state, const Parameter<std::int64_t>& n, const Parameter<double>& p,
                        const View& y) {
    if (!n.is_single() || !p.is_single())
      return each<std::int64_t>(y, [&](std::int64_t i) { return Binomial(n[i], p[i])(state); });
    const Binomial binomial(n[0], p[0]);
    if (y.dtype == DType::float32) return binomial.fill(state, y.ptr<float>(), y.size());
    if (y.dtype == DType::float64) return binomial.fill(state, y.ptr<double>(), y.size());
    fill_as<std::int64_t>(y, [&](std::int64_t* out) { binomial.fill(state, out, y.size()); });
  }

  static void uniforms(MT19937State& state, const Parameter<double>& low, const Parameter<double>& high,
                       const View& y) {
    if (!low.is_single() || !high.is_single())
      return each<double>(y, [&](std::int64_t i) { return low[i] + (high[i] - low[i]) * state.uniform(); });
    if (y.dtype == DType::float32) return state.fill_uniform(y.ptr<float>(), y.size(), low[0], high[0]);
    state.fill_uniform(y.ptr<double>(), y.size(), low[0], high[0]);
  }

  // Unsigned: the range may be wider than int64.
  static void integers(MT19937State& state, const Parameter<std::int64_t>& low,
                       const Parameter<std::int64_t>& high, const View& y) {
    each<std::int64_t>(y, [&](std::int64_t i) {
      const auto first = static_cast<std::uint64_t>(low[i]), last = static_cast<std::uint64_t>(high[i]);
      return static_cast<std::int64_t>(first + state.interval(last - first));
    });
  }

  void draw_mrg(const Views& x, const Views& y) const {
    if (uniform == DType::float32)
      draw_mrg<float>(x, y);
    else
      draw_mrg<double>(x, y);
  }

  template <class T>
  void draw_mrg(const Views& x, const Views& y) const {
    const View state = begin(x, y);
    auto* rows = state.ptr<std::int32_t>();
    const std::int64_t n = y[0].size(), n_rows = state.shape[0];
    thread_local std::vector<T> drawn;
    drawn.resize(static_cast<std::size_t>(mrg_normal_room(n)));
    T* const u = drawn.data();
    if (law == Law::normal)
      mrg_normal(rows, n_rows, u, n);
    else
      mrg_uniform(rows, n_rows, u, n);
    if (law == Law::binomial) {
      const auto p = Parameter<double>::at<0>(x[2], y[0].shape);
      for (std::int64_t i = 0; i < n; ++i) u[i] = static_cast<double>(u[i]) < p[i] ? T(1) : T(0);
    } else {
      const auto a = Parameter<T>::template at<2>(x[1], y[0].shape),
                 b = Parameter<T>::template at<3>(x[2], y[0].shape);
      for (std::int64_t i = 0; i < n; ++i)
        u[i] = law == Law::uniform ? u[i] * (b[i] - a[i]) + a[i] : u[i] * b[i] + a[i];
    }
    copy_into(y[0], View{dtype_of<T>(), y[0].shape, row_major(y[0].shape), u});
  }
};

}  // namespace

Var draw(Law law, Generator generator, DType dtype, const Shared& state, const Arg& a, const Arg& b,
         const SampleSizes& size) {
  const OpPtr op = make_op(Draw(law, generator, dtype, law == Law::binomial ? floatX() : dtype, size.ones));
  Vars inputs{state, a.var(), b.var()};
  const auto as_float = [](Var& v) {
    if (!v.type().is_float()) v = cast(v, floatX());
  };
  const auto as_integer = [&](Var& v, const char* what) {
    check(!v.type().is_float(), "{}: {} must be integers, not {}", op->name(), what, v.type());
    v = cast(v, DType::int64);
  };
  if (law == Law::binomial)
    inputs[1] = cast(inputs[1], DType::int64);
  else if (law == Law::integers)
    as_integer(inputs[1], "low and high");
  else
    as_float(inputs[1]);
  if (law == Law::integers)
    as_integer(inputs[2], "low and high");
  else
    as_float(inputs[2]);
  inputs.insert(inputs.end(), size.sizes.begin(), size.sizes.end());
  return apply_all(op, std::move(inputs))[0];
}

}  // namespace damo
