#include "apps/bench/cases.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "core/data/mnist.h"
#include "core/data/synthetic.h"
#include "core/random/random_state.h"
#include "models/lenet.h"
#include "models/mlp.h"
#include "models/sizes.h"
#include "ops/kernels/patches.h"

namespace damo::bench {

/// The SdA of the tutorial's program.
struct Stack {
  Stack(const Datasets& datasets, int size)
      : batch_size(size),
        rng(89677),
        sda({.numpy_rng = rng,
             .n_ins = 784,
             .hidden_layers_sizes = {1000, 1000, 1000},
             .n_outs = 10,
             .corruption_levels = {.1, .2, .3}}),
        pretrain(sda.pretraining_functions(datasets.train.x, size)),
        finetune(sda.build_finetune_functions(datasets, size, finetune_lr)) {}

  static constexpr double pretrain_lr = .001, finetune_lr = .1;
  int batch_size;
  RandomState rng;
  SdA sda;
  std::vector<Function> pretrain;
  TrainingFunctions finetune;
};

namespace {

Tensor live(const Shared& v) { return v.get_value({.borrow = true}); }

MT19937State random_state(const Shared& state) {
  MT19937State s;
  std::memcpy(&s, live(state).data(), sizeof s);
  return s;
}

std::vector<Weights> weights(const std::vector<HiddenLayer>& layers, int n) {
  std::vector<Weights> w;
  for (int i = 0; i < n; ++i)
    w.push_back({live(layers[static_cast<std::size_t>(i)].W), live(layers[static_cast<std::size_t>(i)].b)});
  return w;
}

const char* const by_hand = "step by hand";
const char* const in_blas = "products in BLAS";

Product forward(int batch, int n_in, int n_out) { return {.m = batch, .n = n_out, .k = n_in}; }
Product backward(int batch, int n_in, int n_out) {
  return {.m = batch, .n = n_in, .k = n_out, .w_transposed = true};
}
Product weight_update(int batch, int n_in, int n_out) {
  return {.m = n_in, .n = n_out, .k = batch, .x_transposed = true, .update = true};
}

// The products of a step of gradient descent on layers of these sizes, on the data or on what comes of them.
std::vector<Product> network_products(int batch, const std::vector<int>& sizes, bool from_data = true) {
  std::vector<Product> products;
  const std::size_t last = sizes.size() - 2;
  for (std::size_t i = 0; i <= last; ++i) products.push_back(forward(batch, sizes[i], sizes[i + 1]));
  products[0].from_data = from_data;
  for (std::size_t i = last;; --i) {
    if (i > 0) products.push_back(backward(batch, sizes[i], sizes[i + 1]));
    products.push_back(weight_update(batch, sizes[i], sizes[i + 1]));
    if (i > 0) continue;
    products.back().from_data = from_data;
    return products;
  }
}

// Those of an autoencoder.
std::vector<Product> autoencoder_products(int batch, int n_visible, int n_hidden, bool tied) {
  if (!tied)
    return {forward(batch, n_visible, n_hidden), forward(batch, n_hidden, n_visible),
            backward(batch, n_hidden, n_visible), weight_update(batch, n_hidden, n_visible),
            weight_update(batch, n_visible, n_hidden)};
  return {forward(batch, n_visible, n_hidden), backward(batch, n_visible, n_hidden),
          forward(batch, n_visible, n_hidden), weight_update(batch, n_visible, n_hidden),
          weight_update(batch, n_visible, n_hidden)};
}

auto products(World& world, std::vector<Product> list) {
  return
      [list = std::move(list), data = world.x()](int threads) { return products_limit(list, data, threads); };
}

Step sda_pretrain(World& world, int layer, int batch) {
  Stack& stack = world.stack(batch);
  const SdA& sda = stack.sda;
  const auto l = static_cast<std::size_t>(layer);
  const dA& da = sda.dA_layers[l];
  const double corruption = sda.corruption_levels[l];
  Step step{.call = [f = stack.pretrain[l], corruption](std::int64_t index) -> double {
              return f({{"index", index}, {"corruption", corruption}, {"lr", Stack::pretrain_lr}});
            },
            .n_batches = world.x().shape(0) / batch,
            .params = da.params,
            .limit_name = batch == 1 ? by_hand : in_blas};
  if (batch == 1) {
    step.limit = [&world, &sda, &da, l, corruption](int threads) {
      return autoencoder_limit({.data = world.x(),
                                .below = weights(sda.sigmoid_layers, static_cast<int>(l)),
                                .layer = {live(da.W), live(da.b)},
                                .b_prime = live(da.b_prime),
                                .random = random_state(sda.theano_rng->states()[l]),
                                .corruption = corruption,
                                .learning_rate = Stack::pretrain_lr},
                               threads);
    };
    return step;
  }
  std::vector<Product> list;
  for (int i = 0; i < layer; ++i) list.push_back(forward(batch, i == 0 ? 784 : 1000, 1000));
  for (const Product& p : autoencoder_products(batch, da.n_visible, da.n_hidden, true)) list.push_back(p);
  step.limit = products(world, list);
  return step;
}

Step sda_finetune(World& world, int batch) {
  Stack& stack = world.stack(batch);
  const SdA& sda = stack.sda;
  Step step{.call = [f = stack.finetune.train](std::int64_t index) -> double { return f(index); },
            .n_batches = world.x().shape(0) / batch,
            .params = sda.params,
            .limit_name = batch == 1 ? by_hand : in_blas,
            .limit = products(world, network_products(batch, {784, 1000, 1000, 1000, 10}))};
  if (batch == 1)
    step.limit = [&world, &sda](int threads) {
      std::vector<Weights> layers = weights(sda.sigmoid_layers, sda.n_layers);
      layers.push_back({live(sda.log_layer.W), live(sda.log_layer.b)});
      return network_limit({.data = world.x(),
                            .labels = world.labels(),
                            .layers = layers,
                            .learning_rate = Stack::finetune_lr},
                           threads);
    };
  return step;
}

Step logistic(World& world, int batch) {
  const Var x = matrix("x"), y = ivector("y");
  const LogisticRegression model({.input = x, .n_in = 784, .n_out = 10});
  const auto functions = training_functions(
      {x, y, model.negative_log_likelihood(y), model.errors(y), model.params}, world.datasets(), batch, .13);
  return {.call = [f = functions.train](std::int64_t index) -> double { return f(index); },
          .n_batches = world.x().shape(0) / batch,
          .params = model.params,
          .limit_name = in_blas,
          .limit = products(world, network_products(batch, {784, 10}))};
}

Step mlp(World& world, int batch) {
  const Var x = matrix("x"), y = ivector("y");
  RandomState rng(1234);
  const MLP model({.rng = rng, .input = x, .n_in = 784, .n_hidden = 500, .n_out = 10});
  const Var cost = model.negative_log_likelihood(y) + .0001 * model.L2_sqr;
  const auto functions =
      training_functions({x, y, cost, model.errors(y), model.params}, world.datasets(), batch, .01);
  return {.call = [f = functions.train](std::int64_t index) -> double { return f(index); },
          .n_batches = world.x().shape(0) / batch,
          .params = model.params,
          .limit_name = in_blas,
          .limit = products(world, network_products(batch, {784, 500, 10}))};
}

/// Layer l of the LeNet of the tutorial's program.
ConvGeometry lenet_geometry(int l, int batch) {
  if (l == 0)
    return {.batch = batch,
            .channels = 1,
            .rows = 28,
            .cols = 28,
            .n_filters = 20,
            .filter_rows = 5,
            .filter_cols = 5,
            .out_rows = 24,
            .out_cols = 24};
  return {.batch = batch,
          .channels = 20,
          .rows = 12,
          .cols = 12,
          .n_filters = 50,
          .filter_rows = 5,
          .filter_cols = 5,
          .out_rows = 8,
          .out_cols = 8};
}

// The products of its step: those of a convolution over so many images at a time.
std::vector<Product> lenet_products(int batch) {
  std::vector<Product> list;
  for (const auto& [l, images] : {std::pair{0, 1}, {1, 4}}) {
    const ConvGeometry g = lenet_geometry(l, batch);
    const auto f = static_cast<int>(g.n_filters), k = static_cast<int>(g.patch_size()),
               n = static_cast<int>(g.out_size()) * images;
    list.push_back({.m = f, .n = n, .k = k, .times = batch / images});
    list.push_back({.m = f, .n = k, .k = n, .w_transposed = true, .times = batch / images});
    if (l > 0) list.push_back({.m = k, .n = n, .k = f, .x_transposed = true, .times = batch / images});
  }
  for (const Product& p : network_products(batch, {800, 500, 10}, false)) list.push_back(p);
  list.push_back(backward(batch, 800, 500));
  return list;
}

Step lenet(World& world, int batch) {
  const Var x = matrix("x"), y = ivector("y");
  RandomState rng(23455);
  const LeNet model({.rng = rng, .input = x, .batch_size = batch});
  const auto functions = training_functions(
      {x, y, model.negative_log_likelihood(y), model.errors(y), model.params}, world.datasets(), batch, .1);
  return {.call = [f = functions.train](std::int64_t index) -> double { return f(index); },
          .n_batches = world.x().shape(0) / batch,
          .params = model.params,
          .limit_name = in_blas,
          .limit = products(world, lenet_products(batch))};
}

// What its step copies: images to patches in both layers, forwards and for the filters' gradients, and the
// gradients of patches to those of the second layer's images.
Step lenet_patches(int batch) {
  const ConvGeometry layers[] = {lenet_geometry(0, batch), lenet_geometry(1, batch)};
  const Tensor images[] = {Tensor::zeros({batch, 1, 28, 28}, float32),
                           Tensor::zeros({batch, 20, 12, 12}, float32)};
  return {.call = [=](std::int64_t) {
    parallel(threads(), [&](Part part) {
      thread_local Patches<float> patches;
      const auto blocks = [&](const ConvGeometry& g, const auto& f) {
        patches.begin(g);
        const auto [begin, end] = part.range(g.all_rows(), g.out_rows);
        for_blocks<float>(g, begin, end, f);
      };
      for (const int l : {0, 1, 0, 1})
        blocks(layers[l], [&](OutputRows rows) { patches.unfold(images[l].view(), rows); });
      blocks(layers[1], [&](OutputRows rows) {
        patches.columns(rows);
        patches.fold(rows, images[1].view());
      });
    });
    return 0.;
  }};
}

enum class Variant { untied, tanh_squared, l2 };

// A denoising autoencoder of 1000 units that is not the tutorial's.
Step autoencoder(World& world, Variant variant, int batch) {
  constexpr int n_visible = 784, n_hidden = 1000;
  constexpr double corruption = .1, learning_rate = .001, lambda = .001;
  const bool untied = variant == Variant::untied, tanh_squared = variant == Variant::tanh_squared;
  RandomState rng(123);
  const auto streams = std::make_shared<RandomStreams>(static_cast<std::uint32_t>(rng.randint(1 << 30)));
  const Activation s = tanh_squared ? Activation(damo::tanh) : Activation(damo::sigmoid);
  const Shared W = shared(initial_weights(rng, n_visible, n_hidden, s), "W");
  const Shared b = shared(Tensor::zeros({n_hidden}, floatX()), "b");
  const Shared b_prime = shared(Tensor::zeros({n_visible}, floatX()), "b_prime");
  std::vector<Shared> params{W, b, b_prime};
  Var W_prime = W.T();
  if (untied) {
    params.push_back(shared(initial_weights(rng, n_hidden, n_visible, s), "W_prime"));
    W_prime = params.back();
  }
  const Var index = lscalar("index");
  const Var x = minibatch(world.datasets().train.x, index, batch);
  const Var kept = streams->binomial(
      {.size = {x.shape(0), x.shape(1)}, .n = 1, .p = 1 - Arg(corruption), .dtype = floatX()});
  const Var y = s(dot(kept * x, W) + b);
  const Var z = s(dot(y, W_prime) + b_prime);
  const Var L =
      tanh_squared ? sum(sqr(z - x), {.axis = 1}) : -sum(x * log(z) + (1 - x) * log(1 - z), {.axis = 1});
  Var cost = mean(L);
  if (variant == Variant::l2) cost = cost + lambda * sum(sqr(W));
  const Function f = function(
      {.inputs = {index}, .outputs = cost, .updates = sgd(cost, params, learning_rate), .name = "train"});
  Step step{.call = [f](std::int64_t i) -> double { return f(i); },
            .n_batches = world.x().shape(0) / batch,
            .params = params,
            .limit_name = batch == 1 ? by_hand : in_blas,
            .limit = products(world, autoencoder_products(batch, n_visible, n_hidden, !untied))};
  if (batch == 1)
    step.limit = [=, &world](int threads) {
      return autoencoder_limit({.data = world.x(),
                                .below = {},
                                .layer = {live(W), live(b)},
                                .W_prime = untied ? live(params.back()) : Tensor(),
                                .b_prime = live(b_prime),
                                .random = random_state(streams->states().front()),
                                .corruption = corruption,
                                .learning_rate = learning_rate,
                                .tanh_squared = tanh_squared,
                                .L2 = variant == Variant::l2 ? lambda : 0},
                               threads);
    };
  return step;
}

Var twenty_operations(const Var& x, const Var& y) {
  Var t = tanh((x + y) * x) - y;
  t = log(exp(t) + 1);
  t = sqrt(t * t + x);
  t = sigmoid(t / y) * 2;
  t = tanh((t - x) * y) + .5;
  return (exp(t) - 1) * x;
}

Step call(const std::function<Outputs(const Var& a, const Var& b)>& outputs) {
  const Var a = scalar("a"), b = scalar("b");
  const Function f = function({.inputs = {a, b}, .outputs = outputs(a, b)});
  const Tensor x = Tensor(1.5F), y = Tensor(2.5F);
  return {.call = [f, x, y](std::int64_t) { return f(x, y)[0].item(); }};
}

std::vector<Case> all_cases() {
  std::vector<Case> list;
  for (const int batch : {1, 20, 128}) {
    for (int layer = 0; layer < 3; ++layer)
      list.push_back({fmt::format("sda_pretrain{}_b{}", layer + 1, batch),
                      [=](World& world) { return sda_pretrain(world, layer, batch); }});
    list.push_back(
        {fmt::format("sda_finetune_b{}", batch), [=](World& world) { return sda_finetune(world, batch); }});
  }
  list.push_back({"logistic_b600", [](World& world) { return logistic(world, 600); }});
  list.push_back({"mlp_b20", [](World& world) { return mlp(world, 20); }});
  list.push_back({"lenet_b500", [](World& world) { return lenet(world, 500); }});
  list.push_back({"lenet_b500_im2col", [](World&) { return lenet_patches(500); }});
  for (const auto& [name, variant] : {std::pair{"da_untied", Variant::untied},
                                      {"da_tanh_squared", Variant::tanh_squared},
                                      {"da_l2", Variant::l2}})
    for (const int batch : {1, 20})
      list.push_back({fmt::format("{}_b{}", name, batch),
                      [=, v = variant](World& world) { return autoencoder(world, v, batch); }});
  list.push_back({"call_a+b", [](World&) { return call([](const Var& a, const Var& b) { return a + b; }); }});
  list.push_back({"call_20op", [](World&) { return call(twenty_operations); }});
  list.push_back({"call_20op_grad", [](World&) {
                    return call([](const Var& a, const Var& b) {
                      return Outputs(grad(twenty_operations(a, b), {a, b}));
                    });
                  }});
  return list;
}

}  // namespace

World::World(std::string dataset) : dataset_(std::move(dataset)) {}
World::~World() = default;

const Datasets& World::datasets() {
  if (datasets_.train.x.is_set()) return datasets_;
  const std::string folder = dataset_ == "synthetic" ? "" : find_mnist(dataset_);
  if (dataset_.empty() && folder.empty())
    fmt::print(stderr, "bench: MNIST was not found; the digits are drawn ones\n");
  const Dataset data = folder.empty() ? synthetic_digits({.n_train = 6000, .n_valid = 600, .n_test = 600})
                                      : load_mnist(folder);
  datasets_ = shared_datasets(data);
  x_ = live(datasets_.train.x);
  for (const float y : data.train_y.to_vector<float>()) labels_.push_back(static_cast<std::int32_t>(y));
  return datasets_;
}

Stack& World::stack(int batch_size) {
  for (const auto& stack : stacks_)
    if (stack->batch_size == batch_size) return *stack;
  return *stacks_.emplace_back(std::make_unique<Stack>(datasets(), batch_size));
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list = all_cases();
  return list;
}

double build_sda(World& world) {
  const Datasets& datasets = world.datasets();
  RandomState rng(89677);
  const SdA sda({.numpy_rng = rng,
                 .n_ins = 784,
                 .hidden_layers_sizes = {1000, 1000, 1000},
                 .n_outs = 10,
                 .corruption_levels = {.1, .2, .3}});
  const auto begin = std::chrono::steady_clock::now();
  const auto pretrain = sda.pretraining_functions(datasets.train.x, 1);
  const auto finetune = sda.build_finetune_functions(datasets, 1, Stack::finetune_lr);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace damo::bench
