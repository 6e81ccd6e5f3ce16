#include "core/graph/shared.h"

#include "core/graph/warn_float64.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

struct Use {
  Cell& cell;
  void (Cell::*end)();
  ~Use() { (cell.*end)(); }
};

void require_set(const Shared& v, const char* what, const Where& at) {
  check(v.is_set(), "{}: the variable is an empty Shared: it was declared but never made\n  {}", what,
        to_string(at));
}

}  // namespace

bool Cell::try_read() {
  int n = users_.load(std::memory_order_relaxed);
  while (n != writing)
    if (users_.compare_exchange_weak(n, n + 1, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
  return false;
}

bool Cell::try_write() {
  int nobody = 0;
  return users_.compare_exchange_strong(nobody, writing, std::memory_order_acquire,
                                        std::memory_order_relaxed);
}

Shared::Shared(const Var& v) : Var(v) {
  check(!v.is_set() || v.node().kind == Node::Kind::shared, "{} is not a shared variable", label(v));
}

Tensor Shared::get_value(GetValueArgs args, Here at) const {
  require_set(*this, "get_value", at);
  Cell& cell = *node().cell;
  check(cell.try_read(), "get_value of {}: a function that updates it is running", label(*this));
  const Use use{cell, &Cell::end_read};
  if (!args.borrow) return cell.value.copy();
  std::atomic_ref(cell.finite).store(Finite::unknown);  // who holds the memory might write to it
  return cell.value;
}

void Shared::set_value(const Tensor& value, Here at) const {
  require_set(*this, "set_value", at);
  check(value.is_set(), "set_value of {}: the tensor is empty", label(*this));
  Cell& cell = *node().cell;
  check(cell.try_write(), "set_value of {}: a function that uses it is running", label(*this));
  const Use use{cell, &Cell::end_write};
  const Tensor& now = cell.value;
  const DType dtype = value.is_weak() ? now.dtype() : value.dtype();
  check(
      dtype == now.dtype() && value.ndim() == now.ndim() && (cell.resizable || value.shape() == now.shape()),
      "set_value of {}: it holds {}, the new value is {}{}", label(*this), Type(now.dtype(), now.shape()),
      Type(dtype, value.shape()),
      dtype == now.dtype() && value.ndim() == now.ndim()
          ? ": other sizes need a variable made with shared(value, name, {.resizable = true})"
          : "");
  check(is_float(dtype) || !is_float(value.dtype()),
        "set_value of {}: it holds {}, and a float does not convert to an integer", label(*this),
        now.dtype());
  // A copy first: the value may be a view of this very variable.
  const Tensor fresh = value.astype(dtype).copy();
  check(is_float(dtype) || identical(fresh.astype(value.dtype()), value),
        "set_value of {}: it holds {}, and the new value does not fit", label(*this), now.dtype());
  cell.finite = Finite::unknown;
  if (value.shape() == now.shape())
    copy_into(now.view(), fresh.view());
  else
    cell.value = fresh;
}

Shared shared(const Tensor& value, std::string name, SharedArgs args, Here at) {
  check(value.is_set(), "a shared variable needs a value, not an empty Tensor");
  check(args.broadcastable.empty() || static_cast<int>(args.broadcastable.size()) == value.ndim(),
        "shared: broadcastable has {} entries for a tensor of shape {}", args.broadcastable.size(),
        value.shape());
  Type type(value.dtype(), args.resizable ? Sizes(value.ndim(), -1) : value.shape());
  for (int i = 0; i < static_cast<int>(args.broadcastable.size()); ++i) {
    if (!args.broadcastable[static_cast<std::size_t>(i)]) continue;
    check(value.shape(i) == 1, "shared: axis {} has size {}, only an axis of size 1 can be broadcastable", i,
          value.shape(i));
    type.stretch |= 1U << i;
    type.shape[i] = 1;
  }
  const Var leaf = variable(type, std::move(name), at);
  const auto node = std::make_shared<Node>();
  node->kind = Node::Kind::shared;
  node->types = leaf.node().types;
  node->name = leaf.name();
  node->where = leaf.node().where;
  node->id = leaf.node().id;
  node->cell =
      std::make_shared<Cell>(args.borrow && value.is_contiguous() ? value : value.copy(), args.resizable);
  const Shared made{Var(node)};
  note_float64(made);
  return made;
}

}  // namespace damo
