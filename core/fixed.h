#pragma once
#include <unordered_set>

#include "graph.h"

/// What a rewriting must neither remove nor look through (RewriteArgs::fixed), for rules that are functions.
namespace damo {

class Fixed {
 public:
  /// While it lives, `nodes` are what the rewriting on this thread leaves alone.
  explicit Fixed(const std::unordered_set<const Node*>& nodes);
  ~Fixed();
  Fixed(const Fixed&) = delete;
  Fixed& operator=(const Fixed&) = delete;

  /// Whether v is one of them.
  static bool holds(const Var& v);

 private:
  const std::unordered_set<const Node*>* before_;
};

}  // namespace damo
