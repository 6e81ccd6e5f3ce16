#include "core/data/mnist.h"

#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "core/data/sha256.h"
#include "tests/core/files.h"
#include "tests/support.h"

using damo::Dataset;
using damo::find_mnist;
using damo::load_mnist;
using damo::Sizes;
using damo::Tensor;
using damo::test::message_of;
using damo::test::read_file;
using damo::test::write_file;
namespace fs = std::filesystem;

namespace {

std::string big_endian(std::uint32_t v) {
  std::string s;
  for (const int shift : {24, 16, 8, 0}) s += static_cast<char>(v >> shift & 0xff);
  return s;
}

std::string labels(std::uint32_t n, std::uint32_t magic = 2049) {
  std::string s = big_endian(magic) + big_endian(n);
  for (std::uint32_t i = 0; i < n; ++i) s += static_cast<char>(i % 10);
  return s;
}

std::string image_header(std::uint32_t n, std::uint32_t rows = 28, std::uint32_t cols = 28) {
  return big_endian(2051) + big_endian(n) + big_endian(rows) + big_endian(cols);
}

// Pixel k of image i is (i + k) mod 256.
std::string images(std::uint32_t n) {
  std::string s = image_header(n);
  for (std::uint32_t i = 0; i < n; ++i)
    for (std::uint32_t k = 0; k < 784; ++k) s += static_cast<char>((i + k) & 0xff);
  return s;
}

std::string gzipped(const std::string& bytes) {
  const std::string path = damo::test::temp_dir() + "/z";
  gzFile file = gzopen(path.c_str(), "wb1");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  gzclose(file);
  return read_file(path);
}

// What f writes to stderr.
std::string stderr_of(const std::function<void()>& f) {
  const std::string path = damo::test::temp_dir() + "/stderr";
  std::fflush(stderr);
  const int before = dup(2);
  std::FILE* file = std::fopen(path.c_str(), "w");
  dup2(fileno(file), 2);
  f();
  std::fflush(stderr);
  dup2(before, 2);
  close(before);
  std::fclose(file);
  return read_file(path);
}

// The files here are not MNIST's own, but an Error comes without the warnings of those before the wrong one.
std::string load_error(const std::string& folder) {
  std::string error;
  CHECK(stderr_of([&] { error = message_of([&] { load_mnist(folder); }); }) == "");
  return error;
}

// Sets an environment variable for the length of a block; null removes it.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Environment() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("MNIST is read as the tutorials read it") {
  const auto folder = damo::test::mnist_dir();
  if (!folder) return;
  Dataset d;
  CHECK(stderr_of([&] { d = load_mnist(*folder, {}, damo::float32); }).empty());
  CHECK(d.train_x.shape() == Sizes{50000, 784});
  CHECK(d.valid_x.shape() == Sizes{10000, 784});
  CHECK(d.test_x.shape() == Sizes{10000, 784});
  CHECK(d.train_x.dtype() == damo::float32);
  CHECK(d.train_y.dtype() == damo::float32);
  // Sums over the original files, read with NumPy.
  const auto sum = [](const Tensor& t) {
    double s = 0;
    for (const float v : t.span<float>()) s += static_cast<double>(v);
    return s;
  };
  CHECK(sum(d.train_x) * 256 == 1309089051);
  CHECK(sum(d.valid_x) * 256 == 258209494);
  CHECK(sum(d.test_x) * 256 == 264923200);
  CHECK(sum(d.train_x[-1]) * 256 == 26846);
  CHECK(sum(d.valid_x[0]) * 256 == 22386);
  CHECK(sum(d.train_y) == 222442);
  CHECK(sum(d.valid_y) == 44794);
  CHECK(sum(d.test_y) == 44434);
  CHECK(d.train_y.slice(0, 0, 5).to_vector<int>() == std::vector<int>{5, 0, 4, 1, 9});
  CHECK(d.valid_y.slice(0, 0, 5).to_vector<int>() == std::vector<int>{3, 8, 6, 9, 6});
  CHECK(d.test_y.slice(0, 0, 5).to_vector<int>() == std::vector<int>{7, 2, 1, 0, 4});

