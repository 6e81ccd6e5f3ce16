#include "ops/cost.h"

#include "core/graph/op.h"
#include "core/tensor/visit.h"
#include "ops/create.h"
#include "ops/elemwise.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace damo {
namespace {

/// y = labels of the rows of a matrix, one for each, that name its columns (inputs: labels, the matrix).
struct Labels : OpOf<Labels> {
  std::string name() const override { return "labels of categorical_crossentropy"; }

  Types infer(const Types& x) const override {
    const std::int64_t labels = x[0].shape[0], rows = x[1].shape[0];
    check(labels < 0 || rows < 0 || labels == rows, "there are {} labels for {} rows", labels, rows);
    Type y = x[0];
    y.stretch = 0;
    return {y};
  }

  Var size(const Vars& x, int, int) const override { return shape(x[0], 0); }
  Vars L_op(const Vars&, const Vars&, const Vars&) const override { return Vars(2); }
  bool reads(int input) const override { return input == 0; }
  bool can_fail() const override { return true; }

  void perform(const Views& x, const Views& y) const override {
    const std::int64_t classes = x[1].shape[1];
    visit(x[0].dtype, [&]<class T>(T) {
      const T* const labels = x[0].ptr<T>();
      for (std::int64_t i = 0; i < x[0].shape[0]; ++i) {
        const auto label = static_cast<std::int64_t>(labels[i * x[0].strides[0]]);
        check(label >= 0 && label < classes,
              "the label of row {} is {}: there are {} classes, counted from 0", i, label, classes);
      }
    });
    copy_into(y[0], x[0]);
  }
};

}  // namespace

Var binary_crossentropy(const Arg& output, const Arg& target) {
  const Scope here(output);
  return -(target * log(output) + (1 - target) * log(1 - output));
}

Var categorical_crossentropy(const Arg& p_arg, const Arg& y_arg) {
  const Scope here(p_arg);
  const Var p = p_arg.var(), y = y_arg.var();
  check(p.ndim() == 2 && (y.ndim() == 2 || (y.ndim() == 1 && y.type().is_int())),
        "categorical_crossentropy: p is a matrix, y a vector of integers or a matrix, not {} and {}",
        p.type(), y.type());
  if (y.ndim() == 2) return -sum(y * log(p), {.axis = 1});
  const Var labels = apply(make_op(Labels()), Vars{y, p});
  return -log(p)[{arange(shape(labels, 0)), labels}];
}

}  // namespace damo
