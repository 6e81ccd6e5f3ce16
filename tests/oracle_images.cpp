#include <algorithm>

#include "tests/oracle_array.h"

namespace damo::test {
namespace {

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The two numbers behind a word, or else `otherwise` twice.
std::pair<int, int> pair_behind(const std::vector<std::string>& words, const std::string& word,
                                int otherwise) {
  const auto at = std::find(words.begin(), words.end(), word);
  if (at == words.end()) return {otherwise, otherwise};
  return {std::stoi(at[1]), std::stoi(at[2])};
}

/// Along one axis, where filter element p lies over the image for output element i.
struct Line {
  int pad, step, dilation, size;
  bool flip;
  std::int64_t at(std::int64_t i, std::int64_t p) const {
    return i * step + (flip ? size - 1 - p : p) * dilation - pad;
  }
  /// Those whose whole filter lies on the padded image.
  std::int64_t n_outputs(std::int64_t image) const {
    std::int64_t n = 0;
    while (n * step + (size - 1) * dilation < image + 2 * pad) ++n;
    return n;
  }
};

struct Lines {
  Line rows, cols;
};
Lines lines(const OpName& op, const Sizes& w) {
  const std::vector<std::string> words = op.words();
  const std::pair step = pair_behind(words, "step", 1), apart = pair_behind(words, "dilation", 1);
  std::pair pad = pair_behind(words, "pad", 0);
  const int height = static_cast<int>(w[2]), width = static_cast<int>(w[3]);
  const int tall = (height - 1) * apart.first + 1, wide = (width - 1) * apart.second + 1;
  if (has(words, "full")) pad = {tall - 1, wide - 1};
  if (has(words, "half")) pad = {tall / 2, wide / 2};
  const bool flip = !has(words, "no");
  return {{pad.first, step.first, apart.first, height, flip},
          {pad.second, step.second, apart.second, width, flip}};
}

/// f(positions in x, w and y) for every term w_fcpq x_bcrs of every output element y_bfij.
template <class F>
void each_term(const OpName& op, const Sizes& x, const Sizes& w, const Sizes& y, F f) {
  const Lines on = lines(op, w);
  each_index(y, [&](const Sizes& at_y) {
    each_index({w[1], w[2], w[3]}, [&](const Sizes& k) {
      const std::int64_t r = on.rows.at(at_y[2], k[1]), s = on.cols.at(at_y[3], k[2]);
      if (r < 0 || r >= x[2] || s < 0 || s >= x[3]) return;
      f(position(x, {at_y[0], k[0], r, s}), position(w, {at_y[1], k[0], k[1], k[2]}), position(y, at_y));
    });
  });
}

Sizes given_sizes(const Arrays& x) {
  Sizes sizes;
  for (std::size_t i = 2; i < x.size(); ++i) sizes.push_back(x[i].integer(0));
  return sizes;
}

void convolution(const OpName& op, const Arrays& x, Array& y) {
  const Sizes &images = x[0].shape, &filters = x[1].shape;
  const Lines on = lines(op, filters);
  y = Array(y.dtype, {images[0], filters[0], on.rows.n_outputs(images[2]), on.cols.n_outputs(images[3])});
  each_term(op, images, filters, y.shape, [&](std::size_t at_x, std::size_t at_w, std::size_t at_y) {
    y.real[at_y] += x[0].real[at_x] * x[1].real[at_w];
  });
}

/// Windows along one axis: where they begin and end on an image of n elements.
struct Windows {
  std::int64_t n;
  int size, stride, pad;
  bool ignore_border;

