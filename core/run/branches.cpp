#include "core/run/branches.h"

namespace damo {

int Branches::child(int parent, int condition, bool side) {
  const auto [at, fresh] = number_.emplace(std::tuple(parent, condition, side), size());
  if (fresh) {
    const auto depth = [&](int b) { return (*this)[b].depth; };
    const auto jump = [&](int b) { return (*this)[b].jump; };
    // Jumps of lengths 1, 3, 7, ...: an ancestor is found in logarithmic time.
    const int near = jump(parent), far = jump(near);
    const bool equal = depth(parent) - depth(near) == depth(near) - depth(far);
    all_.push_back({parent, condition, side, depth(parent) + 1, equal ? far : parent});
  }
  return at->second;
}

int Branches::find(int parent, int condition, bool side) const {
  const auto at = number_.find({parent, condition, side});
  return at == number_.end() ? nowhere : at->second;
}

int Branches::common(int a, int b) const {
  if (a == nowhere || b == nowhere) return a == nowhere ? b : a;
  if ((*this)[a].depth < (*this)[b].depth) std::swap(a, b);
  const int depth = (*this)[b].depth;
  while ((*this)[a].depth > depth)
    a = (*this)[(*this)[a].jump].depth >= depth ? (*this)[a].jump : (*this)[a].parent;
  while (a != b) {
    const bool apart = (*this)[a].jump != (*this)[b].jump;
    a = apart ? (*this)[a].jump : (*this)[a].parent;
    b = apart ? (*this)[b].jump : (*this)[b].parent;
  }
  return a;
}

}  // namespace damo
