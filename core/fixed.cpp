#include "core/fixed.h"

namespace damo {
namespace {

thread_local const std::unordered_set<const Node*>* fixed = nullptr;

}  // namespace

Fixed::Fixed(const std::unordered_set<const Node*>& nodes) : before_(fixed) { fixed = &nodes; }
Fixed::~Fixed() { fixed = before_; }
bool Fixed::holds(const Var& v) { return fixed != nullptr && fixed->contains(v.node_ptr().get()); }

}  // namespace damo
