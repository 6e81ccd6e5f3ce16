#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/random/random_state.h"
#include "core/run/print_function.h"
#include "models/SdA.h"
#include "models/cA.h"
#include "models/lenet.h"
#include "models/logistic_cg.h"
#include "models/mlp.h"
#include "tests/models/reference.h"
#include "tests/models/tiny.h"

/// What the tutorials' training functions have been compiled to, as it is printed: tests/golden/prints. A
/// change of a rule or a pass shows there. With DAMO_UPDATE_PRINTS=1 the files are written anew, to be looked
/// at.
namespace damo::test {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void check_print(const std::string& name, const Function& f) {
  const std::string path = std::string(DAMO_GOLDEN_DIR) + "/prints/" + name + ".txt", printed = debugprint(f);
  if (std::getenv("DAMO_UPDATE_PRINTS") != nullptr) std::ofstream(path) << printed;
  const std::string expected = contents(path);
  CHECK_MESSAGE(printed == expected, name << " is compiled to\n"
                                          << printed << "where " << path << " has\n"
                                          << expected
                                          << "If that is right, run this test with DAMO_UPDATE_PRINTS=1.");
}

constexpr int batch_size = 10;
constexpr double learning_rate = 0.1;

TEST_CASE("logistic_sgd is compiled as it was") {
  const FloatXScope scope(float32);
  const Var x = matrix("x"), y = ivector("y");
  const LogisticRegression model({.input = x, .n_in = tiny_n_in, .n_out = tiny_n_out});
  check_print("logistic_sgd",
              training_functions({x, y, model.negative_log_likelihood(y), model.errors(y), model.params},
                                 tiny_datasets(), batch_size, learning_rate)
                  .train);
}

TEST_CASE("the gradient of logistic_cg is compiled as it was") {
  const FloatXScope scope(float32);
  const Var x = matrix("x"), y = ivector("y");
  const logistic_cg::LogisticRegression model({.input = x, .n_in = tiny_n_in, .n_out = tiny_n_out});
  const Var cost = model.negative_log_likelihood(y);
  check_print("logistic_cg", function({.inputs = {x, y}, .outputs = grad(cost, model.theta)}));
}

TEST_CASE("mlp is compiled as it was") {
  const FloatXScope scope(float32);
  const Var x = matrix("x"), y = ivector("y");
  RandomState rng(1234);
  const MLP model({.rng = rng, .input = x, .n_in = tiny_n_in, .n_hidden = 7, .n_out = tiny_n_out});
  const Var cost = model.negative_log_likelihood(y) + 0.001 * model.L1 + 0.0001 * model.L2_sqr;
  check_print("mlp", training_functions({x, y, cost, model.errors(y), model.params}, tiny_datasets(),
                                        batch_size, learning_rate)
                         .train);
}

TEST_CASE("SdA is compiled as it was") {
  const FloatXScope scope(float32);
  RandomState rng(89677);
  const SdA sda({.numpy_rng = rng,
                 .n_ins = tiny_n_in,
                 .hidden_layers_sizes = {8, 6},
                 .n_outs = tiny_n_out,
                 .corruption_levels = {.1, .2}});
  const Datasets datasets = tiny_datasets();
  const std::vector<Function> pretrain = sda.pretraining_functions(datasets.train.x, batch_size);
  check_print("SdA_pretrain_layer0", pretrain[0]);  // dA's own function is the same
  check_print("SdA_pretrain_layer1", pretrain[1]);
  check_print("SdA_finetune", sda.build_finetune_functions(datasets, batch_size, learning_rate).train);
}

TEST_CASE("cA is compiled as it was") {
  const FloatXScope scope(float32);
  RandomState rng(123);
  const Var index = lscalar("index"), x = matrix("x");
  const cA ca(
      {.numpy_rng = rng, .input = x, .n_visible = tiny_n_in, .n_hidden = 8, .n_batchsize = batch_size});
  const auto [cost, updates] = ca.get_cost_updates(0.1, learning_rate);
  check_print("cA", function({.inputs = {index},
                              .outputs = {mean(ca.L_rec), ca.L_jacob},
                              .updates = updates,
                              .givens = {{x, minibatch(tiny_datasets().train.x, index, batch_size)}},
                              .name = "train"}));
}

TEST_CASE("LeNet is compiled as it was") {
  const FloatXScope scope(float32);
  RandomState rng(23455);
  const Var x = matrix("x"), y = ivector("y");
  const LeNet model({.rng = rng, .input = x, .batch_size = batch_size, .nkerns = {2, 3}});
  const SharedDataset images = shared_dataset("train_set", Tensor::zeros({2 * batch_size, 28 * 28}, float32),
                                              Tensor::zeros({2 * batch_size}, float32));
  check_print("convolutional_mlp",
              training_functions({x, y, model.negative_log_likelihood(y), model.errors(y), model.params},
                                 {images, images, images}, batch_size, learning_rate)
                  .train);
}

}  // namespace
}  // namespace damo::test
