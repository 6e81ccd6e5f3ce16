#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <vector>

#include "core/data/npz.h"
#include "tests/apps/ends.h"

/// What the programs make of damaged files and bad options: a status, one line, and no file. The readers'
/// own messages are tested with the readers.
namespace damo::test {
namespace {

namespace fs = std::filesystem;

std::string big_endian(const std::vector<std::uint32_t>& numbers) {
  std::string s;
  for (const std::uint32_t v : numbers)
    for (const int shift : {24, 16, 8, 0}) s += static_cast<char>(v >> shift & 0xff);
  return s;
}

std::string labels(std::uint32_t n) {
  std::string s = big_endian({2049, n});
  for (std::uint32_t i = 0; i < n; ++i) s += static_cast<char>(i % 10);
  return s;
}

std::string gzipped(const std::string& bytes) {
  const std::string path = temp_dir() + "/z";
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  gzclose(file);
  return read_file(path);
}

std::string with_byte(std::string bytes, std::size_t at, int byte) {
  bytes.at(at) = static_cast<char>(byte);
  return bytes;
}

std::string flipped(std::string bytes, std::size_t at) {
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ 0x10);
  return bytes;
}

TEST_CASE("--dataset: what is wrong with a file of MNIST") {
  const std::string train = "train-labels-idx1-ubyte", test = "t10k-labels-idx1-ubyte",
                    images = "train-images-idx3-ubyte";
  const std::string good = labels(60000), packed = gzipped(good);
  const std::string page = "<html><body>403 Forbidden</body></html>";
  struct Case {
    std::string instead_of, file, bytes, message;
  };
  const Case cases[] = {
      {train, "", "", "there is no train-labels-idx1-ubyte, with or without .gz, in data or its MNIST/raw"},
      {images, "", "", "there is no train-images-idx3-ubyte, with or without .gz, in data or its MNIST/raw"},
      {train, train, "", "data/train-labels-idx1-ubyte is empty"},
      {train, train + ".gz", "", "data/train-labels-idx1-ubyte.gz is empty"},
      {train, train + ".gz", packed.substr(0, packed.size() / 2),
       "data/train-labels-idx1-ubyte.gz is truncated: its gzip data end after ..."},
      {train, train + ".gz", flipped(packed, packed.size() - 6),
       "data/train-labels-idx1-ubyte.gz is damaged: incorrect data check"},
      {train, train + ".gz", with_byte(packed, 10, 7),
       "data/train-labels-idx1-ubyte.gz is damaged: invalid block type"},
      {train, train + ".gz", page,
       "data/train-labels-idx1-ubyte.gz is a web page, not the labels of MNIST: it must be fetched again"},
      {train, train + "/file", "x", "cannot read data/train-labels-idx1-ubyte: it is not a regular file"},
      {train, train, big_endian({2051, 60000}),
       "data/train-labels-idx1-ubyte begins with the number 2051, expected 2049 for IDX labels"},
      {train, train, big_endian({2049}),
       "data/train-labels-idx1-ubyte is truncated: it ends after 4 bytes, within its header"},
      {train, train, good.substr(0, 50000),
       "data/train-labels-idx1-ubyte is truncated: it ends after 50000 bytes, expected 60008"},
      {train, train, good + "x",
       "data/train-labels-idx1-ubyte is longer than the 60008 bytes its header says"},
      {train, train, big_endian({2049, 0xffffffff}),
       "data/train-labels-idx1-ubyte holds 4294967295 labels, expected 60000"},
      {train, train, with_byte(good, 8 + 1234, 10),
       "data/train-labels-idx1-ubyte: label 1234 is 10, expected a digit"},
      {test, test, with_byte(labels(10000), 8, 255),
       "data/t10k-labels-idx1-ubyte: label 0 is 255, expected a digit"},
      {images, images, big_endian({2051, 10000, 28, 28}),
       "data/train-images-idx3-ubyte holds 10000 images, expected 60000"},
      {images, images, big_endian({2051, 60000, 0xffffffff, 0xffffffff}),
       "data/train-images-idx3-ubyte holds images of 4294967295 x 4294967295 pixels, expected 28 x 28"},
      {images, images + ".gz", gzipped(big_endian({2051, 60000, 28, 28}) + std::string(1000, '\x7f')),
       "data/train-images-idx3-ubyte.gz is truncated: it ends after 1016 bytes, expected 47040016"},
  };
  std::size_t i = 0;
  for (const Case& c : cases) {
    const std::string folder = work_dir();
    fs::create_directory(folder + "/data");
    for (const auto& [name, bytes] :
         std::map<std::string, std::string>{{train, good}, {test, labels(10000)}, {images, "here"}})
      if (name != c.instead_of) write_file(folder + "/data/" + name, bytes);
    if (!c.file.empty()) {
      const fs::path path = folder + "/data/" + c.file;
      fs::create_directories(path.parent_path());
      write_file(path.string(), c.bytes);
    }
    check_ends(all_programs[i++ % all_programs.size()], "--dataset data --save a.npz", c.message, folder);
  }
  const std::string folder = work_dir();
  write_file(folder + "/file", "x");
  for (const std::string& program : all_programs) {
    check_ends(program, "--dataset none", "MNIST was not found: there is no folder none", folder);
    check_ends(program, "--dataset file", "MNIST was not found: file is not a folder", folder);
  }
}

TEST_CASE("--load: what is wrong with a file of parameters") {
  const std::string folder = work_dir(), path = folder + "/a.npz";
  const Tensor W = Tensor::zeros({784, 10}, float32), b = Tensor::zeros({10}, float32);
  const auto npz = [&](const NamedTensors& tensors) {
    save_npz(path, tensors);
    return read_file(path);
  };
  save_npy(path, W);
  const std::string npy = read_file(path), good = npz({{"W", W}, {"b", b}});
  struct Case {
    std::string bytes, message;
  };
  const Case cases[] = {
      {npz({{"W", W}}), "a.npz holds no parameter b, which this model has"},
      {npz({}), "a.npz holds no parameter W, which this model has"},
      {npz({{"W", Tensor::zeros({784, 11}, float32)}, {"b", b}}),
       "a.npz holds W as float32 (784, 11), and this model needs float32 (784, 10)"},
      {npz({{"W", Tensor::zeros({10, 784}, float32)}, {"b", b}}),
       "a.npz holds W as float32 (10, 784), and this model needs float32 (784, 10)"},
      {npz({{"W", W}, {"b", Tensor::zeros({10, 1}, float32)}}),
       "a.npz holds b as float32 (10, 1), and this model needs float32 (10,)"},
      {npz({{"W", Tensor::zeros({784, 10}, int32)}, {"b", b}}),
       "a.npz holds W as int32 (784, 10), and this model needs float32 (784, 10)"},
      {npz({{"W", W}, {"b", b}, {"c", b}}), "a.npz holds c, which this model does not have"},
      {npz({{"W", W}, {"b", b}, {"\x1b[2J\n", b}}), "a.npz holds ?[2J?, which this model does not have"},
      {flipped(good, good.size() / 2), "a.npz: entry 'W.npy' is damaged: its checksum is ..."},
      {good.substr(0, good.size() / 2), "a.npz is damaged or truncated: no end of a zip archive was found"},
      {npy, "a.npz is not a zip archive: it begins with '?NUM', expected 'PK'"},
      {"W 0 0 0\n", "a.npz is not a zip archive: it begins with 'W 0 ', expected 'PK'"},
      {"", "a.npz is empty, expected a zip archive"},
  };
  const std::string options = few_digits + "--batch-size 20 --save b.npz --load ";
  for (const Case& c : cases) {
    write_file(path, c.bytes);
    check_ends("logistic_sgd", options + "a.npz", c.message, folder);
  }
  // A good one is no model of the other programs, nor of another size.
  write_file(path, good);
  check_ends("SdA", options + "a.npz --hidden-layers-sizes 4 --corruption-levels 0",
             "a.npz holds no parameter layer0.W, which this model has", folder);
  check_ends("dA", options + "a.npz", "a.npz holds no parameter corruption_0.W, which this model has",
             folder);
  check_ends("mlp", options + "a.npz", "a.npz holds no parameter hiddenLayer.W, which this model has",
             folder);
  check_ends("cA", options + "a.npz",
             "a.npz holds W as float32 (784, 10), and this model needs float32 (784, 500)", folder);
  check_ends("logistic_cg", options + "a.npz", "a.npz holds no parameter theta, which this model has",
             folder);
  check_ends("logistic_sgd", few_digits + "--predict --load .", "cannot read .: it is not a regular file",
             folder);
  check_ends("logistic_sgd", few_digits + "--predict",
             "cannot open best_model.npz: No such file or directory", folder);
  for (const std::string& program : all_programs) {
    check_ends(program, options + "none.npz", "cannot open none.npz: No such file or directory", folder);
    check_ends(program, options + ".", "cannot read .: it is not a regular file", folder);
  }
}

TEST_CASE("a file that cannot be written is found before the work begins") {
  const std::string folder = work_dir();
  for (const char* name : {"/here", "/clean/filters_corruption_0.png", "/corrupted/filters_corruption_30.png",
                           "/cae/cae_filters.png"})
    fs::create_directories(folder + name);
  write_file(folder + "/file", "x");
  struct Case {
    std::string option, path, message;
    std::vector<std::string> programs = all_programs;
  };
  const std::vector<std::string> sda{"SdA"}, da{"dA"}, ca{"cA"};
  const std::string long_name(300, 'x');
  const Case cases[] = {
      {"--save", "no/a.npz", "--save is no/a.npz, but there is no folder no"},
      {"--save", "file/a.npz", "--save is file/a.npz, but there is no folder file"},
      {"--save", "here", "--save is here, which is a folder, and must be a file"},
      {"--save", "/dev/full", "--save: cannot write /dev/full: it is there and not a regular file"},
      {"--save", "/proc/a.npz", "--save: cannot write /proc/a.npz: ..."},
      {"--save", long_name, "--save: cannot write " + long_name + ": File name too long"},
      {"--log", "no/log", "--log is no/log, which cannot be written: No such file or directory"},
      {"--log", "file/log", "--log is file/log, which cannot be written: Not a directory"},
      {"--log", "here", "--log is here, which cannot be written: Is a directory"},
      {"--log", "/proc/log", "--log is /proc/log, which cannot be written: ..."},
      {"--filters", "no/f.png", "--filters is no/f.png, but there is no folder no", sda},
      {"--filters", "here", "--filters is here, which is a folder, and must be a file", sda},
      {"--filters", "/dev/full", "--filters: cannot write /dev/full: it is there and not a regular file",
       sda},
      {"--filters", "/proc/f.png", "--filters: cannot write /proc/f.png: ...", sda},
      {"--output-folder", "file", "--output-folder is file, which cannot be made: Not a directory", da},
      {"--output-folder", "file/in", "--output-folder is file/in, which cannot be made: Not a directory", da},
      {"--output-folder", "/proc/new", "--output-folder is /proc/new, which cannot be made: ...", da},
      {"--output-folder", "clean",
       "--output-folder is clean/filters_corruption_0.png, which is a folder, and must be a file", da},
      {"--output-folder", "corrupted",
       "--output-folder is corrupted/filters_corruption_30.png, which is a folder, and must be a file", da},
      {"--output-folder", "file/in", "--output-folder is file/in, which cannot be made: Not a directory", ca},
      {"--output-folder", "cae",
       "--output-folder is cae/cae_filters.png, which is a folder, and must be a file", ca},
  };
  std::size_t i = 0;
  for (const Case& c : cases)
    check_ends(c.programs[i++ % c.programs.size()], few_digits + "--batch-size 20 " + c.option + " " + c.path,
               c.message, folder);
}

TEST_CASE("a disk that is full: status 1, and an old file stays as it was") {
  const std::string folder = work_dir();
  for (const char* name : {"a.npz", "f.png", "dA_plots/filters_corruption_0.png", "cA_plots/cae_filters.png"})
    write_file(folder + "/" + name, "old");
  // Files may have 4 kB.
  const std::string small = "trap '' XFSZ && ulimit -f 8";
  struct Case {
    std::string program, arguments, message;
  };
  const Case cases[] = {
      {"logistic_sgd", "--n-epochs 1 --save a.npz", "cannot write a.npz: File too large"},
      {"logistic_sgd", "--n-epochs 1 --save new.npz", "cannot write new.npz: File too large"},
      {"mlp", "--n-epochs 1 --n-hidden 10 --save a.npz", "cannot write a.npz: File too large"},
      {"SdA",
       "--hidden-layers-sizes 10 --corruption-levels 0 --pretraining-epochs 0 --training-epochs 1 --save "
       "a.npz",
       "cannot write a.npz: File too large"},
      {"SdA", "--hidden-layers-sizes 100 --corruption-levels 0 --pretraining-epochs 0 --filters f.png",
       "cannot write f.png: File too large"},
      {"dA", "--training-epochs 0", "cannot write dA_plots/filters_corruption_0.png: File too large"},
      {"cA", "--training-epochs 0", "cannot write cA_plots/cae_filters.png: File too large"},
      {"logistic_cg", "--n-epochs 1 --save a.npz", "cannot write a.npz: File too large"},
  };
  for (const Case& c : cases)
    check_ends(c.program, few_digits + "--batch-size 20 " + c.arguments, c.message, folder, 1, small);
  const std::string full = "the log /dev/full cannot be written: No space left on device";
  for (const std::string& program : all_programs)
    check_ends(program,
               few_digits + "--batch-size 20 --log /dev/full --log-minibatches" +
                   (program == "SdA" ? " --hidden-layers-sizes 10 --corruption-levels 0" : ""),
               full, folder, 1);
}

TEST_CASE("every option of every program: values that it cannot have") {
  struct Row {
    std::string option;
    std::vector<std::string> values;
    std::string expected;  // of each value
    std::vector<std::string> programs = all_programs;
  };
  const std::vector<std::string> sda{"SdA"}, ca{"cA"}, mlp{"mlp"};
  const std::string positive = "a whole number from 1 to 2147483647",
                    whole = "a whole number from 0 to 2147483647", number = "a finite number of at least 0";
  const std::vector<std::string> rates{"nan", "inf", "-0.1"};
  const Row rows[] = {
      {"--batch-size", {"0", "-20", "2147483648"}, positive},
      {"--seed", {"-1", "4294967296", "1.5"}, "a whole number from 0 to 4294967295"},
      {"--threads", {"0", "two"}, positive},
      {"--train-size", {"0", "99999999999999999999"}, positive},
      {"--valid-size", {"0"}, positive},
      {"--test-size", {"1e3"}, positive},
      {"--nkerns", {"0", "x"}, positive, {"convolutional_mlp"}},
      {"--floatX", {"float16"}, "one of float32, float64"},
      {"--rng", {"NumPy"}, "one of numpy, mrg"},
      {"--progress", {"yes"}, "one of auto, on, off"},
      {"--preset", {"slow"}, "one of tutorial, quick", sda},
      {"--hidden-layers-sizes", {"0", "-5", "x", "1.5"}, positive, sda},
      {"--corruption-levels", {"1.5", "-0.1", "nan"}, "a finite number from 0 to 1", sda},
      {"--pretraining-epochs", {"-1"}, whole, sda},
      {"--pretrain-lr", rates, number, sda},
      {"--training-epochs", {"-1", "x"}, whole, {"SdA", "dA", "cA"}},
      {"--finetune-lr", rates, number, sda},
      {"--n-epochs", {"0", "-1"}, positive, {"mlp", "logistic_sgd", "logistic_cg"}},
      {"--learning-rate", rates, number, {"dA", "cA", "mlp", "logistic_sgd"}},
      {"--contraction-level", rates, number, ca},
      {"--n-hidden", {"0", "-1"}, positive, mlp},
      {"--L1-reg", rates, number, mlp},
      {"--L2-reg", {"1e999"}, number, mlp},
  };
  for (const Row& row : rows) {
    // Every program and every value, and no value, at least once.
    const std::size_t n_programs = row.programs.size(), n_values = row.values.size();
    for (std::size_t i = 0; i < std::max(n_programs, n_values + 1); ++i) {
      const std::string& program = row.programs[i % n_programs];
      if (i % (n_values + 1) == n_values) {
        check_ends(program, few_digits + row.option, row.option + " needs a value");
        continue;
      }
      const std::string& value = row.values[i % (n_values + 1)];
      check_ends(program, few_digits + row.option + " '" + value + "'",
                 row.option + " is \"" + value + "\", and must be " + row.expected);
    }
  }
  // Names of files can be anything but empty, or an option.
  std::size_t i = 0;
  const auto next = [&]() -> const std::string& { return all_programs[i++ % all_programs.size()]; };
  for (const std::string option :
       {"--dataset", "--log", "--save", "--load", "--filters", "--output-folder"}) {
    const std::string only = option == "--filters" ? "SdA" : option == "--output-folder" ? "dA" : "";
    check_ends(only.empty() ? next() : only, option + " ''", option + " is empty");
    check_ends(only.empty() ? next() : only, option, option + " needs a value");
    check_ends(only.empty() ? next() : only, option + " --log-minibatches",
               option + " needs a value, and is followed by --log-minibatches");
  }
}

TEST_CASE("options that do not go together, or with the data") {
  const std::string layers = "--hidden-layers-sizes 10 --corruption-levels 0 ";
  struct Case {
    std::string program, arguments, message;
  };
  const Case cases[] = {
      {"SdA", layers + "--batch-size 101", "--batch-size is 101, and train_set_x has only 100 examples"},
      {"dA", "--batch-size 101", "--batch-size is 101, and train_set_x has only 100 examples"},
      {"cA", "--batch-size 101", "--batch-size is 101, and train_set_x has only 100 examples"},
      {"logistic_cg", "", "--batch-size is 600, and train_set_x has only 100 examples"},
      {"convolutional_mlp", "", "--batch-size is 500, and train_set_x has only 100 examples"},
      {"convolutional_mlp", "--nkerns 20", "--nkerns has 1 values, and there are two layers"},
      {"mlp", "--batch-size 61", "--batch-size is 61, and valid_set_x has only 60 examples"},
      {"logistic_sgd", "--batch-size 51", "--batch-size is 51, and test_set_x has only 50 examples"},
      {"mlp", "--batch-size 20 --batch-size 2147483647",  // the last one counts
       "--batch-size is 2147483647, and train_set_x has only 100 examples"},
      {"SdA", "--hidden-layers-sizes ''",
       "--hidden-layers-sizes is empty, and must be a list of numbers with commas between"},
      {"SdA", "--corruption-levels ''",
       "--corruption-levels is empty, and must be a list of numbers with commas between"},
      {"SdA", "--hidden-layers-sizes 10,,10",
       "--hidden-layers-sizes is \"\", and must be a whole number from 1 to 2147483647"},
      {"SdA", "--hidden-layers-sizes 10,10",
       "--corruption-levels has 3 values and --hidden-layers-sizes 2: there must be one for each layer"},
      {"SdA", "--corruption-levels .1",
       "--corruption-levels has 1 values and --hidden-layers-sizes 3: there must be one for each layer"},
      {"SdA", "--cache-layers=3", "--cache-layers takes no value"},
      {"cA", "--script-division=3", "--script-division takes no value"},
      {"logistic_sgd", "--predict=3", "--predict takes no value"},
      // Sizes beyond any memory.
      {"SdA", "--hidden-layers-sizes 2147483647 --corruption-levels 0",
       "float32 (784, 2147483647) is too large: a tensor has at most 1 TiB"},
      {"mlp", "--n-hidden 2147483647", "float32 (784, 2147483647) is too large: a tensor has at most 1 TiB"},
      {"mlp", "--train-size 2147483647",
       "float32 (2147483647, 784) is too large: a tensor has at most 1 TiB"},
  };
  for (const Case& c : cases) check_ends(c.program, few_digits + c.arguments, c.message);
  const auto unknown = [](const std::string& word) {
    return "unknown option \"" + word + "\"; --help lists the options";
  };
  const std::pair<std::string, std::string> everywhere[] = {
      {"--batch-sizes 20", unknown("--batch-sizes")},
      {"-b 20", unknown("-b")},
      {"stray", unknown("stray")},
      {"''", unknown("")},
      {"--log-minibatches=7", "--log-minibatches takes no value"},
      {"--train-size 50001 --dataset .", "--train-size is 50001, and the training set has 50000 points"},
      {"--valid-size 10001 --dataset .", "--valid-size is 10001, and the validation set has 10000 points"},
      {"--test-size 10001 --dataset .", "--test-size is 10001, and the test set has 10000 points"},
  };
  for (std::size_t i = 0; i < std::size(everywhere); ++i)
    check_ends(all_programs[i % all_programs.size()], few_digits + everywhere[i].first, everywhere[i].second);
}

TEST_CASE("standard output that is full is noticed") {
  const Outcome o = run("mlp", "--help >/dev/full #");
  CHECK(o.status == 1);
}

TEST_CASE("a log keeps what it holds if the run fails before its first line") {
  const std::string folder = temp_dir();
  std::ofstream(folder + "/log") << "before\n";
  CHECK(run("mlp", "--log log --dataset none", folder).status == 2);
  CHECK(read_file(folder + "/log") == "before\n");
  CHECK(run("mlp", "--log log --n-epochs 1 " + few_digits, folder).status == 0);
  CHECK(read_file(folder + "/log").starts_with("{\"phase\":\"train\""));
}

}  // namespace
}  // namespace damo::test
