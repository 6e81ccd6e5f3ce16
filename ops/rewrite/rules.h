#pragma once
#include "../../core/rewrite/rewrite.h"

namespace damo {

/// Rules that keep saturated units finite. grad applies them before it differentiates.
const std::vector<Rule>& stabilizing_rules();

}  // namespace damo
