#include "core/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "core/data/file.h"
#include "core/data/sha256.h"
#include "core/tensor/check.h"

namespace damo {
namespace {

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
    std::string_view message = ::gzerror(file_.get(), &status);
    if (message.starts_with(path_ + ": ")) message.remove_prefix(path_.size() + 2);
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

// Big-endian: a magic number, the sizes of the axes.
void read_header(const std::string& path, const IdxShape& shape, Stream& stream) {
  const std::uint32_t magic = shape.images ? 2051 : 2049;
  const char* what = shape.images ? "images" : "labels";
  const std::int64_t size = shape.images ? 16 : 8;
  std::array<unsigned char, 16> bytes{};
  const std::int64_t got = stream.read(bytes.data(), size);
  check(bytes[0] != '<', "{} is a web page, not the {} of MNIST: it must be fetched again", path, what);
  const auto number = [&](std::size_t i) {
    return static_cast<std::uint32_t>(bytes[4 * i]) << 24 |
           static_cast<std::uint32_t>(bytes[4 * i + 1]) << 16 |
           static_cast<std::uint32_t>(bytes[4 * i + 2]) << 8 | bytes[4 * i + 3];
  };
  check(got >= 4 && number(0) == magic, "{} begins with the number {}, expected {} for IDX {}", path,
        number(0), magic, what);
  check(got == size, "{} is truncated: it ends after {} bytes, within its header", path, got);
  check(number(1) == shape.count, "{} holds {} {}, expected {}", path, number(1), what, shape.count);
  if (shape.images)
    check(number(2) == shape.rows && number(3) == shape.cols,
          "{} holds images of {} x {} pixels, expected {} x {}", path, number(2), number(3), shape.rows,
          shape.cols);
}

}  // namespace

// Small pieces go from the file straight to their place: nothing is held twice.
std::string read_idx(const std::string& path, const IdxShape& shape, const IdxPiece& piece) {
  Stream stream(path);
  read_header(path, shape, stream);
  const std::int64_t size = stream.n_bytes() + shape.count * shape.item(), at_once = 64;
  std::vector<unsigned char> bytes(static_cast<std::size_t>(at_once * shape.item()));
  for (std::int64_t i = 0; i < shape.count; i += at_once) {
    const std::int64_t n = std::min(at_once, shape.count - i);
    const std::int64_t got = stream.read(bytes.data(), n * shape.item());
    check(got == n * shape.item(), "{} is truncated: it ends after {} bytes, expected {}", path,
          stream.n_bytes(), size);
    piece(i, n, bytes.data());
  }
  check(stream.read(bytes.data(), 1) == 0, "{} is longer than the {} bytes its header says", path, size);
  return stream.sha256();
}

}  // namespace damo
