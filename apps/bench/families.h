#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/run/function.h"

/// Graphs that grow: how long it takes to build them.
namespace damo::bench {

/// A function of one kind with about n nodes, or a few times as many.
struct Family {
  std::string name;
  std::function<FunctionArgs(int n)> make;
};

const std::vector<Family>& families();

/// Seconds of processor time to make the graph, with its gradients, and to make a function of it.
struct BuildTime {
  std::size_t nodes = 0;  ///< of the graph, as it was written
  double graph = 0, function = 0;
};

BuildTime build(const Family& family, int n);

}  // namespace damo::bench
