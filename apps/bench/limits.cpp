#include "apps/bench/limits.h"

#include <cblas.h>

#include <cmath>
#include <limits>

#include "core/random/binomial.h"
#include "core/random/random_state.h"

namespace damo::bench {

void Limit::run(std::int64_t first, std::int64_t steps, std::int64_t n_batches) {
  on_threads(threads, [&](int t) {
    for (std::int64_t i = first; i < first + steps; ++i) step(t, i % n_batches);
  });
}

namespace {

Matrix matrix_of(const Tensor& W) { return {W.view().ptr<float>(), W.shape(0), W.shape(1)}; }
float* vector_of(const Tensor& b) { return b.view().ptr<float>(); }

/// A vector for each thread, far enough apart.
class PerThread {
 public:
  PerThread(int n, std::int64_t size)
      : all_(Tensor::zeros({n, (size + 63) / 32 * 32}, DType::float32)), size_(size) {}
  float* operator[](int t) const { return all_.view().ptr<float>() + t * all_.shape(1); }
  void clear(int t) const { std::fill_n((*this)[t], size_, 0.f); }
  /// y = b + the sum over the threads; b may be missing.
  void total(const float* b, float* y, Range range) const {
    for (std::int64_t j = range.begin; j < range.end; ++j) y[j] = b == nullptr ? 0.f : b[j];
    for (int t = 0; t < all_.shape(0); ++t) {
      const float* const part = (*this)[t];
      for (std::int64_t j = range.begin; j < range.end; ++j) y[j] += part[j];
    }
  }

 private:
  Tensor all_;
  std::int64_t size_;
};

/// h = sigmoid(x W + b) layer by layer, each thread with its rows of each W.
class Forward {
 public:
  Forward(const std::vector<Weights>& layers, int threads) : layers_(layers), n_(threads) {
    for (const Weights& layer : layers) {
      sums_.emplace_back(n_, layer.W.shape(1));
      h_.push_back(Tensor::zeros({layer.W.shape(1)}, DType::float32));
    }
  }
  /// What thread t needs of the output: the elements that belong to its rows above.
  const float* operator()(int t, const float* x, Barrier& barrier) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Matrix W = matrix_of(layers_[i].W);
      sums_[i].clear(t);
      add_rows(W, share(W.rows, t, n_), x, sums_[i][t]);
      barrier.wait();
      float* const h = vector_of(h_[i]);
      const Range mine = share(W.cols, t, n_);
      sums_[i].total(vector_of(layers_[i].b), h, mine);
      sigmoid(h, h, mine);
      x = h;
    }
    return x;
  }
  float* h(std::size_t i) const { return vector_of(h_[i]); }

 private:
  std::vector<Weights> layers_;
  std::vector<PerThread> sums_;
  std::vector<Tensor> h_;
  int n_;
};

Weights copy(const Weights& w) { return {w.W.copy(), w.b.copy()}; }
std::vector<Weights> copy(const std::vector<Weights>& layers) {
  std::vector<Weights> copies;
  for (const Weights& w : layers) copies.push_back(copy(w));
  return copies;
}

/// A number for each thread, to be added up.
struct alignas(64) Padded {
  double value = 0;
};

double total(const std::vector<Padded>& parts) {
  double sum = 0;
  for (const Padded& part : parts) sum += part.value;
  return sum;
}

class AutoencoderLimit : public Limit {
 public:
  AutoencoderLimit(const Autoencoder& model, int n)
      : Limit(n),
        model_(model),
        layer_(copy(model.layer)),
        W_prime_(model.W_prime.is_set() ? model.W_prime.copy() : Tensor()),
        b_prime_(model.b_prime.copy()),
        forward_(copy(model.below), n),
        random_(model.random),
        kept_(1, static_cast<double>(1 - static_cast<float>(model.corruption))),
        sums_(n, layer_.W.shape(1)),
        z_sums_(n, layer_.W.shape(0)),
        gradients_(n, layer_.W.shape(1)),
        y_(n, layer_.W.shape(1)),
        gy_(n, layer_.W.shape(1)),
        dz_(n, layer_.W.shape(0)),
        z_(n, layer_.W.shape(0)),
        mask_(n_visible()),
        tilde_x_(n_visible()),
        dz_factors_(n_visible()),
        y_factors_(static_cast<std::size_t>(layer_.W.shape(1))),
        costs_(static_cast<std::size_t>(n)) {
    params = {layer_.W, layer_.b, b_prime_};
    if (W_prime_.is_set()) params.push_back(W_prime_);
  }

