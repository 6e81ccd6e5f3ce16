#include "core/mnist.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/check.h"
#include "core/file.h"
#include "core/sha256.h"

namespace damo {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t n_train_file = 60000, n_train = 50000, n_valid = 10000, n_test = 10000, side = 28;

/// One of the four files: IDX data, big-endian, a magic number, the sizes of the axes, then a byte per
/// element.
struct IdxFile {
  const char* stem;
  const char* ending;
  bool images;
  std::int64_t count;
  const char* sha256;  // of the decompressed file

  std::uint32_t magic() const { return images ? 2051 : 2049; }
  std::int64_t item() const { return images ? side * side : 1; }
  std::int64_t header() const { return images ? 16 : 8; }
  const char* what() const { return images ? "images" : "labels"; }
};

constexpr IdxFile train_images{"train-images", "idx3-ubyte", true, n_train_file,
                               "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"};
constexpr IdxFile train_labels{"train-labels", "idx1-ubyte", false, n_train_file,
                               "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"};
constexpr IdxFile test_images{"t10k-images", "idx3-ubyte", true, n_test,
                              "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"};
constexpr IdxFile test_labels{"t10k-labels", "idx1-ubyte", false, n_test,
                              "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"};

/// The examples from `first` on go to the rows of `to`.
struct Part {
  std::int64_t first;
  Tensor to;
};

std::string path_of(const IdxFile& file, const std::string& folder) {
  for (const fs::path& place : {fs::path(folder), fs::path(folder) / "MNIST" / "raw"})
    for (const char* separator : {"-", "."})
      for (const char* packed : {"", ".gz"}) {
        const fs::path path = place / fmt::format("{}{}{}{}", file.stem, separator, file.ending, packed);
        std::error_code ignored;
        if (fs::exists(path, ignored)) return path.string();
      }
  fail("there is no {}-{}, with or without .gz, in {} or its MNIST/raw", file.stem, file.ending, folder);
}

/// The bytes of a file, decompressed if it is gzipped, with their checksum.
class Stream {
 public:
  explicit Stream(const std::string& path) : path_(path) {
    const InputFile probe(path);
    check(probe.size() > 0, "{} is empty", path);
    file_.reset(::gzopen(path.c_str(), "rb"));
    check(file_ != nullptr, "cannot open {}", path);
    ::gzbuffer(file_.get(), 1 << 17);
  }

  /// Up to n bytes; fewer only at the end.
  std::int64_t read(unsigned char* out, std::int64_t n) {
    const int got = ::gzread(file_.get(), out, static_cast<unsigned>(n));
    int status = Z_OK;
    const char* message = ::gzerror(file_.get(), &status);
    // zlib reports the early end of a gzip file as a lack of input.
    check(status != Z_BUF_ERROR, "{} is truncated: its gzip data end after {} bytes", path_,
          n_bytes_ + std::max(got, 0));
    check(got >= 0, "{} is damaged: {}", path_, message);
    sha256_.update(out, static_cast<std::size_t>(got));
    n_bytes_ += got;
    return got;
  }

  std::int64_t n_bytes() const { return n_bytes_; }
  std::string sha256() { return sha256_.finish(); }

