#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <span>

#include "core/graph/op.h"
#include "core/run/threads.h"
#include "core/tensor/finite.h"
#include "core/tensor/visit.h"
#include "ops/elementwise/fused.h"
#include "ops/kernels/blas.h"
#include "ops/kernels/rows.h"
#include "ops/kernels/scratch.h"
#include "ops/linear/products.h"

/// Products that only rewrites make: those that are added where the old value lies, and those that use one
/// matrix twice. With one row (a minibatch of one example) each is one sweep over the rows of that matrix.
namespace damo {
namespace {

Type transposed_type(const Type& w) {
  Type t(w.dtype, {w.shape[1], w.shape[0]});
  t.stretch = (w.stretch >> 1 & 1U) | (w.stretch & 1U) << 1;
  return t;
}

View transposed_view(const View& w) {
  return {w.dtype, {w.shape[1], w.shape[0]}, {w.strides[1], w.strides[0]}, w.data};
}

double scalar(const View& v) {
  return v.dtype == DType::float32 ? static_cast<double>(*v.ptr<float>()) : *v.ptr<double>();
}

void check_same_sizes(const Type& p, const Type& product) {
  for (int i = 0; i < 2; ++i)
    check(p.shape[i] < 0 || product.shape[i] < 0 || p.shape[i] == product.shape[i],
          "the sizes of axis {} differ, {} and {}", i, p.shape[i], product.shape[i]);
}

/// A row or column as adjacent elements, times alpha: always a copy, so that each thread reads it from its
/// cache. Each `place` keeps its memory from call to call.
template <int place, class T>
const T* elements(const View& v, T alpha = 1) {
  thread_local Scratch<T> memory;
  const std::int64_t n = v.size(), step = v.shape[0] == 1 ? v.strides[1] : v.strides[0];
  T* const e = memory.sized(n);
  const T* p = v.ptr<T>();
  for (std::int64_t i = 0; i < n; ++i) e[i] = alpha * p[i * step];
  return e;
}

constexpr std::int64_t elements_per_thread = 1 << 14;
constexpr int rows_at_a_time = 4;

int threads_for_rows(const View& w) { return threads_for(w.size(), elements_per_thread); }

bool is_outer(const View& a) { return a.shape[1] == 1; }

/// Kernels leave out what is multiplied by 0 as a whole, and multiply the factors of a product before they
/// add them up: another value where there is NaN or Inf.
bool is_plain(double factor) { return factor != 0 && std::isfinite(factor); }

bool are_plain(double scale, std::span<const Term> terms) {
  return is_plain(scale) &&
         std::all_of(terms.begin(), terms.end(), [](const Term& t) { return is_plain(t.alpha); });
}

bool has_rows(const View& w) { return w.strides[1] == 1 && w.size() > 0; }

/// y = scale y + alpha_1 a_1 b_1 + ..., one operation after the other; all products before y is written.
void add_as_written(double scale, std::span<const Term> terms, const View& y) {
  for_float(y, [&]<class T>(T) {
    thread_local Scratch<T> memory;
    const std::int64_t size = y.size();
    T* const products = memory.sized(static_cast<std::int64_t>(terms.size()) * size);
    T* next = products;
    for (const Term& t : terms) {
      gemm(1, t.a, t.b, 0, View{y.dtype, y.shape, row_major(y.shape), next});
      next += size;
    }
    T* const to = y.ptr<T>();
    for (std::int64_t i = 0; i < size; ++i) {
      to[i] *= static_cast<T>(scale);
      const T* product = products + i;
      for (const Term& t : terms) {
        to[i] += static_cast<T>(t.alpha) * *product;
        product += size;
      }
    }
  });
}

/// y = scale p + alpha_1 a_1 b_1 + ... (inputs: p, scale, alpha_1, a_1, b_1, ...).
struct AddDot : OpOf<AddDot> {
  std::string name() const override { return "add_dot"; }

  Types infer(const Types& x) const override {
    for (std::size_t i = 2; i < x.size(); i += 3) check_same_sizes(x[0], product_type(x[i + 1], x[i + 2]));
    return {x[0]};
  }

  bool overwrites(int, int input) const override { return input == 0; }

  double flops(const Views& x, const Views&) const override {
    double n = 0;
    for (int i = 2; i < x.size(); i += 3) n += product_flops(x[i + 1], x[i + 2]);
    return n;
  }