  double cost() const override { return total(costs_); }

  void step(int t, std::int64_t index) override {
    const Matrix W = matrix_of(layer_.W);
    const Range mine = share(W.rows, t, threads), all{0, W.cols};
    const float lr = static_cast<float>(model_.learning_rate);
    const bool draws = model_.corruption > 0;
    if (t == 0 && draws) kept_.fill(random_, mask_.data(), W.rows);
    const float* const x =
        forward_(t, model_.data.view().ptr<float>() + index * model_.data.shape(1), barrier);
    if (draws && model_.below.empty()) barrier.wait();

    for (std::int64_t i = mine.begin; i < mine.end; ++i) tilde_x_[at(i)] = draws ? mask_[at(i)] * x[i] : x[i];
    sums_.clear(t);
    add_rows(W, mine, tilde_x_.data(), sums_[t]);
    barrier.wait();
    float* const y = y_[t];
    sums_.total(vector_of(layer_.b), y, all);
    activate(y, y, all);

    const float* const dz = W_prime_.is_set() ? untied(t, x, y) : tied(t, x, y);
    barrier.wait();
    // The gradient of what goes into the hidden units, times -lr.
    float* const gy = gy_[t];
    gradients_.total(nullptr, gy, all);
    for (std::int64_t j = 0; j < W.cols; ++j)
      gy[j] *= -lr * (model_.tanh_squared ? 1 - y[j] * y[j] : y[j] * (1 - y[j]));
    if (W_prime_.is_set()) {
      update(W, mine, tilde_x_.data(), gy);
    } else {
      for (std::int64_t i = mine.begin; i < mine.end; ++i) dz_factors_[at(i)] = -lr * dz[i];
      update(W, mine, static_cast<float>(1 - 2 * model_.learning_rate * model_.L2), tilde_x_.data(), gy,
             dz_factors_.data(), y);
    }
    float* const b_prime = vector_of(b_prime_);
    for (std::int64_t i = mine.begin; i < mine.end; ++i) b_prime[i] -= lr * dz[i];
    float* const b = vector_of(layer_.b);
    const Range units = share(W.cols, t, threads);
    for (std::int64_t j = units.begin; j < units.end; ++j) b[j] += gy[j];
    barrier.wait();
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::size_t n_visible() const { return at(layer_.W.shape(0)); }

  void activate(const float* x, float* y, Range range) const {
    if (model_.tanh_squared)
      tanh(x, y, range);
    else
      sigmoid(x, y, range);
  }

  // The cost's gradient with respect to z, of which the activation is the reconstruction, and the cost.
  double error(const float* x, const float* z, float* dz, Range range) const {
    activate(z, dz, range);
    if (!model_.tanh_squared) {
      for (std::int64_t i = range.begin; i < range.end; ++i) dz[i] -= x[i];
      return cross_entropy(x, z, range);
    }
    float cost = 0;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const float r = dz[i], e = r - x[i];
      cost += e * e;
      dz[i] = 2 * e * (1 - r * r);
    }
    return static_cast<double>(cost);
  }

  // One sweep over W: so many rows are reconstructed, and then add to the gradient.
  const float* tied(int t, const float* x, const float* y) {
    const Matrix W = matrix_of(layer_.W);
    const Range mine = share(W.rows, t, threads);
    float *const dz = dz_[t], *const z = z_[t];
    const float* const b_prime = vector_of(b_prime_);
    gradients_.clear(t);
    double cost = 0;
    for (std::int64_t i = mine.begin; i < mine.end; i += 16) {
      const Range few{i, std::min(mine.end, i + 16)};
      dots(W, few, y, z);
      for (std::int64_t k = few.begin; k < few.end; ++k) z[k] += b_prime[k];
      cost += error(x, z, dz, few);
      if (model_.L2 > 0) cost += model_.L2 * squares(W, few);
      add_rows(W, few, dz, gradients_[t]);
    }
    costs_[at(t)].value = cost;
    return dz;
  }

