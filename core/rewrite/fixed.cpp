#include "core/rewrite/fixed.h"

namespace damo {
namespace {

thread_local const NodeSet* fixed = nullptr;

}  // namespace

Fixed::Fixed(const NodeSet& nodes) : before_(fixed) { fixed = &nodes; }
Fixed::~Fixed() { fixed = before_; }
bool Fixed::holds(const Var& v) { return fixed != nullptr && fixed->contains(v.node_ptr().get()); }

}  // namespace damo