  void perform(const Views& x, const Views& y) const override {
    if (y[0].data != x[0].data) copy_into(y[0], x[0]);
    double scale = scalar(x[1]);
    bool finite = true;
    for (int i = 2; i < x.size();) {
      std::array<Term, 8> terms;
      const int first = i;
      std::size_t n = 0;
      for (; i < x.size() && n < terms.size(); i += 3) terms[n++] = {scalar(x[i]), x[i + 1], x[i + 2]};
      if (!are_plain(scale, {terms.data(), n})) {
        add_as_written(scale, {terms.data(), n}, y[0]);
        finite = false;
      } else if (n == 2 && is_outer(terms[0].a) && is_outer(terms[1].a) && has_rows(y[0]))
        finite &= add_two_outer(scale, x, first, y[0]);
      else
        finite &= add_products({terms.data(), n}, scale, y[0]);
      scale = 1;
    }
    if (finite) stays_finite(y[0]);
  }

  static bool add_two_outer(double scale, const Views& x, int i, const View& y) {
    std::atomic<bool> finite = true;
    for_float(y, [&]<class T>(T) {
      const T* const a = elements<0, T>(x[i + 1], static_cast<T>(scalar(x[i])));
      const T* const b = elements<1, T>(x[i + 2]);
      const T* const c = elements<2, T>(x[i + 4], static_cast<T>(scalar(x[i + 3])));
      const T* const d = elements<3, T>(x[i + 5]);
      parallel(threads_for_rows(y), [&](Part part) {
        const auto [begin, end] = part.range(y.shape[0], rows_at_a_time);
        if (!row_updates<T>({y.ptr<T>(), y.strides[0], y.shape[1], begin, end}, static_cast<T>(scale), a, b,
                            c, d))
          finite = false;
      });
    });
    return finite;
  }
};

/// y_0 = x w^T, y_1 = scale w + alpha a b (inputs: x, w, scale, alpha, a, b).
struct DotAndAddDot : OpOf<DotAndAddDot> {
  std::string name() const override { return "dot_and_add_dot"; }

  Types infer(const Types& x) const override {
    check_same_sizes(x[1], product_type(x[4], x[5]));
    return {product_type(x[0], transposed_type(x[1])), x[1]};
  }

  bool overwrites(int output, int input) const override { return output == 1 && input == 1; }

  double flops(const Views& x, const Views&) const override {
    return product_flops(x[0], transposed_view(x[1])) + product_flops(x[4], x[5]);
  }

  void perform(const Views& x, const Views& y) const override {
    if (y[1].data != x[1].data) copy_into(y[1], x[1]);
    const View& w = y[1];
    const double scale = scalar(x[2]);
    if (const Term term{scalar(x[3]), x[4], x[5]}; !are_plain(scale, {&term, 1})) {
      gemm(1, x[0], transposed_view(w), 0, y[0]);
      return add_as_written(scale, {&term, 1}, w);
    }
    if (x[0].shape[0] != 1 || !is_outer(x[4]) || !has_rows(w)) {
      gemm(1, x[0], transposed_view(w), 0, y[0]);
      if (gemm(scalar(x[3]), x[4], x[5], scale, w)) stays_finite(w);
      return;
    }
    std::atomic<bool> finite = true;
    for_float(w, [&]<class T>(T) {
      const T* const row = elements<0, T>(x[0]);
      const T* const a = elements<1, T>(x[4], static_cast<T>(scalar(x[3])));
      const T* const b = elements<2, T>(x[5]);
      parallel(threads_for_rows(w), [&](Part part) {
        const auto [begin, end] = part.range(w.shape[0], rows_at_a_time);
        if (!row_dots_and_updates<T>({w.ptr<T>(), w.strides[0], w.shape[1], begin, end}, row, y[0].ptr<T>(),
                                     static_cast<T>(scale), a, b))
          finite = false;
      });
    });
    if (finite) stays_finite(w);
  }
};

/// y_0 = g w, y_1 = x w^T, y_2 ... = f(y_1, operands), of which g is the first (inputs: x, w, operands).
struct DotFDot : OpOf<DotFDot> {
  OpPtr f;

  explicit DotFDot(OpPtr fused) : f(std::move(fused)) {}
  bool operator==(const DotFDot& other) const { return f->same_as(*other.f); }
  std::string name() const override { return "dot_f_dot{" + f->name() + "}"; }

  Types infer(const Types& x) const override {
    Types operands{product_type(x[0], transposed_type(x[1]))};
    operands.insert(operands.end(), x.begin() + 2, x.end());
    Types y{Type(), operands[0]};
    for (const Type& t : f->infer(operands)) {
      check_same_sizes(operands[0], t);
      y.push_back(t);
    }
    y[0] = product_type(y[2], x[1]);
    return y;
  }

  double flops(const Views& x, const Views&) const override {
    return 2 * product_flops(x[0], transposed_view(x[1]));  // g has the shape of x w^T
  }

