#include "core/run/watch.h"

namespace damo {

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
