#pragma once
#include <string>

#include "graph.h"

namespace damo {

/// What happens when an operation gives float64 while floatX is float32 and none of its operands is float64:
/// a float32 beside a wide integer, a mean of integers; and when a shared variable is made that holds
/// float64. Theano's config.warn_float64.
enum class WarnFloat64 {
  ignore,
  warn,   ///< a line on stderr, with the operation and the user's line
  raise,  ///< an Error with the same text
};
/// `ignore` unless DAMO_WARN_FLOAT64 or set_warn_float64 says otherwise.
WarnFloat64 warn_float64();
void set_warn_float64(WarnFloat64 action);

/// For authors of ops that choose their result's dtype: to be called before the operands are cast to it.
void note_float64(const std::string& op, const Args& operands, DType result);
/// The same for a shared variable that was just made.
void note_float64(const Var& variable);

}  // namespace damo