  const Dataset first = load_mnist(*folder, {.train = 70, .valid = 3, .test = 1}, damo::float64);
  CHECK(first.train_x.shape() == Sizes{70, 784});
  CHECK(first.valid_y.shape() == Sizes{3});
  CHECK(identical(first.train_x.astype(damo::float32), d.train_x.slice(0, 0, 70)));
  CHECK(identical(first.valid_x.astype(damo::float32), d.valid_x.slice(0, 0, 3)));
  CHECK(identical(first.test_x.astype(damo::float32), d.test_x.slice(0, 0, 1)));
  CHECK(identical(first.valid_y.astype(damo::float32), d.valid_y.slice(0, 0, 3)));
}

TEST_CASE("other digits in MNIST's files are read with a warning, under every usual name") {
  const std::string root = damo::test::temp_dir();
  fs::create_directories(root + "/MNIST/raw");
  write_file(root + "/train-labels.idx1-ubyte", labels(60000));
  write_file(root + "/MNIST/raw/train-images-idx3-ubyte.gz", gzipped(images(60000)));
  write_file(root + "/t10k-labels-idx1-ubyte", gzipped(labels(10000)));
  write_file(root + "/t10k-images.idx3-ubyte", images(10000));
  Dataset d;
  const std::string text = stderr_of([&] { d = load_mnist(root, {.train = 300, .test = 20}); });
  damo::Sha256 sha256;
  const std::string train_labels = labels(60000);
  sha256.update(train_labels.data(), train_labels.size());
  CHECK(text.starts_with("damo: warning: " + root +
                         "/train-labels.idx1-ubyte is well-formed, but not MNIST's own: its sha256 is " +
                         sha256.finish() +
                         ", expected 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  const auto pixel = [](const Tensor& x, int i, int k) { return x.astype(damo::float64).at<double>(i, k); };
  CHECK(d.train_x.shape() == Sizes{300, 784});
  CHECK(d.train_x.dtype() == damo::floatX());
  CHECK(pixel(d.train_x, 0, 3) == 3 / 256.);
  CHECK(pixel(d.train_x, 299, 783) == (299 + 783) % 256 / 256.);
  CHECK(d.valid_x.shape() == Sizes{10000, 784});
  CHECK(pixel(d.valid_x, 0, 5) == (50000 + 5) % 256 / 256.);
  CHECK(pixel(d.valid_x, 9999, 783) == (59999 + 783) % 256 / 256.);
  CHECK(pixel(d.test_x, 19, 0) == 19 / 256.);
  CHECK(d.train_y.to_vector<int>()[299] == 9);
  CHECK(d.valid_y.to_vector<int>()[7] == 7);
}

TEST_CASE("what is wrong with a file is said, with its name, what was found and what was expected") {
  const std::string root = damo::test::temp_dir();
  const fs::path folder = root;
  const std::string train_labels = root + "/train-labels-idx1-ubyte",
                    test_labels = root + "/t10k-labels-idx1-ubyte";
  const std::string train_images = root + "/train-images-idx3-ubyte";
  CHECK(
      load_error("") ==
      "MNIST was not found: put its four files into ~/.cache/damo/mnist, or name their folder in DAMO_DATA");
  CHECK(load_error(root + "/none") == "MNIST was not found: there is no folder " + root + "/none");
  write_file(root + "/file", "x");
  CHECK(load_error(root + "/file") == "MNIST was not found: " + root + "/file is not a folder");
  CHECK(load_error(root) ==
        "there is no train-labels-idx1-ubyte, with or without .gz, in " + root + " or its MNIST/raw");
  CHECK(message_of([&] { load_mnist(root, {.train = 50001}); }) ==
        "the training set has 50000 examples, not 50001");
  CHECK(message_of([&] { load_mnist(root, {.valid = -1}); }) ==
        "the validation set has 10000 examples, not -1");
  CHECK(message_of([&] { load_mnist(root, {.test = 10001}); }) ==
        "the test set has 10000 examples, not 10001");
  CHECK(message_of([&] { load_mnist(root, {}, damo::int32); }) ==
        "MNIST is read as float32 or float64, not int32");

  const auto with = [&](const std::string& path, const std::string& bytes) {
    write_file(path, bytes);
    return load_error(root);
  };
  const std::string page = "<!DOCTYPE html><html><body>403 Forbidden</body></html>";
  CHECK(with(train_labels + ".gz", page) ==
        train_labels + ".gz is a web page, not the labels of MNIST: it must be fetched again");
  fs::remove(train_labels + ".gz");
  CHECK(with(train_labels, "") == train_labels + " is empty");
  CHECK(with(train_labels, page) ==
        train_labels + " is a web page, not the labels of MNIST: it must be fetched again");
  CHECK(with(train_labels, "../train-labels") ==
        train_labels + " begins with the number 774778740, expected 2049 for IDX labels");
  CHECK(with(train_labels, "\1\2") ==
        train_labels + " begins with the number 16908288, expected 2049 for IDX labels");
  CHECK(with(train_labels, labels(60000, 2051)) ==
        train_labels + " begins with the number 2051, expected 2049 for IDX labels");
  CHECK(with(train_labels, labels(60000).substr(0, 6)) ==
        train_labels + " is truncated: it ends after 6 bytes, within its header");
  CHECK(with(train_labels, labels(10000)) == train_labels + " holds 10000 labels, expected 60000");
  CHECK(with(train_labels, labels(60000).substr(0, 59999)) ==
        train_labels + " is truncated: it ends after 59999 bytes, expected 60008");
  CHECK(with(train_labels, labels(60000) + "x") ==
        train_labels + " is longer than the 60008 bytes its header says");
  std::string bad = labels(60000);
  bad[8 + 1234] = 10;
  CHECK(with(train_labels, bad) == train_labels + ": label 1234 is 10, expected a digit");

  const std::string packed = gzipped(labels(60000));
  const std::string cut = with(train_labels, packed.substr(0, packed.size() - 9));
  CHECK(cut.starts_with(train_labels + " is truncated: its gzip data end after "));
  bad = packed;
  bad[bad.size() - 6] ^= 1;  // in the checksum
  CHECK(with(train_labels, bad).starts_with(train_labels + " is damaged: "));
  CHECK(with(train_labels, bad).ends_with(" is damaged: incorrect data check"));
  for (std::size_t n = 0; n < packed.size(); n += 29)
    REQUIRE(with(train_labels, packed.substr(0, n)).starts_with(train_labels));

  write_file(train_labels, labels(60000));
  fs::create_directory(test_labels);
  CHECK(load_error(root) == "cannot read " + test_labels + ": it is not a regular file");
  fs::remove(test_labels);
  write_file(test_labels, labels(10000));
  CHECK(with(train_images, image_header(70000)) == train_images + " holds 70000 images, expected 60000");
  CHECK(with(train_images, image_header(60000, 32, 28)) ==
        train_images + " holds images of 32 x 28 pixels, expected 28 x 28");
  CHECK(with(train_images, images(60).substr(0, 4)) ==
        train_images + " is truncated: it ends after 4 bytes, within its header");
  CHECK(with(train_images, image_header(60000) + std::string(784 * 100 + 5, 'x')) ==
        train_images + " is truncated: it ends after 78421 bytes, expected 47040016");
}

TEST_CASE("MNIST's folder is the one given, $DAMO_DATA, or ~/.cache/damo/mnist") {
  const std::string home = damo::test::temp_dir();
  const Environment set_home("HOME", home.c_str());
  const Environment unset("DAMO_DATA", nullptr);
  CHECK(find_mnist("x") == "x");
  CHECK(find_mnist().empty());
  fs::create_directories(home + "/.cache/damo/mnist");
  CHECK(find_mnist() == home + "/.cache/damo/mnist");
  const Environment data("DAMO_DATA", "/some/where");
  CHECK(find_mnist() == "/some/where");
  CHECK(find_mnist("x") == "x");
  const Environment empty("DAMO_DATA", "");
  const Environment homeless("HOME", nullptr);
  CHECK(find_mnist().empty());
}

// FIPS 180-4's own examples, and lengths around a block.
TEST_CASE("SHA-256") {
  const auto digest = [](const std::string& s, std::size_t piece) {
    damo::Sha256 sha;
    for (std::size_t i = 0; i < s.size(); i += piece) sha.update(s.data() + i, std::min(piece, s.size() - i));
    return sha.finish();
  };
  CHECK(digest("", 1) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest("abc", 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 5) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const std::string million(1000000, 'a');
  CHECK(digest(million, 1000000) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (std::size_t n = 54; n < 130; ++n)
    CHECK(digest(million.substr(0, n), 7) == digest(million.substr(0, n), 200));
}
