#include "ops/random.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "core/binomial.h"
#include "core/mrg.h"
#include "core/op.h"
#include "core/random_state.h"
#include "ops/elemwise.h"

namespace damo {
namespace {

enum class Law { binomial, uniform, normal };
enum class Generator { numpy, mrg };

double number(const View& v) {
  switch (v.dtype) {
    case DType::float32: return static_cast<double>(*v.ptr<float>());
    case DType::float64: return *v.ptr<double>();
    default: return static_cast<double>(*v.ptr<std::int64_t>());
  }
}

/// Calls fill(pointer, n) with memory of y's dtype, or of F if y holds integers, and converts.
template <class F, class Fill>
void fill_as(const View& y, Fill fill) {
  if (y.dtype == dtype_of<F>()) return fill(y.ptr<F>());
  thread_local std::vector<F> scratch;
  scratch.resize(static_cast<std::size_t>(y.size()) + 1);
  fill(scratch.data());
  copy_into(y, View{dtype_of<F>(), y.shape, row_major(y.shape), scratch.data()});
}

/// (sample, next state) of a generator (inputs: state, the law's two parameters, sizes).
struct Draw : OpOf<Draw> {
  Law law;
  Generator generator;
  DType dtype;

  Draw(Law l, Generator g, DType d) : law(l), generator(g), dtype(d) {}
  bool operator==(const Draw&) const = default;

  std::string name() const override {
    static constexpr const char* names[] = {"binomial", "uniform", "normal"};
    return std::string(generator == Generator::mrg ? "mrg_" : "random_") + names[static_cast<int>(law)];
  }

  Types infer(const Types& x) const override {
    Type sample(dtype, {});
    for (std::size_t i = 3; i < x.size(); ++i) {
      check(!x[i].has_value || x[i].value >= 0, "a size cannot be {}", x[i].value);
      sample.shape.push_back(x[i].has_value ? x[i].value : -1);
    }
    for (int i = 1; i < 3; ++i)
      check(x[static_cast<std::size_t>(i)].ndim() == 0, "the parameters of a draw are scalars");
    return {sample, x[0]};
  }

  Var size(const Vars& x, int output, int axis) const override {
    return output == 0 ? cast(x[static_cast<std::size_t>(axis) + 3], DType::int64) : Var();
  }

  // The numbers do not change with the parameters in a way that has a derivative.
  Vars L_op(const Vars& x, const Vars&, const Vars&) const override { return Vars(x.size()); }

  bool needs_value(int input) const override { return input > 2; }
  bool reads(int input) const override { return input < 3; }
  bool overwrites(int output, int input) const override { return output == 1 && input == 0; }
  int next_of(int output) const override { return output == 1 ? 0 : -1; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    const double a = number(x[1]), b = number(x[2]);
    if (law == Law::binomial) {
      check(b >= 0 && b <= 1, "p must lie in [0, 1], not {}", b);
      check(a >= 0, "the number of trials must not be negative, not {}", a);
    } else if (law == Law::normal) {
      check(b >= 0, "the standard deviation must not be negative, not {}", b);
    }
    if (y[1].data != x[0].data) copy_into(y[1], x[0]);
    if (generator == Generator::numpy)
      draw_numpy(*static_cast<MT19937State*>(y[1].data), a, b, y[0]);
    else if (dtype == DType::float32 || x[2].dtype == DType::float32)
      draw_mrg<float>(y[1], a, b, y[0]);
    else
      draw_mrg<double>(y[1], a, b, y[0]);
  }

  void draw_numpy(MT19937State& state, double a, double b, const View& y) const {
    const std::int64_t n = y.size();
    switch (law) {
      case Law::binomial: {
        const Binomial binomial(static_cast<std::int64_t>(a), b);
        if (y.dtype == DType::float32) return binomial.fill(state, y.ptr<float>(), n);
        if (y.dtype == DType::float64) return binomial.fill(state, y.ptr<double>(), n);
        return fill_as<std::int64_t>(y, [&](std::int64_t* out) { binomial.fill(state, out, n); });
      }
      case Law::uniform:
        if (y.dtype == DType::float32) return state.fill_uniform(y.ptr<float>(), n, a, b);
        return fill_as<double>(y, [&](double* out) { state.fill_uniform(out, n, a, b); });
      case Law::normal:
        return fill_as<double>(y, [&](double* out) {
          for (std::int64_t i = 0; i < n; ++i) out[i] = a + b * state.normal();
        });
    }
  }

