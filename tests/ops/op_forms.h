#pragma once
#include <functional>
#include <string>
#include <vector>

#include "ops/ops.h"

/// Every function that makes an expression, in the forms in which it is called.
namespace damo::test {

struct OpForm {
  std::string function;  ///< its name in the table of ops
  std::string text;      ///< how it is called: "sum(x, axis=0)"
  std::size_t n_arrays;  ///< how many arrays it takes
  std::function<Vars(const Vars&)> build;
};
const std::vector<OpForm>& op_forms();

}  // namespace damo::test
