#include "core/watch.h"

namespace damo {

std::string index_text(const Sizes& shape, std::int64_t element) {
  std::string s;
  for (int i = static_cast<int>(shape.size()) - 1; i >= 0; --i) {
    s = std::to_string(element % shape[i]) + (s.empty() ? "" : ", " + s);
    element /= shape[i];
  }
  if (shape.size() == 0) return {};
  return "(" + s + (shape.size() == 1 ? ",)" : ")");
}

Types types_of(const Plan& plan, const std::vector<int>& slots) {
  Types types;
  for (const int i : slots) {
    const Slot& s = plan.slots()[static_cast<std::size_t>(i)];
    Type t(s.type.dtype, s.view.shape, s.type.stretch);
    t.has_value = s.has_value;
    t.value = s.value;
    types.push_back(t);
  }
  return types;
}

}  // namespace damo
