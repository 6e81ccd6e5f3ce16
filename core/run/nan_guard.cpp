#include <cmath>

#include "core/run/watch.h"
#include "core/tensor/size.h"

namespace damo {
namespace {

constexpr double too_large = 1e10;

template <class T>
std::string fault_in(const Tensor& t) {
  const auto values = t.span<T>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double v = values[i];
    if (std::abs(v) <= too_large) continue;
    const std::string place = index_text(t.shape(), static_cast<std::int64_t>(i));
    const std::string at = place.empty() ? "" : " at " + place;
    if (std::isnan(v)) return "NaN" + at;
    if (std::isinf(v)) return (v > 0 ? "Inf" : "-Inf") + at;
    return fmt::format("{:.6g}{}, more than 1e10", v, at);
  }
  return {};
}

/// "NaN at (0, 2)", or "" if all is well.
std::string fault(const View& v) {
  if (!is_float(v.dtype) || v.size() == 0) return {};
  Tensor t = Tensor::empty(v.shape, v.dtype);
  copy_into(t.view(), v);
  return v.dtype == DType::float32 ? fault_in<float>(t) : fault_in<double>(t);
}

class NanGuard : public Watch {
 public:
  void begin(const Frame& frame, const std::vector<Tensor>&) override {
    for (int i = 0; i < static_cast<int>(frame.schedule().slots.size()); ++i) {
      const Slot& slot = frame.schedule()[i];
      const View& x = frame[i].view;
      if (slot.kind != Slot::Kind::input && slot.kind != Slot::Kind::shared) continue;
      const std::string found = fault(x);
      if (found.empty()) continue;
      fail("function \"{}\": {} {}, {}, holds {}", frame.program().name,
           slot.kind == Slot::Kind::input ? "input" : "shared variable", label(slot.var),
           Type(x.dtype, x.shape), found);
    }
  }

  void after(const Frame& frame, const Step& step) override {
    for (std::size_t o = 0; o < step.y.size(); ++o) {
      const View& y = frame.y(step)[static_cast<int>(o)];
      const std::string found = fault(y);
      if (found.empty()) continue;
      const std::string& name = step.node->name;
      throw Error(explain(step.op->name(), step.node->inputs, types_of(frame, step.x), step.node->where,
                          fmt::format("output {}{}, {}, holds {}", o, name.empty() ? "" : " '" + name + "'",
                                      Type(y.dtype, y.shape), found),
                          frame.program().name));
    }
  }
};

}  // namespace

std::unique_ptr<Watch> nan_guard() { return std::make_unique<NanGuard>(); }

}  // namespace damo
