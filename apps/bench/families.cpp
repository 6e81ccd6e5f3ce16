#include "apps/bench/families.h"

#include <ctime>

#include "core/graph/walk.h"
#include "ops/ops.h"

namespace damo::bench {
namespace {

std::vector<Var> together(Vars wrt, const Vars& more) {
  wrt.insert(wrt.end(), more.begin(), more.end());
  return wrt;
}

Vars with_grad(const Var& cost, const Vars& wrt) { return together({cost}, grad(cost, wrt)); }

Shared weights(const Sizes& sizes, const std::string& name) {
  return shared(Tensor::full(sizes, floatX(), .01), name);
}

FunctionArgs chain(int n) {
  const Var x = matrix("x");
  Var h = x;
  for (int i = 0; i < n; ++i) h = tanh(h);
  return {.inputs = {x}, .outputs = mean(h)};
}

FunctionArgs chain_grad(int n) {
  const Var x = matrix("x");
  Var h = x;
  for (int i = 0; i < n; ++i) h = tanh(h);
  return {.inputs = {x}, .outputs = with_grad(mean(h), {x})};
}

FunctionArgs deep_mlp(int n) {
  const Var x = matrix("x");
  Var h = x;
  Vars params;
  for (int i = 0; i < n / 4; ++i) {
    const Shared W = weights({4, 4}, "W"), b = weights({4}, "b");
    h = tanh(dot(h, W) + b);
    params.push_back(W);
    params.push_back(b);
  }
  const Var cost = mean(sqr(h));
  Updates updates;
  const Vars g = grad(cost, params);
  for (std::size_t i = 0; i < params.size(); ++i)
    updates.emplace_back(Shared(params[i]), params[i] - .1 * g[i]);
  return {.inputs = {x}, .outputs = cost, .updates = updates};
}

FunctionArgs running_mean(int n) {
  const Var x = matrix("x");
  Var m = zeros_like(x[0]);
  for (int t = 0; t < n / 3; ++t) m = .9 * m + .1 * x[t];
  return {.inputs = {x}, .outputs = with_grad(mean(sqr(m)), {x})};
}

FunctionArgs gru(int n) {
  const Var x = tensor3("x");
  const Shared W = weights({3, 4}, "W"), U = weights({4, 4}, "U"), Wz = weights({3, 4}, "Wz"),
               Uz = weights({4, 4}, "Uz"), Wr = weights({3, 4}, "Wr"), Ur = weights({4, 4}, "Ur"),
               b = weights({4}, "b");
  Var h = zeros({x.shape(1), 4});
  for (int t = 0; t < n / 16; ++t) {
    const Var z = sigmoid(dot(x[t], Wz) + dot(h, Uz)), r = sigmoid(dot(x[t], Wr) + dot(h, Ur));
    h = (1 - z) * h + z * tanh(dot(x[t], W) + dot(r * h, U) + b);
  }
  return {.inputs = {x}, .outputs = with_grad(mean(sqr(h)), {W, U, Wz, Uz, Wr, Ur, b})};
}

FunctionArgs lstm(int n) {
  const Var x = tensor3("x"), y = lmatrix("y");
  const Shared W = weights({3, 16}, "W"), U = weights({4, 16}, "U"), b = weights({16}, "b"),
               V = weights({4, 5}, "V");
  Var h = zeros({x.shape(1), 4}), c = zeros({x.shape(1), 4}), cost;
  for (int t = 0; t < n / 32; ++t) {
    const Var a = dot(x[t], W) + dot(h, U) + b;
    const auto gate = [&](int k) { return a[{slice(none, none), slice(4 * k, 4 * (k + 1))}]; };
    c = sigmoid(gate(0)) * c + sigmoid(gate(1)) * tanh(gate(2));
    h = sigmoid(gate(3)) * tanh(c);
    const Var p = softmax(dot(h, V));
    const Var here = -mean(log(p)[{arange(p.shape(0)), y[t]}]);
    cost = cost.is_set() ? cost + here : here;
  }
  if (!cost.is_set()) cost = mean(h);
  return {
      .inputs = {x, y}, .outputs = with_grad(cost, {W, U, b, V}), .on_unused_input = OnUnusedInput::ignore};
}

FunctionArgs sum_of_terms(int n) {
  const Var x = matrix("x"), y = matrix("y");
  Var total = x * y;
  for (int i = 1; i < n / 3; ++i) total = total + exp(x * (.001 * i)) * y;
  return {.inputs = {x, y}, .outputs = with_grad(mean(total), {x, y})};
}

FunctionArgs normalized(int n) {
  const Var x = matrix("x");
  Var h = x;
  for (int i = 0; i < n / 3; ++i) h = h / sum(h, {.axis = 1, .keepdims = true});
  return {.inputs = {x}, .outputs = with_grad(mean(h), {x})};
}

FunctionArgs shapes(int n) {
  const Var x = matrix("x");
  Var y = x;
  for (int i = 0; i < n / 3; ++i) y = y + cast(y.shape(0), y.dtype());
  return {.inputs = {x}, .outputs = with_grad(mean(y), {x})};
}

FunctionArgs parts(int n) {
  const Var x = vector("x"), sizes = lvector("sizes");
  const Vars all = split(x, sizes, n / 4, 0);
  Var total = sum(all[0]);
  for (const Var& v : all) total = total + sum(tanh(v));
  return {.inputs = {x, sizes}, .outputs = with_grad(total, {x})};
}

FunctionArgs many_updates(int n) {
  const Var x = scalar("x");
  Updates updates;
  Var cost = x;
  for (int i = 0; i < n / 4; ++i) {
    const Shared s = weights({3}, "s");
    updates.emplace_back(s, s * x + 1);
    cost = cost + sum(s);
  }
  return {.inputs = {x}, .outputs = cost, .updates = updates};
}

FunctionArgs tables(int n) {
  const Var rows = lvector("rows"), g = matrix("g");
  Updates updates;
  for (int i = 0; i < n / 2; ++i) {
    const Shared table = weights({3, 2}, "table");
    updates.emplace_back(table, inc_subtensor(table[rows], g));
  }
  return {.inputs = {rows, g}, .updates = updates};
}

FunctionArgs joined(int n) {
  const Var x = vector("x");
  Args rows;
  for (int i = 0; i < n / 3; ++i) rows.emplace_back(tanh(x * (.001 * i)));
  return {.inputs = {x}, .outputs = with_grad(mean(sqr(stack(rows))), {x})};
}

FunctionArgs scalars(int n) {
  const Var a = scalar("a"), b = scalar("b");
  Var t = a;
  for (int i = 0; i < n / 4; ++i) t = tanh(t * b) + a * t;
  return {.inputs = {a, b}, .outputs = with_grad(t, {a, b})};
}

FunctionArgs shared_subexpressions(int n) {
  const Var x = matrix("x");
  Vars layer;
  for (int i = 0; i < 32; ++i) layer.push_back(tanh(x * (.01 * i)));
  for (int d = 0; d < n / 64; ++d) {
    Vars next;
    for (std::size_t i = 0; i < layer.size(); ++i)
      next.push_back(maximum(layer[i] * .5, layer[(i + 7) % layer.size()]));
    layer = next;
  }
  Var cost = mean(layer[0]);
  for (const Var& v : layer) cost = cost + mean(v);
  return {.inputs = {x}, .outputs = with_grad(cost, {x})};
}

FunctionArgs integers(int n) {
  const Var x = vector("x"), k = lscalar("k");
  Var i = k;
  for (int j = 0; j < n / 2; ++j) i = (i + j) % x.shape(0);
  return {.inputs = {x, k}, .outputs = x[i]};
}

FunctionArgs sequence_of_dots(int n) {
  const Var x = matrix("x");
  const Shared W = weights({4, 4}, "W");
  Var h = x;
  for (int i = 0; i < n / 2; ++i) h = tanh(dot(h, W.T()));
  return {.inputs = {x}, .updates = {{W, W - .1 * grad(mean(h), W)}}};
}

FunctionArgs written_in_turn(int n) {
  const Var x = vector("x");
  Var y = x;
  for (int i = 0; i < n / 3; ++i) y = set_subtensor(y[slice(i, i + 1)], tanh(y[slice(i + 1, i + 2)]));
  return {.inputs = {x}, .outputs = with_grad(mean(y), {x})};
}

FunctionArgs transposed(int n) {
  const Var x = matrix("x");
  Var y = x;
  for (int i = 0; i < n / 3; ++i) y = (exp(-y.T()) + 0).T() + y;
  return {.inputs = {x}, .outputs = with_grad(mean(y), {x})};
}

}  // namespace

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"chain", chain},
      {"chain_grad", chain_grad},
      {"deep_mlp", deep_mlp},
      {"running_mean", running_mean},
      {"gru", gru},
      {"lstm", lstm},
      {"sum_of_terms", sum_of_terms},
      {"normalized", normalized},
      {"shapes", shapes},
      {"split", parts},
      {"updates", many_updates},
      {"tables", tables},
      {"stack", joined},
      {"scalars", scalars},
      {"shared", shared_subexpressions},
      {"integers", integers},
      {"dots", sequence_of_dots},
      {"written_in_turn", written_in_turn},
      {"transposed", transposed},
  };
  return all;
}

BuildTime build(const Family& family, int n) {
  const auto now = [] { return std::clock(); };
  const auto seconds = [](auto d) { return static_cast<double>(d) / CLOCKS_PER_SEC; };
  const auto begin = now();
  const FunctionArgs args = family.make(n);
  const auto made = now();
  const Function f = function(args);
  const auto end = now();
  Vars roots = args.outputs.vars();
  for (const Update& u : args.updates) roots.push_back(u.value);
  return {toposort(roots).size(), seconds(made - begin), seconds(end - made)};
}

}  // namespace damo::bench
