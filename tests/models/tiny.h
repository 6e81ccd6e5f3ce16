#pragma once
#include <string>
#include <vector>

#include "core/random/random_state.h"
#include "models/datasets.h"

/// Data that every stranger has: three classes, told by which third of the inputs is bright.
namespace damo::test {

inline constexpr int tiny_n_in = 12;
inline constexpr int tiny_n_out = 3;

inline SharedDataset tiny_dataset(const std::string& name, int n, std::int64_t seed) {
  RandomState rng(seed);
  const Tensor x = rng.uniform(0, 0.6, {n, tiny_n_in});
  const Tensor y = rng.randint(0, tiny_n_out, {n});
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < tiny_n_in; ++j)
      if (j / 4 == y.at<std::int64_t>(i)) x.at<double>(i, j) += 0.35;
  return shared_dataset(name, x, y);
}

inline Datasets tiny_datasets() {
  return {tiny_dataset("train_set", 60, 1), tiny_dataset("valid_set", 30, 2),
          tiny_dataset("test_set", 30, 3)};
}

/// Copies of the values, to be compared bit for bit later.
inline std::vector<Tensor> values_of(const std::vector<Shared>& variables) {
  std::vector<Tensor> values;
  for (const Shared& v : variables) values.push_back(v.get_value());
  return values;
}

inline bool all_identical(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!identical(a[i], b[i])) return false;
  return true;
}

}  // namespace damo::test
