#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "core/data/npz.h"
#include "tests/apps/program.h"
#include "tests/golden.h"

/// The programs themselves, as a user runs them, on a few drawn digits.
namespace damo::test {
namespace {

namespace fs = std::filesystem;

std::vector<nlohmann::json> log_lines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

// Whether all of them occur, in this order.
bool has(const std::string& text, const std::vector<std::string>& parts) {
  std::size_t at = 0;
  for (const std::string& part : parts) {
    const std::size_t found = text.find(part, at);
    if (found == std::string::npos) {
      std::cerr << "not found: " << part << "\nin: " << text << std::endl;
      return false;
    }
    at = found + part.size();
  }
  return true;
}

const std::string few_digits = "--dataset synthetic --train-size 200 --valid-size 100 --test-size 100 ";
const std::string small_sda =
    few_digits +
    "--hidden-layers-sizes 20,10 --corruption-levels .1,.2 --batch-size 20 --training-epochs 2 "
    "--pretraining-epochs 2 --pretrain-lr .1 ";

TEST_CASE("SdA trains in the modes that find mistakes, with the same costs") {
  const std::string folder = temp_dir();
  const std::string options =
      "--dataset synthetic --train-size 40 --valid-size 20 --test-size 20 --hidden-layers-sizes 12,8 "
      "--corruption-levels .1,.2 --training-epochs 1 --pretraining-epochs 1 --pretrain-lr .1 ";
  for (const char* batch : {"1", "20"}) {
    const auto costs = [&](const std::string& mode) {
      const Outcome o = run("SdA", options + "--batch-size " + batch + " --log log --mode " + mode, folder);
      CHECK(o.status == 0);
      CHECK(o.err == "");
      std::vector<double> all;
      for (const auto& line : log_lines(folder + "/log"))
        if (line.contains("cost")) all.push_back(line["cost"].get<double>());
      fs::remove(folder + "/log");
      return all;
    };
    const std::vector<double> expected = costs("FAST_RUN");
    CHECK(expected.size() == 3);
    for (const char* mode : {"FAST_COMPILE", "NanGuardMode", "DebugMode"}) {
      INFO(mode, ", batch ", batch);
      const std::vector<double> got = costs(mode);
      REQUIRE(got.size() == expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-3));
    }
  }
}

TEST_CASE("--profile prints where the time of each function went") {
  const Outcome o = run("logistic_sgd", few_digits + "--n-epochs 1 --batch-size 20 --profile", temp_dir());
  CHECK(o.status == 0);
  CHECK(has(o.err, {"function \"", "\": 10 calls in ", " steps\n", "GFLOP/s", "op\n", "dot", "step\n",
                    "  at models/logistic_regression.cpp:"}));
}

TEST_CASE("NanGuardMode tells of a learning rate that is too large") {
  const Outcome o =
      run("logistic_sgd",
          few_digits + "--n-epochs 3 --batch-size 20 --learning-rate 1e38 --mode NanGuardMode", temp_dir());
  CHECK(o.status == 2);
  CHECK(has(o.err, {"logistic_sgd: ", "holds ", "in function \""}));
}

TEST_CASE("SdA prints the tutorial's lines, logs, saves and draws") {
  const std::string folder = temp_dir();
  const Outcome o =
      run("SdA", small_sda + "--log log --log-minibatches --save sda.npz --filters f.png", folder);
  CHECK(o.status == 0);
  CHECK(o.err == "");
  CHECK(has(
      o.out,
      {"... loading data\n... building the model\n... getting the pretraining functions\n"
       "... pre-training the model\nPre-training layer 0, epoch 0, cost ",
       "Pre-training layer 0, epoch 1, cost ", "Pre-training layer 1, epoch 0, cost ",
       "The pretraining code for file SdA.cpp ran for ", "m\n... getting the finetuning functions\n",
       "... finetunning the model\nepoch 1, minibatch 10/10, validation error ",
       " %\n     epoch 1, minibatch 10/10, test error of best model ",
       "epoch 2, minibatch 10/10, validation error ", "Optimization complete with best validation score of ",
       " %, on iteration ", ", with test performance ", " %\nThe training code for file SdA.cpp ran for "}));
  CHECK(fs::file_size(folder + "/f.png") > 0);

  const auto lines = log_lines(folder + "/log");
  REQUIRE(lines.size() == 2 * 2 * 11 + 2 * 11);
  CHECK(lines[0]["phase"] == "pretrain");
  CHECK(lines[0]["layer"] == 0);
  CHECK(lines[0]["epoch"] == 0);
  CHECK(lines[0]["minibatch"] == 0);
  double sum = 0;
  for (std::size_t i = 0; i < 10; ++i) sum += lines[i]["cost"].get<double>();
  CHECK_FALSE(lines[10].contains("minibatch"));
  CHECK(lines[10]["cost"].get<double>() == doctest::Approx(sum / 10).epsilon(1e-14));
  CHECK(lines[33]["layer"] == 1);
  CHECK(lines[44]["phase"] == "finetune");
  CHECK(lines[44]["epoch"] == 1);
  CHECK(lines[54].contains("valid_error"));
  CHECK(lines[54].contains("test_error"));
  CHECK(lines[65]["epoch"] == 2);

  const NamedTensors saved = load_npz(folder + "/sda.npz");
  REQUIRE(saved.size() == 8);
  CHECK(saved[0].first == "layer0.W");
  CHECK(saved[0].second.shape() == Sizes{784, 20});
  CHECK(saved[7].first == "log_layer.b");
}

TEST_CASE("SdA on stored layers logs the same costs, and its parameters can be loaded") {
  const std::string folder = temp_dir();
  const std::string options = small_sda + "--floatX float64 --rng mrg ";
  CHECK(run("SdA", options + "--log chained", folder).status == 0);
  CHECK(run("SdA", options + "--log stored --cache-layers --save sda.npz", folder).status == 0);
  const auto chained = log_lines(folder + "/chained"), stored = log_lines(folder + "/stored");
  REQUIRE(chained.size() == 6);
  REQUIRE(stored.size() == 6);
  for (std::size_t i = 0; i < 6; ++i)
    // The same sums, compiled into other functions: rounding, carried through a few hundred steps.
    CHECK(stored[i]["cost"].get<double>() == doctest::Approx(chained[i]["cost"].get<double>()).epsilon(1e-9));
  const Outcome again =
      run("SdA", options + "--pretraining-epochs 0 --training-epochs 1 --load sda.npz", folder);
  CHECK(again.status == 0);
  const Outcome other = run("SdA", options + "--hidden-layers-sizes 20,11 --load sda.npz", folder);
  CHECK(other.status == 2);
  CHECK(other.err ==
        "SdA: sda.npz holds layer1.W as float64 (20, 10), and this model needs float64 (20, 11)\n");
}

TEST_CASE("a preset changes defaults only") {
  const Outcome o =
      run("SdA",
          "--preset quick --hidden-layers-sizes 20,10 --corruption-levels 0,0 --pretraining-epochs 0 "
          "--training-epochs 1 " +
              few_digits);
  CHECK(o.status == 0);
  CHECK(has(o.out, {"epoch 1, minibatch 10/10, validation error "}));  // the preset's batches of 20
  CHECK(run("SdA", "--preset quick --batch-size 50 --pretraining-epochs 0 --training-epochs 1 " + few_digits)
            .out.find("minibatch 4/4") != std::string::npos);
}

TEST_CASE("mlp and logistic_sgd train, dA draws its filters") {
  const std::string folder = temp_dir();
  const Outcome mlp = run("mlp", few_digits + "--n-epochs 3 --n-hidden 20 --log mlp --save mlp.npz", folder);
  CHECK(mlp.status == 0);
  CHECK(has(
      mlp.out,
      {"... loading data\n... building the model\n... training\nepoch 1, minibatch 10/10, validation error ",
       "epoch 3", "Optimization complete. Best validation score of ", " % obtained at iteration ",
       ", with test performance ", " %\nThe code for file mlp.cpp ran for ", "m\n"}));
  CHECK(log_lines(folder + "/mlp").size() == 3);
  CHECK(log_lines(folder + "/mlp")[0]["phase"] == "train");
  CHECK(load_npz(folder + "/mlp.npz").size() == 4);

  const Outcome logistic = run("logistic_sgd", few_digits + "--n-epochs 5 --batch-size 20", folder);
  CHECK(logistic.status == 0);
  CHECK(has(logistic.out, {"... building the model\n... training the model\n",
                           "Optimization complete with best validation score of ",
                           " %,with test performance ", " %\nThe code run for 5 epochs, with ",
                           " epochs/sec\n", "The code for file logistic_sgd.cpp ran for ", "s\n"}));
  const Outcome predict = run("logistic_sgd", few_digits + "--predict", folder);
  CHECK(predict.status == 0);
  CHECK(has(predict.out, {"Predicted values for the first 10 examples in test set:\n[", "]\n"}));
  const Outcome none = run("logistic_sgd", few_digits + "--predict");
  CHECK(none.status == 2);
  CHECK(has(none.err, {"best_model.npz"}));

  const Outcome da = run("dA", few_digits + "--training-epochs 2 --log da", folder);
  CHECK(da.status == 0);
  CHECK(has(da.out, {"Training epoch 0, cost  ", "Training epoch 1, cost  ",
                     "The no corruption code for file dA.cpp ran for ", "Training epoch 1, cost  ",
                     "The 30% corruption code for file dA.cpp ran for "}));
  CHECK(fs::file_size(folder + "/dA_plots/filters_corruption_0.png") > 0);
  CHECK(fs::file_size(folder + "/dA_plots/filters_corruption_30.png") > 0);
  CHECK(log_lines(folder + "/da")[3]["corruption"] == 0.3);
}

TEST_CASE("convolutional_mlp prints the tutorial's lines, logs and saves") {
  const std::string folder = temp_dir();
  const Outcome o =
      run("convolutional_mlp",
          few_digits + "--n-epochs 11 --nkerns 2,3 --batch-size 20 --log log --save lenet.npz", folder);
  CHECK(o.status == 0);
  CHECK(o.err == "");
  CHECK(has(o.out, {"... loading data\n... building the model\n... training\ntraining @ iter =  0\nepoch 1, "
                    "minibatch 10/10, validation error ",
                    " %\n     epoch 1, minibatch 10/10, test error of best model ",
                    "training @ iter =  100\nepoch 11", "Optimization complete.\nBest validation score of ",
                    " % obtained at iteration ", ", with test performance ",
                    " %\nThe code for file convolutional_mlp.cpp ran for ", "m\n"}));
  CHECK(log_lines(folder + "/log").size() == 11);
  const NamedTensors saved = load_npz(folder + "/lenet.npz");
  REQUIRE(saved.size() == 8);
  CHECK(saved[0].first == "layer0.W");
  CHECK(saved[0].second.shape() == Sizes{2, 1, 5, 5});
  const Outcome bad = run("convolutional_mlp", "--nkerns 20");
  CHECK(bad.status == 2);
  CHECK(bad.err == "convolutional_mlp: --nkerns has 1 values, and there are two layers\n");
}

TEST_CASE("cA prints the tutorial's lines and draws its filters") {
  const std::string folder = temp_dir();
  const std::string options = few_digits + "--training-epochs 2 --floatX float64 ";
  const Outcome o = run("cA", options + "--log log --save cA.npz", folder);
  CHECK(o.status == 0);
  CHECK(o.err == "");
  CHECK(has(o.out, {"... loading data\nTraining epoch 0, reconstruction cost  ", "  jacobian norm  ",
                    "\nTraining epoch 1, reconstruction cost  ", "  jacobian norm  ",
                    "\nThe code for file cA.cpp ran for ", "m\n"}));
  CHECK(fs::file_size(folder + "/cA_plots/cae_filters.png") > 0);
  CHECK(load_npz(folder + "/cA.npz").size() == 3);
  const auto lines = log_lines(folder + "/log");
  REQUIRE(lines.size() == 2);
  CHECK(lines[1]["cost"].get<double>() < lines[0]["cost"].get<double>());

  // Without a gradient through the contraction, its level is of no consequence.
  const auto cost = [&](const std::string& more) {
    fs::remove(folder + "/log");
    CHECK(run("cA", options + "--log log " + more, folder).status == 0);
    return log_lines(folder + "/log").back()["cost"].get<double>();
  };
  CHECK(cost("--contraction-level 1") != lines[1]["cost"].get<double>());
  CHECK(cost("--script-division") == cost("--script-division --contraction-level 1"));
}

TEST_CASE("logistic_cg prints the tutorial's lines, and saves the best parameters") {
  const std::string folder = temp_dir();
  const std::string options = few_digits + "--batch-size 20 --floatX float64 ";
  const Outcome o =
      run("logistic_cg", options + "--n-epochs 5 --log log --log-minibatches --save cg.npz", folder);
  CHECK(o.status == 0);
  CHECK(o.err == "");
  CHECK(
      has(o.out, {"... loading data\n... building the model\nOptimizing using fmin_cg...\nvalidation error ",
                  " %\nvalidation error ", "Optimization complete with best validation score of ",
                  " %, with test performance ", " %\nThe code for file logistic_cg.cpp ran for ", "s\n"}));
  CHECK(o.out.find("Stopped") == std::string::npos);
  const NamedTensors saved = load_npz(folder + "/cg.npz");
  REQUIRE(saved.size() == 1);
  CHECK(saved[0].first == "theta");
  CHECK(saved[0].second.shape() == Sizes{7850});
  double last = 1e9;
  int epochs = 0, minibatches = 0;
  for (const auto& line : log_lines(folder + "/log")) {
    CHECK(line["phase"] == "train");
    if (line.contains("minibatch")) {
      CHECK(line["minibatch"] == minibatches++ % 10);
      continue;
    }
    CHECK(line["epoch"] == ++epochs);
    CHECK(line["cost"].get<double>() < last);
    CHECK(line.contains("valid_error"));
    last = line["cost"].get<double>();
  }
  CHECK(epochs == 5);
  CHECK(minibatches >= 60);

  // From there on; and to where the gradient is small, or to rounding.
  const Outcome more = run("logistic_cg", options + "--n-epochs 1 --log more --load cg.npz", folder);
  CHECK(more.status == 0);
  CHECK(log_lines(folder + "/more").back()["cost"].get<double>() < 2 * last);
  const Outcome end = run("logistic_cg", options + "--n-epochs 2000", folder);
  CHECK(end.status == 0);
  CHECK(has(end.out, {"Stopped after ", " epochs: the gradient is small\nOptimization complete"}));
}

TEST_CASE("help ends well") {
  for (const char* program : {"SdA", "dA", "cA", "convolutional_mlp", "mlp", "logistic_sgd", "logistic_cg"}) {
    const Outcome o = run(program, "--help");
    CHECK(o.status == 0);
    CHECK(o.err == "");
    CHECK(has(o.out, {"--dataset", "--threads", "--log-minibatches"}));
  }
}

TEST_CASE("bad usage and bad input: status 2 and one message") {
  struct Case {
    std::string program, arguments, message;
  };
  const Case cases[] = {
      {"SdA", "--batch-size 0", "--batch-size is \"0\", and must be a whole number from 1 to 2147483647"},
      {"SdA", small_sda + "--batch-size 101", "--batch-size is 101, and valid_set_x has only 100 examples"},
      {"mlp", few_digits + "--batch-size 201", "--batch-size is 201, and train_set_x has only 200 examples"},
      {"mlp", "--learning-rate nan", "--learning-rate is \"nan\", and must be a finite number of at least 0"},
      {"SdA", "--hidden-layers-sizes ''",
       "--hidden-layers-sizes is empty, and must be a list of numbers with commas between"},
      {"SdA", "--hidden-layers-sizes 10,10",
       "--corruption-levels has 3 values and --hidden-layers-sizes 2: there must be one for each layer"},
      {"SdA", "--corruption-levels 1.1",
       "--corruption-levels is \"1.1\", and must be a finite number from 0 to 1"},
      {"dA", "--what", "unknown option \"--what\"; --help lists the options"},
      {"dA", "--rng other", "--rng is \"other\", and must be one of numpy, mrg"},
      {"mlp", "--floatX float16", "--floatX is \"float16\", and must be one of float32, float64"},
      {"mlp", "--train-size 50001", "--train-size is 50001, and the training set has 50000 points"},
      {"mlp", "",
       "MNIST was not found: name the folder of its four files by --dataset or DAMO_DATA, or take --dataset "
       "synthetic"},
      {"mlp", "--log no/log", "--log is no/log, which cannot be written: No such file or directory"},
      {"SdA", "--save no/sda.npz", "--save is no/sda.npz, but there is no folder no"},
      {"SdA", "--filters no/f.png", "--filters is no/f.png, but there is no folder no"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.arguments);
    const Outcome o = run(c.program, c.arguments);
    CHECK(o.status == 2);
    CHECK(o.err == c.program + ": " + c.message + "\n");
  }
  const Outcome load = run("mlp", few_digits + "--load none.npz");
  CHECK(load.status == 2);
  CHECK(has(load.err, {"mlp: ", "none.npz"}));
}

}  // namespace
}  // namespace damo::test
