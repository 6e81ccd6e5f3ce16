#include "tests/oracle.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "core/graph/op.h"
#include "core/graph/shared.h"
#include "core/graph/walk.h"
#include "tests/oracle_array.h"

namespace damo::test {

Array::Array(DType d, const Sizes& s) : dtype(d), shape(s) {
  if (is_float(d))
    real.resize(size());
  else
    whole.resize(size());
}

void Array::assign(std::size_t i, const Array& x, std::size_t j) {
  if (is_float(dtype))
    real[i] = x.number(j);
  else
    whole[i] = x.integer(j);
}

void Array::add(std::size_t i, const Array& x, std::size_t j) {
  if (is_float(dtype))
    real[i] += x.number(j);
  else
    whole[i] += x.integer(j);
}

OpName::OpName(const std::string& text) {
  const std::size_t brace = text.find('{');
  name = text.substr(0, brace);
  if (brace != std::string::npos) fields = text.substr(brace + 1, text.rfind('}') - brace - 1);
}

std::vector<std::string> OpName::words() const {
  std::vector<std::string> parts(1);
  for (const char c : fields) {
    if (std::string(" ,()[]=").find(c) == std::string::npos)
      parts.back() += c;
    else if (!parts.back().empty())
      parts.emplace_back();
  }
  if (parts.back().empty()) parts.pop_back();
  return parts;
}

std::vector<int> OpName::numbers() const {
  std::vector<int> found;
  for (const std::string& word : words())
    if (word.find_first_not_of("-0123456789") == std::string::npos) found.push_back(std::stoi(word));
  return found;
}

void each_index(const Sizes& shape, const std::function<void(const Sizes&)>& f) {
  if (shape.product() == 0) return;
  Sizes index(shape.size(), 0);
  while (true) {
    f(index);
    int axis = shape.size() - 1;
    while (axis >= 0 && ++index[axis] == shape[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}

std::size_t position(const Sizes& shape, const Sizes& index) {
  std::int64_t at = 0;
  for (int axis = 0; axis < shape.size(); ++axis) at = at * shape[axis] + index[axis];
  return static_cast<std::size_t>(at);
}

namespace {

template <class T>
T load(const void* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
void store(void* p, std::size_t i, T v) {
  std::memcpy(static_cast<char*>(p) + i * sizeof v, &v, sizeof v);
}

}  // namespace

Array read(const Tensor& t) {
  Array a(t.dtype(), t.shape());
  std::size_t i = 0;
  each_index(t.shape(), [&](const Sizes& index) {
    std::int64_t offset = 0;
    for (int axis = 0; axis < index.size(); ++axis) offset += index[axis] * t.strides()[axis];
    const char* p = static_cast<const char*>(t.data()) + offset * size_of(t.dtype());
    switch (t.dtype()) {
      case DType::bool_: a.whole[i] = load<bool>(p) ? 1 : 0; break;
      case DType::int8: a.whole[i] = load<std::int8_t>(p); break;
      case DType::int16: a.whole[i] = load<std::int16_t>(p); break;
      case DType::int32: a.whole[i] = load<std::int32_t>(p); break;
      case DType::int64: a.whole[i] = load<std::int64_t>(p); break;
      case DType::uint8: a.whole[i] = load<std::uint8_t>(p); break;
      case DType::float32: a.real[i] = static_cast<double>(load<float>(p)); break;
      case DType::float64: a.real[i] = load<double>(p); break;
    }
    ++i;
  });
  return a;
}

Tensor write(const Array& a) {
  const Tensor t = Tensor::empty(a.shape, a.dtype);
  for (std::size_t i = 0; i < a.size(); ++i) switch (a.dtype) {
      case DType::bool_: store(t.data(), i, a.whole[i] != 0); break;
      case DType::int8: store(t.data(), i, static_cast<std::int8_t>(a.whole[i])); break;
      case DType::int16: store(t.data(), i, static_cast<std::int16_t>(a.whole[i])); break;
      case DType::int32: store(t.data(), i, static_cast<std::int32_t>(a.whole[i])); break;
      case DType::int64: store(t.data(), i, a.whole[i]); break;
      case DType::uint8: store(t.data(), i, static_cast<std::uint8_t>(a.whole[i])); break;
      case DType::float32: store(t.data(), i, static_cast<float>(a.real[i])); break;
      case DType::float64: store(t.data(), i, a.real[i]); break;
    }
  return t;
}

void round_to_dtype(Array& a) {
  for (double& v : a.real)
    if (a.dtype == DType::float32) v = static_cast<double>(static_cast<float>(v));
  for (std::int64_t& v : a.whole) switch (a.dtype) {
      case DType::bool_: v = v != 0 ? 1 : 0; break;
      case DType::int8: v = static_cast<std::int8_t>(v); break;
      case DType::int16: v = static_cast<std::int16_t>(v); break;
      case DType::int32: v = static_cast<std::int32_t>(v); break;
      case DType::uint8: v = static_cast<std::uint8_t>(v); break;
      default: break;
    }
}

namespace {

std::string name_of(const Node& node, bool saturates) {
  const std::string name = node.op->name();
  if (!saturates || name != "sigmoid") return name;
  return node.types[0].dtype == DType::float32 ? "sigmoid to 15" : "sigmoid to 19";
}

std::vector<Tensor> values_of(const Vars& outputs, const VarMap<Tensor>& inputs, bool saturates) {
  VarMap<Array> values;
  for (const NodePtr& node : toposort(outputs)) {
    const Var v(node);
    const auto given = inputs.find(v);
    if (given != inputs.end()) {
      values.emplace(v, read(given->second));
      continue;
    }
    switch (node->kind) {
      case Node::Kind::input: throw std::logic_error("the oracle has no value for input " + node->name);
      case Node::Kind::constant: values.emplace(v, read(node->value)); continue;
      case Node::Kind::shared: values.emplace(v, read(Shared(v).get_value())); continue;
      case Node::Kind::apply: break;
    }
    Arrays x;
    Types types;
    for (const Var& input : node->inputs) {
      x.push_back(values.at(input));
      types.push_back(input.type());
    }
    const OpName op(name_of(*node, saturates));
    Array y(node->types[0].dtype, {});
    if (node->types.size() != 1 ||
        !(oracle_elementwise(op, types, x, y) || oracle_reduction(op, x, y) || oracle_movement(op, x, y) ||
          oracle_indexing(op, x, y) || oracle_order(op, x, y) || oracle_linalg(op, x, y) ||
          oracle_images(op, x, y)))
      throw std::logic_error("the oracle does not know op " + node->op->name());
    round_to_dtype(y);
    values.emplace(v, std::move(y));
  }
  std::vector<Tensor> results;
  for (const Var& v : outputs) results.push_back(write(values.at(v)));
  return results;
}

}  // namespace

std::vector<Tensor> oracle(const Vars& outputs, const VarMap<Tensor>& inputs) {
  return values_of(outputs, inputs, false);
}

std::vector<Tensor> saturating_oracle(const Vars& outputs, const VarMap<Tensor>& inputs) {
  return values_of(outputs, inputs, true);
}

}  // namespace damo::test
