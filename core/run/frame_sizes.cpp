#include <algorithm>
#include <new>

#include "core/run/frame.h"
#include "core/run/integers.h"
#include "core/run/layout.h"

/// The integer part of a call: sizes, and where each array lies.
namespace damo {
namespace {

constexpr std::int64_t alignment = 64;

std::int64_t rounded(std::int64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::int64_t bytes_of(const View& v) {
  // What lies in a branch that has never run has no size yet.
  for (const std::int64_t n : v.shape)
    if (n < 0) return 0;
  return v.size() * size_of(v.dtype);
}

}  // namespace

std::int64_t Frame::arena_bytes() const {
  std::int64_t bytes = 0;
  for (const Arena& a : arenas_) bytes += a.bytes;
  for (const auto& body : bodies_) bytes += body->arena_bytes();
  return bytes;
}

void Frame::set_value(int i, std::int64_t value) {
  Array& a = array(i);
  a.changed = !a.has_value || value != a.value;
  a.has_value = true;
  a.value = value;
}

void Frame::resolve(std::size_t number) {
  const Segment& segment = schedule_->segments[number];
  for (const SizeItem& item : segment.items) {
    const bool done = runs(item.branch);
    if (done)
      do_item(item);
    else
      for (const int i : item.y) array(i).changed = false;
    missed_[static_cast<std::size_t>(item.number)] = !done;
  }
  if (sizes_changed_) lay_out(number);
  take_output_buffers(segment);
  if (!sizes_changed_ && segment.outputs.empty() && schedule_->segments.size() == 1) return;
  for (const Step& step : segment.steps)
    for (const int i : step.y) {
      if (slot(i).kind != Slot::Kind::overwrite) continue;
      const View& base = (*this)[slot(i).base].view;
      array(i).view.data = base.data;
      array(i).view.finite = base.finite;
    }
  for (const SizeItem& item : segment.moving)
    if (runs(item.branch)) place_view(item);
}

void Frame::do_item(const SizeItem& item) {
  switch (item.kind) {
    case SizeItem::Kind::integer: {
      std::array<std::int64_t, most_integers> x{};
      for (std::size_t i = 0; i < item.x.size(); ++i) x[i] = (*this)[item.x[i]].value;
      std::int64_t v = 0;
      try {
        v = wrapped(slot(item.y[0]).type.dtype, item.node->op->integer({x.data(), item.x.size()}));
      } catch (const Error& e) {
        blame(*item.node, item.x, e.what());
      }
      return set_value(item.y[0], v);
    }
    case SizeItem::Kind::read: return set_value(item.y[0], read_integer((*this)[item.y[0]].view));
    case SizeItem::Kind::view: {
      Array& y = array(item.y[0]);
      const Sizes before = y.view.shape;
      place_view(item);
      y.changed = stale_ || !(y.view.shape == before);
      return;
    }
    case SizeItem::Kind::infer: {
      bool dirty = stale_ || missed_[static_cast<std::size_t>(item.number)];
      for (std::size_t i = 0; i < item.x.size(); ++i) {
        const Array& x = (*this)[item.x[i]];
        dirty |= x.changed && (x.view.ndim() > 0 || item.node->op->needs_value(static_cast<int>(i)));
      }
      for (const int i : item.y) array(i).changed = false;
      if (dirty) infer(item);
      return;
    }
  }
}

void Frame::take_output_buffers(const Segment& segment) {
  for (const std::size_t i : segment.outputs) {
    const int y = schedule_->output_slots[i];
    View& view = array(y).view;
    if (const View* const outside = body_y_.empty() ? nullptr : &body_y_[i];
        outside != nullptr && outside->data != nullptr) {
      invariant(outside->shape == view.shape && outside->dtype == view.dtype,
                "an output of a Body is {}, not {}", Type(view.dtype, view.shape),
                Type(outside->dtype, outside->shape));
      view.data = outside->data;
      continue;
    }
    auto& pool = output_pools_[i];
    const auto free = std::find_if(pool.begin(), pool.end(),
                                   [&](const Tensor& t) { return t.shape() == view.shape && t.is_alone(); });
    if (free != pool.end()) {
      outputs_[i] = *free;
    } else {
      constexpr std::size_t enough = 4;
      std::erase_if(pool, [](const Tensor& t) { return t.is_alone(); });
      outputs_[i] = memory_for(y, view.shape, view.dtype);
      if (pool.size() < enough) pool.push_back(outputs_[i]);
    }
    view = outputs_[i].view();
  }
}

void Frame::infer(const SizeItem& item) {
  Types x;
  x.reserve(item.x.size());
  for (const int i : item.x) {
    const Array& a = (*this)[i];
    Type t(slot(i).type.dtype, a.view.shape, slot(i).type.stretch);
    t.has_value = a.has_value;
    t.value = a.value;
    x.push_back(t);
  }
  Types types;
  try {
    types = item.node->op->infer(x);
    for (const Type& t : types) check_size(t);
  } catch (const Error& e) {
    blame(*item.node, item.x, e.what());
  }
  for (std::size_t i = 0; i < item.y.size(); ++i) {
    const Type& t = types[i];
    if (slot(item.y[i]).kind == Slot::Kind::integer) {
      set_value(item.y[i], t.value);
      continue;
    }
    Array& y = array(item.y[i]);
    y.changed = stale_ || !(y.view.shape == t.shape);
    sizes_changed_ |= y.changed;
    y.view.dtype = t.dtype;
    y.view.shape = t.shape;
    y.view.strides = row_major(t.shape);
  }
}

void Frame::place_view(const SizeItem& item) {
  View& y = array(item.y[0]).view;
  try {
    y = item.node->op->view(views(item.first_view, item.x.size()));
    y.finite = nullptr;  // a part is written where nobody would tell
  } catch (const Error& e) {
    blame(*item.node, item.x, e.what());
  }
}

void Frame::lay_out(std::size_t number) {
  const Segment& segment = schedule_->segments[number];
  Arena& arena = arenas_[number];
  Layout layout;
  const auto bytes = [&](int i) { return rounded(bytes_of((*this)[i].view)); };
  int largest = -1;
  for (const Step& step : segment.steps) {
    const auto is_empty = [this](int i) {
      const Sizes& shape = (*this)[i].view.shape;
      return std::find(shape.begin(), shape.end(), 0) != shape.end();
    };
    is_idle_[static_cast<std::size_t>(step.number)] =
        !step.op->can_fail() && !step.op->has_effect() && std::all_of(step.y.begin(), step.y.end(), is_empty);
    for (const int i : step.allocates) {
      array(i).offset = bytes(i) > 0 ? layout.allocate(bytes(i)) : 0;
      if (largest < 0 || bytes(i) > bytes(largest)) largest = i;
      if (layout.end() > most_array_bytes)
        blame(*step.node, step.x,
              fmt::format("{} is too large: the function's arrays take more than 1 TiB together",
                          Type((*this)[i].view.dtype, (*this)[i].view.shape)));
    }
    for (const int i : step.releases)
      if (bytes(i) > 0) layout.release((*this)[i].offset, bytes(i));
  }
  arena.used = layout.end();
  if (arena.memory == nullptr || layout.end() > arena.bytes) {
    arena.memory.reset();
    arena.memory = std::make_shared<Tensor>(memory_for(largest, {layout.end()}, DType::int8));
    arena.bytes = layout.end();
  }
  void* const start = static_cast<Tensor*>(arena.memory.get())->data();
  for (const Step& step : segment.steps)
    for (const int i : step.allocates) array(i).view.data = advance(start, DType::int8, array(i).offset);
}

/// Fresh memory, of which most is for what a step puts in the slot: if there is none, that step is named.
Tensor Frame::memory_for(int i, const Sizes& shape, DType dtype) const {
  try {
    return Tensor::empty(shape, dtype);
  } catch (const std::bad_alloc&) {
    for (const Segment& segment : schedule_->segments)
      for (const Step& step : segment.steps) {
        if (std::find(step.y.begin(), step.y.end(), i) == step.y.end()) continue;
        const View& y = (*this)[i].view;
        blame(*step.node, step.x,
              fmt::format("there is no memory for {}: {} bytes are needed", Type(y.dtype, y.shape),
                          checked_bytes(shape, dtype)));
      }
    throw;
  }
}

}  // namespace damo