  std::int64_t count() const {
    if (n == 0) return 0;
    std::int64_t k = 0;
    if (ignore_border)
      while (k * stride + size <= n + 2 * pad) ++k;
    else  // as long as the last one has left something
      while (k == 0 || (k * stride < n && (k - 1) * stride + size < n)) ++k;
    return k;
  }
  std::int64_t begin(std::int64_t k) const { return std::max<std::int64_t>(0, k * stride - pad); }
  std::int64_t end(std::int64_t k) const { return std::min(n, k * stride - pad + size); }
};

void pooling(const OpName& op, const Arrays& x, Array& y) {
  const std::vector<std::string> words = op.words();
  const std::pair size = pair_behind(words, "ws", 1), pad = pair_behind(words, "pad", 0);
  const std::pair stride = has(words, "stride") ? pair_behind(words, "stride", 1) : size;
  const bool ignore = has(words, "ignore_border"), is_max = has(words, "max"), is_sum = has(words, "sum");
  // The image's shape: that of the input, but for unpool_2d that of its second one.
  const Sizes image = op.name == "unpool_2d" ? x[1].shape : x[0].shape;
  const int a = image.size() - 2, b = image.size() - 1;
  const Windows rows{image[a], size.first, stride.first, pad.first, ignore},
      cols{image[b], size.second, stride.second, pad.second, ignore};
  Sizes pooled = image;
  pooled[a] = rows.count();
  pooled[b] = cols.count();
  y = Array(y.dtype, op.name == "pool_2d" || op.name == "max_pick_2d" ? pooled : image);
  each_index(pooled, [&](const Sizes& window) {
    const std::size_t at = position(pooled, window);
    const std::int64_t held =
        (rows.end(window[a]) - rows.begin(window[a])) * (cols.end(window[b]) - cols.begin(window[b]));
    const std::int64_t all = std::int64_t{size.first} * size.second;
    const double divisor =
        is_max || is_sum ? 1 : static_cast<double>(has(words, "average_inc_pad") && ignore ? all : held);
    bool first = true;
    for (std::int64_t r = rows.begin(window[a]); r < rows.end(window[a]); ++r)
      for (std::int64_t c = cols.begin(window[b]); c < cols.end(window[b]); ++c) {
        Sizes index = window;
        index[a] = r;
        index[b] = c;
        const std::size_t pixel = position(image, index);
        if (op.name == "pool_2d" && is_max)
          y.real[at] = first ? x[0].real[pixel] : std::max(y.real[at], x[0].real[pixel]);
        else if (op.name == "pool_2d")
          y.real[at] += x[0].real[pixel] / divisor;
        else if (op.name == "unpool_2d")
          y.real[pixel] += x[0].real[at] / divisor;
        else if (x[0].real[pixel] == x[1].real[at] && op.name == "max_unpool_2d")
          y.real[pixel] += x[2].real[at];
        else if (x[0].real[pixel] == x[1].real[at])
          y.real[at] += x[2].real[pixel];
        first = false;
      }
  });
}

}  // namespace

bool oracle_images(const OpName& op, const Arrays& x, Array& y) {
  if (op.name == "conv2d") {
    convolution(op, x, y);
  } else if (op.name == "conv2d_grad_wrt_inputs") {
    Sizes shape = given_sizes(x);
    shape[0] = x[0].shape[0];
    shape[1] = x[1].shape[1];
    y = Array(y.dtype, shape);
    each_term(op, shape, x[1].shape, x[0].shape, [&](std::size_t at_x, std::size_t at_w, std::size_t at_y) {
      y.real[at_x] += x[0].real[at_y] * x[1].real[at_w];
    });
  } else if (op.name == "conv2d_grad_wrt_weights") {
    Sizes shape = given_sizes(x);
    shape[0] = x[1].shape[1];
    shape[1] = x[0].shape[1];
    y = Array(y.dtype, shape);
    each_term(op, x[0].shape, shape, x[1].shape, [&](std::size_t at_x, std::size_t at_w, std::size_t at_y) {
      y.real[at_w] += x[1].real[at_y] * x[0].real[at_x];
    });
  } else if (op.name == "pool_2d" || op.name == "unpool_2d" || op.name == "max_unpool_2d" ||
             op.name == "max_pick_2d") {
    pooling(op, x, y);
  } else {
    return false;
  }
  return true;
}

}  // namespace damo::test
