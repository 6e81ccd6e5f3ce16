#include <stdexcept>

#include "tests/oracle_array.h"

namespace damo::test {
namespace {

/// The integers given as the inputs from the second on.
Sizes sizes_of(const Arrays& x) {
  Sizes sizes;
  for (std::size_t i = 1; i < x.size(); ++i) sizes.push_back(x[i].integer(0));
  return sizes;
}

void dimshuffle(const OpName& op, const Array& x, Array& y) {
  const std::vector<std::string> pattern = op.words();
  Sizes shape;
  for (const std::string& p : pattern) shape.push_back(p == "x" ? 1 : x.shape[std::stoi(p)]);
  y = Array(y.dtype, shape);
  each_index(shape, [&](const Sizes& index) {
    Sizes from(x.shape.size(), 0);
    for (std::size_t i = 0; i < pattern.size(); ++i)
      if (pattern[i] != "x") from[std::stoi(pattern[i])] = index[static_cast<int>(i)];
    y.assign(position(shape, index), x, position(x.shape, from));
  });
}

void reshape(const Arrays& x, Array& y) {
  Sizes shape = sizes_of(x);
  std::int64_t rest = 1;
  for (const std::int64_t n : shape) rest *= n == -1 ? 1 : n;
  for (std::int64_t& n : shape)
    if (n == -1) n = static_cast<std::int64_t>(x[0].size()) / rest;
  y = Array(y.dtype, shape);
  if (y.size() != x[0].size()) throw std::logic_error("the oracle cannot reshape");
  for (std::size_t i = 0; i < y.size(); ++i) y.assign(i, x[0], i);
}

void alloc(const Arrays& x, Array& y) {
  const Sizes shape = sizes_of(x);
  y = Array(y.dtype, shape);
  each_index(shape, [&](const Sizes& index) {
    Sizes from(x[0].shape.size(), 0);
    const int lead = shape.size() - from.size();
    for (int i = 0; i < from.size(); ++i) from[i] = x[0].shape[i] == 1 ? 0 : index[i + lead];
    y.assign(position(shape, index), x[0], position(x[0].shape, from));
  });
}

void arange(const Arrays& x, Array& y) {
  const std::int64_t start = x[0].integer(0), stop = x[1].integer(0), step = x[2].integer(0);
  std::vector<std::int64_t> values;
  for (std::int64_t v = start; step > 0 ? v < stop : v > stop; v += step) values.push_back(v);
  y = Array(y.dtype, {static_cast<std::int64_t>(values.size())});
  y.whole = values;
}

void join(const OpName& op, const Arrays& x, Array& y) {
  const int axis = op.numbers().at(0);
  Sizes shape = x[0].shape;
  shape[axis] = 0;
  for (const Array& part : x) shape[axis] += part.shape[axis];
  y = Array(y.dtype, shape);
  std::int64_t start = 0;
  for (const Array& part : x) {
    each_index(part.shape, [&](const Sizes& index) {
      Sizes to = index;
      to[axis] += start;
      y.assign(position(shape, to), part, position(part.shape, index));
    });
    start += part.shape[axis];
  }
}

}  // namespace

bool oracle_movement(const OpName& op, const Arrays& x, Array& y) {
  if (op.name == "copy" || op.name == "restretch" || op.name == "zero_grad" ||
      op.name == "disconnected_grad" || op.name == "grad_clip" || op.name == "grad_scale") {
    const DType dtype = y.dtype;
    y = x[0];
    y.dtype = dtype;
  } else if (op.name == "print" || op.name == "assert" || op.name == "specify_shape") {
    y = x[0];
  } else if (op.name == "ifelse") {
    y = x[0].integer(0) != 0 ? x[1] : x[2];
  } else if (op.name == "shape") {
    y = Array(y.dtype, {});
    y.whole[0] = x[0].shape[op.numbers().at(0)];
  } else if (op.name == "dimshuffle") {
    dimshuffle(op, x[0], y);
  } else if (op.name == "reshape") {
    reshape(x, y);
  } else if (op.name == "alloc") {
    alloc(x, y);
  } else if (op.name == "arange") {
    arange(x, y);
  } else if (op.name == "join") {
    join(op, x, y);
  } else {
    return false;
  }
  return true;
}

}  // namespace damo::test
