#include <algorithm>
#include <numeric>

#include "core/random/draws.h"
#include "core/tensor/numpy_sum.h"
#include "core/tensor/visit.h"
#include "ops/elemwise.h"
#include "ops/kernels/scalar_op.h"
#include "ops/random/random_op.h"

/// Draws of several numbers that hang together: permutations, choices, multinomials.
namespace damo {
namespace {

/// Permutations of 0 .. n-1, as many as the sizes say (parameter: n).
struct Permutation : RandomOp<Permutation> {
  static constexpr int n_parameters = 1;
  using RandomOp::RandomOp;
  bool operator==(const Permutation&) const = default;

  std::string name() const override { return "random_permutation"; }

  Types infer(const Types& x) const override {
    check(!x[1].has_value || x[1].value >= 0, "a permutation needs n >= 0, not {}", x[1].value);
    Type y = sample_type(dtype, sizes(x), ones, Type(dtype, {}));
    y.shape.push_back(x[1].has_value ? x[1].value : -1);
    return {y, x[0]};
  }

  Var size(const Vars& x, int output, int axis) const override {
    return output == 0 && axis == static_cast<int>(x.size()) - first_size() ? x[1]
                                                                            : RandomOp::size(x, output, axis);
  }
  bool needs_value(int input) const override { return input > 0; }
  bool reads(int input) const override { return input == 0; }

  void perform(const Views& x, const Views& y) const override {
    MT19937State& state = begin_numpy(x, y);
    const auto n = static_cast<std::size_t>(y[0].shape.back());
    fill_as<std::int64_t>(y[0], [&](std::int64_t* out) {
      for (std::int64_t* const end = out + y[0].size(); out != end; out += n) {
        const std::span<std::int64_t> row(out, n);
        std::iota(row.begin(), row.end(), 0);
        draw_shuffle(state, row);
      }
    });
  }
};

/// Elements of 0 .. n-1 with probabilities p, which may be empty for equal ones (parameters: n, p).
struct Choice : RandomOp<Choice> {
  static constexpr int n_parameters = 2;
  bool replace;

  Choice(DType d, std::uint32_t o, bool r) : RandomOp(d, o), replace(r) {}
  bool operator==(const Choice&) const = default;

  std::string name() const override { return "random_choice"; }

  Types infer(const Types& x) const override {
    check(x[2].ndim() == 1 && x[2].is_float(), "p is a vector of floats, not {}", x[2]);
    return {sample_type(dtype, sizes(x), ones, Type(dtype, {})), x[0]};
  }

  void perform(const Views& x, const Views& y) const override {
    thread_local std::vector<double> p;
    stretch_into(p, x[2], x[2].shape);
    const std::int64_t n = *x[1].ptr<std::int64_t>();
    // The square root of the epsilon of p's dtype, as in NumPy.
    const double tolerance = x[2].dtype == DType::float32 ? 0x1.6a09e667f3bcdp-12 : 0x1p-26;
    check_choice(n, y[0].size(), replace, p, tolerance);
    MT19937State& state = begin_numpy(x, y);
    fill_as<std::int64_t>(y[0], [&](std::int64_t* out) {
      draw_choice(state, n, replace, p, std::span(out, static_cast<std::size_t>(y[0].size())));
    });
  }
};

/// How many of n trials fall on each outcome, for the probabilities in the rows of pvals (parameters: n,
/// pvals).
struct Multinomial : RandomOp<Multinomial> {
  static constexpr int n_parameters = 2;
  using RandomOp::RandomOp;
  bool operator==(const Multinomial&) const = default;

  std::string name() const override { return "random_multinomial"; }

  Types infer(const Types& x) const override {
    check(x[2].ndim() > 0 && x[2].is_float(), "pvals are floats, a row for each distribution, not {}", x[2]);
    Type rows = x[2];
    const int last = rows.ndim() - 1;
    rows.shape.erase(last);
    rows.stretch &= ~(1U << last);
    Type y = sample_type(dtype, sizes(x), ones, broadcast({x[1], rows}));
    if (x[2].stretches(last)) y.stretch |= 1U << y.ndim();
    y.shape.push_back(x[2].shape.back());
    return {y, x[0]};
  }

  void perform(const Views& x, const Views& y) const override {
    for_float(x[2], [&]<class T>(T) { run<T>(x, y); });
  }

  template <class T>
  void run(const Views& x, const Views& y) const {
    thread_local std::vector<std::int64_t> n;
    thread_local std::vector<T> pvals;
    thread_local std::vector<double> rows;
    Sizes shape = y[0].shape;
    const auto k = static_cast<std::size_t>(shape.back());
    stretch_into(pvals, x[2], shape);
    shape.erase(shape.size() - 1);
    stretch_into(n, x[1], shape);
    rows.resize(pvals.size());
    const auto part = [k](auto& v, std::size_t i) { return std::span(v).subspan(i * k, k); };
    for (std::size_t i = 0; i < n.size(); ++i) {
      make_fit<T>(part(pvals, i));
      std::copy_n(pvals.begin() + static_cast<std::ptrdiff_t>(i * k), k,
                  rows.begin() + static_cast<std::ptrdiff_t>(i * k));
      check_multinomial(n[i], part(rows, i));
    }
    MT19937State& state = begin_numpy(x, y);
    fill_as<std::int64_t>(y[0], [&](std::int64_t* out) {
      for (std::size_t i = 0; i < n.size(); ++i)
        draw_multinomial(state, n[i], part(rows, i), std::span(out + i * k, k));
    });
  }

