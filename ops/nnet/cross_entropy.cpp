#include "ops/nnet/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/array/indexing.h"
#include "ops/kernels/row_exponentials.h"

namespace damo {
namespace {

template <class T>
void run(const Views& x, const std::vector<std::int64_t>& labels, const Views& y) {
  const std::int64_t cols = x[0].shape[1], n_labels = x[1].size();
  for_exponential_rows<T>(x[0], [&](const ExponentialRow<T>& row) {
    T* const out = y[1].ptr<T>() + row.number * cols;
    if (row.number >= n_labels) {
      std::fill_n(out, cols, T(0));
      return;
    }
    const std::int64_t label = labels[static_cast<std::size_t>(row.number)];
    const T v = x[3].ptr<T>()[row.number * x[3].strides[0]];
    y[0].ptr<T>()[row.number] = static_cast<T>(std::log(row.sum) - static_cast<double>(row.shifted[label]));
    for (std::int64_t i = 0; i < cols; ++i)
      out[i] = -v * static_cast<T>(static_cast<double>(row.exponential[i]) / row.sum);
    out[label] += v;
  });
}

}  // namespace

Types CrossEntropy::infer(const Types& x) const {
  const auto agree = [](std::int64_t a, std::int64_t b) {
    check(a < 0 || b < 0 || a == b, "the sizes of axis 0 differ, {} and {}", a, b);
  };
  const std::int64_t n = x[1].shape[0];
  if (x[2].has_value) agree(x[2].value, n);
  agree(n, x[3].shape[0]);
  check(n < 0 || x[0].shape[0] < 0 || n <= x[0].shape[0], "{} labels for {} rows", n, x[0].shape[0]);
  return {Type(x[0].dtype, {n}), x[0]};
}

void CrossEntropy::perform(const Views& x, const Views& y) const {
  thread_local std::vector<std::int64_t> labels;
  labels.resize(static_cast<std::size_t>(x[1].size()));
  copy_into(View{DType::int64, x[1].shape, {1}, labels.data()}, x[1]);
  const std::int64_t n = x[0].shape[1];
  for (std::int64_t& label : labels) {
    if (label < -n || label >= n) reject_position(label, 1, n, x[1].shape, &label - labels.data());
    if (label < 0) label += n;
  }
  for_float(x[0], [&]<class T>(T) { run<T>(x, labels, y); });
}

}  // namespace damo
