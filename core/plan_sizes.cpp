#include <algorithm>
#include <new>

#include "core/layout.h"
#include "core/plan.h"

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

std::int64_t wrapped(DType dtype, std::int64_t v) {
  switch (dtype) {
    case DType::bool_: return v != 0;
    case DType::int8: return static_cast<std::int8_t>(v);
    case DType::int16: return static_cast<std::int16_t>(v);
    case DType::int32: return static_cast<std::int32_t>(v);
    case DType::uint8: return static_cast<std::uint8_t>(v);
    default: return v;
  }
}

}  // namespace

std::int64_t Plan::arena_bytes() const {
  std::int64_t bytes = 0;
  for (const Segment& s : segments_) bytes += s.arena_bytes;
  return bytes;
}

void Plan::resolve(Segment& segment) {
  for (SizeItem& item : segment.items) {
    if (!runs(item.branch)) {
      item.missed = true;
      for (const int i : item.y) slots_[static_cast<std::size_t>(i)].changed = false;
      continue;
    }
    switch (item.kind) {
      case SizeItem::Kind::integer: {
        std::array<std::int64_t, 8> x{};
        for (std::size_t i = 0; i < item.x.size(); ++i)
          x[i] = slots_[static_cast<std::size_t>(item.x[i])].value;
        Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
        std::int64_t v = 0;
        try {
          v = wrapped(y.type.dtype, item.node->op->integer({x.data(), item.x.size()}));
        } catch (const Error& e) {
          blame(*item.node, item.x, e.what());
        }
        y.changed = !y.has_value || v != y.value;
        y.has_value = true;
        y.value = v;
        break;
      }
      case SizeItem::Kind::read: {
        Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
        const std::int64_t v = read_integer(y.view);
        y.changed = !y.has_value || v != y.value;
        y.has_value = true;
        y.value = v;
        break;
      }
      case SizeItem::Kind::view: {
        Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
        const Sizes before = y.view.shape;
        place_view(item);
        y.changed = stale_ || !(y.view.shape == before);
        break;
      }
      case SizeItem::Kind::infer: {
        bool dirty = stale_ || item.missed;
        for (std::size_t i = 0; i < item.x.size(); ++i) {
          const Slot& x = slots_[static_cast<std::size_t>(item.x[i])];
          dirty |= x.changed && (x.view.ndim() > 0 || item.node->op->needs_value(static_cast<int>(i)));
        }
        for (const int i : item.y) slots_[static_cast<std::size_t>(i)].changed = false;
        if (!dirty) break;
        infer(item);
        break;
      }
    }
    item.missed = false;
  }
  if (sizes_changed_) lay_out(segment);
  take_output_buffers(segment);
  if (!sizes_changed_ && segment.outputs.empty() && segments_.size() == 1) return;
  for (const Step& step : segment.steps)
    for (const int i : step.y) {
      Slot& y = slots_[static_cast<std::size_t>(i)];
      if (y.kind != Slot::Kind::overwrite) continue;
      const View& base = slots_[static_cast<std::size_t>(y.base)].view;
      y.view.data = base.data;
      y.view.finite = base.finite;
    }
  for (const SizeItem& item : segment.moving)
    if (runs(item.branch)) place_view(item);
}

void Plan::take_output_buffers(const Segment& segment) {
  for (const std::size_t i : segment.outputs) {
    Slot& slot = slots_[static_cast<std::size_t>(output_slots_[i])];
    auto& pool = output_pools_[i];
    const auto free = std::find_if(pool.begin(), pool.end(), [&](const Tensor& t) {
      return t.shape() == slot.view.shape && t.is_alone();
    });
    if (free != pool.end()) {
      outputs_[i] = *free;
    } else {
      constexpr std::size_t enough = 4;
      std::erase_if(pool, [](const Tensor& t) { return t.is_alone(); });
      outputs_[i] = memory_for(output_slots_[i], slot.view.shape, slot.view.dtype);
      if (pool.size() < enough) pool.push_back(outputs_[i]);
    }
    slot.view = outputs_[i].view();
  }
}