  // W' has the rows of its own units: one pass reconstructs, another one back-propagates and updates.
  const float* untied(int t, const float* x, const float* y) {
    const Matrix W = matrix_of(W_prime_);
    const Range mine = share(W.rows, t, threads), all{0, W.cols};
    z_sums_.clear(t);
    add_rows(W, mine, y, z_sums_[t]);
    barrier.wait();
    float* const dz = dz_[t];
    float* const z = z_[t];
    z_sums_.total(vector_of(b_prime_), z, all);
    const double cost = error(x, z, dz, all);  // all of dz, which each thread needs
    costs_[at(t)].value = t == 0 ? cost : 0;
    const float lr = static_cast<float>(model_.learning_rate);
    for (std::int64_t j = mine.begin; j < mine.end; ++j) y_factors_[at(j)] = -lr * y[j];
    gradients_.clear(t);
    dots_and_update(W, mine, dz, gradients_[t], y_factors_.data());
    return dz;
  }

  Autoencoder model_;
  Weights layer_;
  Tensor W_prime_, b_prime_;
  Forward forward_;
  MT19937State random_;
  Binomial kept_;
  PerThread sums_, z_sums_, gradients_, y_, gy_, dz_, z_;
  std::vector<float> mask_, tilde_x_, dz_factors_, y_factors_;
  std::vector<Padded> costs_;
};

class NetworkLimit : public Limit {
 public:
  NetworkLimit(const Network& model, int n)
      : Limit(n),
        model_(model),
        layers_(copy(model.layers)),
        forward_(hidden(), n),
        sums_(n, top().cols),
        dz_(n, top().cols) {
    for (const Weights& layer : layers_) {
      params.push_back(layer.W);
      params.push_back(layer.b);
      gradients_.push_back(Tensor::zeros({layer.W.shape(0)}, DType::float32));
      factors_.push_back(Tensor::zeros({layer.W.shape(0)}, DType::float32));
    }
    std::int64_t widest = 0;
    for (const Weights& layer : layers_) widest = std::max(widest, layer.W.shape(1));
    g_ = PerThread(n, widest);
  }

  double cost() const override { return cost_; }

  void step(int t, std::int64_t index) override {
    const std::size_t last = layers_.size() - 1;
    const float lr = static_cast<float>(model_.learning_rate);
    const float* const x = model_.data.view().ptr<float>() + index * model_.data.shape(1);
    const float* const h = forward_(t, x, barrier);
    const Matrix V = top();
    sums_.clear(t);
    add_rows(V, share(V.rows, t, threads), h, sums_[t]);
    barrier.wait();
    float* g = dz_[t];
    softmax_error(t, model_.labels[static_cast<std::size_t>(index)], g);

    // Downwards: g is the gradient of what goes into layer i's units.
    for (std::size_t i = last;; --i) {
      const Matrix W = matrix_of(layers_[i].W);
      const Range mine = share(W.rows, t, threads), units = share(W.cols, t, threads);
      const float* const input = i == 0 ? x : forward_.h(i - 1);
      float* const factors = vector_of(factors_[i]);
      for (std::int64_t k = mine.begin; k < mine.end; ++k) factors[k] = -lr * input[k];
      float* const b = vector_of(layers_[i].b);
      for (std::int64_t j = units.begin; j < units.end; ++j) b[j] -= lr * g[j];
      if (i == 0) {
        update(W, mine, factors, g);
        break;
      }
      float* const below = vector_of(gradients_[i]);
      dots_and_update(W, mine, g, below, factors);
      for (std::int64_t k = mine.begin; k < mine.end; ++k) below[k] *= input[k] * (1 - input[k]);
      barrier.wait();
      g = g_[t];  // a copy, which each thread reads from its own cache
      std::copy_n(below, W.rows, g);
    }
    barrier.wait();
  }

 private:
  std::vector<Weights> hidden() const { return {layers_.begin(), layers_.end() - 1}; }
  Matrix top() const { return matrix_of(layers_.back().W); }

