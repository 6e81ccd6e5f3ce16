#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace damo {

/// What an IDX file, MNIST's format, is to hold: so many labels, or images of rows x cols pixels; a byte
/// each.
struct IdxShape {
  bool images = false;
  std::int64_t count = 0;
  std::int64_t rows = 28;
  std::int64_t cols = 28;

  std::int64_t item() const { return images ? rows * cols : 1; }  ///< bytes of one label or image
};

/// Hands over n labels or images, from number `first` on.
using IdxPiece = std::function<void(std::int64_t first, std::int64_t n, const unsigned char* bytes)>;

/// Reads the file, gzipped or not, piece by piece and in order. Returns the SHA-256 of its decompressed
/// bytes. Throws Error, which names the file, what was found and what was expected; then the pieces handed
/// over are not to be used.
std::string read_idx(const std::string& path, const IdxShape& shape, const IdxPiece& piece);

}  // namespace damo
