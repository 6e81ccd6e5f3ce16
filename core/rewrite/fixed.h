#pragma once
#include "../graph/node_set.h"

/// What a rewriting must neither remove nor look through (RewriteArgs::fixed), for rules that are functions.
namespace damo {

class Fixed {
 public:
  /// While it lives, `nodes` are what the rewriting on this thread leaves alone.
  explicit Fixed(const NodeSet& nodes);
  ~Fixed();
  Fixed(const Fixed&) = delete;
  Fixed& operator=(const Fixed&) = delete;

  /// Whether v is one of them.
  static bool holds(const Var& v);

 private:
  const NodeSet* before_;
};

}  // namespace damo
