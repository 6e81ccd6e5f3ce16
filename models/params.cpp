#include "models/params.h"

#include <algorithm>

#include "core/data/file.h"
#include "core/data/npz.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

template <class T>
auto find(const std::vector<std::pair<std::string, T>>& entries, const std::string& name) {
  return std::find_if(entries.begin(), entries.end(),
                      [&name](const auto& entry) { return entry.first == name; });
}

}  // namespace

NamedParams prefixed(const std::string& prefix, NamedParams params) {
  for (auto& [name, value] : params) name = prefix + name;
  return params;
}

void save_params(const std::string& path, const NamedParams& params) {
  NamedTensors arrays;
  for (const auto& [name, param] : params) arrays.emplace_back(name, param.get_value({.borrow = true}));
  save_npz(path, arrays);
}

void load_params(const std::string& path, const NamedParams& params) {
  const NamedTensors arrays = load_npz(path);
  std::vector<Tensor> values;
  for (const auto& [name, param] : params) {
    const auto found = find(arrays, name);
    check(found != arrays.end(), "{} holds no parameter {}, which this model has", path, name);
    const Tensor& value = found->second;
    const Tensor now = param.get_value({.borrow = true});
    check(value.shape() == now.shape() && is_float(value.dtype()) == is_float(now.dtype()),
          "{} holds {} as {} {}, and this model needs {} {}", path, name, value.dtype(), value.shape(),
          now.dtype(), now.shape());
    values.push_back(value.astype(now.dtype()));
  }
  for (const auto& [name, value] : arrays)
    check(find(params, name) != params.end(), "{} holds {}, which this model does not have", path,
          printable(name));
  for (std::size_t i = 0; i < params.size(); ++i) params[i].second.set_value(values[i]);
}

}  // namespace damo