void Plan::infer(const SizeItem& item) {
  Types x;
  x.reserve(item.x.size());
  for (const int i : item.x) {
    const Slot& s = slots_[static_cast<std::size_t>(i)];
    Type t(s.type.dtype, s.view.shape, s.type.stretch);
    t.has_value = s.has_value;
    t.value = s.value;
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
    Slot& y = slots_[static_cast<std::size_t>(item.y[i])];
    const Type& t = types[i];
    if (y.kind == Slot::Kind::integer) {
      y.changed = !y.has_value || y.value != t.value;
      y.has_value = true;
      y.value = t.value;
      continue;
    }
    y.changed = stale_ || !(y.view.shape == t.shape);
    sizes_changed_ |= y.changed;
    y.view.dtype = t.dtype;
    y.view.shape = t.shape;
    y.view.strides = row_major(t.shape);
  }
}

void Plan::place_view(const SizeItem& item) {
  Slot& y = slots_[static_cast<std::size_t>(item.y[0])];
  try {
    y.view = item.node->op->view(Views(item.xv.data(), static_cast<int>(item.xv.size())));
    y.view.finite = nullptr;  // a part is written where nobody would tell
  } catch (const Error& e) {
    blame(*item.node, item.x, e.what());
  }
}

void Plan::lay_out(Segment& segment) {
  Layout layout;
  const auto bytes = [&](int i) { return rounded(bytes_of(slots_[static_cast<std::size_t>(i)].view)); };
  const auto is_empty = [](const View* v) {
    return std::find(v->shape.begin(), v->shape.end(), 0) != v->shape.end();
  };
  int largest = -1;
  for (Step& step : segment.steps) {
    step.is_idle = !step.op->can_fail() && !step.op->has_effect() &&
                   std::all_of(step.yv.begin(), step.yv.end(), is_empty);
    for (const int i : step.allocates) {
      Slot& s = slots_[static_cast<std::size_t>(i)];
      s.offset = bytes(i) > 0 ? layout.allocate(bytes(i)) : 0;
      if (largest < 0 || bytes(i) > bytes(largest)) largest = i;
      if (layout.end() > most_array_bytes)
        blame(*step.node, step.x,
              fmt::format("{} is too large: the function's arrays take more than 1 TiB together",
                          Type(s.view.dtype, s.view.shape)));
    }
    for (const int i : step.releases)
      if (bytes(i) > 0) layout.release(slots_[static_cast<std::size_t>(i)].offset, bytes(i));
  }
  segment.used_bytes = layout.end();
  if (segment.arena == nullptr || layout.end() > segment.arena_bytes) {
    segment.arena.reset();
    segment.arena = std::make_shared<Tensor>(memory_for(largest, {layout.end()}, DType::int8));
    segment.arena_bytes = layout.end();
  }
  void* const start = static_cast<Tensor*>(segment.arena.get())->data();
  for (const Step& step : segment.steps)
    for (const int i : step.allocates) {
      Slot& s = slots_[static_cast<std::size_t>(i)];
      s.view.data = advance(start, DType::int8, s.offset);
    }
}

/// Fresh memory, of which most is for what a step puts in the slot: if there is none, that step is named.
Tensor Plan::memory_for(int slot, const Sizes& shape, DType dtype) const {
  try {
    return Tensor::empty(shape, dtype);
  } catch (const std::bad_alloc&) {
    for (const Segment& segment : segments_)
      for (const Step& step : segment.steps) {
        if (std::find(step.y.begin(), step.y.end(), slot) == step.y.end()) continue;
        const View& y = slots_[static_cast<std::size_t>(slot)].view;
        blame(*step.node, step.x,
              fmt::format("there is no memory for {}: {} bytes are needed", Type(y.dtype, y.shape),
                          checked_bytes(shape, dtype)));
      }
    throw;
  }
}

}  // namespace damo
