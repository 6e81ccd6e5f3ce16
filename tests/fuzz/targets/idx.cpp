#include "core/data/idx.h"

#include "core/data/sha256.h"
#include "tests/fuzz/targets/target.h"

using damo::IdxShape;
using damo::fuzz::error_of;
using damo::fuzz::expect;

// The bytes as a file of labels, and as one of images: an Error, or the very bytes after the header.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::string path = damo::fuzz::file_of("idx", bytes);
  for (const IdxShape& shape :
       {IdxShape{.images = false, .count = 70}, IdxShape{.images = true, .count = 3, .rows = 2, .cols = 5}}) {
    std::string items, sha256;
    std::int64_t next = 0;
    const std::string error = error_of([&] {
      sha256 = damo::read_idx(path, shape, [&](std::int64_t first, std::int64_t n, const unsigned char* p) {
        expect(first == next && n > 0, "the pieces follow one another");
        next = first + n;
        items.append(reinterpret_cast<const char*>(p), static_cast<std::size_t>(n * shape.item()));
      });
    });
    expect(next <= shape.count, "no piece reaches beyond the last item");
    if (!error.empty()) {
      expect(error.starts_with(path) || error.find(" " + path) != std::string::npos,
             "an Error names the file");
      continue;
    }
    expect(next == shape.count, "all items are handed over");
    if (bytes.starts_with("\x1f\x8b")) continue;
    expect(bytes.size() == (shape.images ? 16U : 8U) + items.size(), "nothing follows the items");
    expect(bytes.ends_with(items), "the items are the file's");
    damo::Sha256 whole;
    whole.update(bytes.data(), bytes.size());
    expect(sha256 == whole.finish(), "the checksum is the file's");
  }
  return 0;
}
