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

Types types_of(const Frame& frame, const std::vector<int>& slots) {
  Types types;
  for (const int i : slots) {
    const Type& known = frame.schedule()[i].type;
    const Frame::Array& a = frame[i];
    Type t(known.dtype, a.view.shape, known.stretch);
    t.has_value = a.has_value;
    t.value = a.value;
    types.push_back(t);
  }
  return types;
}

}  // namespace damo