  /// Theano makes room for rounding: probabilities with a sum slightly above 1, or a last one near 0, become
  /// a little smaller.
  template <class T>
  static void make_fit(std::span<T> p) {
    check(!p.empty(), "there must be at least one outcome");
    const T sum = pairwise_sum(std::span<const T>(p));
    if ((sum > T(1) && static_cast<double>(sum) < 1 + 1e-5) || static_cast<double>(p.back()) < 5e-5)
      for (T& v : p) v *= static_cast<T>(1 - 5e-5);
    const T now = pairwise_sum(std::span<const T>(p));
    check(now <= T(1), "the probabilities of a row sum to {}, more than 1", now);
  }
};

/// y_ij = how many of the uniform numbers of row i, u_i, u_{i + rows}, ..., fall on outcome j: on the first
/// one with p_i0 + ... + p_ij > u.
struct MultinomialFromUniform : OpOf<MultinomialFromUniform> {
  DType dtype;

  explicit MultinomialFromUniform(DType d) : dtype(d) {}
  bool operator==(const MultinomialFromUniform&) const = default;

  std::string name() const override { return "multinomial_from_uniform"; }

  Types infer(const Types& x) const override { return {Type(dtype, x[0].shape, x[0].stretch)}; }

  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(2); }

  void perform(const Views& x, const Views& y) const override {
    thread_local std::vector<double> p, u;
    const std::int64_t n_rows = x[0].shape[0], k = x[0].shape[1];
    stretch_into(p, x[0], x[0].shape);
    stretch_into(u, x[1], x[1].shape);
    fill_as<std::int64_t>(y[0], [&](std::int64_t* out) {
      std::fill_n(out, n_rows * k, 0);
      for (std::size_t i = 0; i < u.size(); ++i) {
        const std::int64_t row = static_cast<std::int64_t>(i) % n_rows * k;
        double sum = 0;
        for (std::int64_t j = row; j < row + k; ++j) {
          sum += p[static_cast<std::size_t>(j)];
          if (!(sum > u[i])) continue;
          ++out[j];
          break;
        }
      }
    });
  }
};

/// y_ic = the outcome that the uniform number u_{i + c rows} picks of row i, which then has no probability
/// any more; -1 if rounding leaves none (inputs: p, u, n).
struct ChoiceFromUniform : OpOf<ChoiceFromUniform> {
  DType dtype;

  explicit ChoiceFromUniform(DType d) : dtype(d) {}
  bool operator==(const ChoiceFromUniform&) const = default;

  std::string name() const override { return "choice_from_uniform"; }

  Types infer(const Types& x) const override {
    const bool known = x[2].has_value;
    check(!known || x[2].value >= 0, "the number of elements must not be negative, {}", x[2].value);
    check(!known || x[0].shape[1] < 0 || x[2].value <= x[0].shape[1],
          "choice without repetition cannot take {} of {} elements", x[2].value, x[0].shape[1]);
    return {Type(dtype, {x[0].shape[0], known ? x[2].value : -1})};
  }

  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(3); }

  bool needs_value(int input) const override { return input == 2; }
  bool reads(int input) const override { return input < 2; }

  void perform(const Views& x, const Views& y) const override {
    for_float(x[0], [&]<class T>(T) { run<T>(x, y[0]); });
  }

  template <class T>
  static void run(const Views& x, const View& y) {
    thread_local std::vector<T> p;
    thread_local std::vector<double> u;
    const auto n_rows = static_cast<std::size_t>(y.shape[0]), n = static_cast<std::size_t>(y.shape[1]),
               k = static_cast<std::size_t>(x[0].shape[1]);
    stretch_into(p, x[0], x[0].shape);
    stretch_into(u, x[1], x[1].shape);
    fill_as<std::int64_t>(y, [&](std::int64_t* out) {
      for (std::size_t c = 0; c < n; ++c)
        for (std::size_t i = 0; i < n_rows; ++i)
          out[i * n + c] = take(std::span(p).subspan(i * k, k), u[i + c * n_rows]);
    });
  }

  /// The outcome; the other probabilities are divided by their sum.
  template <class T>
  static std::int64_t take(std::span<T> p, double u) {
    double cumulated = 0;
    for (std::size_t j = 0; j < p.size(); ++j) {
      cumulated += static_cast<double>(p[j]);
      if (!(cumulated > u)) continue;
      T sum = static_cast<T>(cumulated - static_cast<double>(p[j]));
      p[j] = 0;
      for (std::size_t m = j; m < p.size(); ++m) sum += p[m];
      for (T& v : p) v /= sum;
      return static_cast<std::int64_t>(j);
    }
    return -1;
  }
};

Vars with_sizes(Vars inputs, const SampleSizes& size) {
  inputs.insert(inputs.end(), size.sizes.begin(), size.sizes.end());
  return inputs;
}

}  // namespace

Var draw_permutations(DType dtype, const Shared& state, const Var& n, const SampleSizes& size) {
  return apply_all(make_op(Permutation(dtype, size.ones)), with_sizes({state, n}, size))[0];
}

Var draw_choices(DType dtype, const Shared& state, const Var& n, bool replace, const Var& p,
                 const SampleSizes& size) {
  return apply_all(make_op(Choice(dtype, size.ones, replace)), with_sizes({state, n, p}, size))[0];
}

Var draw_multinomials(DType dtype, const Shared& state, const Var& n, const Var& pvals,
                      const SampleSizes& size) {
  return apply_all(make_op(Multinomial(dtype, size.ones)), with_sizes({state, n, pvals}, size))[0];
}

Var multinomial_from_uniform(DType dtype, const Var& p, const Var& u) {
  return apply(make_op(MultinomialFromUniform(dtype)), Vars{p, u});
}

Var choice_from_uniform(DType dtype, const Var& p, const Var& u, const Var& n) {
  return apply(make_op(ChoiceFromUniform(dtype)), Vars{p, u, n});
}

}  // namespace damo