  void perform(const Views& x, const Views& y) const override {
    const View& w = x[1];
    const std::int64_t m = x[0].shape[0];
    if (m != 1 || !has_rows(w)) {
      gemm(1, x[0], transposed_view(w), 0, y[1]);
      apply_f(x, y, y[1], 0, y[1].shape[1]);
      gemm(1, y[2], w, 0, y[0]);
      return;
    }
    for_float(w, [&]<class T>(T) {
      const T* const row = elements<0, T>(x[0]);
      const int n = threads_for_rows(w);
      const std::int64_t cols = w.shape[1], room = whole_lines<T>(cols);
      thread_local Scratch<T> memory;
      T* const sums = memory.sized(n * room);
      const bool is_finite = known_finite(w);
      // So many rows stay in the second-level cache between their two uses; elementwise code likes whole
      // packets.
      const std::int64_t block = std::max<std::int64_t>(16, (1 << 18) / (cols * size_of(w.dtype)) / 16 * 16);
      parallel(n, [&](Part part) {
        T* const mine = std::fill_n(sums + part.t * room, room, T(0)) - room;
        const auto [begin, end] = part.range(w.shape[0], 16);
        for (std::int64_t i = begin; i < end; i += block) {
          const std::int64_t to = std::min(end, i + block);
          const Rows<const T> rows{w.ptr<T>(), w.strides[0], cols, i, to};
          row_dots<T>(rows, row, y[1].ptr<T>());
          apply_f(x, y, y[1], i, to);
          row_sums<T>(rows, y[2].ptr<T>(), mine, is_finite);
        }
      });
      T* const out = y[0].ptr<T>();
      for (std::int64_t j = 0; j < cols; ++j) {
        out[j] = sums[j];
        for (int t = 1; t < n; ++t) out[j] += sums[t * room + j];
      }
    });
  }

  /// The elementwise part, for some columns.
  void apply_f(const Views& x, const Views& y, const View& product, std::int64_t begin,
               std::int64_t end) const {
    constexpr int most = 32;
    std::array<View, most> views;
    std::array<View*, most> in{}, out{};
    int n = 0;
    const auto columns = [&](const View& v) {
      View& part = views[static_cast<std::size_t>(n)];
      part = v;
      const int axis = v.ndim() - 1;
      if (axis >= 0 && v.shape[axis] != 1) {
        part.data = advance(v.data, v.dtype, begin * v.strides[axis]);
        part.shape[axis] = end - begin;
      }
      return &views[static_cast<std::size_t>(n++)];
    };
    int n_in = 0, n_out = 0;
    in[static_cast<std::size_t>(n_in++)] = columns(product);
    for (int i = 2; i < x.size(); ++i) in[static_cast<std::size_t>(n_in++)] = columns(x[i]);
    for (int i = 2; i < y.size(); ++i) out[static_cast<std::size_t>(n_out++)] = columns(y[i]);
    f->perform(Views(in.data(), n_in), Views(out.data(), n_out));
  }
};

}  // namespace

Var add_dot(const Var& p, const Var& scale, const std::vector<ScaledProduct>& products) {
  static const OpPtr op = make_op(AddDot());
  Vars inputs{p, scale};
  for (const ScaledProduct& s : products) inputs.insert(inputs.end(), {s.alpha, s.a, s.b});
  return apply(op, std::move(inputs));
}

std::optional<AddedProduct> added_product(const Var& v) {
  const Node& node = v.node();
  if (node.kind != Node::Kind::apply || dynamic_cast<const AddDot*>(node.op.get()) == nullptr)
    return std::nullopt;
  const Vars& x = node.inputs;
  if (x.size() != 5) return std::nullopt;
  return AddedProduct{x[1], {x[2], x[3], x[4]}};
}

Vars dot_and_add_dot(const Var& x, const Var& w, const AddedProduct& added) {
  static const OpPtr op = make_op(DotAndAddDot());
  const ScaledProduct& product = added.product;
  const Var first = apply(op, Vars{x, w, added.scale, product.alpha, product.a, product.b});
  return {first, Var(first.node_ptr(), 1)};
}

Vars dot_f_dot(const OpPtr& elementwise, const Var& x, const Var& w, const Vars& operands) {
  Vars inputs{x, w};
  inputs.insert(inputs.end(), operands.begin(), operands.end());
  const Var first = apply(make_op(DotFDot(elementwise)), std::move(inputs));
  Vars y;
  for (int i = 0; i < static_cast<int>(first.node().types.size()); ++i) y.emplace_back(first.node_ptr(), i);
  return y;
}

}  // namespace damo
