#include "core/data/mnist.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/data/idx.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t n_train_file = 60000, n_train = 50000, n_valid = 10000, n_test = 10000, side = 28;

/// One of the four files.
struct MnistFile {
  const char* stem;
  const char* ending;
  bool images;
  std::int64_t count;
  const char* sha256;  // of the decompressed file
};

constexpr MnistFile train_images{"train-images", "idx3-ubyte", true, n_train_file,
                                 "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"};
constexpr MnistFile train_labels{"train-labels", "idx1-ubyte", false, n_train_file,
                                 "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"};
constexpr MnistFile test_images{"t10k-images", "idx3-ubyte", true, n_test,
                                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"};
constexpr MnistFile test_labels{"t10k-labels", "idx1-ubyte", false, n_test,
                                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"};

/// The examples from `first` on go to the rows of `to`.
struct Part {
  std::int64_t first;
  Tensor to;
};

// Empty if it is not there.
std::string find_file(const MnistFile& file, const std::string& folder) {
  for (const fs::path& place : {fs::path(folder), fs::path(folder) / "MNIST" / "raw"})
    for (const char* separator : {"-", "."})
      for (const char* packed : {"", ".gz"}) {
        const fs::path path = place / fmt::format("{}{}{}{}", file.stem, separator, file.ending, packed);
        std::error_code ignored;
        if (fs::exists(path, ignored)) return path.string();
      }
  return "";
}

template <class T>
void convert(const unsigned char* bytes, std::int64_t n, T divisor, T* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(bytes[i]) / divisor;
}

// Returns a warning if the file is not MNIST's own, else "".
std::string read_file(const MnistFile& file, const std::string& folder, const std::vector<Part>& parts) {
  const std::string path = find_file(file, folder);
  check(!path.empty(), "there is no {}-{}, with or without .gz, in {} or its MNIST/raw", file.stem,
        file.ending, folder);
  const IdxShape shape{.images = file.images, .count = file.count, .rows = side, .cols = side};
  const std::int64_t item = shape.item();
  const std::string sha256 =
      read_idx(path, shape, [&](std::int64_t first, std::int64_t n, const unsigned char* bytes) {
        if (!file.images) {
          const unsigned char* wrong = std::find_if(bytes, bytes + n, [](unsigned char b) { return b > 9; });
          if (wrong != bytes + n)
            fail("{}: label {} is {}, expected a digit", path, first + (wrong - bytes),
                 static_cast<int>(*wrong));
        }
        for (const Part& part : parts) {
          const std::int64_t begin = std::max(first, part.first),
                             end = std::min(first + n, part.first + part.to.shape(0));
          if (begin >= end) continue;
          const unsigned char* from = bytes + (begin - first) * item;
          const std::int64_t at = (begin - part.first) * item, length = (end - begin) * item;
          if (part.to.dtype() == float32)
            convert(from, length, file.images ? 256.0F : 1.0F, part.to.span<float>().data() + at);
          else
            convert(from, length, file.images ? 256.0 : 1.0, part.to.span<double>().data() + at);
        }
      });
  if (sha256 == file.sha256) return "";
  return fmt::format("damo: warning: {} is well-formed, but not MNIST's own: its sha256 is {}, expected {}\n",
                     path, sha256, file.sha256);
}

std::int64_t limited(const char* part, std::int64_t limit, std::int64_t all) {
  check(limit >= 0 && limit <= all, "the {} set has {} examples, not {}", part, all, limit);
  return limit == 0 ? all : limit;
}

}  // namespace

std::string find_mnist(const std::string& folder) {
  if (!folder.empty()) return folder;
  const char* data = std::getenv("DAMO_DATA");
  if (data != nullptr && *data != '\0') return data;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return "";
  const fs::path cache = fs::path(home) / ".cache" / "damo" / "mnist";
  std::error_code ignored;
  return fs::is_directory(cache, ignored) ? cache.string() : "";
}

std::vector<std::string> mnist_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const MnistFile& file : {train_images, train_labels, test_images, test_labels})
    if (std::string path = find_file(file, folder); !path.empty()) files.push_back(std::move(path));
  return files;
}

Dataset load_mnist(const std::string& folder, const MnistLimits& limits, DType dtype) {
  check(
      !folder.empty(),
      "MNIST was not found: put its four files into ~/.cache/damo/mnist, or name their folder in DAMO_DATA");
  std::error_code ignored;
  check(fs::exists(folder, ignored), "MNIST was not found: there is no folder {}", folder);
  check(fs::is_directory(folder, ignored), "MNIST was not found: {} is not a folder", folder);
  check(is_float(dtype), "MNIST is read as float32 or float64, not {}", dtype);
  const std::int64_t train = limited("training", limits.train, n_train);
  const std::int64_t valid = limited("validation", limits.valid, n_valid);
  const std::int64_t test = limited("test", limits.test, n_test);
  const std::int64_t pixels = side * side;
  const Dataset d{Tensor::empty({train, pixels}, dtype), Tensor::empty({train}, dtype),
                  Tensor::empty({valid, pixels}, dtype), Tensor::empty({valid}, dtype),
                  Tensor::empty({test, pixels}, dtype),  Tensor::empty({test}, dtype)};
  // The labels first: they are small, and show soonest that something is missing.
  std::string warnings;
  warnings += read_file(train_labels, folder, {{0, d.train_y}, {n_train_file - n_valid, d.valid_y}});
  warnings += read_file(test_labels, folder, {{0, d.test_y}});
  warnings += read_file(train_images, folder, {{0, d.train_x}, {n_train_file - n_valid, d.valid_x}});
  warnings += read_file(test_images, folder, {{0, d.test_x}});
  // Only now: whoever gets an Error gets nothing else.
  std::fputs(warnings.c_str(), stderr);
  return d;
}

}  // namespace damo
