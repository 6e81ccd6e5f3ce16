#pragma once

/// Everything that a model needs.
#include "core/function.h"
#include "core/graph.h"
#include "core/print.h"
#include "core/shared.h"
#include "ops/cost.h"
#include "ops/dot.h"
#include "ops/elemwise.h"
#include "ops/grad.h"
#include "ops/index.h"
#include "ops/optimizers.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/softmax.h"
#include "ops/verify_grad.h"