 private:
  struct Close {
    void operator()(gzFile file) const { ::gzclose(file); }
  };
  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  Sha256 sha256_;
  std::int64_t n_bytes_ = 0;
};

void read_header(const IdxFile& file, const std::string& path, Stream& stream) {
  std::array<unsigned char, 16> bytes{};
  const std::int64_t got = stream.read(bytes.data(), file.header());
  check(bytes[0] != '<', "{} is a web page, not the {} of MNIST: it must be fetched again", path,
        file.what());
  const auto number = [&](std::size_t i) {
    return static_cast<std::uint32_t>(bytes[4 * i]) << 24 |
           static_cast<std::uint32_t>(bytes[4 * i + 1]) << 16 |
           static_cast<std::uint32_t>(bytes[4 * i + 2]) << 8 | bytes[4 * i + 3];
  };
  check(got >= 4 && number(0) == file.magic(), "{} begins with the number {}, expected {} for IDX {}", path,
        number(0), file.magic(), file.what());
  check(got == file.header(), "{} is truncated: it ends after {} bytes, within its header", path, got);
  check(number(1) == file.count, "{} holds {} {}, expected {}", path, number(1), file.what(), file.count);
  if (file.images)
    check(number(2) == side && number(3) == side, "{} holds images of {} x {} pixels, expected {} x {}", path,
          number(2), number(3), side, side);
}

template <class T>
void convert(const unsigned char* bytes, std::int64_t n, T divisor, T* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(bytes[i]) / divisor;
}

// Small pieces go from the file straight to the tensors: nothing is held twice.
void read_idx(const IdxFile& file, const std::string& folder, const std::vector<Part>& parts) {
  const std::string path = path_of(file, folder);
  Stream stream(path);
  read_header(file, path, stream);
  const std::int64_t item = file.item(), at_once = 64;
  std::vector<unsigned char> bytes(static_cast<std::size_t>(at_once * item));
  for (std::int64_t i = 0; i < file.count; i += at_once) {
    const std::int64_t n = std::min(at_once, file.count - i);
    const std::int64_t got = stream.read(bytes.data(), n * item);
    check(got == n * item, "{} is truncated: it ends after {} bytes, expected {}", path, stream.n_bytes(),
          file.header() + file.count * item);
    if (!file.images) {
      const auto end = bytes.begin() + n;
      const auto wrong = std::find_if(bytes.begin(), end, [](unsigned char b) { return b > 9; });
      if (wrong != end)
        fail("{}: label {} is {}, expected a digit", path, i + (wrong - bytes.begin()),
             static_cast<int>(*wrong));
    }
    for (const Part& part : parts) {
      const std::int64_t begin = std::max(i, part.first),
                         end = std::min(i + n, part.first + part.to.shape(0));
      if (begin >= end) continue;
      const unsigned char* from = bytes.data() + (begin - i) * item;
      const std::int64_t at = (begin - part.first) * item, length = (end - begin) * item;
      if (part.to.dtype() == float32)
        convert(from, length, file.images ? 256.0F : 1.0F, part.to.span<float>().data() + at);
      else
        convert(from, length, file.images ? 256.0 : 1.0, part.to.span<double>().data() + at);
    }
  }
  check(stream.read(bytes.data(), 1) == 0, "{} is longer than the {} bytes its header says", path,
        file.header() + file.count * item);
  const std::string sha256 = stream.sha256();
  if (sha256 != file.sha256)
    std::fputs(
        fmt::format("damo: warning: {} is well-formed, but not MNIST's own: its sha256 is {}, expected {}\n",
                    path, sha256, file.sha256)
            .c_str(),
        stderr);
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

Dataset load_mnist(const std::string& folder, const MnistLimits& limits, DType dtype) {
  check(
      !folder.empty(),
      "MNIST was not found: put its four files into ~/.cache/damo/mnist, or name their folder in DAMO_DATA");
  std::error_code ignored;
  check(fs::is_directory(folder, ignored), "MNIST was not found: there is no folder {}", folder);
  check(is_float(dtype), "MNIST is read as float32 or float64, not {}", dtype);
  const std::int64_t train = limited("training", limits.train, n_train);
  const std::int64_t valid = limited("validation", limits.valid, n_valid);
  const std::int64_t test = limited("test", limits.test, n_test);
  const std::int64_t pixels = side * side;
  const Dataset d{Tensor::empty({train, pixels}, dtype), Tensor::empty({train}, dtype),
                  Tensor::empty({valid, pixels}, dtype), Tensor::empty({valid}, dtype),
                  Tensor::empty({test, pixels}, dtype),  Tensor::empty({test}, dtype)};
  // The labels first: they are small, and show soonest that something is missing.
  read_idx(train_labels, folder, {{0, d.train_y}, {n_train_file - n_valid, d.valid_y}});
  read_idx(test_labels, folder, {{0, d.test_y}});
  read_idx(train_images, folder, {{0, d.train_x}, {n_train_file - n_valid, d.valid_x}});
  read_idx(test_images, folder, {{0, d.test_x}});
  return d;
}

}  // namespace damo
