#pragma once

/// All models, and what their training needs.
#include "SdA.h"
#include "cA.h"
#include "dA.h"
#include "datasets.h"
#include "early_stopping.h"
#include "fmin_cg.h"
#include "hidden_layer.h"
#include "lenet.h"
#include "logistic_cg.h"
#include "logistic_regression.h"
#include "mlp.h"
#include "numpy_mean.h"
#include "params.h"
#include "sizes.h"
#include "streams.h"
#include "training.h"
