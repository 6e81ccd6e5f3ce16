#include "tests/fuzz/random_graph.h"

#include <iterator>
#include <limits>

#include "tests/expect.h"

namespace damo::test {

RandomGraph::RandomGraph(std::uint32_t seed, DType dtype, std::int64_t columns, Kind kind)
    : engine_(seed),
      dtype_(dtype),
      columns_(columns),
      kind_(kind),
      smooth_(kind == Kind::smooth || kind == Kind::without_choice),
      x_(variable(Type(dtype, {-1, -1}), "x")),
      y_(variable(Type(dtype, {-1, columns}), "y")),
      v_(variable(Type(dtype, {-1}), "v")),
      u_(variable(Type(dtype, {-1}), "u")),
      i_(variable(Type(DType::int64, {-1}), "i")),
      W_(shared(random({columns, columns}, dtype, seed + 1), "W")),
      E_(shared(random({n_entries, columns}, dtype, seed + 2), "E")) {
  pool_[rc] = {x_, y_, dot(x_, W_) / static_cast<double>(columns), E_[i_]};
  pool_[cr] = {x_.T()};
  pool_[c_only] = {v_, W_[0]};
  pool_[r_only] = {u_};
  pool_[no_axes] = {mean(v_), W_[{0, -1}]};
}

std::vector<Tensor> RandomGraph::values(std::int64_t rows, std::uint32_t seed) const {
  return {random({rows, columns_}, dtype_, seed), random({rows, columns_}, dtype_, seed + 1),
          random({columns_}, dtype_, seed + 2), random({rows}, dtype_, seed + 3),
          random({rows}, DType::int64, seed + 4, 0, n_entries)};
}

std::vector<Tensor> RandomGraph::special_values(std::int64_t rows, std::uint32_t seed) const {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double common[] = {0, 0, 1, 1, -1, .5, 30, -30, 200, -200};
  const double rare[] = {inf, -inf, std::numeric_limits<double>::quiet_NaN()};
  std::mt19937 engine(seed);
  std::vector<Tensor> all = values(rows, seed);
  for (std::size_t k = 0; k + 1 < all.size(); ++k) {
    std::vector<double> elements = all[k].to_vector<double>();
    const bool with_rare = engine() % 3 == 0;
    for (double& x : elements) {
      if (engine() % 2 == 0) x = common[engine() % std::size(common)];
      if (with_rare && engine() % 6 == 0) x = rare[engine() % std::size(rare)];
    }
    all[k] = tensor(dtype_, all[k].shape(), elements);
  }
  return all;
}

Var RandomGraph::any(Shape s) {
  return pool_[s][static_cast<std::size_t>(pick(static_cast<int>(pool_[s].size())))];
}

Var RandomGraph::elementwise(const Var& a) {
  switch (pick(28)) {
    case 0: return tanh(a);
    case 1: return sigmoid(a);
    case 2: return sin(a * 2);
    case 3: return cos(a);
    case 4: return 0.5 * softplus(a);
    case 5: return exp(-sqr(a));
    case 6: return log(1 + sqr(a));
    case 7: return sqrt(sqr(a) + 1);
    case 8: return 0.5 * log(sigmoid(a));
    case 9: return 0.5 * log(1 - sigmoid(a));
    case 10: return smooth_ ? sin(a) : abs(a) - 0.5;
    case 11: return -a;
    case 12: return 1 - a;
    case 13: return smooth_ ? cos(a) : clip(a, -0.8, 0.9);
    case 14: return 1 / (1 + exp(-a));
    case 15: return inv(2 + tanh(a));
    case 16: return pow(tanh(a), 2);
    case 17: return expm1(tanh(a)) * 0.5;
    case 18: return log1p(exp(a)) - 0.7;
    case 19: return arctan(a);
    case 20: return arcsinh(a);
    case 21: return smooth_ ? erf(a) : erf(a) + 0.2 * floor(3 * a + 0.1234567);
    case 22: return 0.5 * erfc(a);
    case 23: return 0.3 * psi(2 + sqr(a));
    case 24: return smooth_ ? exp2(-sqr(a)) : 0.7 * selu(a);
    case 25: return smooth_ ? sinh(tanh(a)) : relu(a, 0.1);
    case 26: return softsign(a);
    default: return cast(cast(a, float64) * 1.5, dtype_) * 0.5;
  }
}

Var RandomGraph::combined(const Var& a, const Var& b) {
  switch (pick(10)) {
    case 0: return (a + b) * 0.5;
    case 1: return 0.5 * (a - b);
    case 2: return tanh(a * b);
    // Moved, so that a and b which are equal but for rounding are no tie, where the gradient jumps.
    case 3: return smooth_ ? tanh(a - b) : maximum(a, b + 0.013);
    case 4: return smooth_ ? a * sigmoid(b) : minimum(a, b - 0.007);
    case 5: return a / (1 + sqr(b));
    case 6: return (a - 0.3 * (b + 0.2 * a)) * 0.6;
    case 7: return arctan2(a, 1.5 + tanh(b));
    case 8:
      if (kind_ == Kind::without_choice) return tanh(a) * tanh(b);
      return switch_(a > 0.1234567, 0.3 * log(a), tanh(b));  // log(a) may be NaN where b is taken
    default:
      if (kind_ == Kind::without_choice) return tanh(a) - tanh(b);
      return switch_(a > 0.1234567, tanh(a), tanh(b));
  }
}

/// The same elements, or as many, in another order: the shape stays.
Var RandomGraph::moved(const Var& a, Shape s) {
  if (a.ndim() == 1) return pick(2) == 0 ? a[slice(none, none, -1)] : a.dimshuffle({'x', 0}).flatten();
  // Where the rows are turned is known only when a kernel has run.
  const Var k =
      kind_ == Kind::without_branches ? constant(Tensor(std::int64_t{1})) : argmax(s == rc ? u_ : v_);
  switch (pick(10)) {
    case 9: return join(0, {a[slice(k, none)], a[slice(none, k)]});
    case 0: return a[slice(none, none, -1)];
    case 1: return a[{slice(none, none), slice(none, none, -1)}];
    case 2: return join(0, {a[slice(1, none)], a[slice(none, 1)]});
    case 3: return a.flatten().reshape({a.shape(0), a.shape(1)});
    case 4: return a.T().reshape({a.shape(0), a.shape(1)});
    case 5: return a.dimshuffle({1, 'x', 0}).dimshuffle({2, 0, 1}).reshape({a.shape(0), a.shape(1)});
    case 6: return a[a.shape(0) - 1 - arange(a.shape(0))];
    case 7: return stack({a, tanh(a)})[1];
    default: return join(1, {a, sqr(tanh(a))})[{slice(none, none), slice(none, none, 2)}].dimshuffle({0, 1});
  }
}

RandomGraph::Expression RandomGraph::reduced() {
  const Shape from = pick(2) == 0 ? rc : cr;
  const Var a = any(from);
  const int axis = pick(2);
  const Shape to = (from == rc) == (axis == 0) ? c_only : r_only;
  switch (pick(8)) {
    case 0: return {mean(a, {.axis = axis}), to};
    case 1: return {tanh(sum(a, {.axis = axis})), to};
    case 2: return {smooth_ ? mean(sqr(a), {.axis = axis}) : max(a, {.axis = axis}), to};
    case 3: return {smooth_ ? mean(sin(a), {.axis = axis}) : min(a, {.axis = axis}), to};
    case 4: return {a - mean(a, {.axis = axis, .keepdims = true}), from};
    case 5: return {tanh(var(a, {.axis = axis})), to};
    case 6: return {prod(tanh(a), {.axis = axis}), to};
    default: return {mean(a), no_axes};
  }
}

RandomGraph::Expression RandomGraph::product() {
  const double scale = 1 / static_cast<double>(columns_);
  switch (pick(7)) {
    case 0: return {dot(any(rc), W_) * scale, rc};
    case 1: return {tanh(dot(dot(any(rc), any(cr)), any(rc)) * scale), rc};
    case 2: return {dot(any(rc), any(c_only)) * scale, r_only};
    case 3: return {dot(any(c_only), any(cr)) * scale, r_only};
    case 4: return {tanh(dot(any(cr), any(r_only))), c_only};
    case 5: return {tanh(dot(any(c_only), any(c_only))), no_axes};
    default: return {tanh(outer(any(r_only), any(c_only))), rc};
  }
}

RandomGraph::Expression RandomGraph::indexed() {
  const Var a = any(rc);
  switch (pick(9)) {
    case 0: return {a[0], c_only};
    case 1: return {a[{slice(none, none), -1}], r_only};
    case 2: return {softmax(a), rc};
    case 3: return {0.3 * log(softmax(a)), rc};
    case 4: return {a[{arange(a.shape(0)), cast(argmax(y_, {.axis = 1}), int32)}], r_only};
    case 5: return {set_subtensor(a[0], any(c_only)), rc};
    case 6: return {inc_subtensor(a[{slice(none, none), 0}], any(r_only)) * 0.7, rc};
    case 7: return {a.T(), cr};
    default: return {alloc(any(c_only), {a.shape(0), a.shape(1)}) * a, rc};
  }
}

/// The size of an axis as a number beside which a keeps its dtype.
Var RandomGraph::count(const Var& a, int axis) const { return cast(a.shape(axis), dtype_); }

/// What depends on sizes.
RandomGraph::Expression RandomGraph::sized() {
  const Shape s = static_cast<Shape>(pick(no_axes));
  const Var a = any(s), b = any(s);
  const bool is_matrix = a.ndim() == 2;
  switch (pick(14)) {
    case 0: return {a * (count(b, 0) / (1 + count(b, 0))), s};
    case 1: return {a + zeros(b.shape(), dtype_), s};
    case 2: return {ones_like(a) * b, s};
    case 3: return {fill(a, any(no_axes)) - 0.5 * b, s};
    case 4: return {alloc(any(no_axes), b.shape()) * a, s};
    case 5: return {sum(a) / (is_matrix ? count(b, 0) * count(b, 1) : count(b, 0)), no_axes};
    case 6: return {a.reshape(b.shape()), s};
    case 7: return {is_matrix ? a.flatten().reshape({-1, b.shape(1)}) : a.reshape({-1}), s};
    case 8: return {0 * a + b, s};
    case 9: return {0.5 * (a + b)[slice(none, none, -1)], s};
    case 10: return {zeros_like(a) + mean(b), s};
    case 11: return {a[slice(0, b.shape(0))] - 0.3 * b[slice(none, a.shape(0))], s};
    case 12: return {tanh(any(r_only) + 0.2 * cast(arange((a + b).shape(0)), dtype_)[0]), r_only};
    default: return {cast(a + b.shape(0), dtype_) * 0.2, s};
  }
}

/// What the stabilizing rules know, by several names.
RandomGraph::Expression RandomGraph::stabilized() {
  const Shape s = pick(2) == 0 ? rc : cr;
  const Var a = any(s), b = any(s);
  const int axis = pick(2);
  const Shape to = (s == rc) == (axis == 0) ? c_only : r_only, other = s == rc ? cr : rc;
  switch (pick(16)) {
    case 0: return {1 / (1 + exp(a - b)), s};
    case 1: return {exp(a) / (1 + exp(a)), s};
    case 2: return {0.3 * log(1 - 1 / (1 + exp(a))), s};
    case 3: return {exp(a) / sum(exp(a), {.axis = axis, .keepdims = true}), s};
    case 4: return {0.5 * log(sum(exp(a), {.axis = axis})), to};
    case 5: return {0.3 * log(softmax(any(rc))[{arange(y_.shape(0)), argmax(y_, {.axis = 1})}]), r_only};
    case 6: return {0.3 * log(softmax(a).T()), other};
    case 7: return {-0.3 * log(softmax(a).reshape(b.shape())), s};
    case 8: return {0.3 * log1p(-sigmoid(a)), s};
    case 9: return {pow(1 + sqr(a), 0.5) - pow(tanh(b), 3), s};
    case 10: return {any(no_axes) / (1 + exp(-a - b)), s};
    case 11: return {-0.3 * log(softmax(a)[{0, -1}]), no_axes};
    case 12: return {0.3 * log(sigmoid(any(rc))[0]), c_only};
    case 13: return {sqr(abs(tanh(a))) - pow(sqrt(sqr(b) + 0.5), 2) * 0.2, s};
    case 14: return {0.3 * log(mean(exp(a), {.axis = axis})), to};
    default: return {0.3 * log(exp(a) / (1 + exp(a))), s};
  }
}

/// a of shape (r, c) as the argument of a graph of its own, which reads the shared variables, too.
Var RandomGraph::in_body(const Var& a) {
  const Var p = variable(Type(dtype_, {-1, -1}), "p"), q = variable(Type(dtype_, {-1, columns_}), "q");
  const Var y = tanh(dot(p, W_) / static_cast<double>(columns_));
  switch (pick(4)) {
    case 0: return OpFromGraph({p}, {y})(a);
    case 1: {
      const OpFromGraph f({p}, {0.5 * y + 0.3 * p});
      return f(f(a));
    }
    case 2: return OpFromGraph({p, q}, {y * q - E_[0]})(a, any(rc));
    default: {
      const OpFromGraph inner({q}, {q * mean(W_) + elementwise(q)});
      return OpFromGraph({p}, {0.5 * inner(y)})(a);
    }
  }
}

/// An operand that goes with the shape s: of the same shape, or one that is stretched to it.
Var RandomGraph::beside(Shape s) {
  if (pick(3) != 0) return any(s);
  if (s == rc && pick(2) == 0) return pick(2) == 0 ? any(c_only) : any(r_only).dimshuffle({0, 'x'});
  if (s == cr && pick(2) == 0) return pick(2) == 0 ? any(r_only) : any(c_only).dimshuffle({0, 'x'});
  return any(no_axes);
}

/// One of two, by a number that is known before any kernel has run, or by one that is not.
Var RandomGraph::branch(Shape s) {
  const bool by_size = pick(2) == 0 || kind_ == Kind::without_choice;
  const Var condition = by_size ? gt(x_.shape(0), 2) : gt(any(no_axes), 0.1234567);
  const Var a = elementwise(any(s)), b = any(s);
  return ifelse(condition, a, combined(b, beside(s)));
}

RandomGraph::Expression RandomGraph::next() {
  const Shape s = any_shape();
  switch (pick(10)) {
    case 9: return {in_body(any(rc)), rc};
    case 8: return stabilized();
    case 7: return sized();
    case 6: return {kind_ == Kind::without_branches ? elementwise(any(s)) : branch(s), s};
    case 0: return reduced();
    case 1: return product();
    case 2: return indexed();
    case 3: return {s == no_axes ? elementwise(any(s)) : moved(any(s), s), s};
    case 4: return {elementwise(any(s)), s};
    default: return {combined(any(s), beside(s)), s};
  }
}

void RandomGraph::grow(int n) {
  for (int i = 0; i < n; ++i) {
    const Expression e = next();
    pool_[e.shape].push_back(e.v);
    last_ = e.v;
  }
}

/// One of the ways in which models repeat themselves: h again, of shape (r, c).
Var RandomGraph::link(int way, const Var& h, const Var& a) {
  switch (way) {
    case 0: return tanh(h);
    case 1: return 0.9 * h + 0.1 * a;
    case 2: return tanh(dot(h, W_) / static_cast<double>(columns_) + a);
    case 3: return h / (1 + mean(sqr(h), {.axis = 1, .keepdims = true}));
    case 4: return h + 0.01 * elementwise(a);
    case 5: {
      const Var z = sigmoid(h + a);
      return (1 - z) * h + z * tanh(dot(z * h, W_) / static_cast<double>(columns_));
    }
    case 6: return h - mean(h) * (count(h, 0) / (1 + count(h, 0)));
    default: return tanh(combined(h, beside(rc)));
  }
}

void RandomGraph::grow_chain(int n) {
  const int way = pick(8);
  const Var a = any(rc);
  Var h = any(rc);
  for (int i = 0; i < n; ++i) h = link(way, h, way == 1 || way == 4 ? any(rc) : a);
  pool_[rc].push_back(h);
  last_ = h;
}

Vars RandomGraph::outputs(int n) {
  Vars chosen = {last_};
  for (int i = 1; i < n; ++i) chosen.push_back(any(any_shape()));
  return chosen;
}

Var RandomGraph::cost() {
  Var total = mean(sqr(x_)) + mean(y_) + mean(tanh(v_)) + mean(u_ * u_) + mean(sqr(W_)) + mean(E_[i_]);
  for (const auto& pool : pool_) total = total + mean(pool.back());
  return total + mean(last_);
}

Var RandomGraph::new_value() {
  const Var change = dot(any(cr), any(rc)) / static_cast<double>(columns_);
  return W_ - 0.1 * (pick(2) == 0 ? change : tanh(change) + outer(any(c_only), any(c_only)));
}

Var RandomGraph::new_entries() {
  const Var change = -0.1 * any(rc);
  switch (pick(3)) {
    case 0: return set_subtensor(E_[i_], any(rc));
    case 1: return inc_subtensor(inc_subtensor(E_[i_], change)[i_], 0.3 * any(rc));
    default: return inc_subtensor(E_[i_], change);
  }
}

}  // namespace damo::test