  template <class T>
  void draw_mrg(const View& state, double a, double b, const View& y) const {
    auto* rows = state.ptr<std::int32_t>();
    const std::int64_t n = y.size(), n_rows = state.shape[0];
    thread_local std::vector<T> u;
    u.resize(static_cast<std::size_t>(mrg_normal_room(n)));
    if (law == Law::normal)
      mrg_normal(rows, n_rows, u.data(), n);
    else
      mrg_uniform(rows, n_rows, u.data(), n);
    const T p = static_cast<T>(a), q = static_cast<T>(b);
    for (std::int64_t i = 0; i < n; ++i) {
      T& v = u[static_cast<std::size_t>(i)];
      if (law == Law::binomial)
        v = v < q ? T(1) : T(0);
      else if (law == Law::uniform)
        v = v * (q - p) + p;
      else
        v = p + q * v;
    }
    copy_into(y, View{dtype_of<T>(), y.shape, row_major(y.shape), u.data()});
  }
};

/// The sample; its state becomes the next one in every function that draws it.
Var draw(const Draw& op, const Shared& state, const Arg& a, const Arg& b, const Args& size) {
  Vars inputs{state, a.var(), b.var()};
  if (op.law == Law::binomial) inputs[1] = cast(inputs[1], DType::int64);
  if (!inputs[2].type().is_float()) inputs[2] = cast(inputs[2], floatX());
  if (op.law != Law::binomial && !inputs[1].type().is_float()) inputs[1] = cast(inputs[1], floatX());
  for (const Arg& s : size) {
    const Var n = s.is_literal() ? s.var(DType::int64) : s.var();
    check(n.ndim() == 0 && !n.type().is_float(), "{}: a size is an integer scalar, not {}", op.name(),
          n.type());
    inputs.push_back(cast(n, DType::int64));
  }
  return apply_all(make_op(op), std::move(inputs))[0];
}

void check_float(DType dtype, const char* law) {
  check(is_float(dtype), "{}: the dtype is a float, not {}", law, dtype);
}

/// The size if it is all literals.
std::optional<Sizes> literal_size(const Args& size) {
  Sizes sizes;
  for (const Arg& s : size) {
    if (!s.is_literal()) return {};
    sizes.push_back(s.var().type().value);
  }
  return sizes;
}

}  // namespace

RandomStreams::RandomStreams(std::uint32_t seed) : gen_(std::make_unique<RandomState>(std::int64_t{seed})) {}
RandomStreams::~RandomStreams() = default;

Shared RandomStreams::next_state() {
  const RandomState own(gen_->randint(std::int64_t{1} << 30));
  constexpr std::int64_t words = sizeof(MT19937State) / sizeof(std::int64_t);
  const Tensor state = Tensor::empty({words}, DType::int64);
  std::memcpy(state.data(), &own.state(), sizeof(MT19937State));
  states_.push_back(shared(state, fmt::format("random_state_{}", states_.size()), {.borrow = true}));
  return states_.back();
}

Var RandomStreams::binomial(const BinomialArgs& args, Here at) {
  const Scope here(at);
  return draw(Draw(Law::binomial, Generator::numpy, args.dtype), next_state(), args.n, args.p, args.size);
}
Var RandomStreams::uniform(const UniformArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "uniform");
  return draw(Draw(Law::uniform, Generator::numpy, args.dtype), next_state(), args.low, args.high, args.size);
}
Var RandomStreams::normal(const NormalArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "normal");
  return draw(Draw(Law::normal, Generator::numpy, args.dtype), next_state(), args.avg, args.std, args.size);
}

namespace {

std::array<std::int64_t, 6> six(const std::vector<std::int64_t>& words) {
  check(words.size() == 6, "the seed of MRG_RandomStreams is one number or six, not {}", words.size());
  std::array<std::int64_t, 6> a{};
  std::copy(words.begin(), words.end(), a.begin());
  return a;
}

}  // namespace

MRG_RandomStreams::MRG_RandomStreams(std::int64_t seed) : gen_(std::make_unique<MRG31k3p>(seed)) {}
MRG_RandomStreams::MRG_RandomStreams(const std::vector<std::int64_t>& words)
    : gen_(std::make_unique<MRG31k3p>(six(words))) {}
MRG_RandomStreams::~MRG_RandomStreams() = default;

Shared MRG_RandomStreams::next_state(const Args& size, bool known_size) {
  const std::optional<Sizes> sizes = known_size ? literal_size(size) : std::nullopt;
  const Tensor state = gen_->next_stream(sizes ? std::max(1, mrg_n_streams(*sizes)) : mrg_max_streams);
  states_.push_back(shared(state, fmt::format("mrg_state_{}", states_.size()), {.borrow = true}));
  return states_.back();
}

Var MRG_RandomStreams::binomial(const BinomialArgs& args, Here at) {
  const Scope here(at);
  const Var n = args.n.var();
  check(n.type().has_value && n.type().value == 1, "MRG_RandomStreams::binomial draws with n = 1 only");
  return draw(Draw(Law::binomial, Generator::mrg, args.dtype), next_state(args.size, true), args.n, args.p,
              args.size);
}
Var MRG_RandomStreams::uniform(const UniformArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "uniform");
  return draw(Draw(Law::uniform, Generator::mrg, args.dtype), next_state(args.size, true), args.low,
              args.high, args.size);
}
// Theano's normal asks for a number of uniforms that it computes in the graph: its size is never known
// beforehand.
Var MRG_RandomStreams::normal(const NormalArgs& args, Here at) {
  const Scope here(at);
  check_float(args.dtype, "normal");
  return draw(Draw(Law::normal, Generator::mrg, args.dtype), next_state(args.size, false), args.avg, args.std,
              args.size);
}

}  // namespace damo
