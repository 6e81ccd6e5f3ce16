#include "tests/golden.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace damo::test {

using nlohmann::json;

namespace {

std::string golden_folder() {
  const char* const folder = std::getenv("DAMO_REFERENCE");
  return folder == nullptr || *folder == '\0' ? DAMO_GOLDEN_DIR : folder;
}

void append(std::vector<double>& values, const json& j, const Sizes& shape, int axis) {
  const bool is_leaf = axis == shape.size();
  if (j.is_array() == is_leaf || (!is_leaf && static_cast<std::int64_t>(j.size()) != shape[axis]))
    throw std::runtime_error("the lists are ragged, expected the shape " + to_string(shape));
  if (j.is_array()) {
    for (const json& part : j) append(values, part, shape, axis + 1);
  } else {
    values.push_back(j.is_boolean() ? static_cast<double>(j.get<bool>()) : j.get<double>());
  }
}

}  // namespace

json golden(const std::string& name) {
  const std::string path = golden_folder() + "/" + name + ".json";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("no reference file " + path);
  return json::parse(file);
}

std::vector<std::string> golden_names(const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder())) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == ".json" && path.stem().string().starts_with(prefix)) names.push_back(path.stem());
  }
  if (names.empty()) throw std::runtime_error("no reference " + prefix + "*.json in " + golden_folder());
  std::sort(names.begin(), names.end());
  return names;
}

Tensor tensor_from_json(const json& j, DType dtype) {
  Sizes shape;
  for (const json* level = &j; level->is_array(); level = &level->front()) {
    shape.push_back(static_cast<std::int64_t>(level->size()));
    if (level->empty()) break;
  }
  std::vector<double> values;
  append(values, j, shape, 0);
  return Tensor(values, shape).astype(dtype);
}

}  // namespace damo::test
