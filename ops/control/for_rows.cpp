#include "ops/control/for_rows.h"

#include <algorithm>
#include <unordered_set>

#include "core/graph/body.h"
#include "core/graph/op.h"
#include "core/graph/walk.h"
#include "core/tensor/visit.h"
#include "ops/elemwise.h"
#include "ops/grad.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace damo {
namespace {

void add_to(const View& y, const View& x) {
  for_float(y, [&]<class T>(T) {
    T* const to = y.ptr<T>();
    const T* const from = x.ptr<T>();
    for (std::int64_t k = 0; k < x.size(); ++k) to[k] += from[k];
  });
}

Vars for_rows(const Var& i, const Var& n, const Vars& rows, const Vars& like, bool adds);

/// y = row(0), row(1), ..., row(n - 1), one below the other, or their sum; for several rows at once. Inputs:
/// n, for each row something of its sizes, and what the rows are computed from.
struct ForRows : OpOf<ForRows> {
  Body rows;  ///< over a number i and what the rows are computed from
  bool adds;

  ForRows(Body r, bool a) : rows(std::move(r)), adds(a) {}
  bool operator==(const ForRows&) const = default;

  std::size_t first_x() const { return 1 + rows.outputs.size(); }

  std::string name() const override { return adds ? "sum_of_rows" : "rows"; }
  const Body* body() const override { return &rows; }
  bool inlines() const override { return false; }
  OpPtr with_body(Body body) const override { return make_op(ForRows(std::move(body), adds)); }

  Types infer(const Types& x) const override {
    Types y(x.begin() + 1, x.begin() + static_cast<std::ptrdiff_t>(first_x()));
    for (Type& t : y) {
      if (adds) continue;
      t.shape.insert(0, x[0].has_value ? x[0].value : -1);
      t.stretch <<= 1;
    }
    return y;
  }

  Var size(const Vars& x, int output, int axis) const override {
    const Var& like = x[static_cast<std::size_t>(output) + 1];
    if (adds) return shape(like, axis);
    return axis == 0 ? x[0] : shape(like, axis - 1);
  }

  // gx = sum_i d row(i)/dx gy_i
  Vars L_op(const Vars& x, const Vars&, const Vars& gy) const override {
    const Var& i = rows.inputs[0];
    GradArgs args{.disconnected_inputs = Disconnected::ignore};
    for (std::size_t k = 0; k < gy.size(); ++k)
      args.known_grads.emplace_back(rows.outputs[k], adds ? gy[k] : gy[k][i]);
    Vars wrt, outside;
    std::vector<std::size_t> places;
    VarMap<Var> by;
    for (std::size_t k = 0; k + 1 < rows.inputs.size(); ++k) {
      const Var& inside = rows.inputs[k + 1];
      by.emplace(inside, x[first_x() + k]);
      if (!inside.type().is_float()) continue;
      wrt.push_back(inside);
      outside.push_back(x[first_x() + k]);
      places.push_back(first_x() + k);
    }
    const Vars g = for_rows(i, x[0], substitute(grad(Var(), wrt, args), by), outside, true);
    Vars gx(x.size());
    for (std::size_t k = 0; k < places.size(); ++k) gx[places[k]] = g[k];
    return gx;
  }

  bool needs_value(int input) const override { return input == 0; }
  bool reads(int input) const override { return input == 0 || input >= static_cast<int>(first_x()); }

  // All rows have the same shapes and the same matrices to invert: what fails, fails in row 0.
  bool can_fail() const override { return true; }

  void loop(const Views& x, const Views& y, BodyRunner& body) const override {
    const std::int64_t n = *x[0].ptr<std::int64_t>();
    std::int64_t row = 0;
    const std::span<View> in = body.inputs(), out = body.outputs();
    in[0] = View{DType::int64, {}, {}, &row};
    for (int k = static_cast<int>(first_x()); k < x.size(); ++k) {
      View& v = in[static_cast<std::size_t>(k) - first_x() + 1];
      v = x[k];
      v.finite = nullptr;
    }
    for (; row < n; ++row) {
      for (int k = 0; k < y.size(); ++k) out[static_cast<std::size_t>(k)] = place(row, y[k]);
      body.run_body();
      if (adds && row > 0)
        for (int k = 0; k < y.size(); ++k) add_to(y[k], out[static_cast<std::size_t>(k)]);
    }
    if (adds && n == 0)
      for (int k = 0; k < y.size(); ++k) copy_into(y[k], Tensor::zeros(y[k].shape, y[k].dtype).view());
  }

  /// Where a row is written; nowhere, if it is to be added.
  View place(std::int64_t row, const View& y) const {
    if (adds) return row == 0 ? y : View{};
    View part = y;
    part.shape.erase(0);
    part.strides.erase(0);
    part.data = advance(y.data, y.dtype, row * y.strides[0]);
    return part;
  }
};

/// An input that stands for v. Sizes are left open: what v is may change when a function is made.
Var placeholder(const Var& v) {
  Type t(v.dtype(), Sizes(v.ndim(), -1), v.type().stretch);
  for (int axis = 0; axis < t.ndim(); ++axis)
    if (t.stretches(axis)) t.shape[axis] = 1;
  return variable(t, label(v));
}

Vars for_rows(const Var& i, const Var& n, const Vars& rows, const Vars& like, bool adds) {
  Body body{{i}, {}};
  Vars inputs{n}, wanted;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (!rows[k].is_set()) continue;
    wanted.push_back(rows[k]);
    inputs.push_back(like[k]);
  }
  if (wanted.empty()) return rows;

  // The graph is cut where something that depends on i meets something that does not.
  NodeSet moving{i.node_ptr().get()};
  VarMap<Var> inside;
  const auto cut = [&](const Var& v) {
    if (moving.contains(v.node_ptr().get()) || v.node().kind == Node::Kind::constant || inside.contains(v))
      return;
    body.inputs.push_back(placeholder(v));
    inside.emplace(v, body.inputs.back());
    inputs.push_back(v);
  };
  for (const NodePtr& node : toposort(wanted)) {
    const auto moves = [&](const Var& v) { return moving.contains(v.node_ptr().get()); };
    if (std::none_of(node->inputs.begin(), node->inputs.end(), moves)) continue;
    moving.insert(node.get());
    for (const Var& v : node->inputs) cut(v);
  }
  for (const Var& v : wanted) cut(v);
  body.outputs = substitute(wanted, inside);

  const Vars found = apply_all(make_op(ForRows(std::move(body), adds)), std::move(inputs));
  Vars result = rows;
  for (std::size_t k = 0, next = 0; k < rows.size(); ++k)
    if (rows[k].is_set()) result[k] = found[next++];
  return result;
}

}  // namespace

Vars for_rows(const Var& i, const Var& n, const Vars& rows, const Vars& like) {
  return for_rows(i, n, rows, like, false);
}

}  // namespace damo
