#include <zlib.h>

#include "core/data/idx.h"
#include "tests/fuzz/targets/target.h"

using damo::fuzz::error_of;
using damo::fuzz::expect;
using damo::fuzz::file_of;

namespace {

struct Outcome {
  std::string error, items, sha256;
  bool operator==(const Outcome&) const = default;
};

// The bytes read as a file of 70 labels.
Outcome read(const std::string& bytes) {
  const std::string path = file_of("labels.gz", bytes);
  Outcome o;
  o.error = error_of([&] {
    o.sha256 = damo::read_idx(path, {.count = 70}, [&](std::int64_t, std::int64_t n, const unsigned char* p) {
      o.items.append(reinterpret_cast<const char*>(p), static_cast<std::size_t>(n));
    });
  });
  return o;
}

std::string gzipped(const std::string& bytes, int level) {
  z_stream z{};
  expect(::deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib starts");
  std::string out(::deflateBound(&z, static_cast<uLong>(bytes.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  expect(::deflate(&z, Z_FINISH) == Z_STREAM_END, "zlib packs");
  out.resize(out.size() - z.avail_out);
  ::deflateEnd(&z);
  return out;
}

}  // namespace

// The bytes as a gzip file; and the bytes packed into one, whole and cut, which must not change what they
// hold, or hide that something is missing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const Outcome plain = read(bytes);
  expect(!plain.error.empty() || plain.items.size() == 70, "all items are handed over");
  const bool packed_already = bytes.starts_with("\x1f\x8b");
  if (bytes.empty() || packed_already) return 0;
  const std::string packed = gzipped(bytes, data[size - 1] % 10);
  expect(read(packed) == plain, "a gzip file holds what was packed");
  const std::size_t cut = packed.size() * data[0] / 256;
  expect(!read(packed.substr(0, cut)).error.empty(), "a gzip file that is cut is an Error");
  return 0;
}
