#pragma once
#include <string>
#include <vector>

#include "core/random/random_state.h"
#include "models/numpy_mean.h"
#include "models/params.h"
#include "ops/ops.h"

using namespace damo;

/// What the tables of the READMEs call their variables.
struct Names {
  const int n = 3, k = 2, size = 2;
  const Var x = matrix("x"), y = ivector("y"), v = vector("v"), t = matrix("t"), gz = matrix("gz");
  const Var lr = scalar("lr"), index = lscalar("index"), i = lscalar("i"), j = lscalar("j");
  const Tensor value = Tensor::zeros({n, k}, floatX());
  const Shared W = shared(value, "W"), b = shared(Tensor::zeros({k}, floatX()), "b"), V = shared(value, "V");
  const Shared data = shared(Tensor::zeros({8, n}, floatX()), "data");
  const Var z = dot(x, W) + b, p = softmax(z), c = gt(x, 0);
  const Var cost = -mean(log(p)[{arange(y.shape(0)), y}]), gW = grad(cost, W);
  const Updates u = {{b, b / 2}};
  const Givens g = {{W, 2 * W}};
  const Function f = function({.inputs = {index, In(lr, 0.1)}, .outputs = index * lr});
  const std::string path = "params.npz";
  const NamedParams params = {{"W", W}, {"b", b}};
  RandomState rng{123};
  RandomStreams streams{123};
  Streams* const theano_rng = &streams;
  const Var level = scalar("level");
  const std::vector<double> costs = {1, 2};
};