  void softmax_error(int t, std::int32_t label, float* g) {
    const std::int64_t n = top().cols;
    sums_.total(vector_of(layers_.back().b), g, {0, n});
    const float largest = *std::max_element(g, g + n), of_label = g[label];
    float sum = 0;
    for (std::int64_t j = 0; j < n; ++j) sum += g[j] = std::exp(g[j] - largest);
    for (std::int64_t j = 0; j < n; ++j) g[j] /= sum;
    g[label] -= 1;
    barrier.wait();  // all have read the biases
    if (t == 0) cost_ = static_cast<double>(std::log(sum) - (of_label - largest));
  }

  Network model_;
  std::vector<Weights> layers_;
  Forward forward_;
  PerThread sums_, dz_, g_{1, 1};
  std::vector<Tensor> gradients_, factors_;
  double cost_ = 0;
};

class ProductsLimit : public Limit {
 public:
  ProductsLimit(const std::vector<Product>& products, const Tensor& data, int n)
      : Limit(n), products_(products), data_(data) {
    openblas_set_num_threads(1);
    RandomState rng(1);
    for (const Product& p : products) {
      x_.push_back(rng.uniform(-.1, .1, {p.m, p.k}, DType::float32));
      w_.push_back(rng.uniform(-.1, .1, {p.k, p.n}, DType::float32));
      params.push_back(Tensor::zeros({p.m, p.n}, DType::float32));
      own_.push_back(Tensor::zeros({p.times > 1 ? n - 1 : 0, p.m, p.n}, DType::float32));
    }
  }

  double cost() const override { return std::numeric_limits<double>::quiet_NaN(); }

  void step(int t, std::int64_t index) override {
    for (std::size_t i = 0; i < products_.size(); ++i) {
      const Product& p = products_[i];
      if (p.times > 1) {
        float* const y = t == 0 ? vector_of(params[i]) : vector_of(own_[i]) + (t - 1) * p.m * p.n;
        for (int k = p.times * t / threads; k < p.times * (t + 1) / threads; ++k)
          multiply(p, p.m, p.n, vector_of(x_[i]), vector_of(w_[i]), y);
      } else {
        multiply_panel(i, t, index);
      }
      barrier.wait();
    }
  }

 private:
  static int ldx(const Product& p) { return p.x_transposed ? p.m : p.k; }
  static int ldw(const Product& p) { return p.w_transposed ? p.k : p.n; }

  // The product, or a panel of m rows and n columns of it.
  static void multiply(const Product& p, int m, int n, const float* x, const float* w, float* y) {
    cblas_sgemm(CblasRowMajor, p.x_transposed ? CblasTrans : CblasNoTrans,
                p.w_transposed ? CblasTrans : CblasNoTrans, m, n, p.k, p.update ? -.01f : 1.f, x, ldx(p), w,
                ldw(p), p.update ? 1.f : 0.f, y, p.n);
  }

  void multiply_panel(std::size_t i, int t, std::int64_t index) {
    const Product& p = products_[i];
    const bool by_rows = p.update || p.m > p.n;
    const auto [begin, end] = share(by_rows ? p.m : p.n, t, threads);
    const int size = static_cast<int>(end - begin);
    if (size == 0) return;
    const std::int64_t elements = std::int64_t{p.m} * p.k;
    const float* const x = p.from_data ? vector_of(data_) + index * elements : vector_of(x_[i]);
    const float* const w = vector_of(w_[i]);
    float* const y = vector_of(params[i]);
    if (by_rows)
      multiply(p, size, p.n, x + (p.x_transposed ? begin : begin * ldx(p)), w, y + begin * p.n);
    else
      multiply(p, p.m, size, x, w + (p.w_transposed ? begin * ldw(p) : begin), y + begin);
  }

  std::vector<Product> products_;
  Tensor data_;
  std::vector<Tensor> x_, w_, own_;
};

}  // namespace

std::unique_ptr<Limit> autoencoder_limit(const Autoencoder& model, int threads) {
  return std::make_unique<AutoencoderLimit>(model, threads);
}
std::unique_ptr<Limit> network_limit(const Network& model, int threads) {
  return std::make_unique<NetworkLimit>(model, threads);
}
std::unique_ptr<Limit> products_limit(const std::vector<Product>& products, const Tensor& data, int threads) {
  return std::make_unique<ProductsLimit>(products, data, threads);
}

}  // namespace damo::bench
